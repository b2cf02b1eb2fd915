"""Bit masks in numba: the count of trailing zeros that it lacks, and the walk over set bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


@intrinsic
def trailing_zeros(typingctx: Any, word: Any) -> Any:
    """Index of the lowest set bit of a uint64 that is not zero."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@njit(**OPTIONS)
def next_bit(mask, t, end):
    """First set bit of `mask` at or after bar `t`, or `end` when there is none before it."""
    if t >= end:
        return end
    at = t >> 6
    last = (end - 1) >> 6
    word = mask[at] & (~np.uint64(0) << np.uint64(t & 63))
    while word == np.uint64(0):
        at += 1
        if at > last:
            return end
        word = mask[at]
    return min((at << 6) + trailing_zeros(word), end)
