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
def order(a, b, count, masks, slots):
    """All comparisons of the tiles at addresses `a` and `b`, `count` words of the masks whose numbers are in `slots`; -1: not wanted."""
    for w in range(count):
        x, y = a + w * 512, b + w * 512
        if slots[0] >= 0:
            masks[slots[0], w] = _gt(x, y)
        if slots[1] >= 0:
            masks[slots[1], w] = _ge(x, y)
        if slots[2] >= 0:
            masks[slots[2], w] = _lt(x, y)
        if slots[3] >= 0:
            masks[slots[3], w] = _le(x, y)
        if slots[4] >= 0:
            masks[slots[4], w] = _eq(x, y)
        if slots[5] >= 0:
            masks[slots[5], w] = _ne(x, y)


@njit(**INNER)
def one_tile(code, slots, addresses, constants, n, lo, count, buffers, operands, masks):
    """`scan._tile`, `count` words of it, with leaves in the order of their use: of `addresses` (0: a constant) and `constants`."""
    top, leaf = 0, 0
    for row in range(len(code)):
        op, shift = code[row, 0], code[row, 2]
        if op in (LOAD, CONST):
            free = buffers + 2 * top * TILE * 8
            if op == CONST:
                _fill(_values(free, TILE), constants[leaf])
                operands[top] = free
            elif lo < shift or lo - shift + TILE > n:
                _edge(addresses[leaf], lo - shift, n, _values(free, TILE))
                operands[top] = free
            else:
                operands[top] = addresses[leaf] + (lo - shift) * 8
            leaf += 1
            top += 1
        elif op == ORDER:
            top -= 2
            order(operands[top], operands[top + 1], count, masks, slots[row])
        elif op == VALID:
            top -= 1
            order(operands[top], operands[top], count, masks, slots[row])
        else:
            unary = op in (NEG, ABS)
            top -= 1 if unary else 2
            free = buffers + 2 * top * TILE * 8
            a, b = _values(operands[top], TILE), _values(operands[top if unary else top + 1], TILE)
            operands[top] = free + TILE * 8 if operands[top] == free else free
            _arithmetic(op, a, b, _values(operands[top], TILE))
            top += 1


@njit(**OPTIONS)
def run_programs(code, slots, compared, steps, outputs, addresses, constants, n, first, last, out):
    """Programs [first, last), tile by tile: their comparisons, then the operations on masks, whose rows in `steps` are (slot, operation,
    a, b, shift). Slots below `compared` are comparisons. What a shift moves past the end of a tile waits in `carried`."""
    memory = np.empty(2 * STACK * TILE + 8)
    buffers = (memory.ctypes.data + 63) // 64 * 64
    operands = np.empty(STACK, np.int64)
    masks = np.zeros((compared + len(steps), TILE // 64), np.uint64)
    reach = 1
    for i in range(len(steps)):
        reach = max(reach, (steps[i, 4] >> 6) + 1)
    carried = np.zeros((last - first, len(steps), reach), np.uint64)
    tail, size = (np.uint64(1) << np.uint64(n & 63)) - np.uint64(1), n // 64 + 1
    for tile in range(n // TILE + 1):
        at = tile * (TILE // 64)
        count = min(TILE // 64, size - at)
        for g in range(first, last):
            one_tile(code, slots, addresses[g], constants[g], n, tile * TILE, count, buffers, operands, masks)
            if at + count == size:
                for m in range(compared):
                    masks[m, count - 1] &= tail
            for i in range(len(steps)):
                target = masks[compared + i]
                combine(steps[i, 1], masks[steps[i, 2]], masks[steps[i, 3]], steps[i, 4], count, carried[g - first, i], target)
                if at + count == size:
                    target[count - 1] &= tail
            for i in range(len(outputs)):
                source = masks[outputs[i]]
                for w in range(count):
                    out[g, i, at + w] = source[w]
    return memory[0]  # a use after the last one through an address, so that the memory is not freed before


@njit(**INNER)
def combine(op, a, b, k, count, carried, out):
    """`scan.combine` of `count` words of a step. `carried` are the last words of what is shifted, the latest last; of a latch its state."""
    if op == LATCH:
        state = carried[0]
        for w in range(count):
            below = b[w]
            keep = ~a[w] | below
            total = keep + below + state
            out[w] = a[w] & (keep ^ below ^ total)
            state = ((keep & below) | ((keep | below) & ~total)) >> np.uint64(63)
        carried[0] = state
    elif op == NOT:
        for w in range(count):
            out[w] = ~a[w]
    elif k == 0:
        for w in range(count):
            out[w] = a[w] & b[w] if op == AND else a[w] | b[w] if op == OR else a[w] & ~b[w] if op == ANDNOT else a[w]
    else:
        moved_by(op, a, a if op == SHIFT else b, k, count, carried, out)


@njit(**INNER)
def moved_by(op, a, b, k, count, carried, out):
    """The same with `b` moved by `k` bars, 1 or more."""
    back, part, last = k >> 6, np.uint64(k & 63), len(carried) - 1
    for w in range(count):
        high, low = w - back, w - back - 1
        x = b[high] if high >= 0 else carried[last + 1 + high]
        y = b[low] if low >= 0 else carried[last + 1 + low]
        # in two steps: a shift by 64 is undefined
        moved = (x << part) | ((y >> np.uint64(1)) >> (np.uint64(63) - part))
        out[w] = a[w] & moved if op == AND else a[w] | moved if op == OR else a[w] & ~moved if op == ANDNOT else moved
    for i in range(len(carried)):  # the last words of what has been seen
        source = count - len(carried) + i
        carried[i] = b[source] if source >= 0 else carried[i + count]


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


def run_grid(structure: Structure, addresses: NDArray[np.int64], constants: NDArray[np.float64], n: int, share: Any) -> NDArray[np.uint64]:
    """The outputs of every program, shape (programs, outputs, words). `addresses` and `constants` have a column for each kept leaf."""
    out = np.empty((len(addresses), len(structure.outputs), words(n)), np.uint64)
    code = (structure.code, structure.slots, structure.compared, structure.steps, structure.outputs)
    share(lambda first, last: run_programs(*code, addresses, constants, n, first, last, out), len(addresses), 1)
    return out
