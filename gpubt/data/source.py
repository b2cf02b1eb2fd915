"""Where bars come from: first what there is, then exactly the rows that are asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from gpubt.config import Data
from gpubt.data.bars import Bars
from gpubt.data.clock import parse_spacing
from gpubt.data.memory import BarsSource
from gpubt.errors import ConfigError
from gpubt.resources import folder

if TYPE_CHECKING:
    from gpubt.data.adjust import FileSource
    from gpubt.data.validate import Finding

SAMPLE_FILE = "sz000338_5m_2007-2020.parquet"
SAMPLE_SYMBOL = "SZ000338"


class Source(Protocol):
    """Bars of one symbol, by row. Making one reads metadata only."""

    symbol: str

    @property
    def bytes_read(self) -> int:
        """From storage so far, as stored (compressed); 0 for generated bars."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What validation found in rows that the bars read last are made of: of resampled bars, else nothing."""

    @property
    def rows_available(self) -> int:
        """Rows there are."""

    def has(self, field: str) -> bool:
        """Whether there is a column for `field`, such as volume."""

    def span(self) -> tuple[int, int]:
        """Time of the first and of the last row, nanoseconds UTC."""

    def row_at(self, time: int) -> int:
        """The first row at or after `time` (nanoseconds UTC), `rows_available` if there is none."""

    def times(self, lo: int, hi: int) -> NDArray[np.int64]:
        """Times of rows `lo` to `hi` (exclusive), nanoseconds UTC."""

    def read(self, lo: int, hi: int, columns: Collection[str] = ()) -> Bars:
        """Rows `lo` to `hi` (exclusive): time and prices, and volume if `columns` has it. Raises DataError."""


def open_source(data: Data, seed: int, bars: Bars | None = None) -> Source:
    """The source that `data.source` names (or `bars`): its bars, adjusted, moved to their start and resampled as `data` says.

    Raises ConfigError and DataError. Of Parquet only metadata has been read then, of CSV its lines counted.
    """
    if bars is not None and data.adjust != "none":
        raise ConfigError(f"data.adjust must be none with bars from memory, got {data.adjust}")
    source = _stored(data, seed) if bars is None else BarsSource(bars)
    if data.bar_stamp == "end":
        from gpubt.data.stamps import EndStamps

        source = EndStamps(source)
    if data.resample is not None:
        from gpubt.data.resample import Resampled

        source = Resampled(source, parse_spacing(data.resample, "data.resample"), data.validation)
    return source


def _stored(data: Data, seed: int) -> Source:
    if data.source == "synthetic":
        from gpubt.data.synthetic import SyntheticSource

        if data.adjust != "none":
            raise ConfigError(f"data.adjust must be none with data.source=synthetic, got {data.adjust}")
        return SyntheticSource(data.synthetic, seed, data.symbol or "SYNTHETIC")
    source = open_file(data)
    if data.adjust == "none":
        return source
    from gpubt.data.adjust import Adjusted

    return Adjusted(source, data.adjust)


def open_file(data: Data) -> FileSource:
    """The file's own rows, as they stand in it. Raises ConfigError and DataError."""
    if data.source == "csv":
        from gpubt.data.csv_file import CsvSource

        return CsvSource(_path(data), data.symbol, header=data.header, columns=data.columns, time_zone=data.time_zone)
    from gpubt.data.parquet import ParquetSource

    if data.source == "sample":
        if data.symbol not in (None, SAMPLE_SYMBOL):
            raise ConfigError(f"data.symbol must be {SAMPLE_SYMBOL} or null with data.source=sample, got {data.symbol}")
        return ParquetSource(folder("sample") / SAMPLE_FILE, SAMPLE_SYMBOL)
    return ParquetSource(_path(data), data.symbol, columns=data.columns, time_zone=data.time_zone)


def _path(data: Data) -> Path:
    if not data.path:
        kind = "CSV" if data.source == "csv" else "Parquet"
        raise ConfigError(f"data.source={data.source} needs data.path, a {kind} file of bars, got null")
    return Path(data.path).expanduser()


def known_symbols(data: Data, names: list[str] | None) -> list[str]:
    """`names` if the file has them, or all that it has, in order of appearance. Raises ConfigError for a name or column it has not."""
    if data.source == "csv" and names is not None:
        if not open_file(replace(data, symbol=names[0])).has("symbol"):
            raise ConfigError(f"data.symbols needs a symbol column, and {data.path} has none")
        return names
    if data.source != "parquet":
        wanted = "all" if names is None else ",".join(names)
        raise ConfigError(f"data.symbols={wanted} needs data.source=parquet (gpubt data convert A B makes one), got {data.source}")
    from gpubt.data.parquet import ParquetSource

    found = ParquetSource(_path(data), columns=data.columns, every=True).symbols()
    missing = [name for name in names or () if name not in found]
    if not found or missing:
        what = f"has no {missing[0]}; it has {', '.join(found[:5])}{', ...' if len(found) > 5 else ''}" if found else "has no symbol column"
        raise ConfigError(f"data.symbols: {data.path} {what}")
    return found if names is None else names


def rows_of_all(data: Data) -> int:
    """Rows of all symbols of a Parquet file, the measure by which backend=auto chooses; 0 where that would take a pass over the file."""
    if data.source != "parquet":
        return 0
    from gpubt.data.parquet import ParquetSource

    return ParquetSource(_path(data), columns=data.columns, every=True).rows_available
