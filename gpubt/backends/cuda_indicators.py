"""Indicators on a device: the launches of `kernels/indicators.cu`, through a `Runtime`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpubt.backends.runtime import Array, Runtime
from gpubt.indicators.definitions import COMPUTED
from gpubt.indicators.reference import BLOCK

RAW, RISES, FALLS, RANGES = map(np.int64, range(4))  # what a recurrence smooths
NAMES = ("plus", "times", "linear", "over", "magnitude", "lag", "stochastic", "larger", "smaller", "ratio", "efficiency")
RECURRENCES = ("cumulated", "wilder", "on_balance", "anchored", "adaptive", "parabolic", "trend", "held")
SPANS = ("mean_deviation", "covariance", "percent_rank", "argmax", "argmin")
OPERATIONS = {name: np.int64(i) for i, name in enumerate(NAMES)}


def compute(runtime: Runtime, name: str, inputs: tuple[Array, ...], n: int, first: int, params: tuple[float, ...]) -> Array:
    """As `indicators.reference.compute`, to the bit, over device arrays of `n` bars; a new device array.

    stddev and rsi need one more array of `n` values while they run, recurrences 16 bytes for every 1,024 bars.
    """
    out = runtime.empty(n, np.float64)
    length = int(params[0]) if params else 0
    if first + COMPUTED[name].warmup(params) >= n:
        if n:
            runtime.launch("indicator_blank", n, out, np.int64(n))
        return out
    if name in SPANS:
        _span(runtime, name, inputs, n, first + COMPUTED[name].warmup(params), length, out)
    elif name in RECURRENCES:
        _recur(runtime, name, inputs, n, first, params, out)
    elif name in OPERATIONS:
        _element(runtime, name, inputs, n, first, params, out)
    else:
        FORMULAS[name](runtime, inputs, n, first + (int(params[1]) if name == "late_ema" else 0), length, out)
    return out


def _element(runtime: Runtime, name: str, inputs: tuple[Array, ...], n: int, first: int, params: tuple[float, ...], out: Array) -> None:
    x, y, z = (*inputs, inputs[0], inputs[0])[:3]
    a, b = (*params, 0.0, 0.0)[:2]
    back = int(params[0]) if name == "lag" else 0
    begin = np.int64(first + back)
    runtime.launch("elementwise", n, OPERATIONS[name], x, y, z, np.int64(n), np.float64(a), np.float64(b), begin, np.int64(back), out)


def _recur(runtime: Runtime, name: str, inputs: tuple[Array, ...], n: int, first: int, params: tuple[float, ...], out: Array) -> None:
    x, y, z = (*inputs, inputs[0], inputs[0])[:3]
    a, b = (*params, 0.0, 0.0)[:2]
    op, begin = np.int64(RECURRENCES.index(name)), np.int64(first + COMPUTED[name].warmup(params))
    runtime.launch("recur", n, op, x, y, z, np.int64(n), np.int64(first), begin, np.float64(a), np.float64(b), out)


def _span(runtime: Runtime, name: str, inputs: tuple[Array, ...], n: int, begin: int, length: int, out: Array) -> None:
    scale = np.float64((100.0 if name == "percent_rank" else 1.0) / length)
    op, sizes = np.int64(SPANS.index(name)), (np.int64(n), np.int64(begin), np.int64(length))
    runtime.launch("span_values", n, op, inputs[0], inputs[-1], *sizes, scale, out)


Formula = Callable[[Runtime, tuple[Array, ...], int, int, int, Array], None]


def _sma(runtime: Runtime, inputs: tuple[Array, ...], n: int, first: int, length: int, out: Array) -> None:
    runtime.launch("window_mean", _windows(n, first, length), *_window(inputs, n, first, length), np.float64(1.0 / length), out)


def _wma(runtime: Runtime, inputs: tuple[Array, ...], n: int, first: int, length: int, out: Array) -> None:
    inv = np.float64(1.0 / (length * (length + 1) // 2))
    runtime.launch("window_weighted", _windows(n, first, length), *_window(inputs, n, first, length), inv, out)


def _stddev(runtime: Runtime, inputs: tuple[Array, ...], n: int, first: int, length: int, out: Array) -> None:
    squares, inv = runtime.empty(n, np.float64), np.float64(1.0 / length)
    runtime.launch("window_deviation", _windows(n, first, length), *_window(inputs, n, first, length), inv, squares, out)


def _extreme(sign: float) -> Formula:
    def formula(runtime: Runtime, inputs: tuple[Array, ...], n: int, first: int, length: int, out: Array) -> None:
        runtime.launch("window_extreme", _windows(n, first, length), *_window(inputs, n, first, length), np.float64(sign), out)

    return formula


def _roc(runtime: Runtime, inputs: tuple[Array, ...], n: int, first: int, length: int, out: Array) -> None:
    runtime.launch("rate_of_change", n, *_window(inputs, n, first, length), out)


def _ema(runtime: Runtime, inputs: tuple[Array, ...], n: int, first: int, length: int, out: Array) -> None:
    _smooth(runtime, RAW, inputs * 3, n, first, length, 2.0 / (length + 1), out)


def _rma(runtime: Runtime, inputs: tuple[Array, ...], n: int, first: int, length: int, out: Array) -> None:
    _smooth(runtime, RAW, inputs * 3, n, first, length, 1.0 / length, out)


def _rsi(runtime: Runtime, inputs: tuple[Array, ...], n: int, first: int, length: int, out: Array) -> None:
    falls = runtime.empty(n, np.float64)
    _smooth(runtime, RISES, inputs * 3, n, first + 1, length, 1.0 / length, out)
    _smooth(runtime, FALLS, inputs * 3, n, first + 1, length, 1.0 / length, falls)
    runtime.launch("relative_strength", n, falls, np.int64(n), np.int64(first + length), out)


def _atr(runtime: Runtime, inputs: tuple[Array, ...], n: int, first: int, length: int, out: Array) -> None:
    _smooth(runtime, RANGES, inputs, n, first + 1, length, 1.0 / length, out)


def _smooth(runtime: Runtime, what: np.int64, columns: tuple[Array, ...], n: int, first: int, length: int, k: float, out: Array) -> None:
    """`columns` are high, low, close; `first` is the index of the first value that is smoothed."""
    start = first + length
    blocks = (n - start + BLOCK - 1) // BLOCK
    powers, carried = runtime.empty(BLOCK, np.float64), runtime.empty(max(blocks, 1), np.float64)
    bars, begin, factor = np.int64(n), np.int64(start), np.float64(k)
    runtime.launch("smooth_scan", max(blocks, 1), what, *columns, bars, begin, factor, out)
    runtime.launch("smooth_carry", 1, what, *columns, bars, begin, np.int64(length), factor, np.float64(1.0 / length), powers, carried, out)
    runtime.launch("smooth_apply", n, what, columns[2], bars, begin, powers, carried, out)


def _window(inputs: tuple[Array, ...], n: int, first: int, length: int) -> tuple[Array, ...]:
    return inputs[0], np.int64(n), np.int64(first), np.int64(length)


def _windows(n: int, first: int, length: int) -> int:
    return (n - first + length - 1) // length


FORMULAS: dict[str, Formula] = {
    "sma": _sma,
    "ema": _ema,
    "rma": _rma,
    "late_ema": _ema,
    "wma": _wma,
    "rsi": _rsi,
    "atr": _atr,
    "stddev": _stddev,
    "highest": _extreme(1.0),
    "lowest": _extreme(-1.0),
    "roc": _roc,
}
