"""Bars in a Parquet file: only the row groups and columns that are needed, straight into typed arrays.

Peak memory stays near the bars themselves: small batches, no read-ahead of whole column chunks (`pre_buffer=False`) and a small
stream buffer. One-call readers hold several times the bars.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gpubt.data.arrow import column_mapping, fill, find_columns
from gpubt.data.bars import PRICES, Bars, empty
from gpubt.data.clock import DAY, SECOND, time_text
from gpubt.data.epoch import epoch_nanoseconds
from gpubt.data.files import InputFile, is_csv
from gpubt.data.shared import LARGEST, Footer, shared
from gpubt.data.symbols import every, find_symbol
from gpubt.data.threads import mapped, threads_for
from gpubt.errors import DataError
from gpubt.progress import progress

BATCH = 163_840  # values of all columns together; with BUFFER, measured: as fast as larger ones, and less memory
BUFFER = 1 << 18  # bytes
PART = 1 << 18  # rows, at least, of several threads' parts: opening the file once more costs less than decoding a batch
OPTIONS: dict[str, Any] = {"pre_buffer": False, "buffer_size": BUFFER, "page_checksum_verification": True}  # of pages that have checksums
MAGIC = b"PAR1"
TIME_UNITS = {"milliseconds": SECOND // 1000, "microseconds": 1000, "nanoseconds": 1}


@dataclass(frozen=True)
class Span:
    """Rows `start` to `stop` (exclusive, counted in the file) of row group `group`; `whole` if they are all of it."""

    group: int
    start: int
    stop: int
    whole: bool = True


class ParquetSource:
    """One symbol's bars in a Parquet file, sorted by time; in a file of several symbols its rows must stand together.

    `bytes_read` counts the footer and the compressed column chunks of every row group that was touched.
    With `every`, no symbol is chosen: `symbols` lists them. Raises DataError for a file that can't be used, ConfigError for a symbol that
    it has not.
    """

    findings = ()

    def __init__(self, path: Path, symbol: str | None = None, *, columns: Any = None, time_zone: str = "UTC", every: bool = False) -> None:
        self.path, self.where, self.time_zone = path, f"data.path={path}", time_zone
        self.given = column_mapping(columns)
        self.file = _open(path)
        self.metadata, self.schema = self.footer = self._footer()
        if not self.metadata.num_rows:
            raise DataError(f"{self.where} has no rows")
        self.names = find_columns(self.schema, self.where, given=self.given)
        self.bytes_read = int(self.metadata.serialized_size)
        self._column = find_columns(self.schema, self.where, required=(), optional=("symbol",), given=self.given).get("symbol")
        rows = range(self.metadata.num_rows)
        if self._column is not None and not every:
            symbol, rows = find_symbol(self, self._column, symbol)
        self.symbol = symbol or path.stem
        self.rows = rows  # of the symbol, in the file

    def _footer(self) -> Footer:
        """What says where everything is, and the types."""
        known = shared(self.file.state)
        if known is not None:
            return known.footer
        with self._explained(), pq.ParquetFile(self.path) as file:
            return file.metadata, file.schema_arrow

    def symbols(self) -> list[str]:
        """The names in the file's `symbol` column, in their order of appearance; none without the column."""
        return [] if self._column is None else every(self, self._column)

    @property
    def rows_available(self) -> int:
        """Rows of the symbol."""
        return len(self.rows)

    def span(self) -> tuple[int, int]:
        """Time of the first and of the last row, nanoseconds UTC."""
        return self._times[0][0], self._times[-1][1]

    def row_at(self, time: int) -> int:
        """The first row at or after `time` by the row groups' statistics; only the times of the row group around it are read."""
        spans = self.spans(self.rows)
        found = bisect_left(self._times, time, key=lambda bounds: bounds[1])
        if found == len(spans):
            return self.rows_available
        row = spans[found].start
        if time > self._times[found][0]:
            for times in self._read_times(spans[found]):
                inside = int(np.searchsorted(times, time))
                row += inside
                if inside < len(times):
                    break
        return row - self.rows.start

    def has(self, field: str) -> bool:
        """Whether the file has a column for `field`."""
        return bool(find_columns(self.schema, self.where, required=(), optional=(field,), given=self.given))

    def times(self, lo: int, hi: int) -> NDArray[np.int64]:
        """Times of rows `lo` to `hi` (exclusive), nanoseconds UTC."""
        return self.fields(lo, hi, ["time"])["time"]

    def read(self, lo: int, hi: int, columns: Collection[str] = ()) -> Bars:
        """Rows `lo` to `hi` (exclusive): time and prices, and volume if `columns` has it. Raises DataError."""
        return Bars(self.symbol, **self.fields(lo, hi, ["time", *PRICES, *(["volume"] if "volume" in columns else [])]))

    def fields(self, lo: int, hi: int, fields: Iterable[str]) -> dict[str, NDArray[Any]]:
        """The columns of these fields for rows `lo` to `hi` (exclusive): int64 for time, else float64. Raises DataError."""
        names = find_columns(self.schema, self.where, required=fields, given=self.given)
        out = {field: empty(hi - lo, field) for field in names}
        spans = self.spans(range(self.rows.start + lo, self.rows.start + hi))
        counted = next(iter(names), "")
        threads = threads_for(hi - lo)
        with progress("reading bars", total=hi - lo) as advance:

            def load(part: tuple[list[Span], list[str]]) -> None:
                row = part[0][0].start - self.rows.start
                for batch in self._decoded(part[0], [names[field] for field in part[1]]):
                    for field in part[1]:
                        values, name = batch.column(names[field]), names[field]
                        fill(out[field][row - lo : row - lo + len(batch)], values, name, row, self.time_zone)
                    row += len(batch)
                    advance(len(batch) if counted in part[1] else 0)

            mapped(load, _parts(spans, list(names), threads), threads)
        pa.default_memory_pool().release_unused()  # decoders' buffers: a tenth of the bars else stays with Arrow
        self._count(spans, names.values())
        self.file.check_unchanged()
        return out

    def spans(self, rows: range) -> list[Span]:
        """The parts of `rows` (in the file) by row group; empty ones left out."""
        spans, end = [], 0
        for group in range(self.metadata.num_row_groups):
            first, end = end, end + self.metadata.row_group(group).num_rows
            start, stop = max(first, rows.start), min(end, rows.stop)
            if start < stop:
                spans.append(Span(group, start, stop, whole=(start, stop) == (first, end)))
        return spans

    def batches(self, spans: list[Span], columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Columns of the rows in `spans`, which follow each other, in batches that do not depend on where row groups begin."""
        self._count(spans, columns)
        yield from self._decoded(spans, columns)

    def _count(self, spans: list[Span], columns: Iterable[str]) -> None:
        self.bytes_read += sum(self._chunk(span.group, name).total_compressed_size for name in columns for span in spans)

    def _decoded(self, spans: list[Span], columns: list[str]) -> Iterator[pa.RecordBatch]:
        if not spans:
            return
        groups = [span.group for span in spans]
        known = shared(self.file.state)
        if known is not None and len(spans) == 1 and not spans[0].whole and self.metadata.row_group(groups[0]).num_rows <= LARGEST:
            with self._explained():
                yield from known.batches(spans[0], columns, self._group, sum(self.metadata.row_group(i).num_rows for i in range(groups[0])))
            return
        row = sum(self.metadata.row_group(group).num_rows for group in range(groups[0]))
        with self._explained(), pq.ParquetFile(self.path, metadata=self.metadata, **OPTIONS) as file:
            for batch in file.iter_batches(BATCH // len(columns), row_groups=groups, columns=columns):
                start, stop = max(row, spans[0].start), min(row + len(batch), spans[-1].stop)
                if start < stop:
                    yield batch.slice(start - row, stop - start)
                row += len(batch)
                if row >= spans[-1].stop:
                    return
        if row < spans[-1].stop:
            raise DataError(f"{self.where} is damaged: its rows end at {row} of {spans[-1].stop}")

    def _group(self, group: int, columns: list[str]) -> pa.Table:
        """Columns of a whole row group."""
        with pq.ParquetFile(self.path, metadata=self.metadata, **OPTIONS) as file:
            return file.read_row_group(group, columns=columns)

    def statistics(self, group: int, column: str) -> Any | None:
        """The row group's statistics of `column`, or None when they lack a minimum and maximum."""
        statistics = self._chunk(group, column).statistics
        return statistics if statistics is not None and statistics.has_min_max else None

    def _chunk(self, group: int, column: str) -> Any:
        return self.metadata.row_group(group).column(self._leaves[column])

    @cached_property
    def _leaves(self) -> dict[str, int]:
        """Index of each flat column: nested ones, which hold no bars, count several."""
        return {self.metadata.schema.column(i).path: i for i in range(self.metadata.num_columns)}

    @cached_property
    def _times(self) -> list[tuple[int, int]]:
        """First and last time of the symbol's rows in each row group. DataError unless the row groups follow each other in time."""
        times = [self._statistics_times(span) or self._first_last(span) for span in self.spans(self.rows)]
        for i in range(1, len(times)):
            if times[i][0] <= times[i - 1][1]:
                follows = f"{time_text(times[i][0])} follows {time_text(times[i - 1][1])}"
                raise DataError(f"{self.where} is not in order of time, {follows} across row groups; sort it by time")
        return times

    def _statistics_times(self, span: Span) -> tuple[int, int] | None:
        statistics = self.statistics(span.group, self.names["time"]) if span.whole else None
        unit = self._time_unit
        if statistics is None or unit is None:
            return None
        if unit:
            return statistics.min_raw * unit, statistics.max_raw * unit
        ends = np.array([statistics.min_raw, statistics.max_raw])
        times = epoch_nanoseconds(ends, self.names["time"], span.start - self.rows.start)
        # values of two units: their order is not that of the times
        return (int(times[0]), int(times[1])) if np.ptp(times // ends) == 0 else None

    @cached_property
    def _time_unit(self) -> int | None:
        """Nanoseconds of the stored integers' unit; 0 where each value tells its own; None where statistics are not used."""
        column = self.metadata.schema.column(self._leaves[self.names["time"]])
        kind = json.loads(column.logical_type.to_json())
        local = self.time_zone != "UTC"
        if kind["Type"] == "Date":
            return None if local else DAY
        if kind["Type"] == "Timestamp":
            return None if local and not kind["isAdjustedToUTC"] else TIME_UNITS.get(kind["timeUnit"])
        return 0 if column.physical_type == "INT64" and kind["Type"] in ("None", "Int") else None

    def _first_last(self, span: Span) -> tuple[int, int]:
        ends = [(int(times[0]), int(times[-1])) for times in self._read_times(span)]
        return ends[0][0], ends[-1][1]

    def _read_times(self, span: Span) -> Iterator[NDArray[np.int64]]:
        name = self.names["time"]
        row = span.start - self.rows.start
        for batch in self.batches([span], [name]):
            times = np.empty(len(batch), np.int64)
            fill(times, batch.column(name), name, row, self.time_zone)
            yield times
            row += len(batch)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What Arrow says about a damaged file, as a DataError."""
        try:
            yield
        except pa.ArrowMemoryError:
            raise
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise DataError(f"{self.where} is damaged or no Parquet file that can be read: {reason}") from None


def _parts(spans: list[Span], fields: list[str], threads: int) -> list[tuple[list[Span], list[str]]]:
    """What one thread decodes at a time: a column of a run of row groups; all at once for one thread."""
    if threads == 1 or not spans:
        return [(spans, fields)] if spans else []
    runs: list[list[Span]] = [[]]
    for span in spans:
        if sum(one.stop - one.start for one in runs[-1]) >= PART:
            runs.append([])
        runs[-1].append(span)
    return [(run, [field]) for run in runs for field in fields]


def _open(path: Path) -> InputFile:
    """DataError for what is no readable Parquet file, by its first and last bytes."""
    file = InputFile(path, "Parquet")
    if not file.head.startswith(MAGIC):
        raise DataError(f"{file.where} is not a Parquet file; {'read CSV with data=csv' if is_csv(path) else 'convert it to Parquet'}")
    if file.tail != MAGIC:
        raise DataError(f"{file.where} is truncated: a Parquet file ends with its footer, this one after {file.size} bytes without")
    return file
