"""The rows of a sweep read back, a column at a time: of the finished table, or of the parts of one that is not finished."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.errors import ConfigError, DataError, InputError, accepted
from gpubt.records.tables import taken, texts, values_of
from gpubt.sweep.ranking import ALIASES, BEST
from gpubt.sweep.space import short_names
from gpubt.sweep.store import ABOUT, PARTS, RESULTS, Store

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

SYMBOLS = ("data.symbol", "symbol")  # the column that tells symbols apart, where there are several


@dataclass(frozen=True)
class Coded:
    """An axis by numbers of its values, shape (rows,). Codes below `steps` are numbers in ascending order, one step of the grid apart;
    those up to `levels` (text, null) have no order."""

    key: str
    codes: NDArray[np.int64]
    steps: int
    levels: int


class Results:
    """Rows in the order of their sets, of one symbol. `partial`: more are to come."""

    def __init__(self, folder: Path, about: Mapping[str, Any], files: Mapping[Path, pq.ParquetFile], *, partial: bool) -> None:
        self.folder, self.about, self.files, self.partial = folder, about, files, partial
        self.names = _names(files, about["axes"])
        self.keys = tuple(key for key in about["axes"] if key not in SYMBOLS)
        self.figures = tuple(name for name in self.names if name in BEST)
        self.symbol = str(about.get("symbol") or next(iter(about.get("data", {})), ""))
        self._rows: NDArray[np.int64] | None = None
        self._read: dict[str, NDArray[Any]] = {}

    def choose(self, symbol: str | None) -> None:
        """Keep the rows of `symbol`, which may be None where there is only one. Raises ConfigError."""
        named = next((self.column(name) for name in SYMBOLS if name in self.names), None)
        symbols = [self.symbol] if named is None else [name for name in named.unique().to_pylist() if name is not None]
        if not symbols:
            raise DataError(f"{self.folder} has no row of a symbol")
        if symbol is None and len(symbols) > 1:
            raise ConfigError(f"--symbol must name one of the {len(symbols)} symbols of this sweep; {accepted(symbols)}")
        if symbol is not None and symbol not in symbols:
            raise ConfigError(f"--symbol has no {symbol!r}; {accepted(symbols, symbol)}")
        self.symbol = symbol or symbols[0]
        if named is not None:
            import pyarrow.compute as pc

            self._rows = _values(pc.indices_nonzero(pc.equal(named, self.symbol)))
        if self.partial:  # parts are in the order in which they were done
            sets = self.numbers("set").astype(np.int64)
            self._rows = np.argsort(sets, kind="stable") if self._rows is None else self._rows[np.argsort(sets, kind="stable")]
        self._read.clear()

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.sets)

    @cached_property
    def sets(self) -> NDArray[np.int64]:
        """The number of each row's set."""
        return self.numbers("set").astype(np.int64)

    def column(self, name: str) -> pa.ChunkedArray:
        """A column. Raises DataError, with the path, where a file is broken."""
        return self.columns([name])[name]

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Columns. Raises DataError, with the path, where a file is broken."""
        import pyarrow as pa

        parts = []
        for path, file in self.files.items():
            with _readable(path, self.partial, self.folder):
                parts.append(file.read(list(names)).select(list(names)))
        with _readable(self.folder, self.partial, self.folder):
            table = pa.concat_tables(parts, promote_options="default")  # an axis of a part may be null throughout
        return table if self._rows is None else taken(table, self._rows)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column of numbers, shape (rows,), float64; null as NaN."""
        import pyarrow as pa

        if name not in self._read:
            column = self.column(name)
            with _readable(self.folder, self.partial, self.folder):
                self._read[name] = values_of(column.cast(pa.float64(), safe=False))
        return self._read[name]

    def axis(self, key: str) -> Coded:
        """An axis as codes; the grid's steps are those of `sweep.json`, of which not every one needs to have a row."""
        import pyarrow as pa

        column = self.column(key)
        if _is_number(column.type):
            values = self.numbers(key)
            listed = [level for level in self.about["axes"][key] if isinstance(level, (int, float)) and not isinstance(level, bool)]
            levels = np.unique(np.concatenate([values[~np.isnan(values)], np.array(listed, np.float64)]))
            return Coded(key, np.searchsorted(levels, values).astype(np.int64), len(levels), len(levels) + 1)  # NaN is beyond all
        if pa.types.is_nested(column.type):
            column = pa.chunked_array([texts(list(map(str, column.to_pylist())))])
        encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
        return Coded(key, _values(encoded.indices), 0, max(1, len(encoded.dictionary)))

    @cached_property
    def axes(self) -> tuple[Coded, ...]:
        """All axes as codes."""
        return tuple(self.axis(key) for key in self.keys)

    @property
    def sampled(self) -> bool:
        """Whether the sets are draws, not a whole grid."""
        return bool(self.about.get("method", "grid") != "grid")

    @property
    def of(self) -> int:
        """Rows there are when the sweep is finished."""
        symbols = next((len(self.about["axes"][name]) for name in SYMBOLS if name in self.about["axes"]), 1)
        return max(self.n, int(self.about.get("sets", 0)) // symbols)

    @property
    def bars(self) -> int | None:
        """Of the symbol, where `sweep.json` has it."""
        found: int | None = self.about.get("data", {}).get(self.symbol, self.about).get("rows")
        return found

    def short(self) -> dict[str, str]:
        """The shortest name of each axis that a condition takes, by key."""
        found: dict[str, str] = {}
        for name, key in short_names({key: key for key in self.keys}).items():
            if name not in self.figures and name != "set":
                found.setdefault(key, name)
        return {key: found[key] for key in self.keys}


class Names(Mapping[str, NDArray[Any]]):
    """What a condition over results may name: the set, axes, figures. A column is read when it is asked for."""

    def __init__(self, results: Results) -> None:
        self._results = results
        axes = short_names({key: key for key in results.keys})
        self._columns = {"set": "set"} | ALIASES | axes | {name: name for name in ("set", *results.figures)}

    def __getitem__(self, name: str) -> NDArray[Any]:
        column = self._columns[name]
        if column not in self._results.keys:
            return self._results.numbers(column)
        values = self._results.column(column)
        if _is_number(values.type):
            return self._results.numbers(column)
        return np.array([*values.to_pylist(), None], object)[:-1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def read_sweep(folder: Path, *, symbol: str | None = None, partial: bool = False) -> Results:
    """The rows of the sweep in `folder`; with `partial` those that an unfinished one has so far.

    Raises InputError where there is none, or none that is finished, ConfigError for a symbol, DataError, with the path, for a broken file.
    """
    import pyarrow.parquet as pq

    if not folder.is_dir():
        raise InputError(f"DIR must be the folder of a sweep, got {str(folder)!r}, which is no folder")
    store = Store(folder)
    about = _about(store)
    resume = f"gpubt sweep --resume {quote(str(folder))}"
    paths = [folder / RESULTS] if store.finished else sorted((folder / PARTS).glob("[0-9]*.parquet"))
    if not store.finished and not partial:
        raise InputError(f"{folder} holds a sweep that is not finished; {resume} finishes it, --partial reads the rows it has so far")
    if not paths:
        raise InputError(f"{folder} holds a sweep that has no rows yet; {resume} finishes it")
    files = {}
    for path in paths:
        with _readable(path, not store.finished, folder):
            files[path] = pq.ParquetFile(path, memory_map=True)
    results = Results(folder, about, files, partial=not store.finished)
    results.choose(symbol)
    return results


def _about(store: Store) -> dict[str, Any]:
    about = store.about()
    axes = about.get("axes") if isinstance(about, dict) else None
    if not isinstance(axes, dict) or not axes or not all(isinstance(levels, list) for levels in axes.values()):
        raise DataError(f"{store.folder / ABOUT} is not that of a sweep: it has no axes")
    return about


def _names(files: Mapping[Path, pq.ParquetFile], keys: Iterable[str]) -> list[str]:
    """The columns, which are those of a sweep with these axes. Raises DataError."""
    for path, file in files.items():
        names: list[str] = file.schema_arrow.names
        for name in ("set", *keys):
            if name not in names:
                raise DataError(f"{path} is not the table of the sweep in {ABOUT}: it has no column {name}")
    return names


def _values(array: pa.Array) -> NDArray[np.int64]:
    import pyarrow as pa

    return values_of(pa.chunked_array([array]))


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


@contextmanager
def _readable(path: Path, partial: bool, folder: Path) -> Iterator[None]:
    """What Arrow raises becomes DataError with the path."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException) as error:
        remedy = f"; gpubt sweep --resume {quote(str(folder))} simulates its sets again" if partial else ""
        raise DataError(f"{path} can't be read as rows of a sweep: {' '.join(str(error).split())}{remedy}") from error
