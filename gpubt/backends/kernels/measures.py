"""Numbers made of a rule's mask, bar by bar: how long ago it held, on how many bars."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gpubt.backends.kernels.bits import OPTIONS
from gpubt.data.bars import empty


@njit(**OPTIONS)
def _holds(mask, t):
    return (mask[t >> 6] >> np.uint64(t & 63)) & np.uint64(1)


@njit(**OPTIONS)
def _since(mask, first, out):
    last = first - 1
    for t in range(first, len(out)):
        if _holds(mask, t):
            last = t
        out[t] = t - last


@njit(**OPTIONS)
def _count(mask, first, length, out):
    held = np.int64(0)
    for t in range(first, len(out)):
        held += np.int64(_holds(mask, t))
        if t - length >= first:
            held -= np.int64(_holds(mask, t - length))
        if t >= first + length - 1:
            out[t] = held


def measure(name: str, mask: NDArray[np.uint64], n: int, first: int, params: tuple[float, ...]) -> NDArray[np.float64]:
    """As `gpubt.strategy.reference.measure`, to the bit."""
    out: NDArray[np.float64] = empty(n, name)
    length = int(params[0]) if name == "count" else 1
    out[: first + length - 1] = np.nan
    if name == "count":
        _count(mask, first, length, out)
    else:
        _since(mask, first, out)
    return out
