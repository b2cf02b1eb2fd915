"""Indicators that go through the bars one after the other, in numba: `indicators/recurrences.py` says what each does."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gpubt.backends.kernels.bits import OPTIONS

Floats = NDArray[np.float64]

CUMULATED, WILDER, ON_BALANCE, ANCHORED, ADAPTIVE, PARABOLIC, TREND, HELD = range(8)


@njit(**OPTIONS)
def _sums(op: int, x: Floats, y: Floats, z: Floats, first: int, a: float, out: Floats) -> None:
    total, traded, n = 0.0, 0.0, int(a)
    for t in range(first, len(out)):
        if op == CUMULATED:
            total = total + x[t]
            out[t] = total
        elif op == WILDER:
            if t < first + n - 1:
                total = total + x[t]
            else:
                total = (total - total / n) + x[t]
                out[t] = total
        elif op == ON_BALANCE:
            if t == first:
                total = y[t]
            elif x[t] > x[t - 1]:
                total = total + y[t]
            elif x[t] < x[t - 1]:
                total = total - y[t]
            out[t] = total
        else:
            if t > first and z[t] != z[t - 1]:
                total = traded = 0.0
            total, traded = total + x[t] * y[t], traded + y[t]
            out[t] = total / traded if traded != 0.0 else x[t]


@njit(**OPTIONS)
def _adaptive(x: Floats, before: Floats, efficiency: Floats, first: int, a: float, b: float, out: Floats) -> None:
    fast, slow = 2.0 / (a + 1.0), 2.0 / (b + 1.0)
    y = before[first]
    for t in range(first, len(out)):
        weight = efficiency[t] * (fast - slow) + slow
        y = y + (weight * weight) * (x[t] - y)
        out[t] = y


@njit(**OPTIONS)
def _clear_of(stop: float, side: float, before: float, now: float) -> float:
    if side * (stop - before) > 0.0:
        stop = before
    return now if side * (stop - now) > 0.0 else stop


@njit(**OPTIONS)
def _parabolic(high: Floats, low: Floats, first: int, a: float, most: float, out: Floats) -> None:
    step = min(a, most)
    fall, rise = low[first] - low[first + 1], high[first + 1] - high[first]
    side = -1.0 if fall > 0.0 and rise < fall else 1.0
    best, stop, speed = high[first + 1] if side > 0.0 else low[first + 1], low[first] if side > 0.0 else high[first], step
    for t in range(first + 1, len(out)):
        i = max(first + 1, t - 1)
        before, now = low[i] if side > 0.0 else high[i], low[t] if side > 0.0 else high[t]
        if side * (now - stop) <= 0.0:
            side = -side
            before, now = low[i] if side > 0.0 else high[i], low[t] if side > 0.0 else high[t]
            stop = _clear_of(best, side, before, now)
            out[t] = stop
            best, speed = high[t] if side > 0.0 else low[t], step
        else:
            out[t] = stop
            reached = high[t] if side > 0.0 else low[t]
            if side * (reached - best) > 0.0:
                best, speed = reached, speed + step
                speed = most if speed > most else speed
        stop = _clear_of(stop + speed * (best - stop), side, before, now)


@njit(**OPTIONS)
def _trend(close: Floats, upper: Floats, lower: Floats, first: int, direction: float, out: Floats) -> None:
    side, top, bottom = 1.0, upper[first], lower[first]
    for t in range(first, len(out)):
        if t > first:
            top = upper[t] if upper[t] < top or close[t - 1] > top else top
            bottom = lower[t] if lower[t] > bottom or close[t - 1] < bottom else bottom
            side = (1.0 if close[t] >= bottom else -1.0) if side > 0.0 else (1.0 if close[t] > top else -1.0)
        out[t] = side if direction != 0.0 else bottom if side > 0.0 else top


@njit(**OPTIONS)
def _held(x: Floats, y: Floats, first: int, out: Floats) -> None:
    held = y[first]
    for t in range(first, len(out)):
        held = x[t] if x[t] == y[t] else held
        out[t] = held


@njit(**OPTIONS)
def recur(op: int, x: Floats, y: Floats, z: Floats, first: int, a: float, b: float, out: Floats) -> None:
    """From `first` on, where all inputs are valid; a, b are the parameters."""
    if op == ADAPTIVE:
        _adaptive(x, y, z, first, a, b, out)
    elif op == PARABOLIC:
        _parabolic(x, y, first, a, b, out)
    elif op == TREND:
        _trend(x, y, z, first, a, out)
    elif op == HELD:
        _held(x, y, first, out)
    else:
        _sums(op, x, y, z, first, a, out)
