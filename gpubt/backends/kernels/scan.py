"""Signal masks in numba: comparisons over tiles of bars, one operation at a time, and operations on masks.

`gpubt.strategy.program` says what the codes and masks mean. A tile of 1,024 bars stays in the L1 cache while the whole program
runs over it; a series is read in place, without a copy, except at the two ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, njit, prange, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from gpubt.backends.kernels.bits import OPTIONS
from gpubt.strategy.program import ABS, ADD, COMBINE, CONST, DIV, EQ, GE, GT, LE, LOAD, LT, MAX, MUL, NEG, SUB, VALID, words

TILE = 1024  # bars
STACK = 8  # operands
AND, OR, ANDNOT, NOT, SHIFT, LATCH = range(len(COMBINE))


@intrinsic
def _pointer(typingctx: Any, address: Any) -> Any:
    """The float64 pointer at an integer address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.DoubleType().as_pointer())

    return types.CPointer(types.float64)(types.int64), codegen


@njit(**OPTIONS)
def _values(address, count):
    return carray(_pointer(address), (count,))


@njit(**OPTIONS)
def _arithmetic(op, a, b, out):
    if op == ADD:
        for i in range(TILE):
            out[i] = a[i] + b[i]
    elif op == SUB:
        for i in range(TILE):
            out[i] = a[i] - b[i]
    elif op == MUL:
        for i in range(TILE):
            out[i] = a[i] * b[i]
    elif op == DIV:
        for i in range(TILE):
            out[i] = a[i] / b[i]
    elif op == NEG:
        for i in range(TILE):
            out[i] = -a[i]
    elif op == ABS:
        for i in range(TILE):
            out[i] = abs(a[i])
    elif op == MAX:
        for i in range(TILE):
            out[i] = b[i] if a[i] < b[i] else a[i] if a[i] >= b[i] else np.nan
    else:
        for i in range(TILE):
            out[i] = b[i] if b[i] < a[i] else a[i] if b[i] >= a[i] else np.nan


@njit(**OPTIONS)
def _pack(op, a, b, out):
    """Words of 64 comparisons each. One plain loop an operation, for that is what the compiler vectorises."""
    for w in range(len(out)):
        at = w * 64
        word = np.uint64(0)
        if op == GT:
            for k in range(64):
                word |= np.uint64(a[at + k] > b[at + k]) << np.uint64(k)
        elif op == GE:
            for k in range(64):
                word |= np.uint64(a[at + k] >= b[at + k]) << np.uint64(k)
        elif op == EQ:
            for k in range(64):
                word |= np.uint64(a[at + k] == b[at + k]) << np.uint64(k)
        else:
            for k in range(64):
                word |= np.uint64(a[at + k] != b[at + k]) << np.uint64(k)
        out[w] = word


@njit(**OPTIONS)
def _edge(address, first, n, out):
    """Copy bars first .. first + TILE of a series, NaN where it has none."""
    series = _values(address, n)
    for i in range(TILE):
        t = first + i
        out[i] = series[t] if 0 <= t < n else np.nan


