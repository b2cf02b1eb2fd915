"""Arithmetic on series in numba, bar by bar."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from gpubt.backends.kernels.bits import OPTIONS

Floats = NDArray[np.float64]

PLUS, TIMES, LINEAR, OVER, MAGNITUDE, LAG, STOCHASTIC, LARGER, SMALLER, RATIO, EFFICIENCY = range(11)


@njit(**OPTIONS)
def _part(op: int, x: Floats, y: Floats, z: Floats, a: float, b: float, out: Floats) -> None:
    count = len(out)
    if op == PLUS:
        for i in range(count):
            out[i] = x[i] + a * y[i]
    elif op == TIMES:
        for i in range(count):
            out[i] = x[i] * y[i]
    elif op == LINEAR:
        for i in range(count):
            out[i] = a * x[i] + b
    elif op == OVER:
        for i in range(count):
            out[i] = x[i] / a
    elif op == MAGNITUDE:
        for i in range(count):
            out[i] = abs(x[i])
    elif op == LAG:
        for i in range(count):
            out[i] = x[i]
    elif op == RATIO:
        for i in range(count):
            quotient = x[i] / y[i]
            out[i] = quotient if y[i] != 0.0 else 0.0
    elif op == EFFICIENCY:
        for i in range(count):
            share = x[i] / y[i]
            out[i] = 1.0 if y[i] <= x[i] or y[i] == 0.0 else share
    elif op == LARGER:
        for i in range(count):
            out[i] = y[i] if x[i] < y[i] else x[i] if x[i] >= y[i] else np.nan
    elif op == SMALLER:
        for i in range(count):
            out[i] = y[i] if y[i] < x[i] else x[i] if y[i] >= x[i] else np.nan
    else:
        for i in range(count):
            spread = z[i] - y[i]
            ratio = 100.0 * ((x[i] - y[i]) / spread)
            out[i] = ratio if spread != 0.0 else 0.0


@njit(parallel=True, **OPTIONS)
def element(op: int, x: Floats, y: Floats, z: Floats, a: float, b: float, begin: int, back: int, threads: int, out: Floats) -> None:
    """`op` of x, y, z of `back` bars ago, from bar `begin` on; a, b are its parameters."""
    bars = len(out) - begin
    for part in prange(threads):
        low, high = begin + bars * part // threads, begin + bars * (part + 1) // threads
        then = slice(low - back, high - back)
        _part(op, x[then], y[then], z[then], a, b, out[low:high])
