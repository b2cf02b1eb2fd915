"""The linearly weighted window in numba, about boundaries as in `windows.py`."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from gpubt.backends.kernels.bits import OPTIONS

Floats = NDArray[np.float64]


@njit(**OPTIONS)
def _weighted_at(x: Floats, s: int, n: int, inv: float, inner: bool, out: Floats) -> None:
    """Every window that ends in [s, s + n), clipped to the bars. The sums before the boundary wait in `out` for those after it."""
    bars, a = len(x), x[s]
    u = p = v = w = 0.0
    for r in range(n - 1 if inner else 0):
        u = u + (x[s - 1 - r] - a)
        p = p + u
        if s + n - 2 - r < bars:
            out[s + n - 2 - r] = p
    for t in range(s, min(s + n, bars)):
        d = x[t] - a
        v, w = v + d, w + float(t - s + 1) * d
        if t == s + n - 1:
            out[t] = a + w * inv
        elif inner:
            out[t] = a + ((out[t] + w) + float(s + n - 1 - t) * v) * inv


@njit(**OPTIONS)
def _weighted_at_two(x: Floats, s: int, n: int, inv: float, out: Floats) -> None:
    """Two whole boundaries: four sums side by side."""
    x0, x1, x2 = x[s - n : s], x[s : s + n], x[s + n : s + 2 * n]
    o0, o1 = out[s : s + n], out[s + n : s + 2 * n]
    a0, a1 = x1[0], x2[0]
    u0 = u1 = p0 = p1 = 0.0
    for i in range(n - 1, 0, -1):
        u0, u1 = u0 + (x0[i] - a0), u1 + (x1[i] - a1)
        p0, p1 = p0 + u0, p1 + u1
        o0[i - 1], o1[i - 1] = p0, p1
    v0 = v1 = w0 = w1 = 0.0
    for i in range(n - 1):
        d0, d1, weight, before = x1[i] - a0, x2[i] - a1, float(i + 1), float(n - 1 - i)
        v0, v1, w0, w1 = v0 + d0, v1 + d1, w0 + weight * d0, w1 + weight * d1
        o0[i], o1[i] = a0 + ((o0[i] + w0) + before * v0) * inv, a1 + ((o1[i] + w1) + before * v1) * inv
    i = n - 1
    o0[i], o1[i] = a0 + (w0 + float(n) * (x1[i] - a0)) * inv, a1 + (w1 + float(n) * (x2[i] - a1)) * inv


@njit(parallel=True, **OPTIONS)
def window_weighted(x: Floats, first: int, n: int, threads: int, out: Floats) -> None:
    """Weighted moving average."""
    inv = 1.0 / float(n * (n + 1) // 2)
    _weighted_at(x, first, n, inv, False, out)
    twos = ((len(x) - first) // n - 1) // 2
    parts = min(threads, twos)
    for part in prange(parts):
        for g in range(twos * part // parts, twos * (part + 1) // parts):
            _weighted_at_two(x, first + n + 2 * g * n, n, inv, out)
    for s in range(first + (1 + 2 * twos) * n, len(x), n):
        _weighted_at(x, s, n, inv, True, out)
