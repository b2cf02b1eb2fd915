"""What every backend runs to make signal masks: comparisons over tiles of bars, then operations on masks of 64 bars a word.

A mask is `words(n)` uint64: bar t is bit t & 63 of word t >> 6. One bit past the end is always there, and all bits from n on are 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.indicators.series import Series

Array = Any  # numpy.ndarray, or the device array of a backend

# Rows (opcode, argument, shift) of a stack program. LOAD pushes series `argument` as it was `shift` bars ago (NaN before the first bar),
# CONST pushes constant `argument`. A comparison pops its operands and writes mask `argument`, so that one pass over the series makes
# several masks; VALID pops one operand and asks whether it is a number. `kernels/scan.cu` has the same list.
OPCODES = ("LOAD", "CONST", "ADD", "SUB", "MUL", "DIV", "NEG", "ABS", "MAX", "MIN", "GT", "GE", "LT", "LE", "EQ", "NE", "VALID")
LOAD, CONST, ADD, SUB, MUL, DIV, NEG, ABS, MAX, MIN, GT, GE, LT, LE, EQ, NE, VALID = range(len(OPCODES))

# Mask operations: `a op (b << k)`, or the operation on `a` alone: `not a`, `a << k`. A shift goes towards later bars, and zeros enter.
# `latch` is a where the last earlier bar with a bit in a or in (b << k) has one in (b << k): a flip-flop that b sets and a resets.
COMBINE = ("and", "or", "andnot", "not", "shift", "latch")


def words(n: int) -> int:
    """Words of a mask over `n` bars."""
    return n // 64 + 1


@dataclass(frozen=True)
class CompareStep:
    """One pass over `series`; mask i of its result becomes slot `targets[i]`."""

    code: tuple[tuple[int, int, int], ...]
    constants: tuple[float, ...]
    series: tuple[Series, ...]
    targets: tuple[int, ...]


@dataclass(frozen=True)
class CombineStep:
    """Slot `target` = `op` (one of COMBINE) of slots `a` and `b`, with the shift `k`."""

    target: int
    op: str
    a: int
    b: int | None
    k: int


@dataclass(frozen=True)
class MaskProgram:
    """All comparisons, then the mask operations in order; `outputs` names the slots of the effective signals."""

    compares: tuple[CompareStep, ...]
    combines: tuple[CombineStep, ...]
    outputs: Mapping[str, int]

    def series(self) -> tuple[Series, ...]:
        """Every series it reads, in the order of use."""
        return tuple(dict.fromkeys(series for step in self.compares for series in step.series))


Fetch = Callable[[tuple[Series, ...]], Sequence[Array]]
Compare = Callable[[NDArray[np.int64], NDArray[np.float64], Sequence[Array]], Array]
Combine = Callable[[str, Array, Array | None, int], Array]


def run(program: MaskProgram, fetch: Fetch, compare: Compare, combine: Combine) -> dict[str, Array]:
    """The masks of those of long_entry, long_exit, short_entry, short_exit that have a rule (entries are effective).

    They are for reading only: two may be one array. `compare(code, constants, series)` gives the masks of one pass end to end,
    `combine(op, a, b, k)` a new mask. `fetch` is asked for the series of a pass when the pass runs; a mask is dropped after its last use.
    """
    slots: dict[int, Array] = {}
    for step in program.compares:
        code, constants = np.array(step.code, np.int64), np.array(step.constants, np.float64)
        masks = compare(code, constants, fetch(step.series))
        size = len(masks) // len(step.targets)
        slots |= {target: masks[i * size : (i + 1) * size] for i, target in enumerate(step.targets)}
    last = {slot: step.target for step in program.combines for slot in (step.a, step.b) if slot is not None}
    for op in program.combines:
        slots[op.target] = combine(op.op, slots[op.a], None if op.b is None else slots[op.b], op.k)
        for slot in {op.a, op.b} - {None, *program.outputs.values()}:
            if slot is not None and last[slot] == op.target:
                del slots[slot]
    return {name: slots[slot] for name, slot in program.outputs.items()}
