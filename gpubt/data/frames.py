"""Longer bars beside the run's own: what of them can be seen on each row, without a look ahead.

A bar of a timeframe is seen on row t if it has ended when row t has: `time[t] + spacing >= end`. So that it holds no later row then, a row
that opens before the one before it has ended (bars closer than the spacing) counts from that end on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpubt.config import Session
from gpubt.data.bars import Bars, spacing
from gpubt.data.calendar import in_sessions, session_length
from gpubt.data.clock import DAY, parse_spacing
from gpubt.data.periods import day_starts
from gpubt.data.resample import firsts, joined
from gpubt.errors import ConfigError
from gpubt.indicators.series import SESSION

DAILY = "1d"  # the calendar days of data.timezone; other frames begin at multiples of their length since 1970 UTC

Times = NDArray[np.int64]


@dataclass(frozen=True)
class Frame:
    """Its `bars`, and of each row of the run the number of the last one that can be seen, -1 for none (shape (rows,), never falling)."""

    bars: Bars
    seen: Times


def frame_of(bars: Bars, name: str, timezone: str, session: Session | None = None) -> Frame:
    """The timeframe `name` (15m, 1h, 1d, session, ...) over `bars`. Raises ConfigError for one that is not longer than they are, and for
    the session where there is none."""
    step = spacing(bars.time)
    length = session_length(session) if name == SESSION else frame_length(name)
    if length <= step:
        raise ConfigError(f'tf="{name}" must be longer than the bars, which are {step / 6e10:g} minutes apart')
    if not bars.n:
        return Frame(bars, np.zeros(0, np.int64))
    opens = _opens(bars.time, step)
    if name == SESSION and session is not None:
        framed, ends = _sessions(bars, opens, session, timezone)
    elif name == DAILY:
        framed, ends = _days(bars, opens, timezone)
    else:
        rows = firsts(opens, length)
        begins = opens[rows] // length * length
        framed, ends = joined(bars, rows, begins), begins + length
    first = np.searchsorted(bars.time, ends - step)  # the row on which each can be seen, the number of rows if on none
    return Frame(framed, np.repeat(np.arange(-1, framed.n), np.diff(first, prepend=0, append=bars.n)))


def frame_length(name: str) -> int:
    """Nanoseconds of a timeframe, 0 for the session, which a configuration tells. Raises ConfigError for text that is none."""
    try:
        return 0 if name == SESSION else parse_spacing(name, "tf")
    except ConfigError:
        raise ConfigError(f"tf must be a whole number with s, m, h or d, such as 15m, or {SESSION}, got {name!r}") from None


def _opens(times: Times, step: int) -> Times:
    """When each row begins, for what it belongs to: at its time, or when the row before it ends, if that is later."""
    near = np.flatnonzero(times[1:] - times[:-1] < step) + 1
    if not len(near):
        return times
    opens = times.copy()
    opens[near] = times[near - 1] + step
    return opens


def _days(bars: Bars, opens: Times, timezone: str) -> tuple[Bars, Times]:
    """The days of the zone that have rows, and when they end."""
    starts = day_starts(int(opens[0]), int(opens[-1]) + 2 * DAY, timezone)
    rows = np.unique(np.append(0, np.searchsorted(opens, starts)))
    rows = rows[rows < bars.n]
    number = np.searchsorted(starts, opens[rows], "right")
    return joined(bars, rows, np.append(opens[:1], starts)[number]), starts[number]


def _sessions(bars: Bars, opens: Times, session: Session, timezone: str) -> tuple[Bars, Times]:
    """The sessions that have rows, each of the rows that open in it, and when they end."""
    inside, numbers, ends = in_sessions(opens, session, timezone)
    if not inside.all():
        opens = opens[inside]
        bars = Bars(bars.symbol, **{name: column[inside] for name, column in bars.columns().items()})
    rows = firsts(numbers, 1) if len(numbers) else numbers
    return joined(bars, rows, opens[rows]), ends
