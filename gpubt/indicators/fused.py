"""Arithmetic on series in one pass over the bars: a tree of elements without whole arrays between its steps.

`adx` has 42 steps. One after the other each would read arrays of all bars and leave another one behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpubt.indicators.elements import ELEMENTS, NO_BARS
from gpubt.indicators.series import Series

LAG = "lag"
STEPWISE = frozenset(name for name, definition in ELEMENTS.items() if definition.warmup is NO_BARS)  # bar t of bar t of what they read
LEAVES, STEPS = 6, 32  # of one program, at most


class Leaf(NamedTuple):
    """A series that is read, so many bars back."""

    series: Series
    back: int


class Step(NamedTuple):
    """An element of what stands at `places`: the leaves, then the steps before."""

    name: str
    places: tuple[int, ...]
    params: tuple[float, ...]


@dataclass(frozen=True)
class Fused:
    """The last step is the result."""

    leaves: tuple[Leaf, ...]
    steps: tuple[Step, ...]

    @property
    def backs(self) -> NDArray[np.int64]:
        """How many bars back each leaf is."""
        return np.array([leaf.back for leaf in self.leaves], np.int64)

    def code(self, operations: Mapping[str, Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Of each step the number of its operation and three places, shape (steps, 4), and its parameters, shape (steps, 2)."""
        code, numbers = np.zeros((len(self.steps), 4), np.int64), np.zeros((len(self.steps), 2))
        for row, step in enumerate(self.steps):
            code[row] = operations[step.name], *(step.places * 3)[:3]
            numbers[row, : len(step.params)] = step.params
        return code, numbers


def fused(series: Series, kept: Callable[[Series], bool]) -> Fused | None:
    """The steps of an element whose inputs are elements too, down to what is no arithmetic, or is `kept` already; None where it is one step
    over bars that are not moved, and where it has more leaves or steps than one program."""
    leaves: dict[Leaf, int] = {}
    steps: list[Step] = []
    places: dict[Series, tuple[bool, int]] = {}  # whether it is a step, and its number

    def place(one: Series) -> tuple[bool, int]:
        if one not in places:
            if one.name in STEPWISE and (one is series or not kept(one)):
                inputs = [place(each) for each in one.inputs]
                steps.append(Step(one.name, tuple(number + (STEPS if step else 0) for step, number in inputs), one.params))
                places[one] = True, len(steps) - 1
            else:
                places[one] = False, leaves.setdefault(_moved(one, kept), len(leaves))
        return places[one]

    if series.name not in STEPWISE:
        return None
    place(series)
    single = len(steps) == 1 and not any(leaf.back for leaf in leaves)
    if single or len(leaves) > LEAVES or len(steps) > STEPS:
        return None
    count = len(leaves)
    shifted = (step._replace(places=tuple(i if i < STEPS else i - STEPS + count for i in step.places)) for step in steps)
    return Fused(tuple(leaves), tuple(shifted))


def _moved(series: Series, kept: Callable[[Series], bool]) -> Leaf:
    """What a lag reads, and from how many bars ago; anything else as it is."""
    back = 0
    while series.name == LAG and not kept(series):
        back += int(series.params[0])
        series = series.inputs[0]
    return Leaf(series, back)
