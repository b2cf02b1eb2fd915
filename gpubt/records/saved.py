"""A run folder read back: what `gpubt compare` needs of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.errors import DataError, InputError
from gpubt.records.folder import BENCHMARK, CONFIG, SUMMARY, TRADES
from gpubt.records.tables import read_parquet, values_of
from gpubt.simulate.layout import REASONS, TRADE
from gpubt.simulate.ledger import ledger_digest

if TYPE_CHECKING:
    import pyarrow as pa

SIDES = ("long", "short")  # by code

WHOLE = ("position", "leg", "entry_bar", "exit_bar", "bars_held")
TIMES = ("entry_time", "exit_time")
FLOATS = ("entry_price", "exit_price", "units", "fees", "accrued", "shortfall", "pnl", "pnl_pct", "r_multiple", "mae", "mfe")


@dataclass(frozen=True)
class SavedRun:
    """`ledger`: columns of trades.parquet by name, shape (rows,): symbol (its number in `symbols`), side (0 long, 1 short) and exit_reason
    as codes, times in ns UTC and whether it is ambiguous, all int64 as the bars; prices and cash float64, null as NaN."""

    folder: Path
    config: dict[str, Any]
    summary: dict[str, Any]
    benchmark: dict[str, Any]  # empty where there is none
    ledger: dict[str, NDArray[Any]]

    @cached_property
    def symbols(self) -> list[str]:
        """In the order of the ledger, those without trades too."""
        return symbols_of(self.summary)

    @property
    def rows(self) -> int:
        """Of the ledger: closing fills."""
        return len(self.ledger["pnl"])

    def row(self, number: int) -> dict[str, Any]:
        """A row of the ledger with names for codes; times in ns UTC, NaN as None."""
        values = {name: column[number].item() for name, column in self.ledger.items()}
        names = {"symbol": self.symbols[values["symbol"]], "exit_reason": REASONS[values["exit_reason"]], "side": SIDES[values["side"]]}
        values["ambiguous"] = bool(values["ambiguous"])
        return {name: None if value != value else value for name, value in (names | values | names).items()}

    def digest(self) -> str:
        """The ledger_digest of the rows that are in the file."""
        rows = np.zeros(self.rows, TRADE)
        for name in TRADE.names or ():
            if (column := "exit_reason" if name == "reason" else name) in self.ledger:
                rows[name] = self.ledger[column]
        return ledger_digest([rows[self.ledger["symbol"] == number] for number in range(len(self.symbols))])

    @cached_property
    def positions(self) -> dict[str, NDArray[Any]]:
        """A row a position, in ledger order, shape (positions,): symbol, position, side and exit_reason (of its last row) as codes, bars
        and times of its first entry and last exit, pnl (cash), notional (cash, units times entry price), worst mae, best mfe, bars_held."""
        order = np.lexsort([self.ledger[name] for name in ("leg", "position", "symbol")])
        rows = {name: column[order] for name, column in self.ledger.items()}
        starts = np.flatnonzero((np.diff(rows["symbol"], prepend=-1) != 0) | (np.diff(rows["position"], prepend=-1) != 0))
        if not len(starts):
            return rows | {"notional": rows["pnl"]}
        last = np.append(starts[1:], len(order)) - 1
        found = {name: rows[name][starts] for name in ("symbol", "position", "side", "entry_bar", "entry_time")}
        found |= {"exit_reason": rows["exit_reason"][last]}
        found |= {name: np.maximum.reduceat(rows[name], starts) for name in ("exit_bar", "exit_time", "mfe", "ambiguous")}
        found |= {"pnl": np.add.reduceat(rows["pnl"], starts), "mae": np.minimum.reduceat(rows["mae"], starts)}
        found |= {"notional": np.add.reduceat(rows["units"] * rows["entry_price"], starts)}
        return found | {"bars_held": np.maximum(1, found["exit_bar"] - found["entry_bar"])}

    def account(self) -> dict[str, float | int | None]:
        """From the ledger: n_trades, rows, pnl (cash), win_rate (fraction), bars_held (mean); None without trades. A trade is a position:
        its pnl is the sum over its rows, and it lasts from its first entry to its last exit."""
        if not self.rows:
            return {"n_trades": 0, "rows": 0, "pnl": 0.0, "win_rate": None, "bars_held": None}
        pnl = self.positions["pnl"]
        return {
            "n_trades": len(pnl),
            "rows": self.rows,
            "pnl": float(self.ledger["pnl"].sum()),
            "win_rate": float(np.mean(pnl > 0.0)),
            "bars_held": float(np.mean(self.positions["bars_held"])),
        }


def read_run(folder: Path) -> SavedRun:
    """The run in `folder`. Raises InputError for a folder that is none of a finished run, DataError, with the file, for a broken one."""
    missing = [name for name in (CONFIG, TRADES, SUMMARY) if not (folder / name).is_file()]
    if missing:
        raise InputError(f"RUN must be the folder of a finished run, got {str(folder)!r}, which has no {' and no '.join(missing)}")
    summary = read_object(folder / SUMMARY)
    if absent := [name for name in ("symbol", "rows", "ledger_digest", "data_digest", "metrics") if name not in summary]:
        raise DataError(f"{folder / SUMMARY} is not the summary of a run: it has no {absent[0]}")
    benchmark = read_object(folder / BENCHMARK) if (folder / BENCHMARK).is_file() else {}
    return SavedRun(folder, _config(folder / CONFIG), summary, benchmark, _ledger(folder / TRADES, symbols_of(summary)))


def symbols_of(summary: dict[str, Any]) -> list[str]:
    """The symbols of a run by its summary."""
    return [str(name) for name in summary.get("symbols") or [summary["symbol"]]]


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object. Raises DataError, with the path, for anything else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON
        raise DataError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} must hold a JSON object, got {type(found).__name__}")
    return found


def _config(path: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"{path} can't be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} must hold the configuration of a run, got {type(found).__name__}")
    return found


def _ledger(path: Path, symbols: list[str]) -> dict[str, NDArray[Any]]:
    import pyarrow as pa

    named = {"symbol": {name: i for i, name in enumerate(symbols)}, "side": {name: code for code, name in enumerate(SIDES)}}
    named["exit_reason"] = {name: code for code, name in REASONS.items()}
    kinds = {"ambiguous": pa.bool_(), **dict.fromkeys(WHOLE, pa.int64()), **dict.fromkeys(TIMES, pa.timestamp("ns", "UTC"))}
    kinds |= dict.fromkeys(FLOATS, pa.float64())
    try:
        table = read_parquet(path, [*named, *kinds])
        for name in (*named, *kinds):
            if name not in table.column_names:
                raise DataError(f"{path} is not the ledger of a run: it has no column {name}")
            if table[name].null_count and name not in FLOATS:
                raise DataError(f"{path} is not the ledger of a run: its column {name} has nulls")
        columns = {name: values_of(table[name].cast(kind)) for name, kind in kinds.items()}
        return columns | {name: _codes(table[name], codes) for name, codes in named.items()}
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} can't be read as the ledger of a run: {' '.join(str(error).split())}") from error
    except KeyError as error:
        raise DataError(f"{path} is not the ledger of this run: it has the name {error}") from error


def _codes(column: pa.ChunkedArray, codes: dict[str, int]) -> NDArray[np.int64]:
    """Names as numbers. Raises KeyError for one that has none."""
    import pyarrow as pa

    if not len(column):
        return np.zeros(0, np.int64)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    chunks = column.unify_dictionaries().chunks
    indices = values_of(pa.chunked_array([chunk.indices for chunk in chunks]))
    names = chunks[0].dictionary.to_pylist()
    table = np.zeros(len(names), np.int64)
    for i in np.flatnonzero(np.bincount(indices)).tolist():  # not every name of a dictionary is used
        table[i] = codes[names[i]]
    found: NDArray[np.int64] = table[indices]
    return found
