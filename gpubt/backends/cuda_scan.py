"""Signal masks on a device: what `gpubt.strategy.program.run` needs, over the kernels of `kernels/scan.cu`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.runtime import Array, Runtime
from gpubt.strategy.program import COMBINE, GT, words

WARP = 32
LATCH_CHUNK = 32  # words a thread of the latch kernels


def compare(runtime: Runtime, code: NDArray[np.int64], constants: NDArray[np.float64], series: Sequence[Array], n: int) -> Array:
    """The masks of one pass over `n` bars, end to end; `series` are float64 device arrays."""
    masks = runtime.empty(int(np.sum(code[:, 0] >= GT)) * words(n), np.uint64)
    addresses = np.array([runtime.address(x) for x in series], np.int64)
    # An empty table is never read
    tables = [runtime.to_device(table) if table.size else masks for table in (code.ravel(), constants, addresses)]
    runtime.launch("scan_compare", words(n) * WARP, tables[0], np.int64(len(code)), tables[1], tables[2], np.int64(n), masks)
    return masks


def combine(runtime: Runtime, op: str, a: Array, b: Array | None, k: int, n: int) -> Array:
    """A new mask over `n` bars: `a op (b << k)`, or `op` of `a` alone."""
    out = runtime.empty(words(n), np.uint64)
    if op == "latch":
        chunks = -(-words(n) // LATCH_CHUNK)
        left = runtime.empty(chunks, np.int64)
        runtime.launch("scan_latch_left", chunks, a, b, np.int64(k), np.int64(n), left)
        runtime.launch("scan_latch", chunks, a, b, np.int64(k), np.int64(n), left, out)
        return out
    runtime.launch("scan_combine", words(n), np.int64(COMBINE.index(op)), a, a if b is None else b, np.int64(k), np.int64(n), out)
    return out
