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
    return _rows(trades, capital, carry) if (trades["leg"] > 0).any() else _single(trades, capital, carry)


def _signed(trades: NDArray[Any]) -> NDArray[np.float64]:
    signed: NDArray[np.float64] = np.where(trades["side"] == LONG, 1.0, -1.0) * trades["units"]
    return signed


def _slopes(trades: NDArray[Any], carry: tuple[float, float]) -> NDArray[np.float64]:
    """What a row accrues a bar."""
    slopes: NDArray[np.float64] = (np.where(trades["side"] == LONG, *carry) * trades["units"]) * trades["entry_price"]
    return slopes


def _single(trades: NDArray[Any], capital: float, carry: tuple[float, float]) -> Lines:
    """Positions of one row."""
    account = np.cumsum(np.concatenate([[capital], trades["pnl"]]))  # a running sum in exit order
    flat = len(trades) + 1

    def column(when_flat: Any, when_open: Any, dtype: Any = np.float64) -> Any:
        out = np.zeros(2 * flat - 1, dtype)
        out[0::2], out[1::2] = when_flat, when_open
        return out

    start = column(np.append(0, trades["exit_bar"]), trades["entry_bar"], np.int64)
    base, q = column(account, account[:-1] - trades["entry_fees"]), column(0.0, _signed(trades))
    ref, slope = column(0.0, trades["entry_price"]), column(0.0, _slopes(trades, carry))
    return _last_of_each_bar(start, base, q, ref, slope, np.zeros(len(start)), column(0, trades["entry_bar"], np.int64))


def _rows(trades: NDArray[Any], capital: float, carry: tuple[float, float]) -> Lines:
    """Positions of any number of rows, which enter in order and leave in order: [left, entered) are open."""
    entries, exits, numbers, pnl = (trades[name].tolist() for name in ("entry_bar", "exit_bar", "position", "pnl"))
    columns = (_signed(trades), _slopes(trades, carry), trades["entry_price"], trades["entry_bar"], trades["entry_fees"])
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    found: list[tuple[float, ...]] = [(0, capital, 0.0, 0.0, 0.0, 0.0, 0)]
    equity, left, entered = capital, 0, 0
    while left < len(rows):
        bar = exits[left] if entered > left else entries[entered]
        if entered < len(rows) and entries[entered] < bar:
            bar = entries[entered]
        number = numbers[left]  # the next position waits until this one is out
        while entered < len(rows) and entries[entered] == bar and numbers[entered] == number:
            entered += 1
        while left < entered and exits[left] == bar:
            equity += pnl[left]
            left += 1
        found.append((bar, *_line(rows[left:entered], equity)))
    start, base, q, ref, slope, late, since = (np.array(column) for column in zip(*found, strict=True))
    return _last_of_each_bar(start.astype(np.int64), base, q, ref, slope, late, since.astype(np.int64))


def _line(rows: list[tuple[float, ...]], equity: float) -> tuple[float, ...]:
    """`base`, `q`, `ref`, `slope`, `late`, `since` with these rows (signed units, slope, price, bar, fees) open, summed as kernels do."""
    _, _, ref, since, _ = rows[0] if rows else (0.0, 0.0, 0.0, 0, 0.0)
    total_fees = q = shift = total_slope = late = 0.0
    for units, slope, price, bar, fees in rows:
        total_fees += fees
        q += units
        shift += units * (price - ref)
        total_slope += slope
        late += slope * (bar - since)
    return (equity - total_fees) - shift, q, ref, total_slope, late, since


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
    nothing = np.zeros(2 * m + 1)
    return _last_of_each_bar(start, base, q, nothing, nothing, nothing, np.zeros(2 * m + 1, np.int64))


def _last_of_each_bar(start: NDArray[np.int64], *columns: NDArray[Any]) -> Lines:
    last = np.append(start[1:] != start[:-1], True)
    return Lines(start[last], *(column[last] for column in columns))
