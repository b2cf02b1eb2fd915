"""The sets of a sweep on a device: one launch walks many, a thread a set, and only tallies and sums of returns come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.base import Batch, Sets, parameter_entry
from gpubt.backends.runtime import Array, Runtime
from gpubt.simulate import layout

ROOM = 64 << 20  # bytes of ledger rows, tallies and sums of one launch

# `Sets` of kernels/sweep.cu
POINTERS = ("inputs", "params", "entries", "rungs", "rung_of", "input_of", "trade_of", "ends", "rows", "sums", "squares", "out")
SETS = np.dtype(
    [*((name, "u8") for name in POINTERS), *((name, "i8") for name in ("count", "room", "periods", "blocks")), ("risk_free", "f8")]
)


class SetLaunches:
    """One batch: its inputs (rows of addresses by `layout.TABLE`, then the number of bars) and parameters are on the device once. A launch
    takes the memory that it may, divided by `eased`."""

    def __init__(
        self,
        runtime: Runtime,
        put: Callable[[NDArray[Any]], Array],
        inputs: NDArray[np.uint64],
        batch: Batch,
        ends: NDArray[np.int64],
        risk_free: float,
        eased: int = 1,
    ) -> None:
        self.runtime, self.put, self.batch, self.eased = runtime, put, batch, eased
        used, self.trade_of = np.unique(batch.trade_of, return_inverse=True)
        self.trades = own = [batch.trades[i] for i in used]
        rungs, lengths = np.concatenate([trade.rungs for trade in own]), np.array([len(trade.rungs) for trade in own])
        self.params = params = np.concatenate([trade.params for trade in own])
        width = int(max(lengths.max() + 1, params["pyramiding"].max()))  # rows that a position can have
        self.fixed = {
            "inputs": put(inputs),
            "params": put(params),
            "entries": put(parameter_entry(params)),
            "rungs": put(rungs),
            "rung_of": put(np.cumsum(lengths) - lengths),
            "ends": put(ends),
        }
        self.room, self.sizes = 2 * width, {"periods": len(ends), "risk_free": risk_free}

    def run(self, bar_by_bar: bool, sets: NDArray[np.int64], out: Sets) -> None:
        """Tallies and sums of these sets."""
        blocks = out.sums.shape[1]
        most = max(1, ROOM // self.eased // (self.room * layout.TRADE.itemsize + layout.TALLY.itemsize + 16 * blocks))
        for start in range(0, len(sets), most):
            self._launch(sets[start : start + most], bar_by_bar, blocks, out)

    def _launch(self, sets: NDArray[np.int64], bar_by_bar: bool, blocks: int, out: Sets) -> None:
        count = len(sets)
        mine = {
            "input_of": self.put(self.batch.input_of[sets]),
            "trade_of": self.put(self.trade_of[sets]),
            "rows": self.runtime.empty(count * self.room * layout.TRADE.itemsize, np.uint8),
            **self.results(count, blocks),
        }
        record = self.record(SETS, mine, count=count, room=self.room, blocks=blocks)
        self.runtime.launch("simulate_sets", count, record, np.int64(bar_by_bar))
        self.keep(mine, sets, out)

    def results(self, count: int, blocks: int) -> dict[str, Array]:
        """Where a launch of `count` sets writes."""
        return {
            "sums": self.runtime.zeros(max(1, count * blocks), np.float64),
            "squares": self.runtime.zeros(max(1, count * blocks), np.float64),
            "out": self.runtime.empty(count * layout.TALLY.itemsize, np.uint8),
        }

    def record(self, dtype: np.dtype[Any], own: dict[str, Array], **sizes: int) -> Array:
        """What a launch is told: the addresses of the batch's arrays and its own, and sizes. The arrays must outlive the launch."""
        addresses = {name: self.runtime.address(array) for name, array in (self.fixed | own).items() if name in (dtype.names or ())}
        return self.put(layout.record(dtype, **addresses, **self.sizes, **sizes))

    def keep(self, written: dict[str, Array], sets: NDArray[np.int64], out: Sets) -> None:
        """What a launch wrote of these sets."""
        out.tallies[sets] = self.runtime.to_host(written["out"]).view(layout.TALLY)
        for name, sums in (("sums", out.sums), ("squares", out.squares)):
            blocks = sums.shape[1]
            sums[sets] = self.runtime.to_host(written[name])[: len(sets) * blocks].reshape(len(sets), blocks)
