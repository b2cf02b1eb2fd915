"""Fewer points that look like all of them: buckets that keep their extremes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gpubt.data.bars import Bars

MOST = 20_000  # points of a level


def kept(values: NDArray[np.float64], most: int = MOST) -> NDArray[np.int64]:
    """Which points of `values` to draw, ascending, at most `most` (4 or more): all, or of each of equal buckets the lowest and the
    highest, and the first and the last point."""
    n = len(values)
    if n <= most:
        return np.arange(n)
    size = -(-n // ((most - 2) // 2))
    starts = np.arange(0, n, size)
    found = [0, n - 1]
    for start in starts.tolist():
        bucket = values[start : start + size]
        if not np.isnan(bucket).all():
            found += [start + int(np.nanargmin(bucket)), start + int(np.nanargmax(bucket))]
    return np.unique(found)


def candles(bars: Bars, most: int = MOST) -> tuple[int, dict[str, NDArray[Any]]]:
    """Bars an item, and at most `most` of them: `time` (ns UTC, of the first bar), open, high, low, close, which keep all extremes."""
    size = max(1, -(-bars.n // most))
    starts = np.arange(0, bars.n, size)
    last = np.minimum(starts + size, bars.n) - 1
    return size, {
        "time": bars.time[starts],
        "open": bars.open[starts],
        "high": np.maximum.reduceat(bars.high, starts),
        "low": np.minimum.reduceat(bars.low, starts),
        "close": bars.close[last],
    }


def histogram(values: NDArray[np.float64], bins: int = 60) -> dict[str, Any]:
    """`edges` (bins + 1) and `counts` over the middle 99.8 %; the outermost bins hold all that lies beyond."""
    values = values[np.isfinite(values)]
    if not len(values):
        return {"edges": [], "counts": []}
    low, high = np.quantile(values, [0.001, 0.999])
    if low == high:
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    counts, edges = np.histogram(np.clip(values, low, high), bins, (low, high))
    return {"edges": [float(f"{edge:.6g}") for edge in edges], "counts": counts.tolist()}
