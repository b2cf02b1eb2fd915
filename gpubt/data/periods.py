"""Periods of returns: where they end, and how many make a year."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpubt.data.bars import spacing
from gpubt.data.clock import DAY
from gpubt.data.zone import offset_at, offsets, zone

YEAR = 365.25 * DAY
SNAPS = (252.0, 260.0, 365.0)  # trading days, weekdays, calendar days
TOLERANCE = 0.03


def returns_frequency(time: NDArray[np.int64], frequency: str = "auto") -> str:
    """`daily` or `bar`. `auto` is daily for intraday bars, else bar: for a spacing of a day or more."""
    if frequency != "auto":
        return frequency
    return "bar" if spacing(time) >= DAY else "daily"


def period_ends(time: NDArray[np.int64], frequency: str, timezone: str) -> NDArray[np.int64]:
    """The last row of each period (int64, increasing, the last is n - 1): of every bar, or of every day in `timezone` that has bars.

    `time` is in order. Days are the zone's own, 23 or 25 hours long where its clock changes. ConfigError for an unknown zone.
    """
    n = len(time)
    if frequency == "bar" or n == 0:
        return np.arange(n, dtype=np.int64)
    starts = day_starts(int(time[0]), int(time[-1]), timezone)
    firsts = np.searchsorted(time, starts)
    return np.unique(np.append(firsts[firsts > 0], n)).astype(np.int64) - 1


def periods_per_year(time: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[float, bool]:
    """Return periods in 365.25 days, and whether that was snapped to the nearest of 252, 260 and 365 within 3 %.

    The span runs from the first bar to the end of the last one, but is not shorter than the periods at their most common distance:
    the first and last day of a few may be cut. NaN for fewer than two periods, from which no rate can be told.
    """
    if len(ends) < 2:
        return float("nan"), False
    span = max(int(time[-1]) - int(time[0]) + spacing(time), len(ends) * spacing(time[ends]))
    value = len(ends) * YEAR / span
    nearest = min(SNAPS, key=lambda snap: abs(value / snap - 1.0))
    return (nearest, True) if abs(value / nearest - 1.0) <= TOLERANCE else (value, False)


def day_numbers(time: NDArray[np.int64], timezone: str) -> NDArray[np.int64]:
    """Days since 1970 of `time` (ns UTC) in `timezone`: one number for a date, whatever the series."""
    where = zone(timezone, "data.timezone")
    return np.array([(int(t) + offset_at(int(t), where)) // DAY for t in time], np.int64)


def day_starts(first: int, last: int, timezone: str) -> NDArray[np.int64]:
    """When the local days after the first one begin (nanoseconds UTC), up to `last`.

    A day begins once: where the clock is set back over midnight, the hour that repeats belongs to the day that has begun.
    """
    where = zone(timezone, "data.timezone")
    starts: list[int] = []
    latest: int | None = None
    for begin, end, offset in offsets(first, last, where):
        day = (begin + offset) // DAY
        if latest is None:
            latest = day
        for start in (begin, *range((day + 1) * DAY - offset, end, DAY)):
            if (start + offset) // DAY > latest:
                latest = (start + offset) // DAY
                starts.append(start)
    return np.array(starts, dtype=np.int64)
