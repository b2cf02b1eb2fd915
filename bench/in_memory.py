"""Bars in memory to a full summary in memory: a crossover, with and without a bracket. `python -m bench.in_memory [--bars N]`

The ledgers of event and bar mode are compared first. Indicators, ledger digest and the buy-and-hold account are in the time, and for bars
that the engine has not seen validation and the data digest; nothing is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.harness import paired, save, show
from bench.workloads import walk

CROSS = ["strategy=ema_cross", "strategy.params.fast=20", "strategy.params.slow=50", "backend=cpu", "progress=false"]
BRACKET = ["exits.stop.pct=0.002", "exits.target.pct=0.004", "costs.commission.rate=0.0001"]


def main() -> None:
    """Compare, time, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    from gpubt.backends.cpu import CpuBackend
    from gpubt.compose import configuration
    from gpubt.data.bars import Bars
    from gpubt.pipeline import run_backtest

    columns = walk(options.bars)
    bars = Bars("WALK", np.arange(options.bars, dtype=np.int64) * 60_000_000_000, **columns)
    checked = Bars("WALK", **{name: read_only(column) for name, column in bars.columns().items()})
    backend = CpuBackend()

    def run(*overrides: str, bars: Bars = checked) -> Callable[[], Any]:
        config = configuration([*CROSS, *overrides])
        return lambda: run_backtest(config, backend=backend, bars=bars)

    for overrides in ([], BRACKET):
        event, dense = run(*overrides)(), run(*overrides, "sim.mode=bar")()
        assert event.summary["ledger_digest"] == dense.summary["ledger_digest"]
        assert event.metrics == dense.metrics
        phases = {name: round(phase["seconds"] * 1e3) for name, phase in event.benchmark["phases"].items()}
        print(f"{event.metrics['n_trades']} trades, ms by phase: {phases}")
    cases = {
        "crossover": run(),
        "crossover, bracket, fees": run(*BRACKET),
        "crossover, bars never seen": run(bars=bars),
        "crossover, bracket, fees, bars never seen": run(*BRACKET, bars=bars),
        "crossover, bar mode": run("sim.mode=bar"),
    }
    results = paired(cases, options.rounds)
    show(results, "crossover")
    print(save("in_memory", f"{options.bars} bars in memory to a summary in memory", results, threads=backend.threads))


def read_only(column: NDArray[Any]) -> NDArray[Any]:
    """A view that can't be written to, as `Bars.from_arrow` gives them: such bars are validated once."""
    view = column.view()
    view.flags.writeable = False
    return view


if __name__ == "__main__":
    main()
