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
from gpubt.backends.kernels.scan import STACK, TILE, _arithmetic, _edge, _fill, _latch, _moved, _values
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


_gt, _ge, _lt, _le = (_compare64(op, True) for op in (">", ">=", "<", "<="))
_eq, _ne = _compare64("==", True), _compare64("!=", False)


@njit(**INNER)
def order(a, b, at, count, masks, slots):
    """All comparisons of the tiles at addresses `a` and `b`; words `at` to `at + count` of the masks whose numbers are in `slots`, -1: not
    wanted."""
    for w in range(count):
        x, y = a + w * 512, b + w * 512
        if slots[0] >= 0:
            masks[slots[0], at + w] = _gt(x, y)
        if slots[1] >= 0:
            masks[slots[1], at + w] = _ge(x, y)
        if slots[2] >= 0:
            masks[slots[2], at + w] = _lt(x, y)
        if slots[3] >= 0:
            masks[slots[3], at + w] = _le(x, y)
        if slots[4] >= 0:
            masks[slots[4], at + w] = _eq(x, y)
        if slots[5] >= 0:
            masks[slots[5], at + w] = _ne(x, y)


@njit(**INNER)
def one_tile(code, slots, addresses, constants, n, lo, buffers, operands, masks):
    """`scan._tile` with leaves in the order of their use: of `addresses` (0: a constant) and `constants`."""
    at = lo // 64
    count = min(TILE // 64, masks.shape[1] - at)
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
            order(operands[top], operands[top + 1], at, count, masks, slots[row])
        elif op == VALID:
            top -= 1
            order(operands[top], operands[top], at, count, masks, slots[row])
        else:
            unary = op in (NEG, ABS)
            top -= 1 if unary else 2
            free = buffers + 2 * top * TILE * 8
            a, b = _values(operands[top], TILE), _values(operands[top if unary else top + 1], TILE)
            operands[top] = free + TILE * 8 if operands[top] == free else free
            _arithmetic(op, a, b, _values(operands[top], TILE))
            top += 1


@njit(**OPTIONS)
def compare_tiles(code, slots, addresses, constants, n, first, last, masks):
    """Tiles [first, last) of the comparisons of every program: `masks[g]` are those of program g, whose leaves are row g of `addresses`
    and `constants`."""
    memory = np.empty(2 * STACK * TILE + 8)
    buffers = (memory.ctypes.data + 63) // 64 * 64
    operands = np.empty(STACK, np.int64)
    for tile in range(first, last):
        for g in range(len(addresses)):
            one_tile(code, slots, addresses[g], constants[g], n, tile * TILE, buffers, operands, masks[g])
    return memory[0]  # a use after the last one through an address, so that the memory is not freed before


@njit(**OPTIONS)
def combine_all(steps, outputs, tail, masks, scratch, out, first, last):
    """The operations on masks of programs [first, last), and their outputs. `steps` has rows (slot, operation, a, b, shift); slots up to
    the number of comparisons are in `masks`, the others in `scratch`; `tail` keeps the bits of the last word that are bars."""
    compared = masks.shape[1]
    for g in range(first, last):
        for m in range(compared):
            masks[g, m, -1] &= tail
        for i in range(len(steps)):
            target = scratch[steps[i, 0] - compared]
            a = masks[g, steps[i, 2]] if steps[i, 2] < compared else scratch[steps[i, 2] - compared]
            b = masks[g, steps[i, 3]] if steps[i, 3] < compared else scratch[steps[i, 3] - compared]
            combine_one(steps[i, 1], a, b, steps[i, 4], target)
            target[-1] &= tail
        for i in range(len(outputs)):
            source = masks[g, outputs[i]] if outputs[i] < compared else scratch[outputs[i] - compared]
            for w in range(len(source)):
                out[g, i, w] = source[w]


@njit(**INNER)
def combine_one(op, a, b, k, out):
    """`scan.combine` of one step."""
    if op == 5:
        _latch(a, b, k, out)
    elif k == 0 and op < 3:
        for w in range(len(out)):
            out[w] = a[w] & b[w] if op == 0 else a[w] | b[w] if op == 1 else a[w] & ~b[w]
    elif op == 3:
        for w in range(len(out)):
            out[w] = ~a[w]
    elif k > 0 and k < 64 and op < 3:
        part = np.uint64(k)
        before = np.uint64(0)
        for w in range(len(out)):
            moved = (b[w] << part) | (before >> (np.uint64(64) - part))
            before = b[w]
            out[w] = a[w] & moved if op == 0 else a[w] | moved if op == 1 else a[w] & ~moved
    else:
        for w in range(len(out)):
            moved = _moved(a if op == 4 else b, w, k)
            out[w] = a[w] & moved if op == 0 else a[w] | moved if op == 1 else a[w] & ~moved if op == 2 else moved


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
        self.compared, self.combined = len(numbers), len(steps)


def run_grid(structure: Structure, addresses: NDArray[np.int64], constants: NDArray[np.float64], n: int, share: Any) -> NDArray[np.uint64]:
    """The outputs of every program, shape (programs, outputs, words). `addresses` and `constants` have a column for each kept leaf."""
    count, tiles = len(addresses), n // TILE + 1
    masks = np.empty((count, structure.compared, words(n)), np.uint64)
    out = np.empty((count, len(structure.outputs), words(n)), np.uint64)
    share(lambda a, z: compare_tiles(structure.code, structure.slots, addresses, constants, n, a, z, masks), tiles, 8)
    tail = np.uint64((1 << n % 64) - 1)

    def combine(first: int, last: int) -> None:
        scratch = np.empty((max(1, structure.combined), words(n)), np.uint64)
        combine_all(structure.steps, structure.outputs, tail, masks, scratch, out, first, last)

    share(combine, count, 1)
    return out
