"""The ledger of a table of entries on a device: rows that no trade took are left out there, and only counts come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.runtime import Array, Runtime
from gpubt.simulate import layout

SIZE = 256  # entries of a block, whose rows one thread moves


def dense(
    runtime: Runtime, put: Callable[[NDArray[Any]], Array], sparse: Array, rows: Array, codes: Array, count: int, width: int
) -> tuple[Array, int, NDArray[np.int64]]:
    """Of `count` entries, each with the first `rows[i]` of `width` rows (bytes) in `sparse`: the rows (bytes) without gaps, positions
    numbered from 0 on, how many they are, and how many entries were skipped, by `layout.SKIPS`. `codes`: why each was, -1 if not."""
    blocks = -(-count // SIZE)
    sums, skipped = runtime.empty(2 * blocks, np.int64), runtime.zeros(len(layout.SKIPS), np.int64)
    entries, size, of = np.int64(count), np.int64(SIZE), np.int64(blocks)
    runtime.launch("list_sums", blocks, rows, codes, entries, size, of, sums, skipped)
    found = runtime.to_host(sums).reshape(2, blocks)
    total = int(found[0].sum())
    if total < count * width:
        before = put((np.cumsum(found, axis=1) - found).ravel())
        packed = runtime.zeros(max(total, 1) * layout.TRADE.itemsize, np.uint8)
        runtime.launch("list_pack", blocks, sparse, rows, entries, np.int64(width), size, of, before, packed)
        sparse = packed
    return sparse, total, runtime.to_host(skipped)


def exit_bars(runtime: Runtime, ledger: Array, count: int) -> tuple[Array, bool]:
    """The exit bars of a ledger's rows, and whether they are in the order of their entries."""
    exits, unsorted = runtime.empty(max(count, 1), np.int64), runtime.zeros(1, np.int64)
    runtime.launch("list_bars", count, ledger, np.int64(count), exits, unsorted)
    return exits, not runtime.to_host(unsorted)[0]
