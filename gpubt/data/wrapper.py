"""Sources over a source: the same protocol, other bars."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpubt.data.bars import Bars
from gpubt.data.clock import SECOND

if TYPE_CHECKING:
    from gpubt.data.source import Source
    from gpubt.data.validate import Finding

SPACING_ROWS = 4096


class Wrapper:
    """Passes everything on to `source`; what differs is overridden."""

    def __init__(self, source: Source) -> None:
        self.source, self.symbol = source, source.symbol

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found in rows that the bars are made of."""
        return self.source.findings

    @property
    def bytes_read(self) -> int:
        """From storage so far."""
        return self.source.bytes_read

    @property
    def rows_available(self) -> int:
        """Rows there are."""
        return self.source.rows_available

    def has(self, field: str) -> bool:
        """Whether there is a column for `field`."""
        return self.source.has(field)

    def span(self) -> tuple[int, int]:
        """Time of the first and of the last row, nanoseconds UTC."""
        return self.source.span()

    def row_at(self, time: int) -> int:
        """The first row at or after `time`."""
        return self.source.row_at(time)

    def times(self, lo: int, hi: int) -> NDArray[np.int64]:
        """Times of rows `lo` to `hi` (exclusive)."""
        return self.source.times(lo, hi)

    def read(self, lo: int, hi: int, columns: Collection[str] = ()) -> Bars:
        """Rows `lo` to `hi` (exclusive)."""
        return self.source.read(lo, hi, columns)


def duration_text(nanoseconds: int) -> str:
    """`90s`, `5m`, `1h`, `1d`."""
    for unit, size in (("d", 86_400 * SECOND), ("h", 3600 * SECOND), ("m", 60 * SECOND)):
        if nanoseconds and nanoseconds % size == 0:
            return f"{nanoseconds // size}{unit}"
    return f"{nanoseconds / SECOND:g}s"
