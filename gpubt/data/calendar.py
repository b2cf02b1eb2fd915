"""Sessions and blackouts: which bars end a trading session, and in which no entry may fill. All by a bar's open time on the local clock."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.data.clock import DAY, EPOCH, UNITS
from gpubt.data.zone import offsets, zone
from gpubt.errors import ConfigError, DataError, nearest

if TYPE_CHECKING:
    from gpubt.config import Blackout, Session

Flags = NDArray[np.bool_]
Times = NDArray[np.int64]
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NEITHER = np.iinfo(np.int64).min  # the session of a bar that is in none


def session_ends(times: Times, spacing: int, session: Session, default_zone: str) -> Flags | None:
    """Whether each bar is the last of a session (shape (n,)); None when positions outlive sessions (`session.exit` is false).

    `times` are bar opens in ns UTC. A bar belongs to the session in which it opens. The last bar of all ends one only if the session is
    over by its end, `spacing` later. Raises ConfigError.
    """
    if not session.exit:
        return None
    local = local_times(times, session.time_zone or default_zone, "session.time_zone")
    numbers = _sessions(local, session)
    last = np.append(numbers[1:] != numbers[:-1], False)
    if len(times):
        start, end = _session_hours(session)
        closes = int(numbers[-1]) * DAY + end + (DAY if end <= start else 0) if numbers[-1] != NEITHER else 0
        last[-1] = int(local[-1]) + spacing >= closes
    flags: Flags = last & (numbers != NEITHER)
    return flags


def blackouts(times: Times, session: Session, blackout: Blackout, default_zone: str) -> Flags | None:
    """Whether no entry may fill in each bar (shape (n,)): it is in a blackout, or outside of every session; None for no such bar.

    Raises ConfigError, and DataError for a calendar file.
    """
    found: list[Flags] = []
    for key, given in (("session.time_zone", session.time_zone), ("blackout.time_zone", blackout.time_zone)):
        if given is not None:
            zone(given, key)
    if session.hours is not None or session.days is not None:
        found.append(~in_session(times, session, default_zone))
    name = default_zone if blackout.time_zone is None else blackout.time_zone
    if blackout.hours is not None or blackout.days is not None:
        local = local_times(times, name, "blackout.time_zone")
        inside = np.ones(len(times), bool)
        if blackout.hours is not None:
            spans = [blackout.hours] if isinstance(blackout.hours, str) else blackout.hours
            if not isinstance(spans, Sequence) or not spans:
                raise ConfigError(f"blackout.hours must be such as 22:00-23:00, or a list of them, got {blackout.hours!r}")
            inside &= np.logical_or.reduce([_within(local % DAY, *_hours(span, "blackout.hours")) for span in spans])
        if blackout.days is not None:
            inside &= _on(local // DAY, blackout.days, "blackout.days")
        found.append(inside)
    if blackout.calendar is not None:
        found.append(_spans(times, blackout.calendar, zone(name, "blackout.time_zone")))
    return np.logical_or.reduce(found) if found else None


def in_session(times: Times, session: Session, default_zone: str) -> Flags:
    """Whether each bar opens in a session (shape (n,)). Raises ConfigError."""
    flags: Flags = _sessions(local_times(times, session.time_zone or default_zone, "session.time_zone"), session) != NEITHER
    return flags


def session_days(times: Times, session: Session, default_zone: str) -> Times:
    """The number of the day (since 1970) on which the last session began by each bar's open (shape (n,)), never falling; NEITHER before
    the first. Raises ConfigError."""
    local = local_times(times, session.time_zone or default_zone, "session.time_zone")
    return np.maximum.accumulate(_sessions(local, session))  # a clock that is set back over midnight returns to no session that is over


def session_length(session: Session | None) -> int:
    """Nanoseconds from the start to the end of a session by its clock. Raises ConfigError where neither hours nor days are given."""
    if session is None or (session.hours is None and session.days is None):
        raise ConfigError("there is no session: give session.hours, such as 09:30-16:00, or session.days")
    start, end = _session_hours(session)
    return end - start if end > start else end - start + DAY


def in_sessions(times: Times, session: Session, default_zone: str) -> tuple[Flags, Times, Times]:
    """Whether each bar opens in a session (shape (n,)); of those that do, a number for each session, never falling; and when each session
    that has bars ends (ns UTC), in order: the moment from which on its clock shows the end or later. Raises ConfigError."""
    inside, numbers = in_session(times, session, default_zone), session_days(times, session, default_zone)
    numbers, where = numbers[inside], zone(session.time_zone or default_zone, "session.time_zone")
    if not len(numbers):
        return inside, numbers, numbers
    start, end = _session_hours(session)
    clock = np.unique(numbers) * DAY + end + (DAY if end <= start else 0)
    changes = list(offsets(int(times[0]), int(times[-1]) + 3 * DAY, where))
    begins, stops, offset = (np.array(column, np.int64) for column in zip(*changes, strict=True))
    at = np.searchsorted(begins + offset, clock) - 1  # the last stretch of one offset that begins before the clock shows the end
    return inside, numbers, np.minimum(clock - offset[at], stops[at])


def local_times(times: Times, name: str, key: str) -> Times:
    """Nanoseconds of the clock in the zone `name`. Raises ConfigError, which names `key`, for an unknown one."""
    where, local = zone(name, key), times.copy()
    if len(times) and name != "UTC":
        for begin, end, offset in offsets(int(times[0]), int(times[-1]), where):
            first, last = np.searchsorted(times, (begin, end))
            local[first:last] += offset
    return local


def _sessions(local: Times, session: Session) -> Times:
    """The day number on which each bar's session began; NEITHER outside of sessions."""
    start, end = _session_hours(session)
    clock, days = local % DAY, local // DAY
    if end <= start:  # a session that passes midnight belongs to the day on which it began
        days = days - (clock < end)
    inside = _within(clock, start, end)
    if session.days is not None:
        inside &= _on(days, session.days, "session.days")
    return np.where(inside, days, NEITHER)


