"""`gpubt run`: Hydra reads the command line and composes, then every job runs, reports its failure, and cleans up after itself."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import hydra
from hydra._internal.hydra import Hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from gpubt import __version__, resources
from gpubt.cli import report
from gpubt.commands import completion, folders
from gpubt.commands.arguments import JSON, QUIET, SCREEN, Parser, as_json, told
from gpubt.compose import HYDRA_VERSION, PRIMARY, isolated_hydra, refuse_hidden, typed
from gpubt.compose_errors import explain, refuse_keyless
from gpubt.compose_python import python_strategy
from gpubt.errors import GpubtError, InputError


@dataclass
class Outcome:
    """What the jobs of one command came to; Hydra itself only ever sees jobs that return."""

    statuses: list[int] = field(default_factory=list)
    fatal: BaseException | None = None  # the reader of our output left

    def status(self) -> int:
        """0 if every job is done, else 1 if any failed by our fault, else 2."""
        failed = {status for status in self.statuses if status}
        return 1 if 1 in failed else max(failed, default=0)


def main(arguments: list[str]) -> int:
    """Run `gpubt run` with these arguments and return the exit status. Raises GpubtError for what Hydra refuses."""
    if "--version" in arguments:
        print(f"gpubt {__version__}")
        return 0
    if completion.requested(arguments) and completion.commands_only():
        return 0
    screen, arguments = told(arguments)
    flags = _flags(arguments)
    outcome = Outcome()
    decorate = hydra.main(version_base=HYDRA_VERSION, config_path=str(resources.folder("conf")), config_name=PRIMARY)
    folders.forget()
    with (
        isolated_hydra(),
        python_strategy(flags.overrides, flags.config_dir) as more,
        _process_state(_beside(arguments, flags.overrides, more)),
        _composed_once(flags),
    ):
        try:
            decorate(_job(outcome, arguments, flags.config_dir, more, screen))()
        except SystemExit as ending:
            return 2 if ending.code else 0  # `--cfg job -p nothing`, which Hydra has explained
        except Exception as error:
            raise _refusal(error) from error
        finally:
            folders.remove_empty()
    if outcome.fatal is not None:
        raise outcome.fatal
    return outcome.status()


def _beside(arguments: list[str], overrides: list[str], more: list[str]) -> list[str]:
    """The arguments with `more` overrides after the last one: Hydra's parser takes no others after a flag."""
    at = arguments.index(overrides[-1]) + 1 if more else 0
    return [*arguments[:at], *more, *arguments[at:]]


def _job(outcome: Outcome, arguments: list[str], config_dir: str | None, added: list[str], screen: str) -> Callable[[DictConfig], None]:
    def run(composed: DictConfig) -> None:
        node = HydraConfig.get()
        several = node.mode is not None and node.mode.name == "MULTIRUN"
        folder = Path(node.runtime.output_dir)
        # as typed: iterating over the node would resolve an interpolation such as data.symbol=${strategy.name}
        task: list[str] = OmegaConf.to_container(node.overrides.task, resolve=False)  # type: ignore[assignment]
        overrides = [text for text in task if text.removesuffix("=null") not in added]
        try:
            if several and screen == SCREEN:
                print(f"#{node.job.num} {' '.join(overrides)}", flush=True)
            refuse_hidden(node.runtime)
            again = [*(["--config-dir", config_dir] if config_dir else []), *overrides] if several else arguments
            _backtest(composed, folder, again, screen)
            outcome.statuses.append(0)
        except BrokenPipeError as error:
            outcome.fatal = error
        except Exception as error:
            outcome.statuses.append(report(error, debug=composed.get("debug") is True))
        finally:
            folders.remove_empty(folder if several else None)

    return run


def _backtest(composed: DictConfig, folder: Path, arguments: list[str], screen: str) -> None:
    config = typed(composed)
    if screen != SCREEN:
        config = replace(config, progress=False)
    if config.profile.mode == "nsys":
        from gpubt.nsight import run_under_nsys

        run_under_nsys(arguments, folder)
        return
    from gpubt.pipeline import run_backtest

    result = run_backtest(config, folder=folder)
    if screen == JSON:
        print(as_json({"folder": str(folder), **result.summary}), flush=True)
    elif screen == QUIET:
        print(folder, flush=True)
    else:
        from gpubt.report.terminal import render

        render(result, arguments=arguments)


def _flags(arguments: list[str]) -> argparse.Namespace:
    """Hydra's flags. Raises ConfigError for one that it does not have; its own parser would print its usage over several lines."""
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    parser.error = Parser(prog="gpubt run").error  # type: ignore[method-assign]
    flags = parser.parse_args(arguments)
    refuse_keyless(flags.overrides)
    if flags.config_dir is not None and not Path(flags.config_dir).is_dir():
        raise InputError(f"--config-dir must be a folder of configuration files, got {flags.config_dir!r}")
    return flags


@contextmanager
def _process_state(arguments: list[str]) -> Iterator[None]:
    """`hydra.main` reads sys.argv, raises what goes wrong only with HYDRA_FULL_ERROR (else it prints and exits), and adds log handlers."""
    argv, full = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    sys.argv, os.environ["HYDRA_FULL_ERROR"] = ["gpubt", *arguments], "1"
    try:
        yield
    finally:
        sys.argv = argv
        root.handlers[:] = handlers
        root.setLevel(level)
        if full is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = full


@contextmanager
def _composed_once(flags: argparse.Namespace) -> Iterator[None]:
    """Hydra composes everything twice, the first time for `hydra.mode` alone (0.1 s). Where nothing typed can set it, it isn't asked."""
    free = any("hydra" in override and not override.startswith("hydra.run.dir=") for override in flags.overrides)
    if free or flags.config_dir is not None:
        yield
        return
    get_mode = Hydra.get_mode
    Hydra.get_mode = lambda *_, **__: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        Hydra.get_mode = get_mode  # type: ignore[method-assign]


def _refusal(error: Exception) -> Exception:
    """What escaped Hydra, as the input's fault where it is: jobs keep their failures to themselves, so this is about composing."""
    if isinstance(error, (GpubtError, BrokenPipeError)):
        return error
    if isinstance(error, OSError) and error.filename is not None:
        return InputError(f"can't use {error.filename}: {error.strerror}")
    try:
        return explain(error)
    except Exception as ours:
        return ours
