"""Rows of a sweep in an order, to a file of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpubt.errors import ConfigError
from gpubt.records.arrow import atomic, put_parquet
from gpubt.records.tables import taken

if TYPE_CHECKING:
    import pyarrow as pa

    from gpubt.sweep.reading import Results

KINDS = (".csv", ".parquet")
SLICE = 65_536  # rows put in order at a time


def target(text: str) -> Path:
    """The path of `--export`. Raises ConfigError for a kind of file that is not written."""
    path = Path(text).expanduser()
    if path.suffix.lower() not in KINDS:
        raise ConfigError(f"--export must end in {' or '.join(KINDS)}, got {text!r}")
    return path


def export(results: Results, rows: NDArray[np.int64], path: Path) -> None:
    """Write `rows` with every column, atomically; CSV, which has no lists, without the sums of returns.

    Raises ConfigError for a file that the sweep itself consists of, InputError where `path` can't be written.
    """
    import pyarrow as pa

    if path.resolve() in {own.resolve() for own in results.files}:
        raise ConfigError(f"--export {path} would replace the sweep's own rows; choose another file")
    csv = path.suffix.lower() == ".csv"
    table = results.columns(results.names)
    if csv:
        table = table.select([field.name for field in table.schema if not pa.types.is_nested(field.type)])
    table = table.combine_chunks()
    with atomic(path, "choose another file with --export FILE") as temporary:
        if csv:
            _put_csv(table.schema, _ordered(table, rows), temporary)
        else:
            put_parquet((table.schema, _ordered(table, rows)), temporary)


def _ordered(table: pa.Table, rows: NDArray[np.int64]) -> Iterator[pa.Table]:
    for start in range(0, len(rows), SLICE):
        yield taken(table, rows[start : start + SLICE])


def _put_csv(schema: pa.Schema, tables: Iterator[pa.Table], path: Path) -> None:
    from pyarrow import csv

    with csv.CSVWriter(path, schema) as writer:
        for table in tables:
            writer.write(table)
