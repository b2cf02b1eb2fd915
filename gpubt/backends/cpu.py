"""The numba backend: compiled loops over NumPy arrays, shared read-only by threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numpy.typing import NDArray

from gpubt.backends.base import MASKS, Array, Backend, Ledger, Market, capacity
from gpubt.backends.kernels import account, indicators, scan, simulate
from gpubt.backends.kernels.bits import next_bit
from gpubt.backends.kernels.prepare import prices
from gpubt.simulate import layout
from gpubt.strategy.program import run, words

if TYPE_CHECKING:
    from gpubt.indicators.series import Series
    from gpubt.strategy.program import MaskProgram

EMPTY = np.empty(0)
PARALLEL = 250_000  # bars from which on an indicator or a pass of comparisons is shared out: waking threads costs up to some milliseconds


class CpuBackend(Backend):
    """`threads`: at most this many, and never more than the cores."""

    name = "cpu"
    device = "host"

    def __init__(self, threads: int | None = None) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.threads = max(1, min(threads or cores, cores, numba.config.NUMBA_NUM_THREADS))
        _start_threads(self.threads)
        next_bit(np.zeros(1, np.uint64), 0, 1)  # loads numba's machinery once, in no phase of the run and under the memory baseline

    def _upload(self, columns: Mapping[str, NDArray[np.float64]]) -> Market:
        return Market(len(columns["close"]), columns, prices(columns, self._share))

    def _indicator(self, name: str, inputs: tuple[Array, ...], first: int, params: tuple[float, ...]) -> Array:
        return indicators.compute(name, inputs, first, params, self._parts(len(inputs[0])))

    def _scan(self, program: MaskProgram, series: Mapping[Series, Array], n: int) -> dict[str, Array]:
        return run(program, series, partial(scan.compare, n=n, threads=self._parts(n)), partial(scan.combine, n=n))

    def _no_signal(self, n: int) -> Array:
        return np.zeros(words(n), np.uint64)

    def _simulate(
        self, market: Market, masks: Mapping[str, Array], atr: Array | None, params: NDArray[Any], bar_by_bar: bool, positions: str
    ) -> Ledger:
        rows = np.zeros(capacity(masks["long_entry"], masks["short_entry"]) + 1, layout.TRADE)
        skipped = np.zeros(len(layout.SKIPS), np.int64)
        signals, levels = simulate.Masks(*(masks[name] for name in MASKS)), EMPTY if atr is None else atr
        if positions == "overlapping":
            exits = np.empty(min(int(params["max_open"][0]), len(rows)), np.int64)
            count = simulate.overlap(market.prices, signals, levels, params[0], bar_by_bar, rows, skipped, exits)
        else:
            kernel = simulate.dense if bar_by_bar else simulate.walk
            count = kernel(market.prices, signals, levels, params[0], rows, skipped)
        return Ledger(rows[:count], count, skipped, positions)

    def _simulate_list(self, market: Market, entries: NDArray[Any], atr: Array | None, params: NDArray[Any], bar_by_bar: bool) -> Ledger:
        rows, codes = np.zeros(len(entries), layout.TRADE), np.zeros(len(entries), np.int64)
        levels = EMPTY if atr is None else atr

        def work(start: int, end: int) -> None:
            simulate.walk_list(market.prices, entries, levels, params[0], bar_by_bar, rows, codes, start, end)

        self._share(work, len(entries), 1024)
        skipped = np.bincount(codes[codes >= 0], minlength=len(layout.SKIPS)).astype(np.int64)
        rows = rows[codes < 0] if skipped.any() else rows
        return Ledger(rows, len(rows), skipped, "list")

    def _account(
        self, market: Market, ledger: Ledger, ends: NDArray[np.int64], capital: float, risk_free: float, skip: bool
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        out, state = np.zeros(1, layout.TALLY), np.zeros(1, account.STATE)
        sums, equity = np.zeros((3, account.LANES)), np.empty(len(ends))
        if ledger.positions == "single":
            account.account(market.prices, ledger.rows, ends, capital, risk_free, skip, state[0], sums, equity, out[0])
        else:
            exits = np.argsort(ledger.rows["exit_bar"], kind="stable")
            account.account_list(market.prices, ledger.rows, exits, ends, capital, risk_free, skip, state[0], sums, equity, out[0])
        return out, equity

    def _place(self, trades: NDArray[Any]) -> Array:
        return trades

    def _trades(self, ledger: Ledger) -> NDArray[Any]:
        rows: NDArray[Any] = ledger.rows
        return rows

    def _parts(self, n: int) -> int:
        """In how many parts numba does `n` bars, set for the calls that follow; bits never depend on it."""
        parts = self.threads if n >= PARALLEL else 1
        numba.set_num_threads(parts)
        return parts

    def _share(self, work: Callable[[int, int], None], items: int, least: int) -> None:
        """`work(start, end)` over `items` in one range a thread, none smaller than `least`."""
        parts = max(1, min(self.threads, items // least))
        bounds = [items * i // parts for i in range(parts + 1)]
        if parts == 1:
            work(0, items)
            return
        with ThreadPoolExecutor(parts) as pool:
            list(pool.map(work, bounds[:-1], bounds[1:]))


def _start_threads(threads: int) -> None:
    """Start numba's threads. OpenMP's would spin between calls, on shared cores often where the work is: some milliseconds a call.

    The policy is read when the library is loaded, so the environment is left as it was; a user's own policy stays.
    """
    own = os.environ.get("OMP_WAIT_POLICY")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        numba.set_num_threads(threads)
    finally:
        if own is None:
            del os.environ["OMP_WAIT_POLICY"]
