"""Indicators on a device: the launches of `kernels/indicators.cu`, `recurrences.cu` and `spans.cu`, through a `Runtime`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpubt.backends import cuda_lengths
from gpubt.backends.runtime import Array, Runtime
from gpubt.indicators.definitions import COMPUTED
from gpubt.indicators.fused import Fused

NAMES = ("plus", "times", "linear", "over", "magnitude", "lag", "stochastic", "larger", "smaller", "ratio", "efficiency")
RECURRENCES = ("cumulated", "wilder", "on_balance", "anchored", "adaptive", "parabolic", "trend", "held")
SPANS = ("mean_deviation", "covariance", "percent_rank", "argmax", "argmin")
LENGTHS = cuda_lengths.WINDOWS.keys() | cuda_lengths.SMOOTHED.keys()  # whose one parameter is a length: several are computed at once
OPERATIONS = {name: np.int64(i) for i, name in enumerate(NAMES)}


def compute(runtime: Runtime, name: str, inputs: tuple[Array, ...], n: int, first: int, params: tuple[float, ...]) -> Array:
    """As `indicators.reference.compute`, to the bit, over device arrays of `n` bars; a new device array."""
    begin = first + COMPUTED[name].warmup(params)
    if begin >= n:
        return _blank(runtime, n)
    if name in LENGTHS:
        return lengths(runtime, name, inputs, n, first, [params])[0]
    if name == "late_ema":
        return lengths(runtime, "ema", inputs, n, first + int(params[1]), [params[:1]])[0]
    out = runtime.empty(n, np.float64)
    length = int(params[0]) if params else 0
    if name in SPANS:
        _span(runtime, name, inputs, n, begin, length, out)
    elif name in RECURRENCES:
        _recur(runtime, name, inputs, n, first, params, out)
    elif name in OPERATIONS:
        _element(runtime, name, inputs, n, first, params, out)
    else:
        runtime.launch("rate_of_change", n, inputs[0], np.int64(n), np.int64(first), np.int64(length), out)
    return out


def lengths(runtime: Runtime, name: str, inputs: tuple[Array, ...], n: int, first: int, params: Sequence[tuple[float, ...]]) -> list[Array]:
    """As `compute` of an indicator of LENGTHS, for each of several `params`, in the launches of one."""
    there = [i for i, own in enumerate(params) if first + COMPUTED[name].warmup(own) < n]
    made = cuda_lengths.compute(runtime, name, inputs, n, first, [int(params[i][0]) for i in there]) if there else []
    found = dict(zip(there, made, strict=True))
    return [found[i] if i in found else _blank(runtime, n) for i in range(len(params))]


def fused(runtime: Runtime, program: Fused, inputs: tuple[Array, ...], n: int, begin: int) -> Array:
    """Steps of arithmetic over device arrays, from bar `begin` on, NaN before; a new device array."""
    if begin >= n:
        return _blank(runtime, n)
    out, put = runtime.empty(n, np.float64), runtime.to_device
    code, numbers = program.code(OPERATIONS)
    leaves = put(np.array([runtime.address(array) for array in inputs], np.uint64))
    backs, sizes = put(program.backs), (np.int64(len(inputs)), np.int64(n), np.int64(begin))
    runtime.launch("arithmetic", n, put(code), put(numbers), np.int64(len(code)), leaves, backs, *sizes, out)
    return out


def _blank(runtime: Runtime, n: int) -> Array:
    out = runtime.empty(n, np.float64)
    if n:
        runtime.launch("indicator_blank", n, out, np.int64(n))
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
