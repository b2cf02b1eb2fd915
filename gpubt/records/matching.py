"""Rows of two ledgers matched by symbol, position and leg. Over runs of one symbol each, the symbol's name doesn't matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.records.saved import SavedRun
from gpubt.simulate.ledger import canonical

Ledger = dict[str, NDArray[Any]]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Matching:
    """For the two runs: the `symbols` numbers of their rows and a `keys` number that grows in the order of the ledger, both of shape
    (rows,); `rows`: of those in both, shape (matched,), the row in each; `only`: the rows that the other lacks."""

    runs: tuple[SavedRun, SavedRun]
    symbols: tuple[Rows, Rows]
    keys: tuple[Rows, Rows]
    rows: tuple[Rows, Rows]
    only: tuple[Rows, Rows]

    @cached_property
    def columns(self) -> tuple[Ledger, Ledger]:
        """The columns of the matched rows in each run."""
        a, b = (_taken(run.ledger, rows) for run, rows in zip(self.runs, self.rows, strict=True))
        return a, b

    def unequal(self, name: str) -> NDArray[np.bool_]:
        """Matched rows whose values are not the same to the bit (one zero, one NaN)."""
        a, b = (columns[name] for columns in self.columns)
        if a.dtype.kind != "f":
            return np.asarray(a != b)
        found: NDArray[np.bool_] = a.view(np.uint64) != b.view(np.uint64)
        some = np.flatnonzero(found)
        found[some] = canonical(a[some]) != canonical(b[some])
        return found

    def same_entries(self) -> int:
        """Entries of both runs on one bar and side, at whatever position."""
        bars = max((int(run.ledger["entry_bar"].max()) for run in self.runs if run.rows), default=0) + 1
        a, b = (
            _distinct((symbol * bars + run.ledger["entry_bar"]) * 2 + run.ledger["side"])
            for run, symbol in zip(self.runs, self.symbols, strict=True)
        )
        return len(np.intersect1d(a, b, assume_unique=True))


def match(a: SavedRun, b: SavedRun) -> Matching:
    """Match the rows of two runs."""
    symbols = _symbol_numbers(a, b)
    keys = _keys((a, b), symbols)
    if np.array_equal(*keys):
        both = np.arange(a.rows)
        rows = (both, both)
    else:
        _, *found = np.intersect1d(*keys, return_indices=True)
        rows = (found[0], found[1])
    only = (_without(a.rows, rows[0]), _without(b.rows, rows[1]))
    return Matching((a, b), symbols, keys, rows, only)


def _symbol_numbers(a: SavedRun, b: SavedRun) -> tuple[Rows, Rows]:
    """Numbers that mean the same symbol in both: those of `a`, with what only `b` has after them."""
    if len(a.symbols) == len(b.symbols) == 1:
        return a.ledger["symbol"], b.ledger["symbol"]
    numbers = {name: i for i, name in enumerate(dict.fromkeys([*a.symbols, *b.symbols]))}
    return a.ledger["symbol"], np.array([numbers[name] for name in b.symbols])[b.ledger["symbol"]]


def _keys(runs: Sequence[SavedRun], symbols: tuple[Rows, Rows]) -> tuple[Rows, Rows]:
    positions, legs = (1 + max((int(run.ledger[name].max()) for run in runs if run.rows), default=0) for name in ("position", "leg"))
    a, b = ((symbol * positions + run.ledger["position"]) * legs + run.ledger["leg"] for run, symbol in zip(runs, symbols, strict=True))
    return a, b


def _taken(ledger: Ledger, rows: Rows) -> Ledger:
    whole = np.array_equal(rows, np.arange(len(ledger["pnl"])))
    return ledger if whole else {name: column[rows] for name, column in ledger.items()}


def _distinct(values: Rows) -> Rows:
    """Sorted. (`numpy.unique` hashes integers, which takes ten times as long where they are nearly in order.)"""
    ordered = np.sort(values, kind="stable")
    return np.asarray(ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]])


def _without(n: int, rows: Rows) -> Rows:
    left = np.ones(n, bool)
    left[rows] = False
    return np.flatnonzero(left)
