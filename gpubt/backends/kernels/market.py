"""A market as kernels see it: `x`, a record of the addresses of `layout.TABLE`; single values, and searches that skip blocks of bars."""

from __future__ import annotations

import numpy as np
from numba import njit

from gpubt.backends.kernels.bits import OPTIONS, read, read_word
from gpubt.simulate import layout as k

FINE, COARSE = 64, 4096
INF = np.inf

TABLE = np.dtype([(name, "u8") for name in k.TABLE])


@njit(**OPTIONS)
def optional(series, t):
    """A series that may be missing: NaN then."""
    return read(series, t) if series != np.uint64(0) else np.nan


@njit(**OPTIONS)
def bit(mask, t):
    """Bar `t` of a mask that may be missing: False then."""
    if mask == np.uint64(0):
        return False
    return (read_word(mask, t >> 6) >> np.uint64(t & 63)) & np.uint64(1) != np.uint64(0)


@njit(**OPTIONS)
def first_touch(x, t, end, down, up):
    """First bar in [t, end) whose range reaches `down` or `up` (inclusive), or `end`. Blocks whose extremes reach neither are skipped.

    Bars are asked eight at a time, which compiles to vector comparisons."""
    low, high, low0, high0, low1, high1 = x.low, x.high, x.low0, x.high0, x.low1, x.high1
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
    low, high, low0, high0, low1, high1 = x.low, x.high, x.low0, x.high0, x.low1, x.high1
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
