"""Arithmetic on series in numba, bar by bar."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from gpubt.backends.kernels.bits import OPTIONS

Floats = NDArray[np.float64]

TILE = 1024  # bars of a step that are in the cache at a time
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


@njit(parallel=True, **OPTIONS)
def steps(
    code: NDArray[np.int64], numbers: Floats, leaves: tuple[Floats, ...], backs: NDArray[np.int64], begin: int, threads: int, out: Floats
) -> None:
    """Rows of `code` (operation, places of x, y, z) with their `numbers`, tile by tile from bar `begin` on. A place below len(backs) is a
    leaf, so many bars back; the others are the steps before, of which no more than a tile is there at a time."""
    bars, count, last = len(out) - begin, len(backs), len(code) - 1
    for part in prange(threads):
        tiles = np.empty((last + 1, TILE))
        low, high = begin + bars * part // threads, begin + bars * (part + 1) // threads
        for at in range(low, high, TILE):
            end = min(at + TILE, high)
            for row in range(last + 1):
                x = _tile(leaves, backs, tiles, count, code[row, 1], at, end)
                y = _tile(leaves, backs, tiles, count, code[row, 2], at, end)
                z = _tile(leaves, backs, tiles, count, code[row, 3], at, end)
                to = out[at:end] if row == last else tiles[row, : end - at]
                _part(code[row, 0], x, y, z, numbers[row, 0], numbers[row, 1], to)


@njit(**OPTIONS)
def _tile(leaves: tuple[Floats, ...], backs: NDArray[np.int64], tiles: Floats, count: int, place: int, at: int, end: int) -> Floats:
    """What stands at a place in bars [at, end)."""
    if place < count:
        return leaves[place][at - backs[place] : end - backs[place]]
    return tiles[place - count, : end - at]
