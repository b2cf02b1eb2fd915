"""The table of entries of positions=list: from a Parquet or CSV file, or any Arrow table, to `layout.ENTRY` records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.config import Config
from gpubt.errors import ConfigError, DataError
from gpubt.simulate import layout as k
from gpubt.simulate.parameters import level

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("symbol", "bar", "time", "side", "stop", "target", "stop_pct", "target_pct", "size")
SIDES = {"long": k.LONG, "short": k.SHORT, "1": k.LONG, "-1": k.SHORT, "buy": k.LONG, "sell": k.SHORT}


def load_entries(config: Config, time: NDArray[np.int64], symbol: str) -> NDArray[Any]:
    """The entries of `config.entries.path`, in the order of their bars (`time`: the bars' open times, ns UTC).

    A row brings its own levels: `stop`, `target` (prices) or `stop_pct`, `target_pct` (fractions of the anchor), NaN or null for none.
    Where the table has no column for a level, `exits` gives it. Raises DataError, and ConfigError for a ladder beside a column of targets.
    """
    return entries_from(_read(Path(config.entries.path or "").expanduser()), config, time, symbol)


def _read(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    if not path.is_file():
        raise DataError(
            f"entries.path must be a Parquet or CSV file, got {str(path)!r}, which is {'a folder' if path.is_dir() else 'not there'}"
        )
    try:
        return pa.parquet.read_table(path) if path.suffix == ".parquet" else pa.csv.read_csv(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"entries.path={str(path)!r} can't be read as {path.suffix or 'CSV'}: {str(error).splitlines()[0]}") from None


def entries_from(table: pa.Table, config: Config, time: NDArray[np.int64], symbol: str) -> NDArray[Any]:
    """The same from an Arrow table."""
    unknown = [name for name in table.column_names if name not in COLUMNS]
    if unknown or "side" not in table.column_names or not {"bar", "time"} & set(table.column_names):
        raise DataError(
            f"the table of entries needs side and bar or time, and may have {', '.join(COLUMNS)}; got {', '.join(table.column_names)}"
        )
    if "symbol" in table.column_names:
        _check_symbols(table, symbol)
    rows = np.zeros(table.num_rows, k.ENTRY)
    rows["bar"] = _bars(table, time)
    rows["side"] = _sides(table)
    rows["size"] = _numbers(table, "size") if "size" in table.column_names else np.nan
    if config.exits.target.ladder and (own := [name for name in ("target", "target_pct") if name in table.column_names]):
        raise ConfigError(f"exits.target.ladder is for entries without targets of their own, got the column {own[0]} in entries.path")
    for name, default in (("stop", level(config.exits.stop)), ("target", level(config.exits.target))):
        rows[f"{name}_kind"], rows[f"{name}_value"] = _levels(table, name, default)
    return rows[np.argsort(rows["bar"], kind="stable")]


def _check_symbols(table: pa.Table, symbol: str) -> None:
    names = [name.as_py() for name in table["symbol"]]
    wrong = next((i for i, name in enumerate(names) if name not in (None, symbol)), None)
    if wrong is not None:
        raise DataError(f"entries: symbol must be that of the bars, {symbol}, got {names[wrong]!r} in row {wrong}")


def _bars(table: pa.Table, time: NDArray[np.int64]) -> NDArray[np.int64]:
    import pyarrow as pa

    if "bar" in table.column_names:
        bars = _cast(table, "bar", pa.int64())
        wrong = np.flatnonzero((bars < 0) | (bars >= len(time)))
        if len(wrong):
            raise DataError(f"entries: bar must be in [0, {len(time)}), got {bars[wrong[0]]} in row {wrong[0]}")
        return bars
    times = _cast(table, "time", pa.timestamp("ns", "UTC")).view(np.int64)
    at = np.minimum(np.searchsorted(time, times), len(time) - 1)
    wrong = np.flatnonzero(time[at] != times)
    if len(wrong):
        raise DataError(f"entries: time must equal a bar's, got {table['time'][int(wrong[0])]} in row {wrong[0]}")
    return at.astype(np.int64)


def _cast(table: pa.Table, name: str, kind: pa.DataType) -> NDArray[Any]:
    import pyarrow as pa

    column = table[name]
    try:
        if pa.types.is_timestamp(kind) and pa.types.is_timestamp(column.type) and column.type.tz is None:
            column = column.cast(pa.timestamp("ns"))  # no zone named: UTC
        column = column.cast(kind)
    except pa.ArrowException as error:
        raise DataError(f"entries: {name} must be {kind}, got {table[name].type}: {str(error).splitlines()[0]}") from None
    if column.null_count:
        raise DataError(f"entries: {name} is null in {column.null_count} rows")
    values: NDArray[Any] = column.to_numpy()
    return values


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    import pyarrow as pa

    try:
        values: NDArray[np.float64] = table[name].cast(pa.float64()).to_numpy()
    except pa.ArrowException:
        raise DataError(f"entries: {name} must be numbers, got {table[name].type}") from None
    wrong = np.flatnonzero((values <= 0.0) | np.isinf(values))
    if len(wrong):
        raise DataError(f"entries: {name} must be positive or NaN, got {values[wrong[0]]:g} in row {wrong[0]}")
    return values


def _sides(table: pa.Table) -> list[int]:
    sides = [str(value.as_py()).lower() for value in table["side"]]
    wrong = next((i for i, side in enumerate(sides) if side not in SIDES), None)
    if wrong is not None:
        raise DataError(f"entries: side must be long or short (or 1, -1), got {sides[wrong]!r} in row {wrong}")
    return [SIDES[side] for side in sides]


def _levels(table: pa.Table, name: str, default: tuple[int, float]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Kind and value of each row: the price if given, else the fraction if given, else none; `default` where neither column is there."""
    n, given = table.num_rows, [column for column in (f"{name}_pct", name) if column in table.column_names]
    if not given:
        return np.full(n, default[0]), np.full(n, default[1])
    kinds, values = np.full(n, k.NONE), np.zeros(n)
    for column in given:
        numbers = _numbers(table, column)
        has = ~np.isnan(numbers)
        kinds[has] = k.PRICE if column == name else k.PCT
        values[has] = numbers[has]
    return kinds, values
