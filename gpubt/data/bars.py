"""Bars: typed columns of one symbol, in order of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.data.clock import time_text
from gpubt.errors import ConfigError

PRICES = ("open", "high", "low", "close")
INDEX = "__index_level_0__"  # of a pandas table whose index has no name
ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


@dataclass(frozen=True, eq=False, repr=False)
class Bars:
    """`n` bars of `symbol`. Columns are C-contiguous, shape `(n,)`; `time` is the bar's open in nanoseconds UTC.

    `volume` is None when it was not asked for, NaN where the source has none. Nothing is checked here: see `validate`, which checks bars
    whose columns are all read-only once, however many runs use them.
    """

    symbol: str
    time: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64] | None = None

    def __repr__(self) -> str:
        """`Bars('BTC', 5,000 bars, 2020-09-13T12:26:00Z to 2020-09-16T23:45:00Z)`."""
        if not self.n:
            return f"Bars({self.symbol!r}, no bars)"
        return f"Bars({self.symbol!r}, {self.n:,} bars, {time_text(int(self.time[0]))} to {time_text(int(self.time[-1]))})"

    def __len__(self) -> int:
        return len(self.time)

    @property
    def n(self) -> int:
        """Number of bars."""
        return len(self.time)

    @property
    def nbytes(self) -> int:
        """Raw bytes of the columns: what memory ratios are measured against."""
        return sum(column.nbytes for column in self.columns().values())

    @cached_property
    def spacing(self) -> int:
        """Nanoseconds between bars: see `spacing`."""
        return spacing(self.time)

    @property
    def mean_spacing(self) -> float:
        """Nanoseconds from bar to bar on average, nights and holidays included: what a bar is of a year. 0 for one bar."""
        return int(self.time[-1] - self.time[0]) / (self.n - 1) if self.n > 1 else 0.0

    @property
    def read_only(self) -> bool:
        """Whether no column can be written to, so that what is known about the bars stays true."""
        return not any(column.flags.writeable for column in self.columns().values())

    @cached_property
    def known(self) -> dict[Any, Any]:
        """Parts of these bars and what validation said of them, kept for the next run."""
        return {}

    def columns(self) -> dict[str, NDArray[Any]]:
        """The loaded columns by name, `time` first."""
        columns: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in ("time", *PRICES)}
        return columns if self.volume is None else columns | {"volume": self.volume}

    @classmethod
    def from_arrow(cls, table: Any, symbol: str = "BARS", *, columns: Mapping[str, str] | None = None, time_zone: str = "UTC") -> Bars:
        """A read-only copy of anything with `__arrow_c_stream__` (a table of pyarrow, polars, pandas, ...).

        Columns are found as in a Parquet file: timestamp (or time, datetime, date; or a pandas index), open, high, low, close and, if
        there, volume, or as `columns` says (field to column). Times are timestamps, dates, ISO text or numbers since 1970 whose unit each
        value tells; those without a zone or offset are in `time_zone`.
        Raises DataError for a missing column or a type that does not convert exactly.
        """
        import pyarrow as pa

        from gpubt.data.arrow import column_mapping, fill, find_columns

        table = pa.table(table)
        table = table.rename_columns([name if name != INDEX else "timestamp" for name in table.column_names])
        names = find_columns(table.schema, "the table", optional=("volume",), given=column_mapping(columns))
        loaded = {field: empty(table.num_rows, field) for field in names}
        for field, name in names.items():
            row = 0
            for chunk in table.column(name).chunks:
                fill(loaded[field][row : row + len(chunk)], chunk, name, row, time_zone)
                row += len(chunk)
        for column in loaded.values():
            column.flags.writeable = False
        return cls(symbol, **loaded)


def as_bars(bars: Any) -> Bars | None:
    """Bars as they are, or of a table (see `from_arrow`). Raises ConfigError for anything else, DataError for a table that is no bars."""
    if bars is None or isinstance(bars, Bars):
        return bars
    if hasattr(bars, "__arrow_c_stream__"):
        return Bars.from_arrow(bars)
    raise ConfigError(f"bars must be gpubt.Bars, or a table of pandas, polars, pyarrow, ..., got {type(bars).__name__}")


def empty(n: int, field: str) -> NDArray[Any]:
    """An uninitialised column of `n` rows, int64 for `time` and else float64, aligned to 64 bytes."""
    raw = np.empty(n * 8 + ALIGNMENT, np.uint8)
    skip = -raw.ctypes.data % ALIGNMENT
    return raw[skip : skip + n * 8].view(np.int64 if field == "time" else np.float64)


def spacing(time: NDArray[np.int64], windows: int = 64, width: int = 1024) -> int:
    """The most common time between neighbours in nanoseconds, the smaller of equally common ones; 0 for fewer than two bars.

    Of more than `windows * width` bars only evenly spread windows are looked at: all differences would cost a column of memory.
    """
    if len(time) <= windows * width:
        differences = np.diff(time)
    else:
        starts = np.linspace(0, len(time) - width, windows).astype(np.int64)
        differences = np.concatenate([np.diff(time[start : start + width]) for start in starts])
    values, counts = np.unique(differences, return_counts=True)
    return int(values[np.argmax(counts)]) if len(values) else 0
