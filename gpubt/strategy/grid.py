"""Mask programs of many parameter values at once: one structure, whose leaves (series and constants) differ.

Compiling each combination of values takes a millisecond; what each value changes by itself is enough to know them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gpubt.indicators.series import Series
from gpubt.strategy.program import CONST, GT, LOAD, CombineStep, CompareStep, MaskProgram

Leaf = Series | float
Row = tuple[int, Leaf | None, int]  # opcode, what it pushes (None: it pushes nothing of its own), shift
Atom = tuple[int, tuple[Row, ...]]  # the mask's slot, and the rows that make it


@dataclass(frozen=True)
class ProgramGrid:
    """Programs that differ in their leaves: leaf i of member g is `leaves[of[g, i]]`. `atoms` are those of one member."""

    atoms: tuple[Atom, ...]
    combines: tuple[CombineStep, ...]
    outputs: Mapping[str, int]
    leaves: tuple[Leaf, ...]
    of: NDArray[np.int64]

    def series(self, members: Sequence[int]) -> tuple[Series, ...]:
        """The series that some members read, once each."""
        return tuple(leaf for i in np.unique(self.of[members]) if isinstance(leaf := self.leaves[i], Series))

    def numbers(self, member: int) -> set[int]:
        """The numbers of the leaves of a member that are indicators."""
        return set(self._indicators.intersection(self.of[member].tolist()))

    @property
    def kinds(self) -> int:
        """How many indicators the members read."""
        return len(self._indicators)

    @cached_property
    def _indicators(self) -> frozenset[int]:
        return frozenset(i for i, leaf in enumerate(self.leaves) if isinstance(leaf, Series) and not leaf.is_column)

    def program(self, member: int) -> MaskProgram:
        """One member as a program by itself."""
        places = iter(self.of[member])
        steps = []
        for slot, rows in self.atoms:
            series: dict[Series, int] = {}
            constants: dict[float, int] = {}
            code = []
            for op, leaf, shift in rows:
                own = None if leaf is None else self.leaves[next(places)]
                if isinstance(own, Series):
                    code.append((op, series.setdefault(own, len(series)), shift))
                elif own is not None:
                    code.append((op, constants.setdefault(own, len(constants)), shift))
                else:
                    code.append((op, 0, shift))
            steps.append(CompareStep(tuple(code), tuple(constants), tuple(series), (slot,)))
        return MaskProgram(tuple(steps), self.combines, self.outputs)


def atoms(program: MaskProgram) -> tuple[Atom, ...]:
    """The comparisons of a program one by one, by their slots."""
    found: dict[int, tuple[Row, ...]] = {}
    for step in program.compares:
        rows: list[Row] = []
        for op, argument, shift in step.code:
            leaf: Leaf | None = step.series[argument] if op == LOAD else step.constants[argument] if op == CONST else None
            rows.append((op, leaf, shift))
            if op >= GT:
                found[step.targets[argument]] = tuple(rows)
                rows = []
    return tuple(sorted(found.items()))


def grid(base: MaskProgram, axes: Sequence[tuple[NDArray[np.int64], Sequence[MaskProgram]]]) -> ProgramGrid | None:
    """The programs of members whose value on axis a has the number `codes`, `axes[a] = (codes, programs)`: `programs[c]` is `base` with
    value c of that axis alone. None where a value changes the structure, or one leaf depends on two axes."""
    start = atoms(base)
    leaves: dict[Leaf, int] = {}
    members = len(axes[0][0]) if axes else 1
    first = _leaves(start)
    of = np.empty((members, len(first)), np.int64)
    of[:] = [leaves.setdefault(leaf, len(leaves)) for leaf in first]
    changed, shape = np.zeros(len(first), np.bool_), _structure(start, base)
    for codes, programs in axes:
        table = np.empty((len(programs), len(first)), np.int64)
        for c, program in enumerate(programs):
            own = atoms(program)
            if _structure(own, program) != shape:
                return None
            table[c] = [leaves.setdefault(leaf, len(leaves)) for leaf in _leaves(own)]
        moves = (table != [leaves[leaf] for leaf in first]).any(axis=0)
        if (moves & changed).any():
            return None
        changed |= moves
        of[:, moves] = table[codes][:, moves]
    return ProgramGrid(start, base.combines, base.outputs, tuple(leaves), of)


def _leaves(found: tuple[Atom, ...]) -> list[Leaf]:
    return [leaf for _, rows in found for _, leaf, _ in rows if leaf is not None]


def _structure(found: tuple[Atom, ...], program: MaskProgram) -> tuple[object, ...]:
    shape = tuple((slot, tuple((op, shift if op == LOAD else 0) for op, _, shift in rows)) for slot, rows in found)
    return shape, program.combines, tuple(program.outputs.items())