def _within(clock: Times, start: int, end: int) -> Flags:
    flags: Flags = (clock >= start) & (clock < end) if start < end else (clock >= start) | (clock < end)
    return flags


def _session_hours(session: Session) -> tuple[int, int]:
    return (0, DAY) if session.hours is None else _hours(session.hours, "session.hours")


def _hours(text: Any, key: str) -> tuple[int, int]:
    """Start and end in ns after midnight."""
    match = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", text) if isinstance(text, str) else None
    if match:
        a, b, c, d = map(int, match.groups())
        start, end = a * 60 + b, c * 60 + d
        if b < 60 and d < 60 and start < 1440 and end <= 1440 and start != end:
            return start * UNITS["m"], end * UNITS["m"]
    raise ConfigError(f"{key} must be two different times of a day such as 09:30-16:00 (quoted in YAML), got {text!r}")


def _on(days: Times, names: Any, key: str) -> Flags:
    """Whether each day number is one of these weekdays."""
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, Sequence) or not names:
        raise ConfigError(f"{key} must be a list of {', '.join(WEEKDAYS)}, got {names!r}")
    for name in names:
        if name not in WEEKDAYS:
            raise ConfigError(f"{key} must be of {', '.join(WEEKDAYS)}, got {name!r}{nearest(WEEKDAYS, str(name))}")
    wanted = np.isin(np.arange(7), [WEEKDAYS.index(name) for name in names])
    flags: Flags = wanted[(days + 3) % 7]  # day 0 was a Thursday
    return flags


def _spans(times: Times, path: str, where: tzinfo) -> Flags:
    """Whether each bar opens within a span of the calendar file."""
    change = np.zeros(len(times) + 1, np.int64)
    for start, end in _read_spans(path, where):
        first, last = np.searchsorted(times, (start, end))
        change[first] += 1
        change[last] -= 1
    flags: Flags = np.cumsum(change[:-1]) > 0
    return flags


def _read_spans(name: str, where: tzinfo) -> Iterator[tuple[int, int]]:
    """(start, end) in ns UTC; a date without a time is all of that day in the zone."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    path = Path(name).expanduser()
    if not path.is_file():
        state = "a folder" if name and path.is_dir() else "not there"
        raise DataError(f"blackout.calendar must be a CSV or Parquet file with columns start and end, got {name!r}, which is {state}")
    try:
        table = pa.parquet.read_table(path) if path.suffix == ".parquet" else _texts(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"blackout.calendar={name!r} can't be read: {str(error).splitlines()[0]}") from None
    if not {"start", "end"} <= set(table.column_names):
        raise DataError(f"blackout.calendar={name!r} needs columns start and end, got {', '.join(table.column_names)}")
    for row, (start, end) in enumerate(zip(table["start"].to_pylist(), table["end"].to_pylist(), strict=True)):
        span = _instant(start, where, row, False), _instant(end, where, row, True)
        if span[1] <= span[0]:
            raise DataError(f"blackout.calendar: end must be after start, got {start} and {end} in row {row}")
        yield span


def _texts(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.csv

    names = pa.csv.read_csv(path).column_names
    kinds = {name: pa.string() for name in names}
    return pa.csv.read_csv(path, convert_options=pa.csv.ConvertOptions(column_types=kinds))


def _instant(value: Any, where: tzinfo, row: int, is_end: bool) -> int:
    """Nanoseconds UTC of a time, UTC unless it has an offset; a date begins, or as an end is over, at local midnight."""
    if isinstance(value, str):
        with suppress(ValueError):
            value = date.fromisoformat(value) if len(value) <= 10 else datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value + timedelta(days=1 if is_end else 0), time(), where)
    if not isinstance(value, datetime):
        raise DataError(f"blackout.calendar: start and end must be ISO dates or times, got {value!r} in row {row}")
    value = value if value.tzinfo else value.replace(tzinfo=UTC)
    return int((value - EPOCH) // timedelta(microseconds=1)) * 1000
