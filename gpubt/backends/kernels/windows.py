"""Windows in numba: mean, deviation and extremes about a boundary inside the window, and changes across one.

Boundaries are independent, so several are worked side by side: one waits for its addition while the others add.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from gpubt.backends.kernels.bits import OPTIONS

Floats = NDArray[np.float64]


@njit(**OPTIONS)
def _mean_at(x: Floats, s: int, n: int, inner: bool, out: Floats) -> None:
    """Every window that ends in [s, s + n), clipped to the bars; `inner`: there are values before the boundary s."""
    bars, a, inv = len(x), x[s], 1.0 / n
    u = v = 0.0
    for r in range(n - 1 if inner else 0):
        u = u + (x[s - 1 - r] - a)
        if s + n - 2 - r < bars:
            out[s + n - 2 - r] = u
    for t in range(s, min(s + n, bars)):
        v = v + (x[t] - a)
        if t == s + n - 1:
            out[t] = a + v * inv
        elif inner:
            out[t] = a + (out[t] + v) * inv


@njit(**OPTIONS)
def _mean_at_four(x: Floats, s: int, n: int, out: Floats) -> None:
    """Four whole boundaries, s to s + 3 n. The sums before a boundary wait in `out` for those after it."""
    inv = 1.0 / n
    x0, x1, x2, x3, x4 = x[s - n : s], x[s : s + n], x[s + n : s + 2 * n], x[s + 2 * n : s + 3 * n], x[s + 3 * n : s + 4 * n]
    o0, o1, o2, o3 = out[s : s + n], out[s + n : s + 2 * n], out[s + 2 * n : s + 3 * n], out[s + 3 * n : s + 4 * n]
    a0, a1, a2, a3 = x1[0], x2[0], x3[0], x4[0]
    u0 = u1 = u2 = u3 = 0.0
    for i in range(n - 1, 0, -1):
        u0, u1, u2, u3 = u0 + (x0[i] - a0), u1 + (x1[i] - a1), u2 + (x2[i] - a2), u3 + (x3[i] - a3)
        o0[i - 1], o1[i - 1], o2[i - 1], o3[i - 1] = u0, u1, u2, u3
    u0 = u1 = u2 = u3 = 0.0
    for i in range(n - 1):
        u0, u1, u2, u3 = u0 + (x1[i] - a0), u1 + (x2[i] - a1), u2 + (x3[i] - a2), u3 + (x4[i] - a3)
        o0[i], o1[i], o2[i], o3[i] = a0 + (o0[i] + u0) * inv, a1 + (o1[i] + u1) * inv, a2 + (o2[i] + u2) * inv, a3 + (o3[i] + u3) * inv
    i = n - 1
    o0[i], o1[i] = a0 + (u0 + (x1[i] - a0)) * inv, a1 + (u1 + (x2[i] - a1)) * inv
    o2[i], o3[i] = a2 + (u2 + (x3[i] - a2)) * inv, a3 + (u3 + (x4[i] - a3)) * inv


@njit(parallel=True, **OPTIONS)
def window_mean(x: Floats, first: int, n: int, threads: int, out: Floats) -> None:
    """Simple moving average."""
    _mean_at(x, first, n, False, out)
    fours = ((len(x) - first) // n - 1) // 4
    parts = min(threads, fours)
    for part in prange(parts):
        for g in range(fours * part // parts, fours * (part + 1) // parts):
            _mean_at_four(x, first + n + 4 * g * n, n, out)
    for s in range(first + (1 + 4 * fours) * n, len(x), n):
        _mean_at(x, s, n, True, out)


@njit(**OPTIONS)
def _deviation_at(x: Floats, s: int, n: int, inner: bool, squares: Floats, out: Floats) -> None:
    """As `_mean_at`; the sums of squares before the boundary wait in squares[:n]."""
    bars, a, inv = len(x), x[s], 1.0 / n
    u = v = p = q = 0.0
    for r in range(n - 1 if inner else 0):
        d = x[s - 1 - r] - a
        u, p = u + d, p + d * d
        if s + n - 2 - r < bars:
            out[s + n - 2 - r], squares[n - 2 - r] = u, p
    for t in range(s, min(s + n, bars)):
        d = x[t] - a
        v, q = v + d, q + d * d
        if t == s + n - 1:
            out[t] = _deviation(v, q, inv)
        elif inner:
            out[t] = _deviation(out[t] + v, squares[t - s] + q, inv)


@njit(**OPTIONS)
def _deviation(total: float, squares: float, inv: float) -> float:
    variance = (squares - (total * total) * inv) * inv
    return sqrt(variance if variance > 0.0 else 0.0)


@njit(**OPTIONS)
def _deviation_at_two(x: Floats, s: int, n: int, squares: Floats, out: Floats) -> None:
    """Two whole boundaries: with the squares, four sums side by side."""
    inv = 1.0 / n
    x0, x1, x2 = x[s - n : s], x[s : s + n], x[s + n : s + 2 * n]
    o0, o1, q0, q1 = out[s : s + n], out[s + n : s + 2 * n], squares[:n], squares[n : 2 * n]
    a0, a1 = x1[0], x2[0]
    u0 = u1 = p0 = p1 = 0.0
    for i in range(n - 1, 0, -1):
        d0, d1 = x0[i] - a0, x1[i] - a1
        u0, u1, p0, p1 = u0 + d0, u1 + d1, p0 + d0 * d0, p1 + d1 * d1
        o0[i - 1], o1[i - 1], q0[i - 1], q1[i - 1] = u0, u1, p0, p1
    u0 = u1 = p0 = p1 = 0.0
    for i in range(n - 1):
        d0, d1 = x1[i] - a0, x2[i] - a1
        u0, u1, p0, p1 = u0 + d0, u1 + d1, p0 + d0 * d0, p1 + d1 * d1
        o0[i], o1[i], q0[i], q1[i] = o0[i] + u0, o1[i] + u1, q0[i] + p0, q1[i] + p1
    i = n - 1
    d0, d1 = x1[i] - a0, x2[i] - a1
    o0[i], o1[i], q0[i], q1[i] = u0 + d0, u1 + d1, p0 + d0 * d0, p1 + d1 * d1
    both = out[s : s + 2 * n]
    for i in range(2 * n):
        both[i] = _deviation(both[i], squares[i], inv)


@njit(parallel=True, **OPTIONS)
def window_deviation(x: Floats, first: int, n: int, threads: int, out: Floats) -> None:
    """Standard deviation of the population."""
    rest = np.empty(n)
    _deviation_at(x, first, n, False, rest, out)
    twos = ((len(x) - first) // n - 1) // 2
    parts = min(threads, twos)
    for part in prange(parts):
        squares = np.empty(2 * n)
        for g in range(twos * part // parts, twos * (part + 1) // parts):
            _deviation_at_two(x, first + n + 2 * g * n, n, squares, out)
    for s in range(first + (1 + 2 * twos) * n, len(x), n):
        _deviation_at(x, s, n, True, rest, out)


@njit(**OPTIONS)
def larger(a: float, b: float) -> float:
    """As in the reference: the first where neither is larger."""
    return b if b > a else a


@njit(**OPTIONS)
def _extreme_at(x: Floats, s: int, n: int, sign: float, inner: bool, out: Floats) -> None:
    """As `_mean_at`, for the largest of sign * x."""
    bars = len(x)
    u = v = -np.inf
    for r in range(n - 1 if inner else 0):
        u = larger(u, sign * x[s - 1 - r])
        if s + n - 2 - r < bars:
            out[s + n - 2 - r] = u
    for t in range(s, min(s + n, bars)):
        v = larger(v, sign * x[t])
        if t == s + n - 1:
            out[t] = sign * v + 0.0
        elif inner:
            out[t] = sign * larger(out[t], v) + 0.0


@njit(**OPTIONS)
def _extreme_at_four(x: Floats, s: int, n: int, sign: float, out: Floats) -> None:
    """Four whole boundaries, as `_mean_at_four`."""
    x0, x1, x2, x3, x4 = x[s - n : s], x[s : s + n], x[s + n : s + 2 * n], x[s + 2 * n : s + 3 * n], x[s + 3 * n : s + 4 * n]
    o0, o1, o2, o3 = out[s : s + n], out[s + n : s + 2 * n], out[s + 2 * n : s + 3 * n], out[s + 3 * n : s + 4 * n]
    u0 = u1 = u2 = u3 = -np.inf
    for i in range(n - 1, 0, -1):
        u0, u1, u2, u3 = larger(u0, sign * x0[i]), larger(u1, sign * x1[i]), larger(u2, sign * x2[i]), larger(u3, sign * x3[i])
        o0[i - 1], o1[i - 1], o2[i - 1], o3[i - 1] = u0, u1, u2, u3
    o0[n - 1] = o1[n - 1] = o2[n - 1] = o3[n - 1] = -np.inf
    u0 = u1 = u2 = u3 = -np.inf
    for i in range(n):
        u0, u1, u2, u3 = larger(u0, sign * x1[i]), larger(u1, sign * x2[i]), larger(u2, sign * x3[i]), larger(u3, sign * x4[i])
        o0[i], o1[i] = sign * larger(o0[i], u0) + 0.0, sign * larger(o1[i], u1) + 0.0
        o2[i], o3[i] = sign * larger(o2[i], u2) + 0.0, sign * larger(o3[i], u3) + 0.0


@njit(parallel=True, **OPTIONS)
def window_extreme(x: Floats, first: int, n: int, sign: float, threads: int, out: Floats) -> None:
    """Highest value (sign 1) or lowest (sign -1)."""
    _extreme_at(x, first, n, sign, False, out)
    fours = ((len(x) - first) // n - 1) // 4
    parts = min(threads, fours)
    for part in prange(parts):
        for g in range(fours * part // parts, fours * (part + 1) // parts):
            _extreme_at_four(x, first + n + 4 * g * n, n, sign, out)
    for s in range(first + (1 + 4 * fours) * n, len(x), n):
        _extreme_at(x, s, n, sign, True, out)


@njit(parallel=True, **OPTIONS)
def change(x: Floats, first: int, n: int, threads: int, out: Floats) -> None:
    """Rate of change."""
    bars = len(x) - first - n
    for part in prange(threads):
        low, high = first + bars * part // threads, first + bars * (part + 1) // threads
        then, now, y = x[low:high], x[low + n : high + n], out[low + n : high + n]
        for i in range(len(y)):
            ratio = (now[i] / then[i] - 1.0) * 100.0
            y[i] = ratio if then[i] != 0.0 else 0.0
