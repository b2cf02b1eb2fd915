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
    """From bar `start[i]` on, equity is `base[i] + q[i] * (close - ref[i])`; `start` increases and begins at 0."""

    start: NDArray[np.int64]
    base: NDArray[np.float64]
    q: NDArray[np.float64]
    ref: NDArray[np.float64]

    def equity(self, close: NDArray[np.float64], lo: int, hi: int) -> NDArray[np.float64]:
        """Equity at the closes of bars [lo, hi)."""
        at = np.searchsorted(self.start, np.arange(lo, hi), side="right") - 1
        marks: NDArray[np.float64] = self.base[at] + self.q[at] * (close[lo:hi] - self.ref[at])
        return marks

    def chunks(self, close: NDArray[np.float64], size: int = 1 << 18) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """(first bar, equity) by chunks of `size` bars."""
        for lo in range(0, len(close), size):
            yield lo, self.equity(close, lo, min(len(close), lo + size))


def lines(trades: NDArray[Any], capital: float, positions: str) -> Lines:
    """The lines of a ledger (`layout.TRADE` records in ledger order)."""
    return _single(trades, capital) if positions == "single" else _list(trades, capital)


def _signed(trades: NDArray[Any]) -> NDArray[np.float64]:
    signed: NDArray[np.float64] = np.where(trades["side"] == LONG, 1.0, -1.0) * trades["units"]
    return signed


def _single(trades: NDArray[Any], capital: float) -> Lines:
    account = np.cumsum(np.concatenate([[capital], trades["pnl"]]))  # a running sum in exit order
    m = len(trades)
    start, base, q, ref = np.zeros(2 * m + 1, np.int64), np.empty(2 * m + 1), np.zeros(2 * m + 1), np.zeros(2 * m + 1)
    base[0::2] = account
    start[1::2], start[2::2] = trades["entry_bar"], trades["exit_bar"]
    base[1::2], q[1::2], ref[1::2] = account[:-1] - trades["entry_fees"], _signed(trades), trades["entry_price"]
    return _last_of_each_bar(start, base, q, ref)


def _list(trades: NDArray[Any], capital: float) -> Lines:
    m, signed = len(trades), _signed(trades)
    bars = np.concatenate([trades["exit_bar"], trades["entry_bar"]])
    order = np.lexsort([np.arange(2 * m), bars])  # by bar, exits before entries, then position
    first = np.concatenate([signed * trades["exit_price"], -(signed * trades["entry_price"])])[order]
    second = np.concatenate([-(trades["fees"] - trades["entry_fees"]), -trades["entry_fees"]])[order]
    base = np.cumsum(np.concatenate([[capital], np.column_stack([first, second]).ravel()]))[0::2]
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
    return Lines(start[last], base[last], q[last], ref[last])
