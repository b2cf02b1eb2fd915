"""What a configuration will compute, said before any bar is read: its rules, when they can first hold, its series, passes and memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpubt.indicators.definitions import first_valid
from gpubt.strategy.compile import compile_strategy
from gpubt.strategy.expr import Rule, reads
from gpubt.strategy.plan import Plan, level_texts
from gpubt.strategy.program import words

if TYPE_CHECKING:
    from gpubt.config import Config
    from gpubt.indicators.series import Series

SIGNALS = ("long_entry", "long_exit", "short_entry", "short_exit")


@dataclass(frozen=True)
class Outline:
    """`rules` by the name of their signal; `first` is the first bar on which each can hold; `series` that are computed, with the index of
    their first value."""

    rules: Mapping[str, Rule]
    first: Mapping[str, int]
    series: Mapping[Series, int]
    planned: Plan

    @property
    def entry(self) -> int | None:
        """The first bar on which an entry can happen; None where a function makes the signals."""
        return min((bar for name, bar in self.first.items() if name.endswith("entry")), default=None)

    def bytes_of(self, n: int) -> dict[str, int]:
        """About what `n` bars take: the columns, the series that are there at once at most, and the masks."""
        columns = 5 + len(self.planned.columns)
        program = self.planned.program
        slots = sum(len(step.targets) for step in program.compares) + len(program.combines) if program else len(SIGNALS)
        return {"bars": 8 * n * columns, "series": 8 * n * self.at_once(), "masks": 8 * words(n) * slots}

    def at_once(self) -> int:
        """How many series are there together at most: each from the first pass that reads it to the last, and one that is being made with
        those that it is made from."""
        passes = [{one for one in step if not one.is_column} for step in self.planned.passes()]
        most = 0
        for i, step in enumerate(passes):
            kept = {one for one in set().union(*passes[: i + 1]) if any(one in later for later in passes[i:])}
            most = max(most, len(kept) + max((_held(one) for one in step), default=0))
        return most


def outline(config: Config, planned: Plan) -> Outline:
    """Raises ConfigError."""
    rules: dict[str, Rule] = {}
    if planned.program:
        signals = compile_strategy(config.strategy, config.cross, dict(level_texts(config)), config.data.others)
        rules = {name: rule for name in SIGNALS if (rule := getattr(signals, name)) is not None}
    series = {one: first_valid(one) for step in planned.passes() for one in step if not one.is_column}
    return Outline(rules, {name: first_bar(rule) for name, rule in rules.items()}, series, planned)


def first_bar(rule: Rule) -> int:
    """The first bar on which everything that `rule` reads is there."""
    return max((first_valid(series) + bits.bit_length() - 1 for series, bits in reads(rule).items()), default=0)


def _held(series: Series) -> int:
    """How many arrays are there, besides columns, while `series` is made from them."""
    own = [one for one in series.inputs if not one.is_column]
    return max((i + 1 + _held(one) for i, one in enumerate(own)), default=0)
