"""Where bars come from: first what there is, then exactly the rows that are asked for."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from gpubt.config import Data
from gpubt.data.bars import Bars
from gpubt.errors import ConfigError
from gpubt.resources import folder

SAMPLE_FILE = "sz000338_5m_2007-2020.parquet"
SAMPLE_SYMBOL = "SZ000338"


class Source(Protocol):
    """Bars of one symbol, by row. Making one reads metadata only."""

    symbol: str
    bytes_read: int  # from storage so far, as stored (compressed); 0 for generated bars

    @property
    def rows_available(self) -> int:
        """Rows there are."""

    def span(self) -> tuple[int, int]:
        """Time of the first and of the last row, nanoseconds UTC."""

    def row_at(self, time: int) -> int:
        """The first row at or after `time` (nanoseconds UTC), `rows_available` if there is none."""

    def read(self, lo: int, hi: int, columns: Collection[str] = ()) -> Bars:
        """Rows `lo` to `hi` (exclusive): time and prices, and volume if `columns` has it. Raises DataError."""


def open_source(data: Data, seed: int) -> Source:
    """The source that `data.source` names. Raises ConfigError and DataError; nothing but metadata has been read then."""
    if data.source == "synthetic":
        from gpubt.data.synthetic import SyntheticSource

        return SyntheticSource(data.synthetic, seed, data.symbol or "SYNTHETIC")
    from gpubt.data.parquet import ParquetSource

    if data.source == "sample":
        if data.symbol not in (None, SAMPLE_SYMBOL):
            raise ConfigError(f"data.symbol must be {SAMPLE_SYMBOL} or null with data.source=sample, got {data.symbol}")
        return ParquetSource(folder("sample") / SAMPLE_FILE, SAMPLE_SYMBOL)
    if not data.path:
        raise ConfigError("data.source=parquet needs data.path, a Parquet file of bars, got null")
    return ParquetSource(Path(data.path).expanduser(), data.symbol)
