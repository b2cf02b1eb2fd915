"""Bars that the file stamps at their end, moved to their start."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gpubt.data.bars import Bars, spacing
from gpubt.data.wrapper import SPACING_ROWS, Wrapper
from gpubt.errors import DataError


class EndStamps(Wrapper):
    """Every time less the spacing, the most common step among the first 4,096 rows. Raises DataError for a single bar, which has none."""

    @cached_property
    def _shift(self) -> int:
        step = spacing(self.source.times(0, min(self.rows_available, SPACING_ROWS)))
        if step <= 0:
            raise DataError("data.bar_stamp=end needs at least two bars in order of time, whose spacing is how far they are moved")
        return step

    def span(self) -> tuple[int, int]:
        """Time of the first and of the last row, nanoseconds UTC."""
        first, last = self.source.span()
        return first - self._shift, last - self._shift

    def row_at(self, time: int) -> int:
        """The first row at or after `time`."""
        return self.source.row_at(time + self._shift)

    def times(self, lo: int, hi: int) -> NDArray[np.int64]:
        """Times of rows `lo` to `hi` (exclusive)."""
        return self.source.times(lo, hi) - self._shift

    def read(self, lo: int, hi: int, columns: Collection[str] = ()) -> Bars:
        """Rows `lo` to `hi` (exclusive)."""
        bars = self.source.read(lo, hi, columns)
        np.subtract(bars.time, self._shift, out=bars.time)
        return bars
