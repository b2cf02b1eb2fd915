"""The numba backend: compiled loops over NumPy arrays, shared read-only by threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numpy.typing import NDArray

from gpubt.backends.base import (
    SIGNALS,
    Array,
    Backend,
    Batch,
    Call,
    Ledger,
    Market,
    Rows,
    Sets,
    by_entry,
    capacity,
    packed,
    parameter_entry,
)
from gpubt.backends.kernels import account, indicators, measures, scan, simulate
from gpubt.backends.kernels.bits import next_bit
from gpubt.backends.kernels.market import TABLE
from gpubt.backends.kernels.position import STATE
from gpubt.backends.kernels.prepare import prices
from gpubt.hardware import cores
from gpubt.indicators.series import Series
from gpubt.phases import part
from gpubt.simulate import layout
from gpubt.strategy.program import run, words

if TYPE_CHECKING:
    from gpubt.data.detail import Detail
    from gpubt.indicators.fused import Fused
    from gpubt.strategy.grid import ProgramGrid
    from gpubt.strategy.program import Fetch, MaskProgram

FINER = ("first", "open", "high", "low", "close")
WORTH = 20_000  # bars of an indicator that are worth a thread
PARALLEL = 250_000  # bars from which on an indicator or a pass of comparisons is shared out: waking threads costs up to some milliseconds


class CpuBackend(Backend):
    """`threads`: at most this many, and never more than the cores."""

    name = "cpu"
    device = "host"
    threads: int

    def __init__(self, threads: int | None = None) -> None:
        available = cores()
        self.threads = max(1, min(threads or available, available, numba.config.NUMBA_NUM_THREADS))
        _start_threads(self.threads)
        next_bit(np.zeros(1, np.uint64), 0, 1)  # loads numba's machinery once, in no phase of the run and under the memory baseline

    def _upload(self, columns: Mapping[str, NDArray[np.float64]], detail: Detail | None) -> Market:
        return Market(len(columns["close"]), columns, _Index(partial(prices, columns, self._share)), detail)

    def _indicator(self, name: str, inputs: tuple[Array, ...], first: int, params: tuple[float, ...]) -> Array:
        with self._parts(len(inputs[0])) as parts:
            return indicators.compute(name, inputs, first, params, parts)

    def _fused(self, program: Fused, inputs: tuple[Array, ...], begin: int) -> Array:
        with self._parts(len(inputs[0])) as parts:
            return indicators.fused(program, inputs, begin, parts)

    def _measure(self, name: str, mask: Array, n: int, first: int, params: tuple[float, ...]) -> Array:
        return measures.measure(name, mask, n, first, params)

    def together(self, work: Sequence[Call], n: int) -> list[Array]:
        """Side by side where one alone is not shared out among threads, and takes longer than threads wait for each other's Python."""
        if not WORTH <= n < PARALLEL or self.threads == 1:
            return super().together(work, n)
        done: list[Array] = [None] * len(work)

        def some(start: int, end: int) -> None:
            for i in range(start, end):
                done[i] = self.indicator(*work[i])

        self._share(some, len(work), 1, 4)
        return done

    def _scan(self, program: MaskProgram, fetch: Fetch, n: int) -> dict[str, Array]:
        def compare(code: Any, constants: Any, series: Any) -> Array:
            with self._parts(n) as parts:
                return scan.compare(code, constants, series, n, parts)

        return run(program, fetch, compare, partial(scan.combine, n=n))

    def _scan_grid(self, grid: ProgramGrid, members: Sequence[int], fetch: Fetch, n: int) -> Rows:
        from gpubt.backends.kernels.grid import Structure, run_grid  # of sweeps: a run does not wait for it

        structure = Structure(grid)
        of = grid.of[np.asarray(members)][:, structure.kept]
        wanted, leaves = np.unique(of, return_inverse=True)
        series = {i: leaf for i, place in enumerate(wanted) if isinstance(leaf := grid.leaves[place], Series)}
        arrays = fetch(tuple(series.values()))
        addresses, constants = np.zeros(len(wanted), np.int64), np.zeros(len(wanted))
        addresses[list(series)] = [array.ctypes.data for array in arrays]
        for i, place in enumerate(wanted):
            if i not in series:
                constants[i] = grid.leaves[place]
        masks = run_grid(structure, leaves.reshape(of.shape), addresses, constants, n, self._share)
        none = np.broadcast_to(self._no_signal(n), (len(masks), words(n)))
        return Rows({name: none for name in SIGNALS} | {name: masks[:, i] for i, name in enumerate(grid.outputs)})

    def _no_signal(self, n: int) -> Array:
        return np.zeros(words(n), np.uint64)

    def _simulate(
        self,
        market: Market,
        masks: Mapping[str, Array],
        levels: Mapping[str, Array],
        rungs: NDArray[Any],
        params: NDArray[Any],
        bar_by_bar: bool,
        positions: str,
    ) -> Ledger:
        most = (capacity(masks["long_entry"], masks["short_entry"]) + 1) * (len(rungs) + 1)
        ledger, skipped = np.zeros(most, layout.TRADE), np.zeros(len(layout.SKIPS), np.int64)
        entry, state, base = parameter_entry(params), _state(ledger, skipped, rungs), np.zeros(1, STATE)
        given = (_table(market, masks, levels)[0], market.n, params[0], entry[0], state[0])
        if positions == "overlapping":
            left = np.empty(min(int(params["max_open"][0]), most), np.int64)
            rows = by_entry(ledger[: simulate.overlap(*given, base[0], bar_by_bar, left)])
        else:
            rows = ledger[: simulate.walk(*given, bar_by_bar)]
        return Ledger(rows, len(rows), skipped, positions)

    def _simulate_list(
        self,
        market: Market,
        masks: Mapping[str, Array],
        entries: NDArray[Any],
        levels: Mapping[str, Array],
        rungs: NDArray[Any],
        params: NDArray[Any],
        bar_by_bar: bool,
    ) -> Ledger:
        width, table = len(rungs) + 1, _table(market, masks, levels)
        ledger, counts = np.zeros(len(entries) * width, layout.TRADE), np.zeros(len(entries), np.int64)
        totals: list[NDArray[np.int64]] = []

        def work(start: int, end: int) -> None:
            skipped = np.zeros(len(layout.SKIPS), np.int64)
            totals.append(skipped)
            state, first = _state(ledger, skipped, rungs)[0], np.uint64(entries.ctypes.data)
            simulate.walk_list(table[0], market.n, params[0], first, state, bar_by_bar, counts, width, start, end)

        self._share(work, len(entries), 1024)
        rows = packed(ledger, counts, width)
        return Ledger(rows, len(rows), np.sum(totals, axis=0, dtype=np.int64), "list")

    def _account(
        self, market: Market, ledger: Ledger, ends: NDArray[np.int64], params: NDArray[Any], risk_free: float, skip: bool
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        return account.measure(market.prices.made, np.ascontiguousarray(ledger.rows), ledger.positions, ends, params[0], risk_free, skip)

    def _simulate_sets(
        self, market: Market, batch: Batch, ends: NDArray[np.int64], risk_free: float, mode: str, positions: str, out: Sets
    ) -> None:
        if positions != "single":
            super()._simulate_sets(market, batch, ends, risk_free, mode, positions, out)
            return
        from gpubt.backends.cpu_sets import SetRun

        tables = np.repeat(_table(market, {}, {}), len(batch.inputs))
        for shared, of in zip((batch.inputs.signals, batch.inputs.calendars, batch.inputs.levels), batch.inputs.of.T, strict=True):
            _put(tables, shared, of)
        SetRun(tables, market.prices.made, batch, ends, risk_free, mode, market.detail is not None, out).run(self._share, self.threads)

    def _place(self, array: NDArray[Any]) -> Array:
        return array

    def _trades(self, ledger: Ledger) -> NDArray[Any]:
        rows: NDArray[Any] = ledger.rows
        return rows

    @contextmanager
    def _parts(self, n: int) -> Iterator[int]:
        """In how many parts numba does `n` bars in the block, whatever it does elsewhere; bits never depend on it."""
        parts, before = self.threads if n >= PARALLEL else 1, numba.get_num_threads()
        numba.set_num_threads(parts)
        try:
            yield parts
        finally:
            numba.set_num_threads(before)

    def _share(self, work: Callable[[int, int], None], items: int, least: int, each: int = 1) -> None:
        """`work(start, end)` over `items` in `each` ranges a thread, none smaller than `least`; a free thread takes the next."""
        parts = max(1, min(self.threads * each, items // least))
        threads = min(parts, self.threads)
        bounds = [items * i // parts for i in range(parts + 1)]
        if threads == 1:
            work(0, items)
            return
        waiting = iter(range(parts))  # `next` of it is atomic under the lock of the interpreter

        def take() -> None:
            for i in waiting:
                work(bounds[i], bounds[i + 1])

        with ThreadPoolExecutor(threads - 1) as pool:
            others = [pool.submit(take) for _ in range(1, threads)]
            take()
            for other in others:
                other.result()


class _Index:
    """The prices with their block index, made when the first simulation asks: indicators need the memory before that."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    @cached_property
    def made(self) -> Any:
        """`Prices`."""
        with part("block index"):
            return self._make()


def _state(ledger: NDArray[Any], skipped: NDArray[np.int64], rungs: NDArray[Any]) -> NDArray[Any]:
    """One STATE record that writes to these arrays, which must outlive it."""
    addresses = {"ledger": ledger.ctypes.data, "skipped": skipped.ctypes.data, "rungs": rungs.ctypes.data}
    return layout.record(STATE, **addresses)


def _table(market: Market, masks: Mapping[str, Array], levels: Mapping[str, Array]) -> NDArray[Any]:
    """The addresses of `layout.TABLE` as one TABLE record (shape (1,)); the arrays must outlive it."""
    finer = {} if market.detail is None else {f"finer_{name}": getattr(market.detail, name) for name in FINER}
    arrays = {**market.prices.made._asdict(), **finer, **masks, **levels}
    return layout.record(TABLE, **{name: arrays[name].ctypes.data for name in layout.TABLE if name in arrays})


def _put(tables: NDArray[Any], part: Sequence[Mapping[str, Array]], of: NDArray[np.int64]) -> None:
    """The addresses of part `of[i]` into table i."""
    if isinstance(part, Rows):
        for name, rows in part.arrays.items():
            tables[name] = np.uint64(rows.ctypes.data) + of.astype(np.uint64) * np.uint64(rows.strides[0])
        return
    for i, arrays in enumerate(part):
        mine = of == i if len(part) > 1 else slice(None)
        for name, array in arrays.items():
            tables[name][mine] = array.ctypes.data


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
