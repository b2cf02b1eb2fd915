"""The block index: extremes of blocks of bars, which prove that nothing is touched inside.

`Prices` are flat float64 arrays: the four columns; the lowest low and highest high of blocks of 8, 64 (0), 512 and 4,096 (1) bars; the
lowest and highest close of blocks of 64 and 4,096.
"""

from __future__ import annotations

from collections import namedtuple

from numba import njit

from gpubt.backends.kernels.bits import OPTIONS, read

FINE, COARSE = 64, 4096
Prices = namedtuple("Prices", "open high low close low0 high0 bottom0 top0 low1 high1 bottom1 top1 low8 high8 low512 high512")


@njit(**OPTIONS)
def lesser(a, b):
    return a if a < b else b


@njit(**OPTIONS)
def larger(a, b):
    return a if a > b else b


@njit(**OPTIONS)
def lowest8(v, i):
    """The lowest of 8 values from `i` of the array at `v`; as a tree, because a chain waits for each comparison."""
    left = lesser(lesser(read(v, i), read(v, i + 1)), lesser(read(v, i + 2), read(v, i + 3)))
    right = lesser(lesser(read(v, i + 4), read(v, i + 5)), lesser(read(v, i + 6), read(v, i + 7)))
    return lesser(left, right)


@njit(**OPTIONS)
def highest8(v, i):
    """The highest."""
    left = larger(larger(read(v, i), read(v, i + 1)), larger(read(v, i + 2), read(v, i + 3)))
    right = larger(larger(read(v, i + 4), read(v, i + 5)), larger(read(v, i + 6), read(v, i + 7)))
    return larger(left, right)


@njit(**OPTIONS)
def block_extremes(low, high, n, size, bottom, top, start, end):
    """Lowest `low` and highest `high` (addresses of `n` values) of blocks [start, end) of `size` values, a multiple of 8; the last block
    may be short."""
    for b in range(start, end):
        first = b * size
        stop = min(n, first + size)
        a, z = read(low, first), read(high, first)
        i = first
        while i + 8 <= stop:
            a, z = lesser(a, lowest8(low, i)), larger(z, highest8(high, i))
            i += 8
        while i < stop:
            a, z = lesser(a, read(low, i)), larger(z, read(high, i))
            i += 1
        bottom[b] = a
        top[b] = z
