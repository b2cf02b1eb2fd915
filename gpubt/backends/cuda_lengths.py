"""Indicators of many lengths at once on a device: the launches of `kernels/windows.cu` and `kernels/smooth.cu`, through a `Runtime`.

Lengths of one indicator over the same inputs take the launches of one length: neighbouring warps work different lengths of the same bars,
which then come from the caches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.runtime import Array, Runtime
from gpubt.indicators.reference import BLOCK

WARP = 32
PIECE = 1024  # bars that a warp takes of a length, at least
LENGTH = np.dtype([("length", np.int64), ("inv", np.float64), ("k", np.float64), ("out", np.uint64)])


def compute(runtime: Runtime, name: str, inputs: tuple[Array, ...], n: int, first: int, lengths: Sequence[int]) -> list[Array]:
    """Indicator `name` of WINDOWS or SMOOTHED over device arrays of `n` bars, for each of `lengths`, of which none warms up for all of the
    bars; new device arrays, to the bit of `indicators.reference.compute`.

    While they run, recurrences need 8 KiB a length, 16 bytes a length for every 1,024 bars (rsi 32), and rsi and atr
    `n` values.
    """
    outs = [runtime.empty(n, np.float64) for _ in lengths]
    table = np.zeros(len(lengths), LENGTH)
    table["length"], table["out"] = lengths, [runtime.address(out) for out in outs]
    table["inv"] = [1.0 / (length * (length + 1) // 2 if name == "wma" else length) for length in lengths]
    table["k"] = [2.0 / (length + 1) if name == "ema" else 1.0 / length for length in lengths]
    if name in WINDOWS:
        _windows(runtime, name, inputs[0], n, first, table)
    else:
        SMOOTHED[name](runtime, inputs, n, first, table)
    return outs


WINDOWS: dict[str, tuple[str, tuple[np.float64, ...]]] = {
    "sma": ("window_mean", ()),
    "wma": ("window_weighted", ()),
    "stddev": ("window_deviation", ()),
    "highest": ("window_extreme", (np.float64(1.0),)),
    "lowest": ("window_extreme", (np.float64(-1.0),)),
}


def _windows(runtime: Runtime, name: str, x: Array, n: int, first: int, table: NDArray[np.void]) -> None:
    """A piece has a full warp of windows of the longest length, or more."""
    kernel, more = WINDOWS[name]
    pieces = -(-(n - first) // max(PIECE, WARP * int(table["length"].max())))
    lengths = (runtime.to_device(table.view(np.uint8)), np.int64(len(table)), np.int64(pieces))
    runtime.launch(kernel, WARP * len(table) * pieces, x, np.int64(n), np.int64(first), *lengths, *more)


def _raw(runtime: Runtime, inputs: tuple[Array, ...], n: int, first: int, table: NDArray[np.void]) -> None:
    _smooth(runtime, inputs[0], np.int64(1), n, first, table)


def _rsi(runtime: Runtime, inputs: tuple[Array, ...], n: int, first: int, table: NDArray[np.void]) -> None:
    changes = runtime.empty(n, np.float64)
    runtime.launch("smooth_changes", n, inputs[0], np.int64(n), np.int64(first), changes)
    _smooth(runtime, changes, None, n, first + 1, table)


def _atr(runtime: Runtime, inputs: tuple[Array, ...], n: int, first: int, table: NDArray[np.void]) -> None:
    ranges = runtime.empty(n, np.float64)
    runtime.launch("smooth_ranges", n, *inputs, np.int64(n), np.int64(first), ranges)
    _smooth(runtime, ranges, np.int64(0), n, first + 1, table)


SMOOTHED: dict[str, Callable[[Runtime, tuple[Array, ...], int, int, NDArray[np.void]], None]] = {
    "ema": _raw,
    "rma": _raw,
    "rsi": _rsi,
    "atr": _atr,
}


def _smooth(runtime: Runtime, x: Array, anchored: np.int64 | None, n: int, first: int, table: NDArray[np.void]) -> None:
    """`first` is the index of the first value that is smoothed; `anchored` None: the strength of rises, where `x` are changes."""
    name, chains, flag = ("strength", 2, ()) if anchored is None else ("smooth", 1, (anchored,))
    count, blocks = len(table), max(1, -(-(n - first - int(table["length"].min())) // BLOCK))
    groups = -(-blocks // WARP)
    lengths = (np.int64(n), np.int64(first), runtime.to_device(table.view(np.uint8)), np.int64(count))
    ends, carried = (runtime.empty(blocks * count * chains, np.float64) for _ in range(2))
    powers = runtime.empty(BLOCK * count, np.float64)
    runtime.launch(f"{name}_ends", WARP * count * groups, x, *flag, *lengths, np.int64(groups), ends)
    runtime.launch("smooth_carry", count * chains, x, np.int64(bool(anchored)), *lengths, np.int64(chains), ends, powers, carried)
    runtime.launch(f"{name}_values", WARP * count * groups, x, *flag, *lengths, np.int64(groups), powers, carried)
