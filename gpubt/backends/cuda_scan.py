"""Signal masks on a device, over the kernels of `kernels/scan.cu`: what `gpubt.strategy.program.run` needs, and the
same for many programs of one structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.runtime import Array, Runtime
from gpubt.strategy.program import COMBINE, GT, words

WARP = 32
LATCH_CHUNK = 32  # words a thread of the latch kernels
MEASURE_CHUNK = 32  # and of the measures


@dataclass(frozen=True)
class Layout:
    """Masks over `n` bars of `members` programs, each `stride` words after the one before, in the result `out_stride`."""

    n: int
    members: int = 1
    stride: int = 0
    out_stride: int = 0


def compare(runtime: Runtime, code: NDArray[np.int64], constants: NDArray[np.float64], series: Sequence[Array], n: int) -> Array:
    """The masks of one pass over `n` bars, end to end; `series` are float64 device arrays."""
    masks = runtime.empty(int(np.sum(code[:, 0] >= GT)) * words(n), np.uint64)
    addresses = np.array([runtime.address(x) for x in series], np.uint64)
    compare_members(runtime, code, constants, addresses, Layout(n), masks)
    return masks


def compare_members(
    runtime: Runtime, code: NDArray[np.int64], constants: NDArray[np.float64], addresses: NDArray[np.uint64], at: Layout, masks: Array
) -> None:
    """Every comparison of every member. `constants` and `addresses` of series: shape (members, leaves), of one member also (leaves,)."""
    # An empty table is never read
    tables = [runtime.to_device(table) if table.size else masks for table in (code, constants, addresses)]
    shape = (np.int64(constants.size // at.members), np.int64(at.n), np.int64(at.members), np.int64(at.stride))
    runtime.launch("scan_compare", words(at.n) * at.members * WARP, tables[0], np.int64(len(code)), *tables[1:], *shape, masks)


def combine(runtime: Runtime, op: str, a: Array, b: Array | None, k: int, n: int) -> Array:
    """A new mask over `n` bars: `a op (b << k)`, or `op` of `a` alone."""
    out = runtime.empty(words(n), np.uint64)
    combine_members(runtime, op, a, a if b is None else b, k, Layout(n), out)
    return out


def combine_members(runtime: Runtime, op: str, a: Array, b: Array, k: int, at: Layout, out: Array) -> None:
    """The same for every member, into `out`."""
    given = (a, b, np.int64(k), np.int64(at.n), np.int64(at.members), np.int64(at.stride))
    if op == "latch":
        chunks = -(-words(at.n) // LATCH_CHUNK) * at.members
        left = runtime.empty(chunks, np.int64)
        runtime.launch("scan_latch_left", chunks, *given, left)
        runtime.launch("scan_latch", chunks, *given, left, np.int64(at.out_stride), out)
    else:
        runtime.launch("scan_combine", words(at.n) * at.members, np.int64(COMBINE.index(op)), *given, np.int64(at.out_stride), out)


def measure(runtime: Runtime, name: str, mask: Array, n: int, first: int, params: tuple[float, ...]) -> Array:
    """As `gpubt.strategy.reference.measure`, to the bit."""
    out = runtime.empty(n, np.float64)
    if name == "count":
        runtime.launch("measure_count", words(n), mask, np.int64(n), np.int64(first), np.int64(params[0]), out)
        return out
    chunks = -(-words(n) // MEASURE_CHUNK)
    last = runtime.empty(chunks, np.int64)
    runtime.launch("measure_last", chunks, mask, np.int64(n), last)
    runtime.launch("measure_since", chunks, mask, np.int64(n), np.int64(first), last, out)
    return out
