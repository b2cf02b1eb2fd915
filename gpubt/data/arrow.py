"""Arrow columns to bar columns: which is which by name, and exact conversion of their types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gpubt.data.bars import PRICES
from gpubt.errors import DataError

TIME_NAMES = ("timestamp", "time", "datetime", "date")


def find_columns(
    schema: pa.Schema, where: str, required: Iterable[str] = ("time", *PRICES), optional: Iterable[str] = ()
) -> dict[str, str]:
    """The column name in `schema` of each field, regardless of case, with its type checked.

    Raises DataError, which starts with `where`, for a missing or doubtful column, and for a type that can't be bars.
    """
    required = list(required)
    found: dict[str, str] = {}
    for field in [*required, *optional]:
        name = _find(schema, field, where)
        if name is not None:
            _check_type(schema.field(name), field, where)
            found[field] = name
        elif field in required:
            wanted = "/".join(TIME_NAMES) if field == "time" else field
            raise DataError(f"{where} has no column {wanted}; it has {', '.join(schema.names) or 'none'}")
    return found


def _find(schema: pa.Schema, field: str, where: str) -> str | None:
    for wanted in TIME_NAMES if field == "time" else (field,):
        names: list[str] = [name for name in schema.names if name.lower() == wanted]
        if len(names) > 1:
            raise DataError(f"{where} has several columns that could be {field}: {', '.join(names)}; keep one")
        if names:
            return names[0]
    return None


def _check_type(column: pa.Field, field: str, where: str) -> None:
    kind = column.type
    if field == "time":
        if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind) or kind == pa.int64()):
            raise DataError(f"{where}: column {column.name} must be a timestamp, a date or int64 nanoseconds UTC, it is {kind}")
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)):
        raise DataError(f"{where}: column {column.name} must be numbers, it is {kind}")


def fill(out: NDArray[Any], values: pa.Array, name: str, row: int) -> None:
    """Copy `values` into `out` (int64: nanoseconds UTC; float64: nulls become NaN). `name` and the first `row` are for errors."""
    if out.dtype == np.int64:
        if values.null_count:
            first = row + pc.index(values.is_null(), True).as_py()
            raise DataError(f"column {name} has {values.null_count} nulls, the first in row {first}; every bar needs a time")
        out[:] = nanoseconds(values, name)
        return
    if pa.types.is_decimal(values.type):
        out[:] = decimals(values)
        return
    try:
        out[:] = _floats(pc.cast(values, pa.float64()))
    except pa.ArrowInvalid:
        raise DataError(f"column {name} has whole numbers beyond 2^53, which float64 does not hold exactly") from None


def decimals(values: pa.Array) -> NDArray[np.float64]:
    """The float64 nearest to each decimal. Arrow's own cast is off by one bit in up to half of them.

    An integer up to 2^53 and a power of ten up to 10^22 are exact in float64, so that their quotient is rounded once.
    """
    scale = values.type.scale
    if pa.types.is_decimal128(values.type) and not values.null_count and 0 <= scale <= 22:
        words = np.frombuffer(values.buffers()[1], np.int64)[2 * values.offset : 2 * (values.offset + len(values))]
        low, high = words[0::2], words[1::2]
        if bool(np.all((high == low >> 63) & (low >= -(2**53)) & (low <= 2**53))):
            exact: NDArray[np.float64] = low / 10.0**scale
            return exact
    text = pc.cast(values, pa.string())
    return _floats(pc.cast(text, pa.float64()))


def nanoseconds(values: pa.Array, name: str) -> NDArray[np.int64]:
    """Times of any unit as int64 nanoseconds UTC, exactly; DataError where they do not fit. A time without a zone is UTC."""
    if not pa.types.is_int64(values.type):
        zone = values.type.tz if pa.types.is_timestamp(values.type) else None
        try:
            values = pc.cast(values, pa.timestamp("ns", zone)).view(pa.int64())
        except pa.ArrowInvalid:
            raise DataError(f"column {name} has times outside the years 1678 to 2261, which int64 nanoseconds cover") from None
    return _words(values, np.int64)


def _floats(values: pa.Array) -> NDArray[np.float64]:
    """A float64 array with NaN for nulls."""
    if values.null_count == len(values):
        return np.full(len(values), np.nan)
    floats = _words(values, np.float64)
    if values.null_count:
        floats = floats.copy()
        floats[_words(pc.indices_nonzero(values.is_null()), np.uint64)] = np.nan
    return floats


def _words(values: pa.Array, dtype: type[Any]) -> NDArray[Any]:
    """What stands in an array of 8-byte values, not copied. (`to_numpy` would import pandas where it is installed: 0.3 s and 40 MiB.)"""
    return np.frombuffer(values.buffers()[1], dtype, len(values), values.offset * 8) if len(values) else np.empty(0, dtype)
