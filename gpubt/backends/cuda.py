"""The CUDA backend: the kernels of `kernels/` through a `Runtime`. Bars go over once; masks, ledger and account stay on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends import cuda_indicators, cuda_scan
from gpubt.backends.base import SIGNALS, Array, Backend, Batch, Call, Inputs, Ledger, Market, Sets, by_entry, parameter_entry
from gpubt.backends.cuda_grid import MaskRows, scan_grid
from gpubt.backends.cuda_list import dense, exit_bars
from gpubt.backends.cuda_sets import SetLaunches
from gpubt.backends.cuda_shared import SharedLaunches
from gpubt.backends.runtime import Runtime
from gpubt.phases import part
from gpubt.simulate import layout
from gpubt.strategy.program import run, words

if TYPE_CHECKING:
    from gpubt.data.detail import Detail
    from gpubt.indicators.fused import Fused
    from gpubt.strategy.grid import ProgramGrid
    from gpubt.strategy.program import Fetch, MaskProgram

FINE, COARSE = 64, 4096  # bars in a block of the index of closes
PLACES = {name: i for i, name in enumerate(layout.TABLE)}
FINER = ("first", "open", "high", "low", "close")


class CudaBackend(Backend):
    """Records travel as bytes: device arrays have no structured types."""

    name = "cuda"
    breadth = 16  # a thread walks a set, and a device has tens of thousands of threads at work
    apart = True
    eased = 1  # what the memory of a launch is divided by

    def __init__(self, runtime: Runtime, peers: Sequence[CudaBackend] = (), streams: int = 1) -> None:
        self.runtime, self.peers, self.streams = runtime, peers, streams
        self.device = runtime.name

    def fetch(self, series: Array) -> NDArray[np.float64]:
        """A copy."""
        return self.runtime.to_host(series)

    def _upload(self, columns: Mapping[str, NDArray[np.float64]], detail: Detail | None) -> Market:
        n = len(columns["close"])
        arrays = {name: self._to_device(column) for name, column in columns.items()}
        table = {name: arrays[name] for name in ("open", "high", "low", "close")}
        blocks, low, high = n, "low", "high"
        for name, size in (("8", 8), ("0", 8), ("512", 8), ("1", 8)):  # of 8, 64, 512 and 4,096 bars
            table |= dict(zip((f"low{name}", f"high{name}"), self._extremes(table[low], table[high], blocks, size), strict=True))
            blocks, low, high = -(-blocks // size), f"low{name}", f"high{name}"
        table |= dict(zip(("bottom0", "top0"), self._extremes(table["close"], table["close"], n, FINE), strict=True))
        coarse = self._extremes(table["bottom0"], table["top0"], -(-n // FINE), COARSE // FINE)
        table |= dict(zip(("bottom1", "top1"), coarse, strict=True))
        if detail is not None:
            table |= {f"finer_{name}": self._to_device(getattr(detail, name)) for name in FINER}
        return Market(n, arrays, table, detail)

    def _indicator(self, name: str, inputs: tuple[Array, ...], first: int, params: tuple[float, ...]) -> Array:
        return cuda_indicators.compute(self.runtime, name, inputs, len(inputs[0]), first, params)

    def together(self, work: Sequence[Call], n: int) -> list[Array]:
        """All lengths of an indicator over the same inputs in the launches of one."""
        alike: dict[tuple[Any, ...], list[int]] = {}
        for i, (name, inputs, first, _) in enumerate(work):
            one = (name, first, *map(self.runtime.address, inputs)) if name in cuda_indicators.LENGTHS else (i,)
            alike.setdefault(one, []).append(i)
        found: dict[int, Array] = {}
        for places in alike.values():
            name, inputs, first, _ = work[places[0]]
            if len(places) == 1:
                found[places[0]] = self.indicator(*work[places[0]])
                continue
            with part(f"indicator {name}", 8 * n * (len(inputs) + len(places)), bars=n * len(places)):
                made = cuda_indicators.lengths(self.runtime, name, inputs, n, first, [work[i][3] for i in places])
            found |= zip(places, made, strict=True)
        return [found[i] for i in range(len(work))]

    def _fused(self, program: Fused, inputs: tuple[Array, ...], begin: int) -> Array:
        return cuda_indicators.fused(self.runtime, program, inputs, len(inputs[0]), begin)

    def _measure(self, name: str, mask: Array, n: int, first: int, params: tuple[float, ...]) -> Array:
        return cuda_scan.measure(self.runtime, name, mask, n, first, params)

    def _scan(self, program: MaskProgram, fetch: Fetch, n: int) -> dict[str, Array]:
        return run(program, fetch, partial(cuda_scan.compare, self.runtime, n=n), partial(cuda_scan.combine, self.runtime, n=n))

    def _scan_grid(self, grid: ProgramGrid, members: Sequence[int], fetch: Fetch, n: int) -> MaskRows:
        return scan_grid(self.runtime, grid, members, fetch, n, dict.fromkeys(SIGNALS, self._no_signal(n)))

    def _no_signal(self, n: int) -> Array:
        return self.runtime.zeros(words(n), np.uint64)

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
        most = (self._signals(masks, market.n) + 1) * (len(rungs) + 1)
        ledger = self._records(layout.TRADE, most)
        skipped, count = self.runtime.zeros(len(layout.SKIPS), np.int64), self.runtime.zeros(1, np.int64)
        overlapping = positions == "overlapping"
        left = [self.runtime.empty(max(1, min(int(params["max_open"][0]), most)), np.int64)] if overlapping else []
        self.runtime.launch(
            "simulate_overlapping" if overlapping else "simulate",
            1,
            self._table(market, masks, levels),
            np.int64(market.n),
            self._bytes(params),
            self._bytes(rungs),
            self._bytes(parameter_entry(params)),
            np.int64(bar_by_bar),
            ledger,
            skipped,
            count,
            *left,
        )
        n = int(self.runtime.to_host(count)[0])
        if overlapping and n:  # positions are numbered, and sorted if need be, on the host
            rows = by_entry(self._to_records(ledger, layout.TRADE)[:n])
            ledger = self._bytes(rows)
        return Ledger(ledger, n, self.runtime.to_host(skipped), positions)

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
        n, width = len(entries), len(rungs) + 1
        if not n:
            return Ledger(self._records(layout.TRADE, 0), 0, np.zeros(len(layout.SKIPS), np.int64), "list")
        ledger = self.runtime.empty(n * width * layout.TRADE.itemsize, np.uint8)  # rows that no trade takes are never read
        counts, codes = self.runtime.empty(n, np.int64), self.runtime.empty(n, np.int64)
        self.runtime.launch(
            "simulate_list",
            n,
            self._table(market, masks, levels),
            np.int64(market.n),
            self._bytes(entries),
            np.int64(n),
            self._bytes(params),
            self._bytes(rungs),
            np.int64(bar_by_bar),
            ledger,
            np.int64(width),
            counts,
            codes,
        )
        rows, count, skipped = dense(self.runtime, self._to_device, ledger, counts, codes, n, width)
        if not exit_bars(self.runtime, rows, count)[1]:  # orders rest, and fill in another order than they were given
            rows = self._bytes(by_entry(self._to_records(rows, layout.TRADE)[:count]))
        return Ledger(rows, count, skipped, "list")

    def _account(
        self, market: Market, ledger: Ledger, ends: NDArray[np.int64], params: NDArray[Any], risk_free: float, skip: bool
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        out, equity = self._records(layout.TALLY, 1), self.runtime.empty(len(ends), np.float64)
        name, extra = ("account", []) if ledger.positions == "single" else ("account_list", [self._to_device(self._exit_order(ledger))])
        self.runtime.launch(
            name,
            1,
            self._table(market, {}, {}),
            np.int64(market.n),
            ledger.rows,
            np.int64(ledger.count),
            *extra,
            self._to_device(ends),
            np.int64(len(ends)),
            self._bytes(params),
            np.float64(risk_free),
            np.int64(skip),
            equity,
            out,
        )
        return self._to_records(out, layout.TALLY), self.runtime.to_host(equity)

    def _simulate_sets(
        self, market: Market, batch: Batch, ends: NDArray[np.int64], risk_free: float, mode: str, positions: str, out: Sets
    ) -> None:
        if positions != "single" or not batch.n:
            super()._simulate_sets(market, batch, ends, risk_free, mode, positions, out)
            return
        inputs = self._inputs(market, batch.inputs)
        walk, sets = SetLaunches(self.runtime, self._place, inputs, batch, ends, risk_free, self.eased), np.arange(batch.n)
        if mode != "bar" and market.detail is None:
            sets = SharedLaunches(walk, market.n).run(out)
        walk.run(mode == "bar", sets, out)

    def _inputs(self, market: Market, inputs: Inputs) -> NDArray[np.uint64]:
        """Of each input a table of addresses by `layout.TABLE`, and then the number of bars. Its parts have no name in common."""
        found = np.tile(np.append(self._addresses(market.prices), np.uint64(market.n)), (len(inputs), 1))
        for shared, of in zip((inputs.signals, inputs.calendars, inputs.levels), inputs.of.T, strict=True):
            found[:, :-1] += self._tables(shared)[of]
        return found

    def _tables(self, shared: Sequence[Mapping[str, Array]]) -> NDArray[np.uint64]:
        if not isinstance(shared, MaskRows):
            return np.array([self._addresses(arrays) for arrays in shared])
        found = np.zeros((len(shared), len(layout.TABLE)), np.uint64)
        for name, column in shared.addresses(self.runtime.address).items():
            found[:, PLACES[name]] = column
        return found

    def _place(self, array: NDArray[Any]) -> Array:
        return self._bytes(array) if array.dtype.names else self._to_device(array)

    def _trades(self, ledger: Ledger) -> NDArray[Any]:
        return self.runtime.to_host(ledger.rows)[: ledger.count * layout.TRADE.itemsize].view(layout.TRADE)

    def wait(self) -> None:
        """Until the device is idle."""
        self.runtime.synchronize()

    def mark(self) -> Any:
        """Where the device is in its work."""
        return self.runtime.mark()

    def between(self, start: Any, end: Any) -> float:
        """By the device's clock."""
        return self.runtime.between(start, end)

    def launches(self) -> dict[str, dict[str, float]]:
        """Of each kernel, since they were asked for last."""
        return self.runtime.launches()

    def bandwidth(self) -> float | None:
        """Of the device's memory."""
        return self.runtime.bandwidth()

    def use(self) -> None:
        """Of several devices and streams this one."""
        self.runtime.use()

    def ease(self) -> None:
        """After memory ran out."""
        self.eased *= 2

    def memory(self) -> dict[str, int]:
        """Of the device."""
        return self.runtime.memory()

    def _signals(self, masks: Mapping[str, Array], n: int) -> int:
        """No run has more trades than entry signals: they are counted on the device."""
        total = self.runtime.zeros(1, np.int64)
        self.runtime.launch("count_signals", words(n), masks["long_entry"], masks["short_entry"], np.int64(words(n)), total)
        return int(self.runtime.to_host(total)[0])

    def _extremes(self, low: Array, high: Array, n: int, size: int) -> list[Array]:
        """Lowest `low` and highest `high` of each block of `size` of the `n` values."""
        blocks = -(-n // size)
        bottom, top = self.runtime.empty(blocks, np.float64), self.runtime.empty(blocks, np.float64)
        self.runtime.launch("block_extremes", blocks, low, high, np.int64(n), np.int64(size), bottom, top)
        return [bottom, top]

    def _exit_order(self, ledger: Ledger) -> NDArray[np.int64]:
        exits, _ = exit_bars(self.runtime, ledger.rows, ledger.count)
        return np.argsort(self.runtime.to_host(exits)[: ledger.count], kind="stable").astype(np.int64)

    def _table(self, market: Market, masks: Mapping[str, Array], levels: Mapping[str, Array]) -> Array:
        """The addresses of `layout.TABLE`; the arrays must outlive the kernel."""
        return self._to_device(self._addresses({**market.prices, **masks, **levels}))

    def _addresses(self, arrays: Mapping[str, Array]) -> NDArray[np.uint64]:
        return np.array([self.runtime.address(arrays[name]) if name in arrays else 0 for name in layout.TABLE], np.uint64)

    def _bytes(self, records: NDArray[Any]) -> Array:
        """Records as bytes; an empty table is never read, but has an address."""
        return self._to_device(np.ascontiguousarray(records).view(np.uint8) if len(records) else np.zeros(8, np.uint8))

    def _to_device(self, host: NDArray[Any]) -> Array:
        self.bytes_transferred += host.nbytes
        return self.runtime.to_device(host)

    def _records(self, dtype: np.dtype[Any], count: int) -> Array:
        return self.runtime.zeros(max(count, 1) * dtype.itemsize, np.uint8)

    def _to_records(self, array: Array, dtype: np.dtype[Any]) -> NDArray[Any]:
        return self.runtime.to_host(array).view(dtype)
