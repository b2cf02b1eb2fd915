"""Classes of wrong bars, found block by block with array operations. Each is a name and a mask of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gpubt.data.bars import Bars
from gpubt.data.compiled import block_kernels

Bits = NDArray[np.bool_]

# in order of docs/data.md; the names are the keys of data.validation
CLASSES = {
    "order": "timestamps out of order",
    "duplicates": "duplicate timestamps",
    "nan": "NaN or infinite prices",
    "non_positive": "prices that are not positive",
    "high_below_low": "highs below lows",
    "outside_range": "opens or closes outside [low, high]",
    "gaps": "gaps beyond the usual spacing",
    "outliers": "outlier prints",
    "negative_volume": "negative volumes",
}
OUTLIER = 25.0
SAMPLED = 4096  # moves, at most, of a block whose usual size is measured
USUAL = 0.75  # quantile


def block_faults(bars: Bars, start: int, stop: int, latest: int) -> Iterator[tuple[str, int, Bits]]:
    """Class, first row of the mask, and mask, for the block of rows `start` to `stop`; `latest` is the latest time before it."""
    time = bars.time[start:stop]
    shortest, longest = _steps(bars, max(1, start), stop)
    if shortest <= 0 or time[0] <= latest:
        before = np.maximum.accumulate(np.concatenate([[latest], time[:-1]]))
        yield "order", start, time < before
        yield "duplicates", start, time == before
    if longest > bars.spacing > 0:
        yield "gaps", max(1, start), np.diff(bars.time[max(0, start - 1) : stop]) > bars.spacing
    if not _sound(bars, start, stop):
        yield from ((name, start, bits) for name, bits in _price_faults(bars, start, stop))
    outliers = _outliers(bars, max(start, 1), min(stop, bars.n - 1))
    if outliers is not None:
        yield "outliers", max(start, 1), outliers
    if bars.volume is not None:
        yield "negative_volume", start, bars.volume[start:stop] < 0


def _steps(bars: Bars, start: int, stop: int) -> tuple[int, int]:
    """The shortest and the longest step to the rows `start` to `stop` from those before them; 1 and 0 for no rows."""
    if kernels := block_kernels(bars.n):
        shortest, longest = kernels.steps(bars.time, start, stop)
        return int(shortest), int(longest)
    steps = np.diff(bars.time[start - 1 : stop])
    return (int(steps.min()), int(steps.max())) if len(steps) else (1, 0)


def _sound(bars: Bars, start: int, stop: int) -> bool:
    """Whether all prices of the block are in order; every comparison with NaN is false."""
    if kernels := block_kernels(bars.n):
        return bool(kernels.sound(bars.open, bars.high, bars.low, bars.close, start, stop))
    low, high = bars.low[start:stop], bars.high[start:stop]
    opened, closed = bars.open[start:stop], bars.close[start:stop]
    fine = low > 0
    fine &= low <= np.minimum(opened, closed)
    fine &= high >= np.maximum(opened, closed)
    fine &= high < np.inf
    return bool(fine.all())


def _price_faults(bars: Bars, start: int, stop: int) -> Iterator[tuple[str, Bits]]:
    """The classes of a block that is not sound. A bar with NaN, infinite or non-positive prices is not tested further."""
    opened, high, low, closed = (bars.columns()[name][start:stop] for name in ("open", "high", "low", "close"))
    prices = np.stack([opened, high, low, closed])
    odd: Bits = ~np.isfinite(prices).all(axis=0)
    yield "nan", odd
    negative: Bits = ~odd & (prices <= 0).any(axis=0)
    yield "non_positive", negative
    crossed: Bits = ~odd & ~negative & (high < low)
    yield "high_below_low", crossed
    outside = (np.minimum(opened, closed) < low) | (np.maximum(opened, closed) > high)
    yield "outside_range", ~odd & ~negative & ~crossed & outside


def _outliers(bars: Bars, start: int, stop: int) -> Bits | None:
    """Bars whose high stands above, or low below, those of both neighbours by more than 25 times what is usual; None without any.

    Usual is the larger of the block's typical move (the upper quartile of |close / close before - 1|) times the price, and half the
    wider neighbour's range: a spike in a wild hour is none, and a print that nothing around it comes near is one. A price that stays
    where it jumped to is never one.
    """
    if stop <= start:
        return None
    high, low = bars.high[start - 1 : stop + 1], bars.low[start - 1 : stop + 1]
    kernels = block_kernels(bars.n)
    with np.errstate(invalid="ignore", over="ignore"):
        usual = _usual_move(bars.close[start - 1 : stop])
        least = OUTLIER * usual * float(low.min())
        least = least if least > 0 else 0.0
        if kernels and not kernels.any_away(bars.high, bars.low, start, stop, least):
            return None
        away = high[1:-1] - np.maximum(high[:-2], high[2:])
        np.maximum(away, np.minimum(low[:-2], low[2:]) - low[1:-1], out=away)
        rows = np.flatnonzero(away > least)
        if not len(rows):
            return None
        ranges = np.maximum(high[rows] - low[rows], high[rows + 2] - low[rows + 2])
        limit = OUTLIER * np.maximum(usual * bars.close[start - 1 + rows], ranges / 2)
        found = rows[(away[rows] > limit) & (low[1:-1][rows] > 0) & (high[1:-1][rows] < np.inf)]  # others have their class
    bits = np.zeros(stop - start, np.bool_)
    bits[found] = True
    return bits


def _usual_move(close: NDArray[np.float64]) -> float:
    """The upper quartile of relative moves between neighbours, or their mean where most prices stand still."""
    step = -(-len(close) // SAMPLED)
    before, after = close[:-1:step], close[1::step]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        moves = np.abs(after / before - 1.0)
    moves = np.sort(moves[np.isfinite(moves)])
    if not len(moves):
        return 0.0
    return float(moves[int(USUAL * (len(moves) - 1))]) or float(moves.mean())
