"""What an indicator is made of: its parameters, its warm-up, its words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpubt.indicators.series import Series


@dataclass(frozen=True)
class Parameter:
    """A number an indicator takes: at least `minimum`, an integer if `whole`."""

    name: str
    minimum: float
    about: str
    whole: bool = True


@dataclass(frozen=True)
class Warmup:
    """How many leading NaN an indicator adds to those of its inputs: `text` says it, calling it with the parameters counts them."""

    text: str
    bars: Callable[[Sequence[float]], int]

    def __call__(self, params: Sequence[float]) -> int:
        """The count for `params`."""
        return self.bars(params)


@dataclass(frozen=True)
class Definition:
    """One indicator. `inputs` is how many series it takes, or the columns that it always reads.

    `expand(inputs, params)` is the series that stands for a compound, which backends never see; None: backends compute it.
    """

    name: str
    inputs: int | tuple[str, ...]
    params: tuple[Parameter, ...]
    warmup: Warmup
    about: str
    formula: str
    source: str
    expand: Callable[[tuple[Series, ...], tuple[float, ...]], Series] | None = None

    @property
    def signature(self) -> str:
        """How it is written in a strategy: `sma(x, length)`, `atr(length)`."""
        series = [] if isinstance(self.inputs, tuple) else ["x", "y", "z"][: self.inputs]
        return f"{self.name}({', '.join([*series, *(p.name for p in self.params)])})"


def length(minimum: int = 1, name: str = "length", about: str = "bars in the window") -> Parameter:
    """A whole number of bars."""
    return Parameter(name, minimum, about)


BEFORE_LAST = Warmup("length - 1", lambda params: int(params[0]) - 1)  # a window is first full at index length - 1
ONE_LENGTH = Warmup("length", lambda params: int(params[0]))  # it looks at the value before its window too (a change, a gap)
TALIB = "warm-up and values as TA-Lib"
