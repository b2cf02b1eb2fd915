"""Bars in a CSV file, plain or compressed with gzip or zstd.

A CSV file does not say how many rows it has: they are counted first (line ends only, a tenth of the time of parsing), so that
the columns are allocated once and only the rows and columns that are asked for are kept. Blocks of 1 MiB stream through Arrow's parser;
nothing holds the text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from gpubt.data.arrow import column_mapping, fill, find_columns
from gpubt.data.bars import PRICES, Bars, empty
from gpubt.data.csv_layout import MISSING, find_layout
from gpubt.data.files import HEAD, InputFile
from gpubt.errors import DataError
from gpubt.progress import progress

BLOCK = 1 << 20  # bytes of text that are parsed at once
SCANNED = 1 << 18  # and in which lines are counted: they stay in the cache
CODECS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
OPTIONAL = ("volume", "split", "adj_close")


class CsvSource:
    """One symbol's bars in a CSV file, sorted by time; in a file of several symbols (a column `symbol`) its rows must stand together.

    `header` is auto, true or false; `columns` maps fields to column names, or lists the columns of a file without header; `time_zone`
    is that of times without an offset. `bytes_read` counts the file each time it is passed. Raises DataError and ConfigError.
    """

    findings = ()

    def __init__(self, path: Path, symbol: str | None = None, *, header: Any = "auto", columns: Any = None, time_zone: str = "UTC") -> None:
        self.path, self.where, self.time_zone = path, f"data.path={path}", time_zone
        self.file = InputFile(path, "CSV")
        self.bytes_read = 0
        if self.file.head.startswith(b"PAR1"):
            raise DataError(f"{self.where} is a Parquet file; read it with data=parquet")
        self.codec = next((codec for magic, codec in CODECS.items() if self.file.head.startswith(magic)), None)
        with self._explained(), self._stream() as (_, stream):
            self.layout = find_layout(stream.read(HEAD), self.where, header, columns)
        self.names = find_columns(self.layout.schema, self.where, optional=(*OPTIONAL, "symbol"), given=column_mapping(columns))
        self.rows = range(self._lines - self.layout.skip + self.layout.blank)  # of the symbol, in the file
        if "symbol" in self.names:
            symbol, self.rows = self._find_symbol(symbol)
        self.symbol = symbol or path.name.split(".")[0]

    def has(self, field: str) -> bool:
        """Whether the file has a column for `field`."""
        return field in self.names

    @property
    def rows_available(self) -> int:
        """Rows of the symbol."""
        return len(self.rows)

    def span(self) -> tuple[int, int]:
        """Time of the first and of the last row, nanoseconds UTC."""
        return int(self._latest[0]), int(self._latest[-1])

    def row_at(self, time: int) -> int:
        """The first row at or after `time`."""
        return int(np.searchsorted(self._latest, time))

    def times(self, lo: int, hi: int) -> NDArray[np.int64]:
        """Times of rows `lo` to `hi` (exclusive), nanoseconds UTC."""
        return self.fields(lo, hi, ["time"])["time"]

    def read(self, lo: int, hi: int, columns: Collection[str] = ()) -> Bars:
        """Rows `lo` to `hi` (exclusive): time and prices, and volume if `columns` has it. Raises DataError."""
        return Bars(self.symbol, **self.fields(lo, hi, ["time", *PRICES, *(["volume"] if "volume" in columns else [])]))

    def fields(self, lo: int, hi: int, fields: Iterable[str]) -> dict[str, NDArray[Any]]:
        """The columns of these fields for rows `lo` to `hi` (exclusive): int64 for time, else float64. Raises DataError."""
        names = {field: self._name(field) for field in fields}
        out = {field: empty(hi - lo, field) for field in names}
        row = -self.rows.start
        with progress("reading bars", total=hi) as advance:
            for batch in self._batches(list(names.values())):
                start, stop = max(lo, row), min(hi, row + len(batch))
                if start < stop:
                    for field, name in names.items():
                        values = batch.column(name).slice(start - row, stop - start)
                        fill(out[field][start - lo : stop - lo], values, name, start, self.time_zone)
                row += len(batch)
                advance(len(batch))
                if row >= hi:
                    break
        self.file.check_unchanged()
        if row < hi:
            raise DataError(f"{self.where} has lines that are no rows: {row} rows in {hi} lines; remove what is quoted over several lines")
        return out

    def _name(self, field: str) -> str:
        if field not in self.names:
            raise DataError(f"{self.where} has no column {field}; it has {', '.join(self.layout.schema.names)}")
        return self.names[field]

    @cached_property
    def _latest(self) -> NDArray[np.int64]:
        """The latest time up to each row: the times where they are in order."""
        times = self.times(0, self.rows_available)
        return np.maximum.accumulate(times, out=times)

    @cached_property
    def _lines(self) -> int:
        """Lines with something in them, the header among them."""
        lines, ended = 0, True
        with self._explained(), self._stream() as (file, stream):
            while block := stream.read(SCANNED):
                characters = np.frombuffer(block, np.uint8)
                ends = (characters == 10) | (characters == 13)
                # an end after something else: neither the second half of CR LF nor a blank line
                lines += int(np.count_nonzero(ends[1:] > ends[:-1])) + (bool(ends[0]) and not ended)
                ended = bool(ends[-1])
            self.bytes_read += file.tell()
        self.file.check_unchanged()
        return lines + (not ended)

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        kinds = {name: pa.float64() for name in columns}
        if self.names["time"] in kinds:
            kind = self.layout.schema.field(self.names["time"]).type
            kinds[self.names["time"]] = pa.string() if pa.types.is_null(kind) else kind
        if self.names.get("symbol") in kinds:
            kinds[self.names["symbol"]] = pa.dictionary(pa.int32(), pa.string())
        read = csv.ReadOptions(use_threads=False, block_size=BLOCK, skip_rows=self.layout.skip, column_names=self.layout.schema.names)
        parse = csv.ParseOptions(delimiter=self.layout.separator)
        convert = csv.ConvertOptions(
            column_types=kinds,
            include_columns=columns,
            null_values=list(MISSING),
            decimal_point=self.layout.decimal,
            check_utf8=False,
            strings_can_be_null=True,
        )
        with self._explained(), self._stream() as (file, stream):
            try:
                yield from csv.open_csv(stream, read_options=read, parse_options=parse, convert_options=convert)
            finally:
                self.bytes_read += file.tell()

    @contextmanager
    def _stream(self) -> Iterator[tuple[Any, Any]]:
        """The file and its text: the same unless it is compressed."""
        with pa.OSFile(str(self.path)) as file:
            yield file, pa.CompressedInputStream(file, self.codec) if self.codec else file

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What Arrow says about a file that it can't parse, as a DataError."""
        try:
            yield
        except pa.ArrowMemoryError:
            raise
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise DataError(f"{self.where} can't be read as CSV: {reason}") from None

    def _find_symbol(self, symbol: str | None) -> tuple[str, range]:
        """The symbol and its rows in the file. Raises ConfigError and DataError as for Parquet."""
        from gpubt.data.symbols import choose

        found: dict[str, list[int]] = {}  # first row, last row, count
        row = 0
        for batch in self._batches([self.names["symbol"]]):
            values = batch.column(0)
            for name in pc.unique(values).to_pylist():
                hits = pc.indices_nonzero(pc.equal(values.dictionary_decode(), name or ""))
                if len(hits):
                    rows = found.setdefault(name or "", [row + hits[0].as_py(), 0, 0])
                    rows[1:] = row + hits[-1].as_py(), rows[2] + len(hits)
            row += len(batch)
        name = choose(list(found), symbol, self.path)
        first, last, count = found[name]
        if count != last + 1 - first:
            apart = f"the {count} rows of {name} lie apart, from row {first} to {last}"
            raise DataError(f"{self.where}: {apart}; sort it by symbol, then time")
        return name, range(first, last + 1)
