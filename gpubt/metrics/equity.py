"""Equity at every bar, from the ledger alone: piecewise `base + q * (close - ref)`, as the kernels mark it, to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.simulate.layout import LONG


@dataclass(frozen=True)
class Lines:
    """From bar `start[i]` on, equity is `base[i] + q[i] * (close - ref[i])`, less what has accrued since bar `since[i]`:
    `slope[i] * (bar - since[i]) - late[i]`. `start` increases and begins at 0."""

    start: NDArray[np.int64]
    base: NDArray[np.float64]
    q: NDArray[np.float64]
    ref: NDArray[np.float64]
    slope: NDArray[np.float64]
    late: NDArray[np.float64]
    since: NDArray[np.int64]

    def equity(self, close: NDArray[np.float64], lo: int, hi: int) -> NDArray[np.float64]:
        """Equity at the closes of bars [lo, hi)."""
        bars = np.arange(lo, hi)
        at = np.searchsorted(self.start, bars, side="right") - 1
        marks: NDArray[np.float64] = self.base[at] + self.q[at] * (close[lo:hi] - self.ref[at])
        return marks - (self.slope[at] * (bars - self.since[at]) - self.late[at])

    def chunks(self, close: NDArray[np.float64], size: int = 1 << 18) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """(first bar, equity) by chunks of `size` bars."""
        for lo in range(0, len(close), size):
            yield lo, self.equity(close, lo, min(len(close), lo + size))


def lines(trades: NDArray[Any], capital: float, positions: str, carry: tuple[float, float] = (0.0, 0.0)) -> Lines:
    """The lines of a ledger (`layout.TRADE` records in ledger order); `carry` of longs and shorts, a bar."""
    if positions != "single":
        return _list(trades, capital)
    several = (trades["leg"] > 0).any() or carry != (0.0, 0.0)
    return _rows(trades, capital, carry) if several else _single(trades, capital)


def _signed(trades: NDArray[Any]) -> NDArray[np.float64]:
    signed: NDArray[np.float64] = np.where(trades["side"] == LONG, 1.0, -1.0) * trades["units"]
    return signed


def _single(trades: NDArray[Any], capital: float) -> Lines:
    """Positions of one row, without carry."""
    account = np.cumsum(np.concatenate([[capital], trades["pnl"]]))  # a running sum in exit order
    m = len(trades)
    start, base, q, ref = np.zeros(2 * m + 1, np.int64), np.empty(2 * m + 1), np.zeros(2 * m + 1), np.zeros(2 * m + 1)
    base[0::2] = account
    start[1::2], start[2::2] = trades["entry_bar"], trades["exit_bar"]
    base[1::2], q[1::2], ref[1::2] = account[:-1] - trades["entry_fees"], _signed(trades), trades["entry_price"]
    return _last_of_each_bar(start, base, q, ref)


def _rows(trades: NDArray[Any], capital: float, carry: tuple[float, float]) -> Lines:
    """Any positions of single accounts: a line from each bar on which a row of the position enters or leaves."""
    found: list[tuple[float, ...]] = [(0, capital, 0.0, 0.0, 0.0, 0.0, 0)]
    equity = capital
    firsts = np.flatnonzero(np.append(True, np.diff(trades["position"]) != 0)) if len(trades) else np.zeros(0, int)
    for first, end in zip(firsts, np.append(firsts[1:], len(trades)), strict=True):
        rows = trades[first:end]
        for bar in np.unique(np.concatenate([rows["entry_bar"], rows["exit_bar"]])):
            for pnl in rows["pnl"][rows["exit_bar"] == bar]:
                equity += float(pnl)
            found.append((bar, *_line(rows[(rows["entry_bar"] <= bar) & (rows["exit_bar"] > bar)], equity, carry)))
    start, base, q, ref, slope, late, since = (np.array(column) for column in zip(*found, strict=True))
    last = np.append(start[1:] != start[:-1], True)
    return Lines(start[last].astype(np.int64), base[last], q[last], ref[last], slope[last], late[last], since[last].astype(np.int64))


def _line(rows: NDArray[Any], equity: float, carry: tuple[float, float]) -> tuple[float, ...]:
    """`base`, `q`, `ref`, `slope`, `late`, `since` of these open rows, as the kernels sum them."""
    fees = q = shift = slope = late = 0.0
    ref, since = (float(rows[0]["entry_price"]), int(rows[0]["entry_bar"])) if len(rows) else (0.0, 0)
    for row in rows.tolist():
        t = dict(zip(rows.dtype.names or (), row, strict=True))
        side, rate = (1.0, carry[0]) if t["side"] == LONG else (-1.0, carry[1])
        fees += t["entry_fees"]
        q += side * t["units"]
        shift += (side * t["units"]) * (t["entry_price"] - ref)
        slope += (rate * t["units"]) * t["entry_price"]
        late += ((rate * t["units"]) * t["entry_price"]) * (t["entry_bar"] - since)
    return (equity - fees) - shift, q, ref, slope, late, since


def _list(trades: NDArray[Any], capital: float) -> Lines:
    m, signed = len(trades), _signed(trades)
    bars = np.concatenate([trades["exit_bar"], trades["entry_bar"]])
    order = np.lexsort([np.arange(2 * m), bars])  # by bar, exits before entries, then position
    first = np.concatenate([signed * trades["exit_price"], -(signed * trades["entry_price"])])[order]
    second = np.concatenate([-(trades["fees"] - trades["entry_fees"]), -trades["entry_fees"]])[order]
    third = np.concatenate([-trades["accrued"], np.zeros(m)])[order]
    base = np.cumsum(np.concatenate([[capital], np.column_stack([first, second, third]).ravel()]))[0::3]
    change = np.concatenate([-signed, signed])[order]
    held = np.cumsum(np.concatenate([[0], np.repeat([-1, 1], m)[order]]))
    start = np.concatenate([[0], bars[order]])
    q, units = np.zeros(2 * m + 1), 0.0
    for i in range(2 * m):
        units += change[i]
        if held[i + 1] == 0 and (i + 1 == 2 * m or start[i + 2] != start[i + 1]):
            units = 0.0  # flat at the end of a bar means no units, not a rounding remainder
        q[i + 1] = units
    return _last_of_each_bar(start, base, q, np.zeros(2 * m + 1))


def _last_of_each_bar(start: NDArray[np.int64], base: NDArray[np.float64], q: NDArray[np.float64], ref: NDArray[np.float64]) -> Lines:
    last = np.append(start[1:] != start[:-1], True)
    nothing = np.zeros(int(last.sum()))
    return Lines(start[last], base[last], q[last], ref[last], nothing, nothing, nothing.astype(np.int64))
