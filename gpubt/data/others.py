"""Columns of other symbols: `btc.close` is that of the last bar of `data.others.btc` that has ended when the row has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.data.bars import Bars, spacing
from gpubt.data.clock import DAY, time_text
from gpubt.data.source import open_source
from gpubt.data.validate import DataReport, validate
from gpubt.errors import ConfigError, DataError, InputError, accepted
from gpubt.indicators.series import COLUMNS, NAMES, SESSION

if TYPE_CHECKING:
    from gpubt.config import Config, Data

STALE = 7 * DAY  # ns after the last bar of another symbol from which on it is of long ago
AROUND = 1000  # bars before and after those that are read, so that a day of minutes beside daily bars knows how long these are
FEW = 20  # one row in so many may be without it
KEYS = ("source", "path", "symbol", "columns", "time_zone", "bar_stamp", "adjust")


def check_others(others: Mapping[str, Any]) -> None:
    """Raise ConfigError for an alias or a key that is not accepted."""
    for alias, own in others.items():
        if not str(alias).isidentifier() or alias in (*NAMES, SESSION):
            raise ConfigError(f"data.others.{alias}: an alias must be a name that is no column, got {alias!r}")
        if not isinstance(own, Mapping) or not own:
            raise ConfigError(f"data.others.{alias} must be a mapping with some of {', '.join(KEYS)}, got {own!r}")
        for key in own:
            if key not in KEYS:
                raise ConfigError(f"data.others.{alias}.{key} is unknown; {accepted(KEYS, str(key))}")


Columns = dict[str, NDArray[np.float64]]


def with_others(config: Config, bars: Bars, report: DataReport, wanted: Collection[str]) -> tuple[Columns, DataReport]:
    """The columns among `wanted` that are other symbols', float64 (n,), NaN before their first bar; and the report with a digest that is of
    them too. Raises ConfigError, DataError with the alias."""
    found: Columns = {}
    digests, notes = [], list[str]()
    for alias in dict.fromkeys(name.split(".")[0] for name in sorted(wanted) if "." in name):
        fields = [name.split(".")[1] for name in sorted(wanted) if name.startswith(f"{alias}.")]
        try:
            other, digest, step = _read(config, config.data.others[alias], bars, "volume" in fields)
        except InputError as error:
            raise type(error)(f"data.others.{alias}: {error}") from error
        digests.append(f"{alias}={digest}")
        seen = np.searchsorted(other.time + step, bars.time + spacing(bars.time), "right") - 1
        notes += _notes(alias, other, bars, seen)
        columns = {name: np.append(column, np.nan) for name, column in other.columns().items() if name in fields}
        found |= {f"{alias}.{name}": columns[name][seen] for name in fields}  # -1 is the NaN at the end
    if digests:
        digest = sha256("\n".join([report.digest, *digests]).encode()).hexdigest()
        report = replace(report, digest=digest, notes=(*report.notes, *notes))
    return found, report


def _notes(alias: str, other: Bars, bars: Bars, seen: NDArray[np.int64]) -> list[str]:
    """A warning where the other symbol is not there, or has long ended, for more than a few of the rows."""
    blind = int(np.count_nonzero((seen < 0) | (bars.time > (other.time[-1] + STALE if other.n else 0))))
    if blind * FEW <= bars.n:
        return []
    there = f"has bars from {time_text(int(other.time[0]))} to {time_text(int(other.time[-1]))} only" if other.n else "has no bars so early"
    return [f"data.others.{alias} {there}: {blind:,} of {bars.n:,} rows see none of it, or its last bar of long ago"]


def _read(config: Config, own: Mapping[str, Any], bars: Bars, volume: bool) -> tuple[Bars, str, int]:
    """The other symbol's bars from the last one before the first row on, their digest, and how long they are (ns)."""
    whole: dict[str, Any] = {"symbol": None, "symbols": None, "start": None, "end": None, "frac": "1.0", "portion": 1, "others": {}}
    data: Data = replace(config.data, **{**whole, **own})
    source = open_source(data, config.seed)
    lo, hi = max(0, source.row_at(int(bars.time[0])) - 1), source.row_at(int(bars.time[-1]) + 1)
    read, report = validate(source.read(lo, hi, ["volume"] if volume else []), lo, hi, data.validation, source.findings)
    if volume and read.volume is None:
        raise DataError(f"{source.symbol} has no column volume")
    step = spacing(source.times(max(0, lo - AROUND), min(hi + AROUND, source.rows_available)))
    if not step:
        raise DataError(f"{source.symbol} has one bar, and how long it is can't be told")
    return read, report.digest, step


def leads(columns: Mapping[str, NDArray[Any]]) -> dict[str, int]:
    """Of each column of another symbol the first row on which it is there, the number of rows if it never is."""
    return {name: int(np.argmax(np.append(np.isfinite(column), True))) for name, column in columns.items() if "." in name}


def other_name(alias: str, field: str, known: Collection[str]) -> str:
    """`alias.field` as a column. Raises ConfigError for one that is unknown."""
    if alias not in known:
        hint = accepted(sorted(known), alias) if known else "give it as data.others, such as data.others.btc.symbol=BTC"
        raise ConfigError(f"unknown symbol {alias!r}; {hint}")
    if field not in COLUMNS:
        raise ConfigError(f"{alias} has no {field!r}; {accepted(COLUMNS, field)}")
    return f"{alias}.{field}"
