"""The command `gpubt`: finds the subcommand, and turns every outcome into an exit status and at most one line on stderr.

Exit status: 0 done, 1 a fault of gpubt's, or `check` found a strategy that sees the future, 2 the input's fault, 3 a comparison found a
difference, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from gpubt import __version__
from gpubt.errors import ConfigError, GpubtError, accepted

# name: module, what it does
COMMANDS = {
    "run": ("gpubt.commands.run", "backtest a strategy: gpubt run [group=option] [key=value] ..."),
    "sweep": ("gpubt.commands.sweep", "backtest every set of a grid: gpubt sweep key=1,2,3 'key=range(5,60)' ..."),
    "top": ("gpubt.commands.top", "the best sets of a sweep: gpubt top DIR --by sharpe_ratio"),
    "replay": ("gpubt.commands.replay", "the run behind a row of a sweep: gpubt replay SWEEP_DIR --row 17"),
    "check": ("gpubt.commands.check", "what a strategy says and takes, and whether it sees the future: gpubt check strategy=NAME"),
    "explain": ("gpubt.commands.explain", "why a trade is what it is: gpubt explain RUN --trade 17"),
    "compare": ("gpubt.commands.compare", "whether two runs gave the same trades: gpubt compare A B"),
    "report": ("gpubt.commands.report", "a run or a sweep as one HTML file: gpubt report DIR"),
    "info": ("gpubt.commands.info", "versions, devices, whether and why cuda can't be used, caches"),
    "list": ("gpubt.commands.listing", "strategies, indicators, configuration groups, plugins"),
    "warmup": ("gpubt.commands.warmup", "compile the kernels and measure where the GPU begins to pay"),
    "bench": ("gpubt.commands.bench", "compare, then time, runs and their parts; put records together"),
    "data": ("gpubt.commands.data", "check a file of bars, or convert it to Parquet: gpubt data check FILE"),
}

HELP = """gpubt: backtests of trading rules on the GPU, and on the CPU where there is none

{commands}

  gpubt COMMAND --help    what a command takes
  gpubt --version         the version

Begin with: gpubt run"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status. `argv` is without the program's name; default: the process's own."""
    if argv is None:
        return _process(sys.argv[1:])
    arguments = list(argv)
    try:
        status = dispatch(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        return _reader_left()
    except KeyboardInterrupt:
        print("gpubt: interrupted", file=sys.stderr)
        return 130
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 0 if ending.code is None else 1
    except Exception as error:
        return report(error, debug="debug=true" in (argument.lower() for argument in arguments))


def _process(arguments: list[str]) -> int:
    """`main` as all that this process does: what it imports is never garbage, so looking for some there, and freeing it at the end, only
    takes time (0.3 s of a run of one second). The system's allocator reads Parquet as fast as Arrow's own and gives memory back."""
    import gc

    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    gc.set_threshold(200_000, 20, 20)
    status = main(arguments)
    gc.freeze()
    return status


def dispatch(arguments: list[str]) -> int:
    """Call the subcommand. Raises ConfigError for one that does not exist."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(HELP.format(commands="\n".join(f"  {name:<9}{about}" for name, (_, about) in COMMANDS.items())))
        return 0
    if arguments[0] in ("--version", "-V"):
        print(f"gpubt {__version__}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name in ("--shell-completion", "-sc"):  # what shells call; completion knows which command is typed
        name, rest = "run", arguments
    if name not in COMMANDS:
        if "=" in name:
            raise ConfigError(f"unknown command {name!r}: did you mean gpubt run {name}?")
        raise ConfigError(f"unknown command {name!r}; {accepted(COMMANDS, name)}")
    return int(import_module(COMMANDS[name][0]).main(rest))


def report(error: Exception, *, debug: bool) -> int:
    """Say on stderr what went wrong; with `debug` the traceback before it. Returns the exit status.

    One line, except where the engine's own message points at a place in a rule.
    """
    if debug:
        import traceback

        traceback.print_exception(error)
    sentence, status = str(error), 1
    if isinstance(error, GpubtError):
        status = error.exit_code
    else:
        lines = "; ".join(line.strip() for line in sentence.splitlines() if line.strip())
        sentence = f"an unexpected failure, {type(error).__name__}: {lines}"
    if status == 1 and not debug:
        sentence += " (add debug=true for the traceback)"
    with contextlib.suppress(BrokenPipeError):
        print(f"gpubt: {sentence}", file=sys.stderr)
    return status


def _reader_left() -> int:
    """`gpubt list | head -1`: what is still buffered goes nowhere, so that the interpreter's last flush is silent too."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
