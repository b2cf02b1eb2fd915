"""Numbers made of rules: how many bars ago a rule held, on how many of the last bars. They are series, computed from the rule's mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gpubt.errors import ConfigError
from gpubt.indicators.series import Series
from gpubt.strategy.computed import checked
from gpubt.strategy.expr import Constant, Expression, Load, Numeric, Rule, children, number, reads


@dataclass(frozen=True)
class Condition:
    """The rule that a series is made from; its `inputs` are the series that the rule reads, in the order of `reads`."""

    rule: Rule

    def first(self, first_valid: Callable[[Series], int]) -> int:
        """The first bar on which the rule can hold: every series that it reads is there, at every shift."""
        return max(first_valid(series) + bits.bit_length() - 1 for series, bits in reads(self.rule).items())

    def parts(self) -> int:
        """How many series it is written with, repetitions counted."""
        return _parts(self.rule)

    def __str__(self) -> str:
        from gpubt.strategy.text import written

        return written(self.rule)


def since(rule: Rule) -> Numeric:
    """Bars since `rule` last held, 0 where it holds. Raises ConfigError for a rule that never does."""
    if not isinstance(rule, Constant):
        return _measure("since", rule)
    if not rule.value:
        raise ConfigError("since() of a rule that never holds")
    return number(0)


def count(rule: Rule, n: int) -> Numeric:
    """On how many of the last `n` bars `rule` held."""
    return number(n if rule.value else 0) if isinstance(rule, Constant) else _measure("count", rule, n)


def _measure(name: str, rule: Rule, *params: float) -> Load:
    return Load(checked(Series(name, tuple(reads(rule)), params, Condition(rule))))


def _parts(expr: Expression) -> int:
    return expr.series.parts() if isinstance(expr, Load) else sum(map(_parts, children(expr)))
