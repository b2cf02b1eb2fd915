"""What reading the symbols of one file one after the other shares: its footer, where the rows of each are, and the row group that was
decoded last.

Without it each symbol would read the footer, scan the file's symbols, and decode its row groups, again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from gpubt.data.parquet import Span

LARGEST = 1 << 20  # rows of a row group that is kept decoded
State = tuple[str, int, int, int]  # of a file: path, size, time of change, inode
Footer = tuple[Any, pa.Schema]


class Found(NamedTuple):
    """First and last row of a symbol, and how many it has."""

    first: int
    last: int
    number: int


class Shared:
    """Of one file in one state, whose symbols were listed; `rows` has those of each, in order of appearance; `footer` its metadata and
    schema."""

    def __init__(self, state: State, rows: dict[str, Found], footer: Footer) -> None:
        self.state, self.rows, self.footer = state, rows, footer
        self._group = -1
        self._columns: dict[str, pa.ChunkedArray] = {}
        self._lock = Lock()  # threads that read columns together

    def batches(self, span: Span, columns: list[str], decode: Callable[[int, list[str]], pa.Table], first: int) -> Iterator[pa.RecordBatch]:
        """The columns of a span, from its decoded row group, whose first row is `first`."""
        with self._lock:
            if self._group != span.group:
                self._group, self._columns = span.group, {}
            missing = [name for name in columns if name not in self._columns]
            if missing:
                table = decode(span.group, missing)
                self._columns |= {name: table.column(name) for name in missing}
            table = pa.table({name: self._columns[name] for name in columns})
        yield from table.slice(span.start - first, span.stop - span.start).to_batches()


_last: Shared | None = None  # the file whose symbols were listed last


def listed(state: State, values: Iterable[pa.Array], footer: Footer) -> dict[str, Found]:
    """The rows of each symbol of a file, from its column of symbols; remembered for `shared`."""
    global _last
    rows: dict[str, Found] = {}
    start = 0
    for part in values:
        for name, first, last, count in _found(part):
            before = rows.get(name)
            rows[name] = Found(before.first if before else start + first, start + last, count + (before.number if before else 0))
        start += len(part)
    _last = Shared(state, rows, footer)
    return rows


def shared(state: State) -> Shared | None:
    """What is remembered of this file in this state."""
    return _last if _last is not None and _last.state == state else None


def _found(values: pa.Array) -> Iterator[tuple[str, int, int, int]]:
    """Each name with its first and last place and its count, in order of appearance."""
    encoded = pc.dictionary_encode(values)
    codes = encoded.indices.to_numpy()
    first = np.unique(codes, return_index=True)[1]
    last = len(codes) - 1 - np.unique(codes[::-1], return_index=True)[1]
    counts = np.bincount(codes)
    for i, name in enumerate(encoded.dictionary.to_pylist()):
        yield name, int(first[i]), int(last[i]), int(counts[i])
