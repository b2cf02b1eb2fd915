"""Expressions as text: what a strategy file could say, and what `gpubt check` and the names of series show."""

from __future__ import annotations

import operator
from collections.abc import Callable

from gpubt import rules
from gpubt.rules import Part
from gpubt.strategy import expr as e

OPERATORS: dict[str, Callable[[Part, Part], Part]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "max": lambda a, b: Part(f"max({a}, {b})"),
    "min": lambda a, b: Part(f"min({a}, {b})"),
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


def written(expr: e.Expression) -> str:
    """The text of `expr`; parsed, it gives the same tree, where series are columns and indicators with names of their own."""
    return part(expr).text


def part(expr: e.Expression) -> Part:
    """The text with the level of its outermost operator."""
    match expr:
        case e.Number():
            return rules.written(int(expr.value) if expr.value.is_integer() and abs(expr.value) < 1e15 else expr.value)
        case e.Load():
            return Part(f"shift({expr.series}, {expr.shift})" if expr.shift else str(expr.series))
        case e.Negate():
            return -part(expr.x)
        case e.Absolute():
            return abs(part(expr.x))
        case e.Arithmetic() | e.Compare():
            return OPERATORS[expr.op](part(expr.a), part(expr.b))
        case e.Latched():
            return Part(f"crosses_above({part(expr.a)}, {part(expr.b)}, latched)")
        case e.Constant():
            return Part(str(expr.value))
        case e.And():
            return part(expr.a) & part(expr.b)
        case e.Or():
            return part(expr.a) | part(expr.b)
        case e.Not():
            return ~part(expr.rule)
        case e.Shifted():
            return Part(f"shift({part(expr.rule)}, {expr.k})")
        case e.Within():
            return Part(f"within({part(expr.rule)}, {expr.n})")
        case e.All():
            return _throughout(expr)


def _throughout(expr: e.All) -> Part:
    """`rising` and `falling`, of which alone it comes."""
    assert isinstance(expr.rule, e.Compare)
    return Part(f"{'rising' if expr.rule.op == '>' else 'falling'}({part(expr.rule.a)}, {expr.n})")
