"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from gpubt.errors import GpubtError, InputError

if TYPE_CHECKING:
    import pyarrow as pa

    Rows: TypeAlias = pa.Table | tuple[pa.Schema, Iterable[pa.RecordBatch | pa.Table]]

RUN_FOLDER = "choose another folder with hydra.run.dir=DIR"


@contextmanager
def explained(path: Path, remedy: str = RUN_FOLDER) -> Iterator[None]:
    """An OSError while `path` is written becomes InputError where the path is at fault, else GpubtError (a full disk), with the path."""
    try:
        yield
    except OSError as error:
        kind = InputError if isinstance(error, (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError)) else GpubtError
        raise kind(f"{path} can't be written: {error.strerror or error}; {remedy}") from error


@contextmanager
def atomic(path: Path, remedy: str = RUN_FOLDER) -> Iterator[Path]:
    """A temporary name beside `path`; on success the file is synced and takes the name `path`.

    After any exception (KeyboardInterrupt too) the temporary file is gone and `path` is as it was. OSErrors come out `explained`.
    """
    with explained(path, remedy):
        temporary = beside(path)
        try:
            yield temporary
            sync(temporary)
            os.replace(temporary, path)
        finally:
            remove(temporary)


def beside(path: Path) -> Path:
    """A new, empty, hidden file in the folder of `path`, which is made; with the permissions a plain open gives (mkstemp's are private)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    if os.name == "posix":
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
    return Path(name)


def sync(path: Path) -> None:
    """Wait until the file's bytes are on the disk, so that a rename can't come before them."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def remove(path: Path) -> None:
    """Remove a file if it is there and can be removed."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def plain(value: Any) -> Any:
    """`value` in what JSON and YAML know: NaN and infinity are null, NumPy scalars numbers, times ISO 8601, dataclasses objects."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    if isinstance(value, Enum):
        return plain(value.value)
    if hasattr(value, "tolist"):  # NumPy arrays and scalars, without importing NumPy here
        return plain(value.tolist())
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def put_json(value: Any, path: Path) -> None:
    """Write `plain(value)` as JSON, indented by 2, keys in the order given."""
    text = json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def put_lines(lines: list[str], path: Path) -> None:
    """Write lines of text."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def put_yaml(value: Any, path: Path) -> None:
    """Write `plain(value)` as YAML, keys in the order given."""
    import yaml

    path.write_text(yaml.safe_dump(plain(value), sort_keys=False, allow_unicode=True), encoding="utf-8", newline="\n")


def put_parquet(table: Rows, path: Path) -> None:
    """Write a table, or a schema and the batches that stream into it (a row group each), as Parquet with zstd.

    Only names are dictionary-encoded: collecting the distinct values of numbers takes longer than all the rest, and makes the file larger.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, batches = table if isinstance(table, tuple) else (table.schema, [table])
    names = [field.name for field in schema if pa.types.is_dictionary(field.type) or pa.types.is_string(field.type)]
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=names) as writer:
        for batch in batches:
            writer.write(batch)


def write_json(value: Any, path: Path, remedy: str = RUN_FOLDER) -> None:
    """`put_json`, atomically."""
    with atomic(path, remedy) as temporary:
        put_json(value, temporary)


def write_parquet(table: Rows, path: Path, remedy: str = RUN_FOLDER) -> None:
    """`put_parquet`, atomically."""
    with atomic(path, remedy) as temporary:
        put_parquet(table, temporary)
