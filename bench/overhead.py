"""What profiling costs when it is off: a whole run with its phases and parts, and the same without any of them. `python -m bench.overhead`

Both give one ledger first. The other run has phases and parts that do nothing at all: no clock, no range, no memory reading.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

from bench.harness import paired, save, show
from bench.workloads import walk
from gpubt.phases import Phases

RUN = ["strategy=ema_cross", "costs.commission.rate=0.0001", "exits.stop.pct=0.002", "backend=cpu", "progress=false"]


@contextmanager
def nothing(*_: Any, **__: Any) -> Iterator[None]:
    """A phase or part that is only its block."""
    yield


def main() -> None:
    """Compare, time, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=6_900_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    from gpubt.backends.cpu import CpuBackend
    from gpubt.compose import configuration
    from gpubt.data.bars import Bars
    from gpubt.pipeline import run_backtest

    columns = walk(options.bars)
    for column in columns.values():
        column.flags.writeable = False
    time = np.arange(options.bars, dtype=np.int64) * 60_000_000_000
    time.flags.writeable = False
    bars, backend, config = Bars("WALK", time, **columns), CpuBackend(), configuration(RUN)

    def run() -> Any:
        return run_backtest(config, backend=backend, bars=bars)

    recorded = run().benchmark["phases"]
    known = {name: {**phase, "seconds": 0.0} for name, phase in recorded.items()}

    def bare() -> Any:
        with ExitStack() as stack:
            stack.enter_context(patch.object(Phases, "phase", lambda *_, **__: nothing()))
            stack.enter_context(patch.object(Phases, "record", lambda _: known))
            stack.enter_context(patch("gpubt.backends.base.part", nothing))
            stack.enter_context(patch("gpubt.backends.cpu.part", nothing))
            return run()

    assert run().summary["ledger_digest"] == bare().summary["ledger_digest"]
    cases: dict[str, Callable[[], Any]] = {"without phases and parts": bare, "as it is, profile=off": run}
    results = paired(cases, options.rounds)
    show(results, "without phases and parts")
    over = results["as it is, profile=off"]["median_s"] / results["without phases and parts"]["median_s"] - 1.0
    print(f"overhead {over:+.2%}")
    print(save("overhead", f"{options.bars} bars in memory, phases and parts on and off", results, overhead=over))


if __name__ == "__main__":
    main()
