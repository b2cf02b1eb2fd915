"""Time zones by Python's own rules: where an offset from UTC holds, and local times to UTC."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gpubt.data.clock import DAY, EPOCH, SECOND, time_text
from gpubt.errors import ConfigError, DataError


def zone(name: str, key: str) -> tzinfo:
    """The zone of that name. Raises ConfigError, which names `key`, for an unknown one."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)  # UTC needs no zone files
    except (KeyError, ValueError, OSError):
        raise ConfigError(f"{key} must be a name that this system knows, such as UTC or Asia/Shanghai, got {name!r}") from None


def to_utc(local: NDArray[np.int64], name: str, column: str, row: int) -> NDArray[np.int64]:
    """Nanoseconds UTC of local times (nanoseconds as if they were UTC) in the zone `name`.

    Raises DataError for a local time that the zone skips or has twice, because its clock is changed: the first one and its row, counted
    from `row`. ConfigError for an unknown zone.
    """
    where = zone(name, "data.time_zone")
    if name == "UTC" or not len(local):
        return local
    stretches = list(offsets(int(local.min()) - DAY, int(local.max()) + DAY, where))
    begin, end, offset = (np.array(column, np.int64) for column in zip(*stretches, strict=True))
    at = np.searchsorted(begin + offset, local, side="right") - 1  # the latest stretch that has begun by the local clock
    missing = local >= (end + offset)[at]
    twice = (at > 0) & (local < (end + offset)[at - 1])
    if missing.any() or twice.any():
        first = int(np.argmax(missing | twice))
        what = "does not exist" if missing[first] else "exists twice"
        text = time_text(int(local[first])).removesuffix("Z")
        changed = f"{text} in row {row + first} {what} in data.time_zone={name}, whose clock is changed then"
        raise DataError(f"column {column}: {changed}; give times in UTC or with an offset")
    return local - offset[at]


def offsets(first: int, last: int, where: tzinfo) -> Iterator[tuple[int, int, int]]:
    """Begin, end (exclusive) and UTC offset, in nanoseconds, of every stretch of [first, last] with one offset."""
    begin = first
    while begin <= last:
        offset = offset_at(begin, where)
        end = begin
        while end <= last and offset_at(end, where) == offset:
            end += DAY  # no zone's clock changes twice in a day
        if end > last and offset_at(last, where) == offset:
            yield begin, last + 1, offset
            return
        end = _change(max(begin, end - DAY), min(end, last), where)
        yield begin, end, offset
        begin = end


def _change(before: int, after: int, where: tzinfo) -> int:
    """The first whole second in (before, after] with another offset than at `before`."""
    offset = offset_at(before, where)
    low, high = before // SECOND, -(-after // SECOND)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset_at(middle * SECOND, where) == offset else (low, middle)
    return high * SECOND


def offset_at(time: int, where: tzinfo) -> int:
    """The zone's offset from UTC in nanoseconds at `time`."""
    at: datetime = (EPOCH + timedelta(seconds=time // SECOND)).astimezone(where)
    offset = at.utcoffset() or timedelta()
    return round(offset.total_seconds()) * SECOND
