"""The signal masks of many programs of one structure: tile by tile for all of them, so that a tile of a series that many of them read comes
from the cache; then the operations on masks, program by program. `scan.py` does one program.

Comparisons of the same two operands are made together: their values are loaded once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from gpubt.backends.kernels.bits import INNER, OPTIONS
from gpubt.backends.kernels.scan import AND, ANDNOT, LATCH, NOT, OR, SHIFT, STACK, TILE, _arithmetic, _edge, _fill, _values
from gpubt.strategy.grid import ProgramGrid
from gpubt.strategy.program import ABS, COMBINE, CONST, EQ, GE, GT, LE, LOAD, LT, NE, NEG, VALID, words

ORDER = VALID + 1  # several comparisons of two operands
KINDS = {GT: 0, GE: 1, LT: 2, LE: 3, EQ: 4, NE: 5}
EQUAL = KINDS[EQ]


def _compare64(op: str, ordered: bool) -> Any:
    @intrinsic
    def compare(typingctx: Any, a: Any, b: Any) -> Any:
        """64 comparisons of float64 values at two addresses, one a bit."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = ir.VectorType(ir.DoubleType(), 64)
            x, y = (builder.load(builder.inttoptr(arg, vector.as_pointer()), align=8) for arg in args)
            compared = builder.fcmp_ordered(op, x, y) if ordered else builder.fcmp_unordered(op, x, y)
            return builder.bitcast(compared, ir.IntType(64))

        return types.uint64(types.int64, types.int64), codegen

    return compare


# numpy's != is true on NaN
_gt, _ge, _lt, _le = (_compare64(op, True) for op in (">", ">=", "<", "<="))
_eq, _ne = _compare64("==", True), _compare64("!=", False)


@njit(**INNER)
def order_numbers(a, b, count, masks, slots, row):
    """`order` of tiles without NaN, where two comparisons tell them all."""
    for w in range(count):
        x, y = a + w * 512, b + w * 512
        above, below = _gt(x, y), _lt(x, y)
        if slots[row, 0] >= 0:
            masks[slots[row, 0], w] = above
        if slots[row, 1] >= 0:
            masks[slots[row, 1], w] = ~below
        if slots[row, 2] >= 0:
            masks[slots[row, 2], w] = below
        if slots[row, 3] >= 0:
            masks[slots[row, 3], w] = ~above
        if slots[row, 4] >= 0:
            masks[slots[row, 4], w] = ~(above | below)
        if slots[row, 5] >= 0:
            masks[slots[row, 5], w] = above | below


