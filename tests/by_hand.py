"""Bars and signals small enough to work out by hand, played on the reference and on a backend in both modes: the same to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gpubt.backends.base import Backend
from gpubt.data.detail import Detail
from gpubt.simulate import layout as k

Bar = tuple[float, float, float, float]  # open, high, low, close
FLAT: Bar = (10.0, 10.0, 10.0, 10.0)
PARAMS = {"capital": 1000.0, "size_kind": k.FIXED_UNITS, "size_value": 1.0, "max_leverage": 1e9, "pyramiding": 1, "reentry": 1}


@dataclass
class Played:
    """`rows` of the ledger as dictionaries of `layout.TRADE`, `skipped` by reason (those that happened), equity at each close."""

    rows: list[dict[str, Any]]
    skipped: dict[str, int]
    equity: list[float]

    @property
    def fills(self) -> list[tuple[int, float, int, float, str]]:
        """Entry bar and price, exit bar and price, reason of each row."""
        return [
            (*(row[name] for name in ("entry_bar", "entry_price", "exit_bar", "exit_price")), k.REASONS[row["reason"]]) for row in self.rows
        ]

    def of(self, name: str) -> list[Any]:
        """One column."""
        return [row[name] for row in self.rows]


def at(bar: Bar) -> Bar:
    """The bar mirrored about 10: what is a rise for a long position is a fall of the same size for a short one."""
    o, h, low, c = bar
    return 20.0 - o, 20.0 - low, 20.0 - h, 20.0 - c


def finer(*bars: Sequence[Bar]) -> Detail:
    """The finer bars inside each bar."""
    rows = np.array([row for inside in bars for row in inside], float).reshape(-1, 4)
    first = np.append(0, np.cumsum([len(inside) for inside in bars])).astype(np.int64)
    return Detail(first, *(np.ascontiguousarray(rows[:, i]) for i in range(4)))


def write(path: Path, bars: Sequence[Bar], minutes: int = 10, start: str = "2024-07-01T00:00", **columns: Any) -> str:
    """Bars as a Parquet file, `minutes` apart, with more columns; the path as text."""
    prices = dict(zip(("open", "high", "low", "close"), np.array(bars, float).T, strict=True))
    first = np.datetime64(start, "ns").astype(np.int64)
    time = pa.array(first + minutes * 60 * 10**9 * np.arange(len(bars)), pa.timestamp("ns", "UTC"))
    pq.write_table(pa.table({"timestamp": time, **prices, **columns}), path)
    return str(path)


def rung(value: float, share: float, rest: bool = False, kind: int = k.OFFSET) -> dict[str, Any]:
    """A rung of a target ladder."""
    return {"value": value, "share": share, "kind": kind, "rest": int(rest)}


def row(bar: int, side: int = k.LONG, **given: Any) -> dict[str, Any]:
    """A row of a table of entries, without levels or a size of its own."""
    none = {"stop_kind": k.NONE, "stop_value": 0.0, "target_kind": k.NONE, "target_value": 0.0, "size": float("nan")}
    return none | {"bar": bar, "side": side} | given


def play(
    backend: Backend,
    bars: Sequence[Bar],
    long: Sequence[int] = (),
    short: Sequence[int] = (),
    *,
    signals: dict[str, Sequence[int]] | None = None,
    levels: dict[str, Sequence[float]] | None = None,
    rungs: Sequence[dict[str, Any]] = (),
    detail: Detail | None = None,
    entries: Sequence[dict[str, Any]] = (),
    positions: str = "single",
    **params: Any,
) -> Played:
    """Play it. `long` and `short` are the bars with an entry signal, `signals` those of the other masks (`layout.MASKS`), `levels` the
    series of `layout.LEVELS`; `params` of `layout.PARAMS`: by default one unit, no cost, a capital of 1,000."""
    n, record = len(bars), k.record(k.PARAMS, **(PARAMS | {"rungs": len(rungs)} | params))
    given = {"long_entry": long, "short_entry": short, **(signals or {})}
    case = cases.Case(
        positions,
        dict(zip(("open", "high", "low", "close"), np.array(bars, float).T.copy(), strict=True)),
        {name: np.isin(np.arange(n), given.get(name, ())) for name in k.MASKS},
        {name: np.array(series, float) for name, series in (levels or {}).items()},
        list(rungs),
        {name: record[name][0].item() for name in k.PARAMS.names or ()},
        detail,
        list(entries),
    )
    want = case.reference()
    table = cases.as_record(k.TRADE, want.trades)
    for mode in ("event", "bar"):
        market, ledger = case.on(backend, mode)
        assert backend.trades(ledger).tobytes() == table.tobytes(), mode
        assert ledger.skipped.tolist() == want.skipped, mode
        _, equity = backend.account(market, ledger, np.arange(n), record, 0.0, mode)
        assert equity.tolist() == want.equity, mode
    return Played(want.trades, {name: count for name, count in zip(k.SKIPS, want.skipped, strict=True) if count}, want.equity)
