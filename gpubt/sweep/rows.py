"""Rows of a sweep: the set, its values, every figure, the ledger's hash, and the sums of its returns in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.metrics.figures import columns
from gpubt.records.tables import column, hex_texts, taken, texts, values_of

if TYPE_CHECKING:
    import pyarrow as pa

    from gpubt.backends.base import Sets
    from gpubt.data.bars import Bars
    from gpubt.metrics.account import Periods
    from gpubt.sweep.space import Space

HASH, BLOCKS = "ledger_hash", ("block_return", "block_square")


def rows_table(space: Space, sets: NDArray[np.int64], out: Sets, capital: NDArray[np.float64], bars: Bars, periods: Periods) -> pa.Table:
    """One row for each of `sets`. A figure that does not exist is null."""
    import pyarrow as pa

    found: dict[str, Any] = {"set": column(sets + space.first, pa.int64())}
    found |= {key: taken(array, space.codes[key][sets]) for key, array in _axis_arrays(space).items()}
    figures = columns(out.tallies, capital, bars=bars.n, periods=len(periods.ends), per_year=periods.per_year)
    for name, values in figures.items():
        found[name] = column(values, pa.float64() if values.dtype.kind == "f" else pa.int64())
    found[HASH] = hex_texts(out.tallies["hash"])
    for name, sums in zip(BLOCKS, (out.sums, out.squares), strict=True):
        flat = pa.Array.from_buffers(pa.float64(), sums.size, [None, pa.py_buffer(np.ascontiguousarray(sums))])
        found[name] = pa.FixedSizeListArray.from_arrays(flat, sums.shape[1])
    return pa.table(found)


def by_set(rows: pa.Table) -> pa.Table:
    """Rows in the order of their sets, in which they mostly are."""
    sets = values_of(rows["set"])
    if (sets[1:] < sets[:-1]).any():
        rows = taken(rows, np.argsort(sets, kind="stable"))
    combined: pa.Table = rows.combine_chunks()
    return combined


def _axis_arrays(space: Space) -> dict[str, pa.Array]:
    """The levels of each axis, made once."""
    if "arrays" not in space.known:
        space.known["arrays"] = {key: axis_array(space.levels[key]) for key in space.keys}
    arrays: dict[str, pa.Array] = space.known["arrays"]
    return arrays


def axis_array(levels: tuple[Any, ...]) -> pa.Array:
    """The values of an axis in one type, the same for every part of a sweep."""
    import pyarrow as pa

    kinds = {type(value) for value in levels if value is not None}
    if kinds <= {int, float} or kinds == {bool}:
        kind, dtype = (pa.bool_(), bool) if kinds == {bool} else (pa.int64(), np.int64) if kinds <= {int} else (pa.float64(), np.float64)
        there = np.array([value is not None for value in levels], bool)
        return column(np.array([value or 0 for value in levels], dtype), kind, there)
    return texts([value if value is None else str(value) for value in levels])
