"""Host arrays in the shape that the numba kernels take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.kernels.blocks import COARSE, FINE, Prices, block_extremes

Share = Callable[[Callable[[int, int], None], int, int], None]  # share(work, items, least): work(start, end) over all items


def prices(columns: Mapping[str, NDArray[np.float64]], share: Share) -> Any:
    """The `Prices` of flat float64 columns open, high, low, close, with their block extremes. Coarse ones come from finer ones."""
    low, high, close = columns["low"], columns["high"], columns["close"]
    low8, high8 = extremes(low, high, 8, share)
    low64, high64 = extremes(low8, high8, 8, share)
    low512, high512 = extremes(low64, high64, 8, share)
    bottom, top = extremes(close, close, FINE, share)
    coarse = (*extremes(low512, high512, 8, share), *extremes(bottom, top, COARSE // FINE, share))
    return Prices(columns["open"], high, low, close, low64, high64, bottom, top, *coarse, low8, high8, low512, high512)


def extremes(
    low: NDArray[np.float64], high: NDArray[np.float64], size: int, share: Share
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest `low` and highest `high` of each block of `size` values."""
    blocks = -(-len(low) // size)
    bottom, top = np.empty(blocks), np.empty(blocks)
    columns = np.uint64(low.ctypes.data), np.uint64(high.ctypes.data), len(low)
    share(lambda start, end: block_extremes(*columns, size, bottom, top, start, end), blocks, 4096)
    return bottom, top
