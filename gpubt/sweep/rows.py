"""Rows of a sweep: the set, its values, every figure, the ledger's hash, and the sums of its returns in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.metrics.figures import columns

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

    found: dict[str, Any] = {"set": pa.array(sets + space.first)}
    found |= {key: axis_array(space.levels[key]).take(pa.array(space.codes[key][sets])) for key in space.keys}
    figures = columns(out.tallies, capital, bars=bars.n, periods=len(periods.ends), per_year=periods.per_year)
    for name, values in figures.items():
        found[name] = pa.array(values, mask=np.isnan(values) if values.dtype.kind == "f" else None)
    found[HASH] = pa.array([f"{value & (2**64 - 1):016x}" for value in out.tallies["hash"].tolist()])
    for name, sums in zip(BLOCKS, (out.sums, out.squares), strict=True):
        found[name] = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(sums).ravel()), sums.shape[1])
    return pa.table(found)


def axis_array(levels: tuple[Any, ...]) -> pa.Array:
    """The values of an axis in one type, the same for every part of a sweep."""
    import pyarrow as pa

    kinds = {type(value) for value in levels if value is not None}
    if kinds <= {int, float}:
        return pa.array(levels, pa.int64() if kinds <= {int} else pa.float64())
    if kinds == {bool}:
        return pa.array(levels, pa.bool_())
    return pa.array([value if value is None else str(value) for value in levels], pa.string())
