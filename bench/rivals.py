"""What a good engineer writes in an hour: each trade's bars, one after the other, in plain Python and in numba.

Independent of the engine: written from the description of quantpipe in `docs/semantics.md`. Exit bar, reason (2 stop, 3 target, 6 time) and
pnl as a fraction of the entry price.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.workloads import Brackets

Exits = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def loop(
    high: Any, low: Any, close: Any, bar: Any, side: Any, stop: float, target: float, window: int, x: Any, reason: Any, pnl: Any
) -> None:
    """Bars `i + 1 .. i + window` of each trade: stop first, filled at the level; else the close of the last one."""
    n = len(close)
    for k in range(len(bar)):
        i, long = bar[k], side[k] > 0
        entry = close[i]
        sl = entry * (1.0 - stop) if long else entry * (1.0 + stop)
        tp = entry * (1.0 + target) if long else entry * (1.0 - target)
        last = min(n - 1, i + window)
        t, why, fill = last, 6, close[last]
        for j in range(i + 1, last + 1):
            if (low[j] <= sl) if long else (high[j] >= sl):
                t, why, fill = j, 2, sl
                break
            if (high[j] >= tp) if long else (low[j] <= tp):
                t, why, fill = j, 3, tp
                break
        x[k], reason[k] = t, why
        pnl[k] = (fill - entry) / entry if long else (entry - fill) / entry


def run(work: Brackets, kernel: Callable[..., None], plain: bool) -> Exits:
    """`kernel` over the workload, on lists when `plain`."""
    m = len(work.bar)
    x, reason, pnl = np.empty(m, np.int64), np.empty(m, np.int64), np.empty(m)
    arrays = [work.columns[name] for name in ("high", "low", "close")] + [work.bar, work.side]
    kernel(*(a.tolist() if plain else a for a in arrays), work.stop, work.target, work.window, x, reason, pnl)
    return x, reason, pnl


def numba_loop() -> Callable[..., None]:
    """`loop`, compiled, one thread."""
    from numba import njit

    compiled: Callable[..., None] = njit(nogil=True)(loop)
    return compiled
