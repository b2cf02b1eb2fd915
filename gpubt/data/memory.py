"""Bars that are in memory already, as a source: `gpubt.run(..., bars=Bars.from_arrow(table))`."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from gpubt.data.bars import Bars
from gpubt.data.validate import Finding
from gpubt.errors import DataError


class BarsSource:
    """Rows are views: nothing is copied or read."""

    bytes_read = 0
    findings: tuple[Finding, ...] = ()

    def __init__(self, bars: Bars) -> None:
        if not bars.n:
            raise DataError(f"bars of {bars.symbol} have no row; at least one is needed")
        self.symbol = bars.symbol
        self._bars = bars

    @property
    def rows_available(self) -> int:
        """Rows there are."""
        return self._bars.n

    def has(self, field: str) -> bool:
        """Whether the bars have `field`."""
        return field in self._bars.columns()

    def times(self, lo: int, hi: int) -> NDArray[np.int64]:
        """Times of rows `lo` to `hi` (exclusive), nanoseconds UTC."""
        return self._bars.time[lo:hi]

    def span(self) -> tuple[int, int]:
        """Time of the first and of the last row, nanoseconds UTC."""
        return int(self._bars.time[0]), int(self._bars.time[-1])

    def row_at(self, time: int) -> int:
        """The first row at or after `time` (nanoseconds UTC)."""
        return int(np.searchsorted(self._bars.time, time))

    def read(self, lo: int, hi: int, columns: Collection[str] = ()) -> Bars:
        """Rows `lo` to `hi` (exclusive). Raises DataError when a rule reads a volume that the bars don't have."""
        if "volume" in columns and self._bars.volume is None:
            raise DataError(f"bars of {self.symbol} have no volume, which a rule reads")
        key = lo, hi, "volume" in columns
        if key not in self._bars.known:
            kept = {name: column[lo:hi] for name, column in self._bars.columns().items() if name != "volume" or "volume" in columns}
            self._bars.known[key] = Bars(self.symbol, **kept)
        part: Bars = self._bars.known[key]
        return part
