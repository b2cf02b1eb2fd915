"""The signal masks of many programs of one structure: tile by tile for all of them, so that a tile of a series that many of them read comes
from the cache; then the operations on masks, program by program. `scan.py` does one program.

Comparisons of the same two operands are made together: their values are loaded once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gpubt.backends.kernels.bits import INNER, OPTIONS, UNCOUNTED, read
from gpubt.backends.kernels.scan import AND, ANDNOT, LATCH, NOT, OR, STACK, TILE
from gpubt.backends.kernels.tiles import (
    LEAD,
    STRIDE,
    WORDS,
    add,
    at_row,
    both,
    deliver,
    delivered,
    divide,
    either,
    equal,
    greater,
    greater_equal,
    greater_less,
    inverse,
    larger,
    less,
    less_equal,
    magnitude,
    moved_along,
    multiply,
    negate,
    neither,
    not_equal,
    smaller,
    subtract,
    without,
    write,
)
from gpubt.data.bars import empty
from gpubt.strategy.grid import ProgramGrid
from gpubt.strategy.program import ABS, ADD, COMBINE, CONST, DIV, EQ, GE, GT, LE, LOAD, LT, MAX, MUL, NE, NEG, SUB, VALID, words

ORDER = VALID + 1  # several comparisons of two operands
KINDS = {GT: 0, GE: 1, LT: 2, LE: 3, EQ: 4, NE: 5}
EQUAL = KINDS[EQ]
WORTH = 200_000  # bars times programs that are worth a thread
# Of comparisons of tiles without NaN: slots of x > y and x < y (-1: not wanted), then of what follows from them
ABOVE, BELOW, NOT_BELOW, NOT_ABOVE, NEITHER, EITHER = range(6)


@njit(**INNER, **UNCOUNTED)
def order_numbers(a, b, rows, wanted, row):
    """Of tiles without NaN two comparisons tell all; `wanted[row]` are slots by ABOVE ... EITHER."""
    above, below = wanted[row, ABOVE], wanted[row, BELOW]
    x, y = at_row(rows, above), at_row(rows, below)
    if above >= 0 and below >= 0:
        for i in range(TILE // 8):
            greater_less(a + i * 64, b + i * 64, (x, y), i)
    elif above >= 0:
        for i in range(TILE // 8):
            greater(a + i * 64, b + i * 64, (x,), i)
    else:
        for i in range(TILE // 8):
            less(a + i * 64, b + i * 64, (y,), i)


@njit(**INNER, **UNCOUNTED)
def follow(code, wanted, clean_rows, rows):
    """What follows from the comparisons that `order_numbers` made."""
    for row in range(len(code)):
        if not clean_rows[row]:
            continue
        x, y = at_row(rows, wanted[row, ABOVE]), at_row(rows, wanted[row, BELOW])
        if wanted[row, NOT_BELOW] >= 0:
            inverse(at_row(rows, wanted[row, NOT_BELOW]), y, y, 0)
        if wanted[row, NOT_ABOVE] >= 0:
            inverse(at_row(rows, wanted[row, NOT_ABOVE]), x, x, 0)
        if wanted[row, NEITHER] >= 0:
            neither(at_row(rows, wanted[row, NEITHER]), x, y, 0)
        if wanted[row, EITHER] >= 0:
            either(at_row(rows, wanted[row, EITHER]), x, y, 0)


@njit(**INNER, **UNCOUNTED)
def arithmetic(op, to, a, b):
    """As `scan.py` does it."""
    for i in range(0, TILE * 8, 64):
        if op == ADD:
            add(to + i, a + i, b + i)
        elif op == SUB:
            subtract(to + i, a + i, b + i)
        elif op == MUL:
            multiply(to + i, a + i, b + i)
        elif op == DIV:
            divide(to + i, a + i, b + i)
        elif op == NEG:
            negate(to + i, a + i, a + i)
        elif op == ABS:
            magnitude(to + i, a + i, a + i)
        elif op == MAX:
            larger(to + i, a + i, b + i)
        else:
            smaller(to + i, a + i, b + i)


@njit(**INNER, **UNCOUNTED)
def copy_bars(series, first, n, beyond, to):
    """Bars first .. first + TILE of the series at an address; `beyond` where it has none."""
    for i in range(TILE):
        write(to, i, read(np.uint64(series), first + i) if 0 <= first + i < n else beyond)


@njit(**INNER, **UNCOUNTED)
def find_tiles(addresses, n, lo, ends, masks, tiles, clean):
    """Where the tile of each series is, and whether it has a number on every bar. Beyond the last bar are zeros, in `ends`: no output has
    them."""
    spare = len(masks) - 1
    scratch = at_row(masks.ctypes.data, spare)
    for i in range(len(addresses)):
        tiles[i], clean[i] = addresses[i] + lo * 8, False
        if addresses[i] == 0:
            continue
        if lo + TILE > n:
            tiles[i] = ends[i:].ctypes.data
            copy_bars(addresses[i], lo, n, 0.0, tiles[i])
        known = ~np.uint64(0)
        for j in range(TILE // 8):
            equal(tiles[i] + j * 64, tiles[i] + j * 64, (scratch,), j)
        for w in range(LEAD, LEAD + WORDS):
            known &= masks[spare, w]
        clean[i] = known == ~np.uint64(0)


@njit(**INNER, **UNCOUNTED)
def order(a, b, rows, slots, row):
    """All comparisons of the tiles at addresses `a` and `b` into the masks whose numbers are in that row of `slots`; -1: not wanted."""
    for kind in range(6):
        if slots[row, kind] < 0:
            continue
        to = at_row(rows, slots[row, kind])
        for i in range(TILE // 8):
            x, y = a + i * 64, b + i * 64
            if kind == 0:
                greater(x, y, (to,), i)
            elif kind == 1:
                greater_equal(x, y, (to,), i)
            elif kind == 2:
                less(x, y, (to,), i)
            elif kind == 3:
                less_equal(x, y, (to,), i)
            elif kind == 4:
                equal(x, y, (to,), i)
            else:
                not_equal(x, y, (to,), i)


@njit(**INNER, **UNCOUNTED)
def one_tile(code, slots, wanted, leaves, g, addresses, constants, tiles, clean, n, lo, buffers, operands, numbers, clean_rows, rows):
    """`scan._tile` with the leaves of program `g` in the order of their use: numbers of `addresses` (0: a constant) and `constants`.
    `numbers` tells of each operand whether it is surely without NaN, `clean_rows` of each comparison whether `follow` is to
    complete it; `rows` is the address of the masks."""
    top, leaf = 0, 0
    for row in range(len(code)):
        op, shift = code[row, 0], code[row, 2]
        if op in (LOAD, CONST):
            free = buffers + top * TILE * 8
            numbers[top] = False
            if op == CONST:
                copy_bars(0, 0, 0, constants[leaves[g, leaf]], free)
                operands[top] = free
                numbers[top] = True
            elif shift == 0:
                operands[top] = tiles[leaves[g, leaf]]
                numbers[top] = clean[leaves[g, leaf]]
            elif lo < shift or lo - shift + TILE > n:
                copy_bars(addresses[leaves[g, leaf]], lo - shift, n, np.nan, free)
                operands[top] = free
            else:
                operands[top] = addresses[leaves[g, leaf]] + (lo - shift) * 8
            leaf += 1
            top += 1
        elif op == ORDER:
            top -= 2
            clean_rows[row] = numbers[top] and numbers[top + 1]
            if clean_rows[row]:
                order_numbers(operands[top], operands[top + 1], rows, wanted, row)
            else:
                order(operands[top], operands[top + 1], rows, slots, row)
        elif op == VALID:
            top -= 1
            order(operands[top], operands[top], rows, slots, row)
        else:
            unary = op in (NEG, ABS)
            top -= 1 if unary else 2
            free = buffers + top * TILE * 8
            arithmetic(op, free, operands[top], operands[top if unary else top + 1])
            operands[top] = free
            numbers[top] = False
            top += 1


@njit(**OPTIONS, **UNCOUNTED)
def run_programs(programs, leaves, addresses, constants, n, first, last, out, space):
    """Programs [first, last), whose leaves are rows of `leaves`, tile by tile: their comparisons, then the operations on masks. A row of
    `steps` is (slot, operation, a, b, shift); slots below `compared` are comparisons. What a shift moves past the end of a tile waits in
    `carried`."""
    code, slots, wanted, compared, steps, outputs = programs
    buffers, ends, places, masks, flags, carried = space
    size, operands, tiles = n // 64 + 1, places[:STACK], places[STACK:]
    numbers, clean, clean_rows = flags[:STACK], flags[STACK : STACK + len(addresses)], flags[STACK + len(addresses) :].reshape(2, len(code))
    for tile in range(n // TILE + 1):
        at, lo = tile * WORDS, tile * TILE
        count = min(WORDS, size - at)
        find_tiles(addresses, n, lo, ends, masks[0], tiles, clean)
        # the words of one program are made while the bytes of the comparisons of the next are still on their way to the cache
        for g in range(first, last + 1):
            now, before = g & 1, (g - 1) & 1
            if g < last:
                inputs = (leaves, g, addresses, constants, tiles, clean)
                scratch = (buffers.ctypes.data, operands, numbers, clean_rows[now], masks[now].ctypes.data)
                one_tile(code, slots, wanted, *inputs, n, lo, *scratch)
            if g > first:
                program = (code, wanted, clean_rows[before], compared, steps, outputs)
                finish(*program, masks[before], count, n, at, carried[g - 1 - first], out[g - 1])
    delivered()


@njit(**INNER, **UNCOUNTED)
def finish(code, wanted, clean_rows, compared, steps, outputs, masks, count, n, at, carried, out):
    """From the comparisons of one program and tile to its outputs; `count` words from word `at` on."""
    rows, ends = masks.ctypes.data, at + count == n // 64 + 1
    tail = (np.uint64(1) << np.uint64(n & 63)) - np.uint64(1)
    follow(code, wanted, clean_rows, rows)
    if ends:
        for m in range(compared):
            masks[m, LEAD + count - 1] &= tail
    for i in range(len(steps)):
        combine(steps, i, masks, compared + i, carried)
        if ends:
            masks[compared + i, LEAD + count - 1] &= tail
    for i in range(len(outputs)):
        if count == WORDS:
            deliver(out[i, at:].ctypes.data, at_row(rows, outputs[i]))
        else:
            for w in range(count):
                out[i, at + w] = masks[outputs[i], LEAD + w]


@njit(**INNER, **UNCOUNTED)
def combine(steps, i, masks, to, carried):
    """`scan.combine` of a tile's words of step `i`. `carried[i]` are the last words of what is shifted, the latest last; of a latch its
    state."""
    op, a, b, k, rows = steps[i, 1], steps[i, 2], steps[i, 3], steps[i, 4], masks.ctypes.data
    x, y, z = at_row(rows, a), at_row(rows, b), at_row(rows, to)
    if op == LATCH:
        latch(masks, a, b, to, carried[i])
    elif op == NOT:
        inverse(z, x, x, 0)
    elif k < 64:
        last = carried.shape[1] - 1
        masks[b, LEAD - 1] = carried[i, last]
        if op == AND:
            both(z, x, y, k)
        elif op == OR:
            either(z, x, y, k)
        elif op == ANDNOT:
            without(z, x, y, k)
        else:
            moved_along(z, y, y, k)
        carried[i, last] = masks[b, LEAD + WORDS - 1]
    else:
        moved_far(op, a, b, k, masks, to, carried[i])


@njit(**INNER, **UNCOUNTED)
def latch(masks, a, b, to, carried):
    state = carried[0]
    for w in range(LEAD, LEAD + WORDS):
        above, below = masks[a, w], masks[b, w]
        keep = ~above | below
        total = keep + below + state
        masks[to, w] = above & (keep ^ below ^ total)
        state = ((keep & below) | ((keep | below) & ~total)) >> np.uint64(63)
    carried[0] = state


@njit(**INNER, **UNCOUNTED)
def joined(op, x, moved):
    if op == AND:
        return x & moved
    if op == OR:
        return x | moved
    return x & ~moved if op == ANDNOT else moved


@njit(**INNER, **UNCOUNTED)
def moved_far(op, a, b, k, masks, to, carried):
    """The same with mask `b` moved by `k` bars, 64 or more."""
    back, part, kept = k >> 6, np.uint64(k & 63), len(carried)
    for w in range(WORDS):
        high, low = w - back, w - back - 1
        x = masks[b, LEAD + high] if high >= 0 else carried[kept + high]
        y = masks[b, LEAD + low] if low >= 0 else carried[kept + low]
        masks[to, LEAD + w] = joined(op, masks[a, LEAD + w], (x << part) | ((y >> np.uint64(1)) >> (np.uint64(63) - part)))
    for j in range(kept):  # the last words of what has been seen
        source = WORDS - kept + j
        carried[j] = masks[b, LEAD + source] if source >= 0 else carried[j + WORDS]


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
        self.wanted = np.array([self._wanted(own, self.compared + len(self.steps) + 2 * row) for row, own in enumerate(slots)], np.int64)
        self.rows = self.compared + len(self.steps) + 2 * len(slots) + 1  # of a tile of masks; the last is for `find_tiles`

    @staticmethod
    def _wanted(own: list[int], spare: int) -> list[int]:
        """`slots` of one row as `order_numbers` reads them; `spare` or the mask after it for a comparison that is needed but not wanted."""
        gt, ge, lt, le, eq, ne = own
        above = gt if gt >= 0 else spare if max(le, eq, ne) >= 0 else -1
        below = lt if lt >= 0 else spare + 1 if max(ge, eq, ne) >= 0 else -1
        return [above, below, ge, le, eq, ne]


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
    stride = -(-words(n) // 8) * 8  # rows begin on a cache line
    out = empty(len(leaves) * len(structure.outputs) * stride, "time").view(np.uint64).reshape(len(leaves), len(structure.outputs), stride)
    programs = (structure.code, structure.slots, structure.wanted, structure.compared, structure.steps, structure.outputs)

    def work(first: int, last: int) -> None:
        run_programs(programs, leaves, addresses, constants, n, first, last, out, workspace(structure, last - first, len(addresses)))

    share(work, len(leaves), max(1, WORTH // n))
    return out[:, :, : words(n)]


def workspace(structure: Structure, programs: int, series: int) -> tuple[NDArray[Any], ...]:
    """What `run_programs` works in: tiles of values, the last tiles of the series, addresses of operands and tiles, tiles of masks, flags,
    and what is carried from tile to tile."""
    reach = int(structure.steps[:, 4].max(initial=0) >> 6) + 1  # words
    masks = empty(2 * structure.rows * STRIDE, "time").view(np.uint64).reshape(2, structure.rows, STRIDE)
    flags = np.zeros(STACK + series + 2 * len(structure.code), np.bool_)
    carried = np.zeros((programs, len(structure.steps), reach), np.uint64)
    ends = empty(series * TILE, "close").reshape(series, TILE)
    return empty(STACK * TILE, "close"), ends, np.empty(STACK + series, np.int64), masks, flags, carried
