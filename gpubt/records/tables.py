"""Arrow tables from NumPy and back. `pyarrow.array`, `read_table`, `to_numpy` and others import pandas where it is installed, which takes
0.4 s and 40 MiB; nothing here does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


def column(values: NDArray[Any], kind: pa.DataType, there: NDArray[np.bool_] | None = None) -> pa.Array:
    """A NumPy column as an Arrow array; null where it is not `there`, or else NaN."""
    import pyarrow as pa

    values = np.ascontiguousarray(values)
    if there is None and values.dtype.kind == "f":
        there = ~np.isnan(values)
    data = np.packbits(values, bitorder="little") if values.dtype.kind == "b" else values
    return pa.Array.from_buffers(kind, len(values), [_valid(there), pa.py_buffer(data)])


def texts(names: Sequence[str | None]) -> pa.Array:
    """An Arrow array of strings."""
    import pyarrow as pa

    encoded = [b"" if name is None else name.encode() for name in names]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    there = _valid(np.array([name is not None for name in names], bool))
    return pa.StringArray.from_buffers(len(names), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)), there)


def _valid(there: NDArray[np.bool_] | None) -> pa.Buffer | None:
    """Arrow's bits of what is there; None where all is."""
    import pyarrow as pa

    return None if there is None or there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))


def hex_texts(numbers: NDArray[np.int64]) -> pa.Array:
    """Sixteen hexadecimal digits of each number, as unsigned."""
    import pyarrow as pa

    digits = numbers.astype(">i8").tobytes().hex().encode()
    offsets = np.arange(0, 16 * len(numbers) + 1, 16, dtype=np.int32)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(digits))


def read_parquet(path: Path, columns: list[str] | None = None) -> pa.Table:
    """All rows of a file. Raises what Arrow raises."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, memory_map=True) as file:
        return file.read(columns)


def taken(rows: Any, places: NDArray[np.int64]) -> Any:
    """Some rows of a table or column, in this order."""
    import pyarrow as pa

    places = np.ascontiguousarray(places, np.int64)
    return rows.take(pa.Array.from_buffers(pa.int64(), len(places), [None, pa.py_buffer(places)]))


def values_of(column: pa.ChunkedArray) -> NDArray[Any]:
    """Numbers of 8 bytes, whole ones as int64, nulls of others as NaN."""
    import pyarrow as pa

    whole = not pa.types.is_floating(column.type)
    kind, dtype = (pa.int64(), np.int64) if whole else (pa.float64(), np.float64)
    chunks = [chunk for chunk in column.cast(kind).chunks if len(chunk)]
    values = np.concatenate([np.empty(0, dtype), *(np.frombuffer(one.buffers()[1], dtype, len(one), one.offset * 8) for one in chunks)])
    if column.null_count and not whole:
        values[np.concatenate([_nulls(one) for one in chunks])] = np.nan
    return values


def _nulls(values: pa.Array) -> NDArray[np.bool_]:
    """Which values are null."""
    found = values.is_null()
    bits = np.unpackbits(np.frombuffer(found.buffers()[1], np.uint8), bitorder="little")
    flags: NDArray[np.bool_] = bits[found.offset : found.offset + len(found)] == 1
    return flags
