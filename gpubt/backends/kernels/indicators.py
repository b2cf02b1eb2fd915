"""Indicators in numba: the bits of `indicators/reference.py`, in parallel.

The number of threads only says who does which windows and blocks, never in what order a value is summed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.kernels import elements, recurrences, spans
from gpubt.backends.kernels.smoothing import RANGES, RAW, RISES, smooth
from gpubt.backends.kernels.weighted import window_weighted
from gpubt.backends.kernels.windows import change, window_deviation, window_extreme, window_mean
from gpubt.backends.pool import empty
from gpubt.indicators.definitions import COMPUTED
from gpubt.indicators.fused import LEAVES, Fused

Floats = NDArray[np.float64]

OPERATIONS = {
    "plus": elements.PLUS,
    "times": elements.TIMES,
    "linear": elements.LINEAR,
    "over": elements.OVER,
    "magnitude": elements.MAGNITUDE,
    "lag": elements.LAG,
    "stochastic": elements.STOCHASTIC,
    "larger": elements.LARGER,
    "smaller": elements.SMALLER,
    "ratio": elements.RATIO,
    "efficiency": elements.EFFICIENCY,
}

RECURRENCES = {
    "cumulated": recurrences.CUMULATED,
    "wilder": recurrences.WILDER,
    "on_balance": recurrences.ON_BALANCE,
    "anchored": recurrences.ANCHORED,
    "adaptive": recurrences.ADAPTIVE,
    "parabolic": recurrences.PARABOLIC,
    "trend": recurrences.TREND,
    "held": recurrences.HELD,
}
SPANS = {
    "mean_deviation": spans.DEVIATION,
    "covariance": spans.PRODUCT,
    "percent_rank": spans.RANK,
    "argmax": spans.HIGHEST_AGE,
    "argmin": spans.LOWEST_AGE,
}


def compute(name: str, inputs: tuple[NDArray[Any], ...], first: int, params: tuple[float, ...], threads: int) -> Floats:
    """As `indicators.reference.compute`, to the bit, in `threads` parts; the caller has set numba's number of threads."""
    arrays = tuple(np.ascontiguousarray(x, np.float64) for x in inputs)
    bars = len(arrays[0])
    begin = first + COMPUTED[name].warmup(params)
    if begin >= bars:
        return np.full(bars, np.nan)
    out: Floats = empty(bars)  # aligned: comparisons of tiles are twice as fast
    out[:begin] = np.nan
    if name in SPANS:
        spans.span(SPANS[name], arrays[0], arrays[-1], begin, int(params[0]), threads, out)
    elif name in RECURRENCES:
        x, y, z = (*arrays, arrays[0], arrays[0])[:3]
        a, b = (*map(float, params), 0.0, 0.0)[:2]
        recurrences.recur(RECURRENCES[name], x, y, z, first, a, b, out)
    elif name in OPERATIONS:
        _element(name, arrays, begin, params, threads, out)
    else:
        _indicator(name, arrays, first, params, threads, out)
    return out


def fused(program: Fused, inputs: tuple[NDArray[Any], ...], begin: int, threads: int) -> Floats:
    """Steps of arithmetic over the leaves `inputs`, from bar `begin` on, NaN before: as one step after the other, to the bit."""
    arrays = [np.ascontiguousarray(x, np.float64) for x in inputs]
    bars = len(arrays[0])
    out: Floats = empty(bars)
    out[:begin] = np.nan
    if begin >= bars:
        return out
    arrays += [arrays[0]] * (LEAVES - len(arrays))  # a fixed number of them: the kernel is compiled once
    elements.steps(*program.code(OPERATIONS), tuple(arrays), program.backs, begin, threads, out)
    return out


def _element(name: str, arrays: tuple[Floats, ...], begin: int, params: tuple[float, ...], threads: int, out: Floats) -> None:
    x, y, z = (*arrays, arrays[0], arrays[0])[:3]
    a, b = (*map(float, params), 0.0, 0.0)[:2]
    elements.element(OPERATIONS[name], x, y, z, a, b, begin, int(params[0]) if name == "lag" else 0, threads, out)


def _indicator(name: str, arrays: tuple[Floats, ...], first: int, params: tuple[float, ...], threads: int, out: Floats) -> None:
    x, n = arrays[0], int(params[0])
    if name == "sma":
        window_mean(x, first, n, threads, out)
    elif name == "stddev":
        window_deviation(x, first, n, threads, out)
    elif name in ("highest", "lowest"):
        window_extreme(x, first, n, 1.0 if name == "highest" else -1.0, threads, out)
    elif name == "roc":
        change(x, first, n, threads, out)
    elif name == "wma":
        window_weighted(x, first, n, threads, out)
    elif name == "rma":
        smooth(RAW, x, x, x, first, n, 1.0 / n, threads, out)
    elif name in ("ema", "late_ema"):
        smooth(RAW, x, x, x, first + int(sum(params[1:])), n, 2.0 / (n + 1), threads, out)
    elif name == "rsi":
        smooth(RISES, x, x, x, first + 1, n, 1.0 / n, threads, out)
    else:
        smooth(RANGES, *arrays, first + 1, n, 1.0 / n, threads, out)
