"""Windows that are gone through value by value, oldest first: mean deviation, products of deviations, ranks, the age of an extreme.

Windows of neighbouring bars are worked side by side, so that the loops over them become vector code.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from gpubt.backends.kernels.bits import OPTIONS

Floats = NDArray[np.float64]

DEVIATION, PRODUCT, RANK, HIGHEST_AGE, LOWEST_AGE = range(5)
BLOCK = 512  # bars that are worked together


@njit(**OPTIONS)
def _means(x: Floats, t: int, n: int, means: Floats) -> None:
    """Of the windows that end at `t` and the bars after it, about their oldest values."""
    count, inv = len(means), 1.0 / n
    oldest = x[t - n + 1 : t - n + 1 + count]
    means[:] = 0.0
    for i in range(n):
        value = x[t - n + 1 + i : t - n + 1 + i + count]
        for j in range(count):
            means[j] = means[j] + (value[j] - oldest[j])
    for j in range(count):
        means[j] = oldest[j] + means[j] * inv


@njit(**OPTIONS)
def _products(op: int, x: Floats, y: Floats, t: int, n: int, means: Floats, others: Floats, out: Floats) -> None:
    count, inv = len(out), 1.0 / n
    _means(x, t, n, means)
    if op == PRODUCT:
        _means(y, t, n, others)
    out[:] = 0.0
    for i in range(n):
        start = t - n + 1 + i
        u, v = x[start : start + count], y[start : start + count]
        if op == DEVIATION:
            for j in range(count):
                out[j] = out[j] + abs(u[j] - means[j])
        else:
            for j in range(count):
                out[j] = out[j] + (u[j] - means[j]) * (v[j] - others[j])
    for j in range(count):
        out[j] = out[j] * inv


@njit(**OPTIONS)
def _ranks(x: Floats, t: int, n: int, out: Floats) -> None:
    """Of each value among the `n` before it."""
    count, share = len(out), 100.0 / n
    now = x[t : t + count]
    out[:] = 0.0
    for i in range(n):
        then = x[t - n + i : t - n + i + count]
        for j in range(count):
            out[j] = out[j] + (1.0 if then[j] < now[j] else 0.0)
    for j in range(count):
        out[j] = out[j] * share


@njit(**OPTIONS)
def _ages(sign: float, x: Floats, t: int, n: int, best: Floats, out: Floats) -> None:
    """Bars since the largest of sign * x, the latest of equals."""
    count = len(out)
    best[:] = -np.inf
    for i in range(n):
        value, age = x[t - n + 1 + i : t - n + 1 + i + count], float(n - 1 - i)
        for j in range(count):
            there = sign * value[j] >= best[j]
            best[j] = sign * value[j] if there else best[j]
            out[j] = age if there else out[j]


@njit(parallel=True, **OPTIONS)
def span(op: int, x: Floats, y: Floats, begin: int, n: int, threads: int, out: Floats) -> None:
    """The values from bar `begin` on."""
    blocks = (len(out) - begin + BLOCK - 1) // BLOCK
    for part in prange(threads):
        means, others = np.empty(BLOCK), np.empty(BLOCK)
        for block in range(blocks * part // threads, blocks * (part + 1) // threads):
            t = begin + block * BLOCK
            count = min(BLOCK, len(out) - t)
            into = out[t : t + count]
            if op in (DEVIATION, PRODUCT):
                _products(op, x, y, t, n, means[:count], others[:count], into)
            elif op == RANK:
                _ranks(x, t, n, into)
            else:
                _ages(1.0 if op == HIGHEST_AGE else -1.0, x, t, n, means[:count], into)
