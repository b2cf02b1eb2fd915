"""A market as kernels see it: `x`, the addresses of `layout.TABLE`; single values, and searches that skip blocks of bars."""

from __future__ import annotations

import numpy as np
from numba import njit

from gpubt.backends.kernels.bits import OPTIONS, read, read_word
from gpubt.simulate import layout as k

FINE, COARSE = 64, 4096
INF = np.inf

(OPEN, HIGH, LOW, CLOSE, LOW0, HIGH0, _, _, LOW1, HIGH1, _, _) = range(12)
FINER_FIRST, FINER_OPEN, FINER_HIGH, FINER_LOW, FINER_CLOSE = range(12, 17)
LONG_ENTRY, LONG_EXIT, SHORT_ENTRY, SHORT_EXIT, SESSION, BLACKOUT = range(17, 23)
ATR, LONG_STOP, SHORT_STOP, LONG_TARGET, SHORT_TARGET, LONG_ORDER, SHORT_ORDER, LONG_LIMIT, SHORT_LIMIT = range(23, 32)
assert k.TABLE[ATR] == "atr" and k.TABLE[LONG_ENTRY] == "long_entry" and k.TABLE[FINER_FIRST] == "finer_first" and len(k.TABLE) == 32


@njit(**OPTIONS)
def value(x, column, t):
    return read(x[column], t)


@njit(**OPTIONS)
def optional(x, series, t):
    """A series that may be missing: NaN then."""
    return read(x[series], t) if x[series] != np.uint64(0) else np.nan


@njit(**OPTIONS)
def bit(x, mask, t):
    """Bar `t` of a mask that may be missing: False then."""
    if x[mask] == np.uint64(0):
        return False
    return (read_word(x[mask], t >> 6) >> np.uint64(t & 63)) & np.uint64(1) != np.uint64(0)


@njit(**OPTIONS)
def first_touch(x, t, end, down, up):
    """First bar in [t, end) whose range reaches `down` or `up` (inclusive), or `end`. Blocks whose extremes reach neither are skipped.

    Bars are asked eight at a time, which compiles to vector comparisons."""
    low, high, low0, high0, low1, high1 = x[LOW], x[HIGH], x[LOW0], x[HIGH0], x[LOW1], x[HIGH1]
    while t < end:
        if (t & (FINE - 1)) == 0:
            if (t & (COARSE - 1)) == 0 and t + COARSE <= end and read(low1, t >> 12) > down and read(high1, t >> 12) < up:
                t += COARSE
                continue
            if t + FINE <= end and read(low0, t >> 6) > down and read(high0, t >> 6) < up:
                t += FINE
                continue
        stop = min(end, (t | (FINE - 1)) + 1)
        while t + 8 <= stop:
            hit = False
            for i in range(8):
                hit |= (read(low, t + i) <= down) | (read(high, t + i) >= up)
            if hit:
                break
            t += 8
        while t < stop:
            if read(low, t) <= down or read(high, t) >= up:
                return t
            t += 1
    return end


@njit(**OPTIONS)
def extremes(x, t, end, lowest, highest):
    """Lowest low and highest high of bars [t, end), with what was seen before."""
    low, high, low0, high0, low1, high1 = x[LOW], x[HIGH], x[LOW0], x[HIGH0], x[LOW1], x[HIGH1]
    while t < end:
        if (t & (FINE - 1)) == 0 and t + FINE <= end:
            if (t & (COARSE - 1)) == 0 and t + COARSE <= end:
                a, z, t = read(low1, t >> 12), read(high1, t >> 12), t + COARSE
            else:
                a, z, t = read(low0, t >> 6), read(high0, t >> 6), t + FINE
            lowest = a if a < lowest else lowest
            highest = z if z > highest else highest
        else:
            stop = min(end, (t | (FINE - 1)) + 1)
            while t < stop:
                a, z, t = read(low, t), read(high, t), t + 1
                lowest = a if a < lowest else lowest
                highest = z if z > highest else highest
    return lowest, highest
