"""Arrow columns to bar columns: which is which by name, and exact conversion of their types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gpubt.data.bars import PRICES
from gpubt.data.epoch import epoch_nanoseconds
from gpubt.data.zone import to_utc
from gpubt.errors import ConfigError, DataError, accepted

TIME_NAMES = ("timestamp", "time", "datetime", "date")
FIELDS = ("time", *PRICES, "volume", "symbol", "split", "adj_close")


def find_columns(
    schema: pa.Schema,
    where: str,
    required: Iterable[str] = ("time", *PRICES),
    optional: Iterable[str] = (),
    given: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The column name in `schema` of each field, with its type checked: the `given` one, else the field's own name regardless of case.

    Raises DataError, which starts with `where`, for a missing or doubtful column, and for a type that can't be bars.
    """
    required = list(required)
    given = given or {}
    found: dict[str, str] = {}
    for field in [*required, *optional]:
        name = given.get(field) or _find(schema, field, where)
        if name in given.values() and schema.names.count(name) != 1:
            many = "several columns" if name in schema.names else "no column"
            raise DataError(f"{where} has {many} {name}, which data.columns gives for {field}; it has {', '.join(schema.names)}")
        if name is not None:
            _check_type(schema.field(name), field, where)
            found[field] = name
        elif field in required:
            wanted = "/".join(TIME_NAMES) if field == "time" else field
            raise DataError(f"{where} has no column {wanted}; it has {', '.join(schema.names) or 'none'}")
    return found


def column_mapping(columns: Any) -> dict[str, str]:
    """`data.columns` as a mapping of fields to column names; empty for null and for a list, which is the order of a file without header.

    Raises ConfigError for a field that bars do not have.
    """
    if isinstance(columns, Mapping):
        for field in columns:
            if field not in FIELDS:
                raise ConfigError(f"data.columns has no field {field!r}; {accepted(FIELDS, str(field))}")
        return {str(field): str(name) for field, name in columns.items()}
    if columns is None or isinstance(columns, (list, tuple)):
        return {}
    raise ConfigError(f"data.columns must map fields to columns, such as {{time: Date, close: Adj Close}}, or list them, got {columns!r}")


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
    if field == "symbol":
        return
    if field == "time":
        if not (
            pa.types.is_timestamp(kind)
            or pa.types.is_date(kind)
            or _is_text(kind)
            or pa.types.is_null(kind)
            or pa.types.is_integer(kind)
            or pa.types.is_floating(kind)
        ):
            raise DataError(f"{where}: column {column.name} must be times, dates, ISO text or numbers since 1970, it is {kind}")
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)):
        raise DataError(f"{where}: column {column.name} must be numbers, it is {kind}")


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def fill(out: NDArray[Any], values: pa.Array, name: str, row: int, time_zone: str = "UTC") -> None:
    """Copy `values` into `out` (int64: nanoseconds UTC; float64: nulls become NaN). `name` and the first `row` are for errors.

    `time_zone` is that of times without a zone or offset.
    """
    if out.dtype == np.int64:
        if values.null_count:
            first = row + pc.index(values.is_null(), True).as_py()
            raise DataError(f"column {name} has {values.null_count} nulls, the first in row {first}; every bar needs a time")
        out[:] = nanoseconds(values, name, row, time_zone)
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


def nanoseconds(values: pa.Array, name: str, row: int = 0, time_zone: str = "UTC") -> NDArray[np.int64]:
    """Times of any kind as int64 nanoseconds UTC, exactly; DataError where they do not fit or are no times."""
    kind = values.type
    if _is_text(kind):
        values = _parsed(pc.cast(values, pa.string()), name, row)
    elif pa.types.is_floating(kind):
        return epoch_nanoseconds(_floats(pc.cast(values, pa.float64())), name, row)
    if pa.types.is_integer(values.type):
        return epoch_nanoseconds(_words(pc.cast(values, pa.int64()), np.int64), name, row)
    zone = values.type.tz if pa.types.is_timestamp(values.type) else None
    try:
        words = _words(pc.cast(values, pa.timestamp("ns", zone)).view(pa.int64()), np.int64)
    except pa.ArrowInvalid:
        raise DataError(f"column {name} has times outside the years 1678 to 2261, which int64 nanoseconds cover") from None
    return words if zone or time_zone == "UTC" else to_utc(words, time_zone, name, row)


def _parsed(text: pa.Array, name: str, row: int) -> pa.Array:
    """ISO 8601 text as timestamps, with a zone where it has offsets; digits as integers or numbers."""
    for kind in (pa.timestamp("ns"), pa.timestamp("ns", "UTC"), pa.int64()):
        try:
            pc.cast(text.slice(0, 1), kind)  # a cast that fails looks at all values, and takes twenty times as long as one that succeeds
            return pc.cast(text, kind)
        except pa.ArrowInvalid:
            continue
    first = _first_odd(text)
    what = f"{text[first].as_py()!r} in row {row + first}"
    raise DataError(f"column {name} has {what}, which is no ISO 8601 time like those before it (with an offset in all rows or in none)")


def _first_odd(text: pa.Array) -> int:
    """The first value that does not parse together with those before it."""
    low, high = 0, len(text)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _parsed_prefix(text.slice(0, middle))
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


def _parsed_prefix(text: pa.Array) -> None:
    try:
        pc.cast(text, pa.timestamp("ns"))
    except pa.ArrowInvalid:
        pc.cast(text, pa.timestamp("ns", "UTC"))


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
