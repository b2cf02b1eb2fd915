"""Longer bars from shorter ones."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpubt.config import Validation
from gpubt.data.bars import Bars, spacing
from gpubt.data.wrapper import Wrapper, duration_text
from gpubt.errors import ConfigError

if TYPE_CHECKING:
    from gpubt.data.source import Source
    from gpubt.data.validate import Finding


class Resampled(Wrapper):
    """Bars of `duration` nanoseconds: open of the first row, highest high, lowest low, close of the last row, sum of the volume.

    Bars begin at multiples of the duration since 1970 UTC and hold the rows that begin in them; where no row does, there is no bar. The
    last bar may have few rows: its close is that of its last row, so nothing is known before its time. The rows are validated before
    (by `policies`), as a maximum would hide what is wrong with them.
    """

    def __init__(self, source: Source, duration: int, policies: Validation) -> None:
        super().__init__(source)
        self.duration, self.policies = duration, policies
        self._found: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What validation found in the rows that were last read."""
        return self._found

    @property
    def rows_available(self) -> int:
        """Bars there are."""
        return len(self._starts[0])

    def span(self) -> tuple[int, int]:
        """Time of the first and of the last bar, nanoseconds UTC."""
        return int(self._starts[1][0]), int(self._starts[1][-1])

    def row_at(self, time: int) -> int:
        """The first bar at or after `time`."""
        return int(np.searchsorted(self._starts[1], time))

    def times(self, lo: int, hi: int) -> NDArray[np.int64]:
        """Times of bars `lo` to `hi` (exclusive)."""
        return self._starts[1][lo:hi]

    def read(self, lo: int, hi: int, columns: Collection[str] = ()) -> Bars:
        """Bars `lo` to `hi` (exclusive), fewer where validation drops all rows of one. Raises DataError."""
        from gpubt.data.validate import validate

        rows, end = self._starts[0], self.source.rows_available
        first, last = int(rows[lo]), int(rows[hi]) if hi < len(rows) else end
        bars, report = validate(self.source.read(first, last, columns), first, last, self.policies)
        self._found = report.findings
        return resample(bars, self.duration)

    @cached_property
    def _starts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first row of each bar, and its time. Times out of order count as the latest before them; validation sees them later."""
        times = self.source.times(0, self.source.rows_available)
        step = spacing(times)
        if step > 0 and self.duration % step:
            short = duration_text(step)
            raise ConfigError(f"data.resample must be a multiple of the bars' {short}, got {duration_text(self.duration)}")
        rows = firsts(np.maximum.accumulate(times), self.duration)
        return rows, np.maximum.accumulate(times[rows] // self.duration * self.duration)


def resample(bars: Bars, duration: int) -> Bars:
    """`bars`, in order of time, as bars of `duration` nanoseconds."""
    rows = firsts(bars.time, duration)
    return joined(bars, rows, bars.time[rows] // duration * duration)


def joined(bars: Bars, rows: NDArray[np.int64], begins: NDArray[np.int64]) -> Bars:
    """One bar for each stretch of rows that begins at one of `rows`; `begins` are their times."""
    if not len(rows):
        return Bars(bars.symbol, **{name: column[:0] for name, column in bars.columns().items()})
    lasts = np.append(rows[1:], bars.n) - 1
    return Bars(
        bars.symbol,
        begins,
        bars.open[rows],
        np.maximum.reduceat(bars.high, rows),
        np.minimum.reduceat(bars.low, rows),
        bars.close[lasts],
        None if bars.volume is None else np.add.reduceat(bars.volume, rows),
    )


def firsts(times: NDArray[np.int64], duration: int) -> NDArray[np.int64]:
    """The first row of each stretch of rows within one multiple of the duration."""
    number = times // duration
    return np.flatnonzero(np.concatenate([[True], number[1:] != number[:-1]])).astype(np.int64)
