"""Host arrays in the shape that the numba kernels take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.kernels.fills import COARSE, FINE, Prices, block_extremes

Share = Callable[[Callable[[int, int], None], int, int], None]  # share(work, items, least): work(start, end) over all items


def prices(columns: Mapping[str, NDArray[np.float64]], share: Share) -> Any:
    """The `Prices` of flat float64 columns open, high, low, close, with their block extremes. The coarse ones come from the fine ones."""
    fine = [extremes(columns[low], columns[high], FINE, share) for low, high in (("low", "high"), ("close", "close"))]
    coarse = [extremes(bottom, top, COARSE // FINE, share) for bottom, top in fine]
    return Prices(*(columns[name] for name in ("open", "high", "low", "close")), *sum([*fine, *coarse], ()))


def extremes(
    low: NDArray[np.float64], high: NDArray[np.float64], size: int, share: Share
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest `low` and highest `high` of each block of `size` values."""
    blocks = -(-len(low) // size)
    bottom, top = np.empty(blocks), np.empty(blocks)
    share(lambda start, end: block_extremes(low, high, size, bottom, top, start, end), blocks, 4096)
    return bottom, top
