"""Bars in memory to a full summary in memory: a crossover, with and without a bracket. `python -m bench.in_memory [--bars N]`

The ledgers of event and bar mode are compared first. Validation, digests, indicators, the buy-and-hold account and the Arrow ledger are all
in the time; nothing is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

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
    backend = CpuBackend()

    def run(*overrides: str) -> Callable[[], Any]:
        config = configuration([*CROSS, *overrides])
        return lambda: run_backtest(config, backend=backend, bars=bars)

    for overrides in ([], BRACKET):
        event, dense = run(*overrides)(), run(*overrides, "sim.mode=bar")()
        assert event.summary["ledger_digest"] == dense.summary["ledger_digest"]
        assert event.metrics == dense.metrics
        phases = {name: round(phase["seconds"] * 1e3) for name, phase in event.benchmark["phases"].items()}
        print(f"{event.metrics['n_trades']} trades, ms by phase: {phases}")
    cases = {"crossover": run(), "crossover, bracket, fees": run(*BRACKET), "crossover, bar mode": run("sim.mode=bar")}
    results = paired(cases, options.rounds)
    show(results, "crossover")
    print(save("in_memory", f"{options.bars} bars in memory to a summary in memory", results, threads=backend.threads))


if __name__ == "__main__":
    main()
