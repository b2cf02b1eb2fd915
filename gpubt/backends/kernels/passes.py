"""Passes over blocks of bars, the first look and the hashes, in numba: `gpubt.data.faults` and `gpubt.data.digest` specify them."""

from __future__ import annotations

import numpy as np
from numba import njit

from gpubt.backends.kernels.bits import OPTIONS

INFINITY = np.inf


@njit(**OPTIONS)
def hash_words(words, keys):
    """The sum of the mixed words (uint64). `keys` are at least as long as `words`."""
    total = np.uint64(0)
    for i in range(len(words)):
        mixed = words[i] ^ keys[i]
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        total += mixed ^ (mixed >> np.uint64(27))
    return total


@njit(**OPTIONS)
def steps(time, start, stop):
    """The shortest and the longest step to the rows `start` (at least 1) to `stop` from those before them; 1 and 0 for no rows."""
    shortest, longest = np.int64(2**63 - 1), np.int64(-(2**63))
    for t in range(start, stop):
        step = time[t] - time[t - 1]
        shortest = step if step < shortest else shortest
        longest = step if step > longest else longest
    return (shortest, longest) if start < stop else (np.int64(1), np.int64(0))


@njit(**OPTIONS)
def sound(opened, high, low, closed, start, stop):
    """Whether all prices of rows `start` to `stop` are in order; every comparison with NaN is false."""
    odd = 0
    for t in range(start, stop):
        first, top, bottom, last = opened[t], high[t], low[t], closed[t]
        fine = (bottom > 0.0) & (bottom <= first) & (bottom <= last) & (top >= first) & (top >= last) & (top < INFINITY)
        odd += not fine
    return odd == 0


@njit(**OPTIONS)
def any_away(high, low, start, stop, least):
    """Whether a high stands above, or a low below, those of both neighbours by more than `least`, in rows `start` to `stop`."""
    found = 0
    for t in range(start, stop):
        over = (high[t] - high[t - 1] > least) & (high[t] - high[t + 1] > least)
        found += over | ((low[t - 1] - low[t] > least) & (low[t + 1] - low[t] > least))
    return found > 0