@njit(**INNER)
def find_clean(addresses, n, lo, clean):
    """Which series have a number on every bar of a tile."""
    for i in range(len(addresses)):
        clean[i] = False
        if addresses[i] != 0 and lo + TILE <= n:
            at, known = addresses[i] + lo * 8, ~np.uint64(0)
            for w in range(TILE // 64):
                known &= _eq(at + w * 512, at + w * 512)
            clean[i] = known == ~np.uint64(0)


@njit(**INNER)
def order(a, b, count, masks, slots, row):
    """All comparisons of the tiles at addresses `a` and `b`, `count` words of the masks whose numbers are in that row of `slots`; -1: not
    wanted."""
    for w in range(count):
        x, y = a + w * 512, b + w * 512
        if slots[row, 0] >= 0:
            masks[slots[row, 0], w] = _gt(x, y)
        if slots[row, 1] >= 0:
            masks[slots[row, 1], w] = _ge(x, y)
        if slots[row, 2] >= 0:
            masks[slots[row, 2], w] = _lt(x, y)
        if slots[row, 3] >= 0:
            masks[slots[row, 3], w] = _le(x, y)
        if slots[row, 4] >= 0:
            masks[slots[row, 4], w] = _eq(x, y)
        if slots[row, 5] >= 0:
            masks[slots[row, 5], w] = _ne(x, y)


@njit(**INNER)
def one_tile(code, slots, leaves, g, addresses, constants, clean, n, lo, count, buffers, operands, numbers, masks):
    """`scan._tile`, `count` words of it, with the leaves of program `g` in the order of their use: numbers of `addresses` (0: a constant)
    and `constants`. `numbers` tells of each operand whether it is surely without NaN."""
    top, leaf = 0, 0
    for row in range(len(code)):
        op, shift = code[row, 0], code[row, 2]
        if op in (LOAD, CONST):
            free = buffers + 2 * top * TILE * 8
            numbers[top] = False
            if op == CONST:
                _fill(_values(free, TILE), constants[leaves[g, leaf]])
                operands[top] = free
            elif lo < shift or lo - shift + TILE > n:
                _edge(addresses[leaves[g, leaf]], lo - shift, n, _values(free, TILE))
                operands[top] = free
            else:
                operands[top] = addresses[leaves[g, leaf]] + (lo - shift) * 8
                numbers[top] = shift == 0 and clean[leaves[g, leaf]]
            leaf += 1
            top += 1
        elif op == ORDER:
            top -= 2
            if numbers[top] and numbers[top + 1]:
                order_numbers(operands[top], operands[top + 1], count, masks, slots, row)
            else:
                order(operands[top], operands[top + 1], count, masks, slots, row)
        elif op == VALID:
            top -= 1
            order(operands[top], operands[top], count, masks, slots, row)
        else:
            unary = op in (NEG, ABS)
            top -= 1 if unary else 2
            free = buffers + 2 * top * TILE * 8
            a, b = _values(operands[top], TILE), _values(operands[top if unary else top + 1], TILE)
            operands[top] = free + TILE * 8 if operands[top] == free else free
            _arithmetic(op, a, b, _values(operands[top], TILE))
            numbers[top] = False
            top += 1


@njit(**OPTIONS)
def run_programs(code, slots, compared, steps, outputs, leaves, addresses, constants, n, first, last, out):
    """Programs [first, last), whose leaves are rows of `leaves`, tile by tile: their comparisons, then the operations on masks. A row of
    `steps` is (slot, operation, a, b, shift); slots below `compared` are comparisons. What a shift moves past the end of a tile waits in
    `carried`."""
    memory = np.empty(2 * STACK * TILE + 8)
    buffers = (memory.ctypes.data + 63) // 64 * 64
    operands, numbers, clean = np.empty(STACK, np.int64), np.zeros(STACK, np.bool_), np.zeros(len(addresses), np.bool_)
    masks = np.zeros((compared + len(steps), TILE // 64), np.uint64)
    reach = 1
    for i in range(len(steps)):
        reach = max(reach, (steps[i, 4] >> 6) + 1)  # words
    carried = np.zeros((last - first, len(steps), reach), np.uint64)
    tail, size = (np.uint64(1) << np.uint64(n & 63)) - np.uint64(1), n // 64 + 1
    for tile in range(n // TILE + 1):
        at = tile * (TILE // 64)
        count = min(TILE // 64, size - at)
        find_clean(addresses, n, tile * TILE, clean)
        for g in range(first, last):
            one_tile(code, slots, leaves, g, addresses, constants, clean, n, tile * TILE, count, buffers, operands, numbers, masks)
            if at + count == size:
                for m in range(compared):
                    masks[m, count - 1] &= tail
            for i in range(len(steps)):
                combine(steps, i, masks, compared + i, count, carried, g - first)
                if at + count == size:
                    masks[compared + i, count - 1] &= tail
            for i in range(len(outputs)):
                for w in range(count):
                    out[g, i, at + w] = masks[outputs[i], w]
    return memory[0]  # a use after the last one through an address, so that the memory is not freed before


@njit(**INNER)
def combine(steps, i, masks, to, count, carried, g):
    """`scan.combine` of `count` words of step `i`. `carried[g, i]` are the last words of what is shifted, the latest last; of a latch its
    state."""
    op, a, b, k = steps[i, 1], steps[i, 2], steps[i, 3], steps[i, 4]
    if op == LATCH:
        state = carried[g, i, 0]
        for w in range(count):
            above, below = masks[a, w], masks[b, w]
            keep = ~above | below
            total = keep + below + state
            masks[to, w] = above & (keep ^ below ^ total)
            state = ((keep & below) | ((keep | below) & ~total)) >> np.uint64(63)
        carried[g, i, 0] = state
    elif op == NOT:
        for w in range(count):
            masks[to, w] = ~masks[a, w]
    elif k == 0:
        for w in range(count):
            masks[to, w] = joined(op, masks[a, w], masks[b, w]) if op != SHIFT else masks[a, w]
    elif k < 64:
        part = np.uint64(k)
        before = carried[g, i, 0]
        for w in range(count):
            own = masks[b, w]
            masks[to, w] = joined(op, masks[a, w], own << part | before >> (np.uint64(64) - part))
            before = own
        carried[g, i, carried.shape[2] - 1] = before
        carried[g, i, 0] = before
    else:
        moved_far(op, a, b, k, masks, to, count, carried, g, i)


@njit(**INNER)
def joined(op, x, moved):
    if op == AND:
        return x & moved
    if op == OR:
        return x | moved
    return x & ~moved if op == ANDNOT else moved


@njit(**INNER)
def moved_far(op, a, b, k, masks, to, count, carried, g, i):
    """The same with mask `b` moved by `k` bars, 64 or more."""
    back, part, kept = k >> 6, np.uint64(k & 63), carried.shape[2]
    for w in range(count):
        high, low = w - back, w - back - 1
        x = masks[b, high] if high >= 0 else carried[g, i, kept + high]
        y = masks[b, low] if low >= 0 else carried[g, i, kept + low]
        # in two steps: a shift by 64 is undefined
        masks[to, w] = joined(op, masks[a, w], (x << part) | ((y >> np.uint64(1)) >> (np.uint64(63) - part)))
    for j in range(kept):  # the last words of what has been seen
        source = count - kept + j
        carried[g, i, j] = masks[b, source] if source >= 0 else carried[g, i, j + count]


class Structure:
    """The code that all programs of a grid share, as arrays; `kept` are the leaves that it loads."""

    def __init__(self, grid: ProgramGrid) -> None:
        numbers = {slot: i for i, (slot, _) in enumerate(grid.atoms)}
        rows: list[tuple[int, int, int]] = []
        slots: list[list[int]] = []
        self.kept: list[int] = []
        together: dict[Any, int] = {}
        leaf = 0
        for slot, own in grid.atoms:
            places = range(leaf, leaf + sum(row[1] is not None for row in own))
            leaf += len(places)
            op = own[-1][0]
            # of the same operands, in every member
            key = (tuple((row[0], row[2]) for row in own[:-1]), op == VALID, grid.of[:, places].tobytes())
            if key in together:
                slots[together[key]][KINDS.get(op, EQUAL)] = numbers[slot]
                continue
            rows += [(ORDER if row[0] in KINDS else row[0], 0, row[2]) for row in own]
            slots += [[-1] * len(KINDS) for _ in own]
            slots[-1][KINDS.get(op, EQUAL)] = numbers[slot]  # VALID asks whether x == x
            together[key] = len(rows) - 1
            self.kept += places
        self.code, self.slots = np.array(rows, np.int64), np.array(slots, np.int64)
        place = numbers | {step.target: len(numbers) + i for i, step in enumerate(grid.combines)}
        steps = [(place[s.target], COMBINE.index(s.op), place[s.a], place[s.a if s.b is None else s.b], s.k) for s in grid.combines]
        self.steps = np.array(steps, np.int64).reshape(-1, 5)
        self.outputs = np.array([place[slot] for slot in grid.outputs.values()], np.int64)
        self.compared = len(numbers)


def run_grid(
    structure: Structure,
    leaves: NDArray[np.int64],
    addresses: NDArray[np.int64],
    constants: NDArray[np.float64],
    n: int,
    share: Any,
) -> NDArray[np.uint64]:
    """The outputs of every program, shape (programs, outputs, words). `leaves` has a row a program and a column for each kept leaf: numbers
    of `addresses` (0: a constant) and `constants`."""
    out = np.empty((len(leaves), len(structure.outputs), words(n)), np.uint64)
    code = (structure.code, structure.slots, structure.compared, structure.steps, structure.outputs)
    share(lambda first, last: run_programs(*code, leaves, addresses, constants, n, first, last, out), len(leaves), 1)
    return out
