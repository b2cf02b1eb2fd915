"""The files of a sweep: rows in part files as they are done, and at the end one table in the order of the sets.

`sweep.json` says what is swept over which data; a sweep is resumed only if it is the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.errors import DataError, InputError
from gpubt.records.arrow import plain, remove, write_json, write_parquet
from gpubt.records.tables import read_parquet, values_of
from gpubt.sweep.rows import by_set

if TYPE_CHECKING:
    import pyarrow as pa

RESULTS, ABOUT, PARTS = "results.parquet", "sweep.json", "parts"
REMEDY = "choose another folder with --out DIR"
GROUP = 65_536  # rows of a row group
SAME = ("version", "axes", "where", "sets", "config_digest", "kernels_digest")  # what a resumed sweep must share


class Store:
    """The folder of one sweep."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._about: dict[str, Any] | None = None  # with the bars that were noted
        self._unwritten = False

    def refuse_used(self) -> None:
        """Raise InputError where a sweep is already."""
        if (self.folder / ABOUT).exists():
            raise InputError(f"{self.folder} holds a sweep already; choose another folder with --out, or go on with --resume {self.folder}")

    def begin(self, about: Mapping[str, Any]) -> None:
        """Write `sweep.json`, or raise InputError unless the one that is there is of the same sweep."""
        if not (self.folder / ABOUT).exists():
            write_json(about, self.folder / ABOUT, remedy=REMEDY)
            return
        before, wanted = self.about(), plain(dict(about))
        for name in SAME:
            if before.get(name) != wanted[name]:
                raise InputError(f"{self.folder} can't be resumed: {name} was {_short(before.get(name))} and is {_short(wanted[name])} now")

    def about(self) -> dict[str, Any]:
        """What `begin` wrote. Raises InputError where there is no sweep."""
        try:
            found: dict[str, Any] = json.loads((self.folder / ABOUT).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(f"DIR must be the folder of a sweep, got {str(self.folder)!r}, which has no {ABOUT}") from None
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder / ABOUT} can't be read: {error}") from None
        return found

    def check_data(self, symbol: str, digest: str, rows: int) -> None:
        """Note the bars of a symbol; raise DataError where rows are there that were made of others."""
        if self._about is None:
            self._about = self.about()
        known = self._about["data"].get(symbol)
        if known is None:
            self._about["data"][symbol] = {"digest": digest, "rows": rows}
            self._unwritten = True
        elif known["digest"] != digest:
            raise DataError(
                f"{self.folder} can't be resumed: the bars of {symbol} had digest {known['digest'][:16]}, and have {digest[:16]} now"
            )

    def warn(self, text: str) -> None:
        """Keep a sentence for the reader of `sweep.json`."""
        if self._about is None:
            self._about = self.about()
        self._about.setdefault("warnings", []).append(text)
        self._unwritten = True

    def _note(self) -> None:
        """Write which bars rows are made of, before the rows."""
        if self._unwritten:
            write_json(self._about or {}, self.folder / ABOUT, remedy=REMEDY)
            self._unwritten = False

    @property
    def finished(self) -> bool:
        """Whether the table is there."""
        return (self.folder / RESULTS).exists()

    def done(self, sets: int) -> NDArray[np.bool_]:
        """Of each set whether its row is there. Parts that can't be read are removed: their sets are simulated again."""
        if self.finished:
            return np.ones(sets, np.bool_)
        flags = np.zeros(sets, np.bool_)
        for path in self._parts():
            try:
                flags[values_of(read_parquet(path, ["set"])["set"])] = True
            except (OSError, ValueError, IndexError):  # Arrow's are ValueErrors
                remove(path)
        return flags

    def add(self, table: pa.Table) -> None:
        """A part, in any order of its sets."""
        self._note()
        table = by_set(table)
        first, last = table["set"][0].as_py(), table["set"][-1].as_py()
        write_parquet(table, self.folder / PARTS / f"{first:09d}-{last:09d}-{len(table)}.parquet", remedy=REMEDY)

    def finish(self) -> None:
        """All rows in one table by set, in row groups of one size; then the parts go, and what a killed process left half-written."""
        from shutil import rmtree

        self._note()
        if not self.finished:
            paths = self._parts()
            write_parquet((_schema(paths[0]), _merged(paths, [_bounds(path) for path in paths])), self.folder / RESULTS, remedy=REMEDY)
        rmtree(self.folder / PARTS, ignore_errors=True)
        for left in self.folder.glob(".*.tmp"):
            remove(left)

    def _parts(self) -> list[Path]:
        return sorted((self.folder / PARTS).glob("[0-9]*.parquet"))


def _schema(path: Path) -> pa.Schema:
    import pyarrow.parquet as pq

    return pq.read_schema(path)


def _bounds(path: Path) -> tuple[int, int]:
    first, last, _ = path.stem.split("-")
    return int(first), int(last)


def _merged(paths: list[Path], bounds: list[tuple[int, int]]) -> Iterator[pa.Table]:
    """Row groups in the order of the sets, each from the parts that overlap it."""
    import pyarrow as pa

    for start in range(0, max(last for _, last in bounds) + 1, GROUP):
        parts = [
            read_sets(path, start, start + GROUP)
            for path, (first, last) in zip(paths, bounds, strict=True)
            if first < start + GROUP and last >= start
        ]
        yield by_set(pa.concat_tables(parts))


def read_sets(path: Path, first: int, stop: int, columns: list[str] | None = None) -> pa.Table:
    """The rows of sets `first` to `stop` (exclusive) of a part, or of the table, which are in the order of their sets; only the row groups
    that hold them are read. `columns` has "set" among them."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, memory_map=True) as file:
        place = file.schema_arrow.names.index("set")
        bounds = [file.metadata.row_group(i).column(place).statistics for i in range(file.num_row_groups)]
        table = file.read_row_groups([i for i, own in enumerate(bounds) if own.min < stop and own.max >= first], columns)
    low, high = np.searchsorted(values_of(table["set"]), (first, stop))
    return table.slice(low, high - low)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
