"""What numba lacks: the count of trailing zeros, and reading an array by its address; and the walk over the set bits of a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
# of functions that only jitted functions call: no entry points from Python are compiled, and what they are part of is cached
INNER: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
# of functions that allocate nothing: without reference counts, which threads that share an array would fight for
UNCOUNTED: dict[str, Any] = {"_nrt": False}


@intrinsic
def trailing_zeros(typingctx: Any, word: Any) -> Any:
    """Index of the lowest set bit of a uint64 that is not zero."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


def _read(kind: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], kind.as_pointer())
        return builder.load(builder.gep(pointer, [args[1]]))

    return codegen


@intrinsic
def read(typingctx: Any, address: Any, index: Any) -> Any:
    """The float64 number `index` of the array at `address`."""
    return types.float64(types.uint64, types.int64), _read(ir.DoubleType())


@intrinsic
def read_word(typingctx: Any, address: Any, index: Any) -> Any:
    """The uint64 number `index` of the array at `address`."""
    return types.uint64(types.uint64, types.int64), _read(ir.IntType(64))


@intrinsic
def prefetch(typingctx: Any, address: Any, index: Any) -> Any:
    """Ask for the cache line of the 8-byte value number `index` of the array at `address`, without waiting for it. It need not exist."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        pointer = builder.inttoptr(builder.add(args[0], builder.shl(args[1], ir.Constant(ir.IntType(64), 3))), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, [pointer, ir.Constant(number, 0), ir.Constant(number, 3), ir.Constant(number, 1)])  # read, keep, data
        return context.get_dummy_value()

    return types.void(types.uint64, types.int64), codegen


def record_reader(dtype: Any) -> Any:
    """A function (address, index) for jitted code: the record number `index` of the array of `dtype` at `address`, to read and to write.

    Records are bare pointers. Arrays count references, and passing one to a function costs more than what most of these functions do."""
    record = from_dtype(dtype)

    @intrinsic
    def at(typingctx: Any, address: Any, index: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            offset = builder.mul(args[1], ir.Constant(ir.IntType(64), dtype.itemsize))
            return builder.inttoptr(builder.add(args[0], offset), context.get_value_type(record))

        return record(types.uint64, types.int64), codegen

    return at


@intrinsic
def bit_pattern(typingctx: Any, value: Any) -> Any:
    """The 64 bits of a float64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.uint64(types.float64), codegen


@intrinsic
def increment(typingctx: Any, address: Any, index: Any) -> Any:
    """Add one to the int64 number `index` of the array at `address`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.gep(builder.inttoptr(args[0], ir.IntType(64).as_pointer()), [args[1]])
        builder.store(builder.add(builder.load(pointer), ir.Constant(ir.IntType(64), 1)), pointer)
        return context.get_dummy_value()

    return types.void(types.uint64, types.int64), codegen


@njit(**OPTIONS)
def next_bit_at(mask, t, end):
    """First set bit of the mask at the address `mask` at or after bar `t`, or `end`; 0 is a mask without bits."""
    if t >= end or mask == np.uint64(0):
        return end
    at = t >> 6
    last = (end - 1) >> 6
    word = read_word(mask, at) & (~np.uint64(0) << np.uint64(t & 63))
    while word == np.uint64(0):
        at += 1
        if at > last:
            return end
        word = read_word(mask, at)
    return min((at << 6) + trailing_zeros(word), end)


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
