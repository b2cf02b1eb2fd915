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
from gpubt.records.arrow import remove, write_json, write_parquet

if TYPE_CHECKING:
    import pyarrow as pa

RESULTS, ABOUT, PARTS = "results.parquet", "sweep.json", "parts"
GROUP = 65_536  # rows of a row group
SAME = ("version", "axes", "where", "sets", "config_digest", "data_digest", "kernels_digest", "blocks")  # what a resumed sweep must share


class Store:
    """The folder of one sweep."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, about: Mapping[str, Any]) -> None:
        """Write `sweep.json`; a folder with another sweep is refused."""
        if (self.folder / ABOUT).exists():
            raise InputError(f"{self.folder} holds a sweep already; choose another folder with --out, or go on with --resume {self.folder}")
        write_json(about, self.folder / ABOUT)

    def about(self) -> dict[str, Any]:
        """What `begin` wrote. Raises InputError where there is no sweep."""
        try:
            found: dict[str, Any] = json.loads((self.folder / ABOUT).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"DIR must be the folder of a sweep, got {str(self.folder)!r}, which has no {ABOUT}") from None
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder / ABOUT} can't be read: {error}") from None
        return found

    def check_same(self, about: Mapping[str, Any]) -> None:
        """Raise InputError unless the sweep in the folder is this one."""
        before = self.about()
        for name in SAME:
            if before.get(name) != about[name]:
                raise InputError(f"{self.folder} can't be resumed: {name} was {_short(before.get(name))} and is {_short(about[name])} now")

    @property
    def finished(self) -> bool:
        """Whether the table is there."""
        return (self.folder / RESULTS).exists()

    def done(self, sets: int) -> NDArray[np.bool_]:
        """Of each set whether a part has its row. Parts that can't be read are removed: their sets are simulated again."""
        import pyarrow.parquet as pq

        flags = np.zeros(sets, np.bool_)
        for path in self._parts():
            try:
                flags[pq.read_table(path, columns=["set"])["set"].to_numpy()] = True
            except (OSError, ValueError, IndexError):  # Arrow's are ValueErrors
                remove(path)
        return flags

    def add(self, table: pa.Table) -> None:
        """A part, in any order of its sets."""
        table = table.sort_by("set")
        write_parquet(table, self.folder / PARTS / f"{table['set'][0].as_py():09d}-{table['set'][-1].as_py():09d}-{len(table)}.parquet")

    def finish(self) -> Path:
        """All rows in one table by set, in row groups of one size; the parts go."""
        paths = self._parts()
        schema, bounds = _schema(paths[0]), [_bounds(path) for path in paths]
        path = self.folder / RESULTS
        write_parquet((schema, _merged(paths, bounds)), path)
        for part in paths:
            remove(part)
        (self.folder / PARTS).rmdir()
        return path

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
    import pyarrow.parquet as pq

    for start in range(0, max(last for _, last in bounds) + 1, GROUP):
        inside = [("set", ">=", start), ("set", "<", start + GROUP)]
        parts = [
            pq.read_table(path, filters=inside)
            for path, (first, last) in zip(paths, bounds, strict=True)
            if first < start + GROUP and last >= start
        ]
        yield pa.concat_tables(parts).sort_by("set").combine_chunks()


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