@njit(**OPTIONS)
def _tile(code, addresses, n, lo, buffers, constants, operands, masks):
    """Run the program over bars lo .. lo + TILE. `operands` is the stack: addresses into the series, the buffers or the constants."""
    words_of_tile = masks[:, lo // 64 : min(lo // 64 + TILE // 64, masks.shape[1])]
    top = 0
    for row in range(len(code)):
        op, argument, shift = code[row, 0], code[row, 1], code[row, 2]
        if op == CONST:
            operands[top] = constants + argument * TILE * 8
            top += 1
        elif op == LOAD:
            operands[top] = addresses[argument] + (lo - shift) * 8
            if lo < shift or lo - shift + TILE > n:
                operands[top] = buffers + 2 * top * TILE * 8
                _edge(addresses[argument], lo - shift, n, _values(operands[top], TILE))
            top += 1
        else:
            unary = op in (NEG, ABS, VALID)
            top -= 1 if unary else 2
            a = _values(operands[top], TILE)
            b = _values(operands[top if unary else top + 1], TILE)
            if op < GT:
                # Two buffers a place, so that a result never overwrites its operand: that would keep the loop from vectorising.
                free = buffers + 2 * top * TILE * 8
                operands[top] = free + TILE * 8 if operands[top] == free else free
                _arithmetic(op, a, b, _values(operands[top], TILE))
                top += 1
            elif op in (LT, LE):
                _pack(GT if op == LT else GE, b, a, words_of_tile[argument])
            else:
                _pack(EQ if op == VALID else op, a, b, words_of_tile[argument])


@njit(**OPTIONS)
def _tiles(code, constants, addresses, n, first, last, masks):
    """Tiles first .. last - 1 of every mask."""
    memory = np.empty((2 * STACK + len(constants)) * TILE + 8)
    buffers = (memory.ctypes.data + 63) // 64 * 64  # aligned to a cache line, comparisons run twice as fast
    filled = buffers + 2 * STACK * TILE * 8
    for c in range(len(constants)):
        _fill(_values(filled + c * TILE * 8, TILE), constants[c])
    operands = np.empty(STACK, np.int64)
    for tile in range(first, last):
        _tile(code, addresses, n, tile * TILE, buffers, filled, operands, masks)
    return memory[0]  # a use after the last one through an address, so that the memory is not freed before


@njit(**OPTIONS)
def _fill(tile, value):
    for i in range(TILE):
        tile[i] = value


@njit(parallel=True, **OPTIONS)
def _compare(code, constants, addresses, n, threads, masks):
    tiles = n // TILE + 1
    for chunk in prange(threads):
        _tiles(code, constants, addresses, n, chunk * tiles // threads, (chunk + 1) * tiles // threads, masks)


def compare(
    code: NDArray[np.int64], constants: NDArray[np.float64], series: Sequence[NDArray[Any]], n: int, threads: int
) -> NDArray[np.uint64]:
    """The masks of one pass over `n` bars, end to end, in `threads` parts; the caller has set numba's number of threads."""
    arrays = [np.ascontiguousarray(x, np.float64) for x in series]  # keeps them alive while their addresses are in use
    addresses = np.array([x.ctypes.data for x in arrays], np.int64)
    masks = np.empty((int(np.sum(code[:, 0] >= GT)), words(n)), np.uint64)
    _compare(code, constants, addresses, n, threads, masks)
    masks[:, -1] &= np.uint64((1 << n % 64) - 1)
    return masks.ravel()


@njit(**OPTIONS)
def _moved(mask, w, k):
    """Word w of the mask k bars later."""
    at, part = w - (k >> 6), np.uint64(k & 63)
    high = mask[at] << part if at >= 0 else np.uint64(0)
    # In two steps: a shift by 64 is undefined
    return high | (mask[at - 1] >> np.uint64(1)) >> (np.uint64(63) - part) if at > 0 else high


@njit(**OPTIONS)
def _combine(op, a, b, k, out):
    for w in range(len(out)):
        if op == AND:
            out[w] = a[w] & _moved(b, w, k)
        elif op == OR:
            out[w] = a[w] | _moved(b, w, k)
        elif op == ANDNOT:
            out[w] = a[w] & ~_moved(b, w, k)
        elif op == NOT:
            out[w] = ~a[w]
        else:
            out[w] = _moved(a, w, k)


@njit(**OPTIONS)
def _latch(a, b, k, out):
    """a where the last earlier bar with a bit in a or in b, k bars later, has one in b. The state before each bar is the carry into its
    bit when the words `keep | set` and `set` are added: two ones make a carry, two zeros end it, a one and a zero pass it on."""
    carry = np.uint64(0)
    for w in range(len(out)):
        above, below = a[w], _moved(b, w, k)
        keep = ~above | below
        total = keep + below + carry
        state = keep ^ below ^ total
        out[w] = above & state
        carry = ((keep & below) | ((keep | below) & ~total)) >> np.uint64(63)


def combine(op: str, a: NDArray[np.uint64], b: NDArray[np.uint64] | None, k: int, n: int) -> NDArray[np.uint64]:
    """A new mask over `n` bars: `a op (b << k)`, or `op` of `a` alone."""
    out = np.empty(words(n), np.uint64)
    if op == "latch":
        _latch(a, b, k, out)
    else:
        _combine(COMBINE.index(op), a, a if b is None else b, k, out)
    out[-1] &= np.uint64((1 << n % 64) - 1)
    return out
