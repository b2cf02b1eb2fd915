"""What a good engineer writes in an hour: each trade's bars, one after the other, in plain Python and in numba.

Independent of the engine: written from the description of quantpipe in `docs/semantics.md`, with a trailing stop. Exit bar, reason (the
codes of the ledger) and pnl as a fraction of the entry price; no costs, no excursions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.workloads import Brackets

Exits = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]
STOP, TARGET, TRAILING, TIME, END = 2, 3, 4, 6, 9
prange = range  # numba's, when compiled


def loop(
    opens: Any,
    high: Any,
    low: Any,
    close: Any,
    bar: Any,
    side: Any,
    stop: Any,
    target: Any,
    trail: float,
    away: Any,
    window: int,
    x: Any,
    reason: Any,
    pnl: Any,
) -> None:
    """Bars `i + 1 ...` of each trade: stop first, at its level or at an open beyond it; then the target; else the close of the last one.

    The trailing stop of a long trade is `best * (1 - trail) - away`.
    """
    n = len(close)
    for k in prange(len(bar)):
        i, way = bar[k], 1.0 if side[k] > 0 else -1.0
        entry = close[i]
        fixed = entry * (1.0 - way * stop[k])
        aim = entry * (1.0 + way * target[k])
        best = entry
        last = min(n - 1, i + window) if window > 0 else n - 1
        t, why, fill = last, TIME if last == i + window else END, close[last]
        for j in range(i + 1, last + 1):
            level, kind = fixed, STOP
            if trail > 0.0 or away[k] > 0.0:
                moving = best * (1.0 - way * trail) - way * away[k]
                if way * (moving - level) > 0.0:
                    level, kind = moving, TRAILING
            worst, better = (low[j], high[j]) if way > 0 else (high[j], low[j])
            if way * (worst - level) <= 0.0:
                t, why, fill = j, kind, opens[j] if way * (opens[j] - level) <= 0.0 else level
                break
            if way * (better - aim) >= 0.0:
                t, why, fill = j, TARGET, aim
                break
            if way * (better - best) > 0.0:
                best = better
        x[k], reason[k] = t, why
        pnl[k] = way * (fill - entry) / entry


def inputs(work: Brackets, plain: bool = False) -> list[Any]:
    """What the loops take of the workload; as lists when `plain`, which plain Python reads faster."""
    away = work.trail_atr * work.atr[work.bar] if work.trail_atr else np.zeros(len(work.bar))
    arrays = [work.columns[name] for name in ("open", "high", "low", "close")] + [work.bar, work.side, work.stop, work.target]
    *read, away = [array.tolist() if plain else array for array in [*arrays, away]]
    return [*read, work.trail, away, work.window]


def run(work: Brackets, kernel: Callable[..., None], given: list[Any] | None = None) -> Exits:
    """`kernel` over the workload; `given`: its `inputs`, where they were made before."""
    m = len(work.bar)
    out = np.empty(m, np.int64), np.empty(m, np.int64), np.empty(m)
    kernel(*(given or inputs(work)), *out)
    return out


def numba_loop(threads: int) -> Callable[..., None]:
    """`loop`, compiled, its trades shared by `threads` threads."""
    import types

    import numba

    parallel = types.FunctionType(loop.__code__, {**globals(), "prange": numba.prange})
    compiled: Callable[..., None] = numba.njit(parallel=threads > 1, nogil=True)(parallel)
    return compiled
