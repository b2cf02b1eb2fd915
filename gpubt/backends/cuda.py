"""The CUDA backend: the kernels of `kernels/` through a `Runtime`. Bars go over once; masks, ledger and account stay on the device."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends import cuda_indicators, cuda_scan
from gpubt.backends.base import MASKS, Array, Backend, Ledger, Market
from gpubt.backends.runtime import Runtime
from gpubt.simulate import layout
from gpubt.strategy.program import run, words

if TYPE_CHECKING:
    from gpubt.indicators.series import Series
    from gpubt.strategy.program import MaskProgram

FINE, COARSE = 64, 4096  # bars in a block of the index


class CudaBackend(Backend):
    """Records travel as bytes: device arrays have no structured types."""

    name = "cuda"

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.device = runtime.name

    def _upload(self, columns: Mapping[str, NDArray[np.float64]]) -> Market:
        n = len(columns["close"])
        arrays = {name: self._to_device(column) for name, column in columns.items()}
        table = [arrays[name] for name in ("open", "high", "low", "close")]
        fine = [self._extremes(arrays[low], arrays[high], n, FINE) for low, high in (("low", "high"), ("close", "close"))]
        coarse = [self._extremes(bottom, top, -(-n // FINE), COARSE // FINE) for bottom, top in fine]
        table += [array for pair in (*fine, *coarse) for array in pair]
        addresses = self._to_device(np.array([self.runtime.address(array) for array in table], np.uint64))
        return Market(n, arrays, (addresses, table))

    def _indicator(self, name: str, inputs: tuple[Array, ...], first: int, params: tuple[float, ...]) -> Array:
        return cuda_indicators.compute(self.runtime, name, inputs, len(inputs[0]), first, params)

    def _scan(self, program: MaskProgram, series: Mapping[Series, Array], n: int) -> dict[str, Array]:
        return run(program, series, partial(cuda_scan.compare, self.runtime, n=n), partial(cuda_scan.combine, self.runtime, n=n))

    def _no_signal(self, n: int) -> Array:
        return self.runtime.zeros(words(n), np.uint64)

    def _simulate(
        self, market: Market, masks: Mapping[str, Array], atr: Array | None, params: NDArray[Any], bar_by_bar: bool, positions: str
    ) -> Ledger:
        most = self._signals(masks, market.n) + 1
        rows = self._records(layout.TRADE, most)
        skipped, count = self.runtime.zeros(len(layout.SKIPS), np.int64), self.runtime.zeros(1, np.int64)
        overlapping = positions == "overlapping"
        exits = [self.runtime.empty(max(1, min(int(params["max_open"][0]), most)), np.int64)] if overlapping else []
        self.runtime.launch(
            "simulate_overlapping" if overlapping else "simulate",
            1,
            market.prices[0],
            np.int64(market.n),
            *(masks[name] for name in MASKS),
            *self._optional(atr, market),
            self._to_device(params.view(np.uint8)),
            np.int64(bar_by_bar),
            rows,
            skipped,
            count,
            *exits,
        )
        return Ledger(rows, int(self.runtime.to_host(count)[0]), self.runtime.to_host(skipped), positions)

    def _simulate_list(self, market: Market, entries: NDArray[Any], atr: Array | None, params: NDArray[Any], bar_by_bar: bool) -> Ledger:
        n = len(entries)
        rows, codes = self._records(layout.TRADE, n), self.runtime.zeros(max(n, 1), np.int64)
        if n:
            self.runtime.launch(
                "simulate_list",
                n,
                market.prices[0],
                np.int64(market.n),
                self._to_device(entries.view(np.uint8)),
                np.int64(n),
                *self._optional(atr, market),
                self._to_device(params.view(np.uint8)),
                np.int64(bar_by_bar),
                rows,
                codes,
            )
        host = self.runtime.to_host(codes)[:n]
        skipped = np.bincount(host[host >= 0], minlength=len(layout.SKIPS)).astype(np.int64)
        if skipped.any():  # rare, so the rows are packed on the host
            kept = self._to_records(rows, layout.TRADE)[:n][host < 0]
            rows, n = self._to_device(kept.view(np.uint8)), len(kept)
        return Ledger(rows, n, skipped, "list")

    def _account(
        self, market: Market, ledger: Ledger, ends: NDArray[np.int64], params: NDArray[Any], risk_free: float, skip: bool
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        out, equity = self._records(layout.TALLY, 1), self.runtime.empty(len(ends), np.float64)
        name, extra = ("account", []) if ledger.positions == "single" else ("account_list", [self._to_device(self._exit_order(ledger))])
        self.runtime.launch(
            name,
            1,
            market.prices[0],
            np.int64(market.n),
            ledger.rows,
            np.int64(ledger.count),
            *extra,
            self._to_device(ends),
            np.int64(len(ends)),
            self._to_device(params.view(np.uint8)),
            np.float64(risk_free),
            np.int64(skip),
            equity,
            out,
        )
        return self._to_records(out, layout.TALLY), self.runtime.to_host(equity)

    def _place(self, trades: NDArray[Any]) -> Array:
        return self._to_device(trades.view(np.uint8))

    def _trades(self, ledger: Ledger) -> NDArray[Any]:
        return self._to_records(ledger.rows, layout.TRADE)[: ledger.count]

    def wait(self) -> None:
        """Until the device is idle."""
        self.runtime.synchronize()

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
        return np.argsort(self._trades(ledger)["exit_bar"], kind="stable").astype(np.int64)

    def _optional(self, atr: Array | None, market: Market) -> tuple[Array, np.int64]:
        return (market.columns["close"], np.int64(0)) if atr is None else (atr, np.int64(1))

    def _to_device(self, host: NDArray[Any]) -> Array:
        self.bytes_transferred += host.nbytes
        return self.runtime.to_device(host)

    def _records(self, dtype: np.dtype[Any], count: int) -> Array:
        return self.runtime.zeros(max(count, 1) * dtype.itemsize, np.uint8)

    def _to_records(self, array: Array, dtype: np.dtype[Any]) -> NDArray[Any]:
        return self.runtime.to_host(array).view(dtype)
