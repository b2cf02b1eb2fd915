"""A market as kernels see it: `x`, a record of the addresses of `layout.TABLE`; single values, and searches that skip blocks of bars."""

from __future__ import annotations

import numpy as np
from numba import njit

from gpubt.backends.kernels.bits import INNER, prefetch, read, read_word
from gpubt.simulate import layout as k

FINE, COARSE = 64, 4096
INF = np.inf

TABLE = np.dtype([(name, "u8") for name in k.TABLE])


@njit(**INNER)
def optional(series, t):
    """A series that may be missing: NaN then."""
    return read(series, t) if series != np.uint64(0) else np.nan


@njit(**INNER)
def bit(mask, t):
    """Bar `t` of a mask that may be missing: False then."""
    if mask == np.uint64(0):
        return False
    return (read_word(mask, t >> 6) >> np.uint64(t & 63)) & np.uint64(1) != np.uint64(0)


@njit(**INNER)
def first_touch(x, s, t, end, down, up):
    """First bar in [t, end) whose range reaches `down` or `up` (inclusive), or `end`; blocks whose extremes reach neither are skipped.

    `s.lowest` and `s.highest` take in the bars before it.
    """
    lowest, highest = s.lowest, s.highest
    while t < end:
        step, a, z = 0, 0.0, 0.0
        if (t & 63) == 0:  # coarse blocks first: fine ones are more to read
            if (t & 511) == 0:
                if (t & 4095) == 0 and t + 4096 <= end:
                    step, a, z = 4096, read(x.low1, t >> 12), read(x.high1, t >> 12)
                if t + 512 <= end and (step == 0 or not (a > down and z < up)):
                    step, a, z = 512, read(x.low512, t >> 9), read(x.high512, t >> 9)
            if t + 64 <= end and (step == 0 or not (a > down and z < up)):
                step, a, z = 64, read(x.low0, t >> 6), read(x.high0, t >> 6)
        if (t & 7) == 0 and t + 8 <= end and (step == 0 or not (a > down and z < up)):
            step, a, z = 8, read(x.low8, t >> 3), read(x.high8, t >> 3)
        if step != 0 and a > down and z < up:
            lowest = a if a < lowest else lowest
            highest = z if z > highest else highest
            t += step
            continue
        prefetch(x.open, t)  # the exit is near
        prefetch(x.close, t)
        stop = min(end, (t | 7) + 1)
        while t < stop:
            a, z = read(x.low, t), read(x.high, t)
            if a <= down or z >= up:
                s.lowest, s.highest = lowest, highest
                return t
            lowest = a if a < lowest else lowest
            highest = z if z > highest else highest
            t += 1
    s.lowest, s.highest = lowest, highest
    return end


@njit(**INNER)
def extremes(x, t, end, lowest, highest):
    """Lowest low and highest high of bars [t, end), with what was seen before."""
    while t < end:
        if (t & 63) == 0 and t + 64 <= end:
            if (t & 4095) == 0 and t + 4096 <= end:
                a, z, t = read(x.low1, t >> 12), read(x.high1, t >> 12), t + 4096
            else:
                a, z, t = read(x.low0, t >> 6), read(x.high0, t >> 6), t + 64
        elif (t & 7) == 0 and t + 8 <= end:
            a, z, t = read(x.low8, t >> 3), read(x.high8, t >> 3), t + 8
        else:
            a, z, t = read(x.low, t), read(x.high, t), t + 1
        lowest = a if a < lowest else lowest
        highest = z if z > highest else highest
    return lowest, highest
