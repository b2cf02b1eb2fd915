"""Longer bars beside the run's own: what of them can be seen on each row, without a look ahead.

A bar of a timeframe is seen on row t if it has ended when row t has: `time[t] + spacing >= end`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpubt.data.bars import Bars, spacing
from gpubt.data.clock import DAY, parse_spacing
from gpubt.data.periods import day_starts
from gpubt.data.resample import firsts, joined
from gpubt.errors import ConfigError

DAILY = "1d"  # the calendar days of data.timezone; other frames begin at multiples of their length since 1970 UTC


@dataclass(frozen=True)
class Frame:
    """Its `bars`, and of each row of the run the number of the last one that can be seen, -1 for none (shape (rows,), never falling)."""

    bars: Bars
    seen: NDArray[np.int64]


def frame_of(bars: Bars, name: str, timezone: str) -> Frame:
    """The timeframe `name` (15m, 1h, 1d, ...) over `bars`. Raises ConfigError for one that is not longer than they are."""
    step, length = spacing(bars.time), frame_length(name)
    if length <= step:
        raise ConfigError(f'tf="{name}" must be longer than the bars, which are {step / 6e10:g} minutes apart')
    if not bars.n:
        return Frame(bars, np.zeros(0, np.int64))
    if name == DAILY:
        starts = day_starts(int(bars.time[0]), int(bars.time[-1]) + 2 * DAY, timezone)
        number = np.searchsorted(starts, bars.time, "right")
        rows = np.flatnonzero(np.diff(number, prepend=-1)).astype(np.int64)
        ends = starts[number[rows]]
        begins = np.append(bars.time[:1], starts)[number[rows]]
    else:
        rows = firsts(bars.time, length)
        begins = bars.time[rows] // length * length
        ends = begins + length
    return Frame(joined(bars, rows, begins), np.searchsorted(ends, bars.time + step, "right") - 1)


def frame_length(name: str) -> int:
    """Nanoseconds of a timeframe. Raises ConfigError for text that is none."""
    return parse_spacing(name, "tf")
