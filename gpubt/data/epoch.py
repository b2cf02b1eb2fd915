"""Integer and fractional times since 1970, whose unit each value tells by its size.

Seconds, milliseconds, microseconds and nanoseconds of the years 1971 to 2262 are ranges that do not touch each other (a year of
milliseconds is a thousand years of seconds), so that a file may change its unit between rows, as Binance's did in 2025.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.data.clock import DAY, SECOND
from gpubt.errors import DataError

UNITS = (SECOND, SECOND // 10**3, SECOND // 10**6, 1)  # nanoseconds of s, ms, us, ns
FIRST, LAST = 365 * DAY, 2**63 - 1  # 1971-01-01 and 2262-04-11, nanoseconds UTC
EDGES = np.array([edge for unit in UNITS for edge in (FIRST // unit, LAST // unit + 1)][:-1], np.int64)
FACTORS = np.array([0, UNITS[0], 0, UNITS[1], 0, UNITS[2], 0, UNITS[3]], np.int64)  # 0: no unit's range


def epoch_nanoseconds(values: NDArray[Any], name: str, row: int) -> NDArray[np.int64]:
    """Nanoseconds UTC of int64 or float64 values, each by its own size; a float's are rounded to the microsecond, which is what it holds.

    Raises DataError for a value in no unit's range: the first one and its row, counted from `row`.
    """
    if not len(values):
        return np.empty(0, np.int64)
    low, high = (np.searchsorted(EDGES, value, side="right") for value in (values.min(), values.max()))
    factor: Any = FACTORS[low] if low == high else FACTORS[np.searchsorted(EDGES, values, side="right")]
    if np.any(factor == 0) or not np.isfinite(values.max()):
        first = int(np.argmax(np.broadcast_to(factor == 0, values.shape) | ~np.isfinite(values)))
        got = f"column {name} has {values[first]} in row {row + first}, which is no time"
        raise DataError(f"{got}: integers are seconds, milliseconds, microseconds or nanoseconds from 1971 to 2262, text is ISO 8601")
    if values.dtype == np.int64:
        return np.asarray(values * factor, np.int64)
    microseconds: NDArray[np.int64] = np.rint(values * (factor / 1000)).astype(np.int64)
    return microseconds * 1000
