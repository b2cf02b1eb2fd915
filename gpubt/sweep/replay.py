"""One row of a sweep as a run: its configuration, and what differs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gpubt.errors import ConfigError, InputError, accepted
from gpubt.records.tables import read_parquet
from gpubt.sweep.definition import HOW, define
from gpubt.sweep.rows import BLOCKS, HASH
from gpubt.sweep.store import RESULTS, read_sets

if TYPE_CHECKING:
    from gpubt.config import Config
    from gpubt.records.result import RunResult
    from gpubt.sweep.store import Store


def row_of(store: Store, number: int | None, figure: str | None, *, highest: bool) -> dict[str, Any]:
    """Row `number`, or the one with the highest (or lowest) `figure`, the first of equals. Raises InputError, ConfigError."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    about = store.about()
    path = store.folder / RESULTS
    if not store.finished:
        raise InputError(f"{store.folder} is not finished; gpubt sweep --resume {store.folder} goes on with it")
    if figure is not None:
        schema = pq.read_schema(path)
        names = [name for name in schema.names if name not in ("set", HASH, *BLOCKS, *about["axes"])]
        if figure not in names:
            raise ConfigError(f"no figure {figure!r} in a row; {accepted(names, figure)}")
        values = read_parquet(path, ["set", figure])
        values = values.filter(pc.is_valid(values[figure]))
        if not len(values):
            raise InputError(f"{figure} exists in no row of {store.folder}")
        values = values.sort_by([(figure, "descending" if highest else "ascending"), ("set", "ascending")])
        number = values["set"][0].as_py()
    if number is None or number >= about["sets"]:
        raise ConfigError(f"--row must be in [0, {about['sets'] - 1}], got {number}")
    row: dict[str, Any] = read_sets(path, number, number + 1).to_pylist()[0]
    return row


def run_config(store: Store, row: dict[str, Any], overrides: Sequence[str]) -> tuple[Config, list[str]]:
    """The configuration of a row, and what is typed after `gpubt run` for it."""
    for text in overrides:
        if text.partition("=")[0].lstrip("+").partition(".")[0] not in (*HOW, "equity"):
            raise ConfigError(f"{text} would make another run; gpubt replay takes {', '.join((*HOW, 'equity'))}")
    about = store.about()
    definition = define([*about["overrides"], *overrides], about["config_dir"], alone=True)
    known = definition.config.sweep.method != "optuna"
    values = definition.space().values(row["set"]) if known else {key: row[key] for key in about["axes"]}
    axes = {axis.key for axis in definition.axes}
    fixed = [text for text in definition.overrides if not _names(text, (*axes, "sweep", "data.symbols"))]
    return definition.variants.config(values), [*fixed, *(f"{key}={_typed(value)}" for key, value in values.items())]


def _names(text: str, keys: Sequence[str]) -> bool:
    key = text.partition("=")[0]
    return key in keys or key.startswith("sweep.")


def _typed(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def differences(row: dict[str, Any], result: RunResult) -> list[str]:
    """What of a row the run doesn't have, in words; none: they are the same to the bit."""
    found = []
    if result.summary[HASH] != row[HASH]:
        found.append(f"{HASH} is {result.summary[HASH]}, and was {row[HASH]} in the sweep")
    for name, value in result.metrics.items():
        is_now = None if value is None or math.isnan(value) else value
        if is_now != row[name]:
            found.append(f"{name} is {is_now!r}, and was {row[name]!r}")
    return found
