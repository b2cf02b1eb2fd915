"""The named brackets of the benchmarks, seeded: what `gpubt.bench.workloads` has, and some that are drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from gpubt.bench.workloads import Brackets, bracket_parameters, entry_records, origin, walk

__all__ = ["BRACKETS", "Brackets", "bracket_parameters", "drawn", "entry_records", "origin", "walk"]


def drawn(low: float, high: float, n: int = 6_900_000, trades: int = 17_700, **trailing: float) -> Brackets:
    """Stops and targets drawn between two fractions, on minutes of 0.06 %. A trailing stop takes the place of the stop."""
    rng = np.random.default_rng(3)
    bar = np.sort(rng.choice(n - max(2, n // 30), trades, replace=False)).astype(np.int64)
    side = np.where(rng.random(trades) < 0.5, 1, -1).astype(np.int64)
    stop, target = rng.uniform(low, high, trades), rng.uniform(low, high, trades)
    return Brackets(walk(n, 6e-4), bar, side, np.full(trades, np.inf) if trailing else stop, target, **trailing)


BRACKETS: dict[str, Callable[..., Brackets]] = {
    "origin": origin,
    "narrow": partial(drawn, 0.002, 0.010),  # about 100 bars long
    "wide": partial(drawn, 0.02, 0.10),  # about 10,000
    "trailing": partial(drawn, 0.002, 0.010, trail=0.005),
    "trailing-wide": partial(drawn, 0.02, 0.10, trail=0.05),
    "trailing-atr": partial(drawn, 0.002, 0.010, trail_atr=5.0),
}
