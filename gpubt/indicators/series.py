"""A series is a column of the bars, or an indicator over other series. It is the key of every cache and mask."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpubt.strategy.measures import Condition

COLUMNS = ("open", "high", "low", "close", "volume")
CLOCK = ("hour", "minute", "weekday", "day", "month")  # of a bar's open, on the local clock
SESSION = "session"  # 1 in the configured session, else 0; in the language it is a rule
SESSION_DAY = "session_day"  # the day on which the last session began, as a number; only indicators read it
NAMES = (*COLUMNS, *CLOCK)  # the numbers that every strategy can name


@dataclass(frozen=True)
class Series:
    """`Series("close")` or `Series("sma", (Series("close"),), (20,))`. Hashable; `str()` is the canonical text, `sma(close,20)`.
    `condition` is the rule of a series that is made from one (`since`, `count`), and `inputs` are what it reads."""

    name: str
    inputs: tuple[Series, ...] = ()
    params: tuple[float, ...] = ()
    condition: Condition | None = None

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Kept: series are keys, and what an indicator is made of is hashed with it."""
        return hash((self.name, self.inputs, self.params))

    @property
    def is_column(self) -> bool:
        """Whether the bars hold it as it is."""
        return not self.inputs

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What it is computed with, besides the inputs."""
        return self.params if self.condition is None else (self.condition, *self.params)

    def columns(self) -> frozenset[str]:
        """The bar columns it is computed from."""
        return frozenset({self.name}) if self.is_column else frozenset().union(*(s.columns() for s in self.inputs))

    def parts(self) -> int:
        """How many series it is written with, repetitions counted."""
        return 1 + (self.condition.parts() if self.condition else sum(one.parts() for one in self.inputs))

    def __str__(self) -> str:
        read = [str(self.condition)] if self.condition else map(str, self.inputs)
        return self.name if self.is_column else f"{self.name}({','.join([*read, *map(repr, self.params)])})"
