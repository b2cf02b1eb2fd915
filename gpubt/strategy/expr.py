"""The expression tree of a rule: frozen, hashable nodes, and what they read.

A rule's value on a bar where it is not valid does not matter: it is false there (see `gpubt.strategy.reference`). The builders below fold
constants, so that every node is either a constant or reads a series; that makes the validity of a rule cover all of its shifts.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import reduce

from gpubt.indicators.series import Series


@dataclass(frozen=True)
class Number:
    """A finite constant; zero has no sign."""

    value: float


@dataclass(frozen=True)
class Load:
    """The series `shift` bars ago; NaN before the first bar."""

    series: Series
    shift: int = 0


@dataclass(frozen=True)
class Negate:
    """-x."""

    x: Numeric


@dataclass(frozen=True)
class Absolute:
    """|x|."""

    x: Numeric


@dataclass(frozen=True)
class Arithmetic:
    """`op` is one of + - * / max min; IEEE float64, division by zero included. Of two that are equal, max and min are `a`."""

    op: str
    a: Numeric
    b: Numeric


@dataclass(frozen=True)
class Constant:
    """A rule that holds always or never."""

    value: bool


@dataclass(frozen=True)
class Compare:
    """`op` is one of > >= < <= == !=; with NaN all are false but !=."""

    op: str
    a: Numeric
    b: Numeric


@dataclass(frozen=True)
class And:
    """Both hold."""

    a: Rule
    b: Rule


@dataclass(frozen=True)
class Or:
    """At least one holds."""

    a: Rule
    b: Rule


@dataclass(frozen=True)
class Not:
    """It does not hold."""

    rule: Rule


@dataclass(frozen=True)
class Shifted:
    """The rule `k` bars ago."""

    rule: Rule
    k: int


@dataclass(frozen=True)
class Within:
    """The rule held on any of the last `n` bars, this one included."""

    rule: Rule
    n: int


@dataclass(frozen=True)
class All:
    """The rule held on each of the last `n` bars, this one included."""

    rule: Rule
    n: int


@dataclass(frozen=True)
class Latched:
    """`a > b`, and on the last earlier bar on which they differed (NaN never does) `a < b`."""

    a: Numeric
    b: Numeric


Numeric = Number | Load | Negate | Absolute | Arithmetic
Rule = Constant | Compare | And | Or | Not | Shifted | Within | All | Latched
Expression = Numeric | Rule


CONSTANT: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "max": max,
    "min": min,
}


def number(value: float) -> Number:
    """A constant without a negative zero (equal constants are one constant, and 1 / 0 has one sign)."""
    return Number(float(value) + 0.0)


def negate(x: Numeric) -> Numeric:
    """-x."""
    return number(-x.value) if isinstance(x, Number) else Negate(x)


def absolute(x: Numeric) -> Numeric:
    """|x|."""
    return number(abs(x.value)) if isinstance(x, Number) else Absolute(x)


def arithmetic(op: str, a: Numeric, b: Numeric) -> Numeric:
    """`a op b`. Raises ZeroDivisionError for a constant divided by the constant zero."""
    if isinstance(a, Number) and isinstance(b, Number):
        return number(CONSTANT[op](a.value, b.value))
    return Arithmetic(op, a, b)


def compare(op: str, a: Numeric, b: Numeric) -> Rule:
    """`a op b`."""
    if isinstance(a, Number) and isinstance(b, Number):
        x, y = a.value, b.value
        return Constant({">": x > y, ">=": x >= y, "<": x < y, "<=": x <= y, "==": x == y, "!=": x != y}[op])
    return Compare(op, a, b)


def latched(a: Numeric, b: Numeric) -> Rule:
    """`a > b`, and `a < b` when they last differed: never of constants."""
    return Constant(False) if isinstance(a, Number) and isinstance(b, Number) else Latched(a, b)


def both(a: Rule, b: Rule) -> Rule:
    """`a and b`. A lone constant stays, for the rule still reads the other side."""
    return Constant(a.value and b.value) if isinstance(a, Constant) and isinstance(b, Constant) else And(a, b)


def either(a: Rule, b: Rule) -> Rule:
    """`a or b`."""
    return Constant(a.value or b.value) if isinstance(a, Constant) and isinstance(b, Constant) else Or(a, b)


def inverse(rule: Rule) -> Rule:
    """`not rule`."""
    if isinstance(rule, Not):
        return rule.rule
    return Constant(not rule.value) if isinstance(rule, Constant) else Not(rule)


def lagged(x: Numeric, k: int) -> Numeric:
    """`x` as it was `k` bars ago: the shift goes down to the loads."""
    match x:
        case Number():
            return x
        case Load():
            return Load(x.series, x.shift + k)
        case Arithmetic():
            return Arithmetic(x.op, lagged(x.a, k), lagged(x.b, k))
        case Negate() | Absolute():
            return type(x)(lagged(x.x, k))


def delayed(rule: Rule, k: int) -> Rule:
    """`rule` as it was `k` bars ago."""
    if isinstance(rule, Constant) or k == 0:
        return rule
    return Shifted(rule.rule, rule.k + k) if isinstance(rule, Shifted) else Shifted(rule, k)


def within(rule: Rule, n: int) -> Rule:
    """`rule` on any of the last `n` bars."""
    return rule if isinstance(rule, Constant) or n == 1 else Within(rule, n)


def throughout(rule: Rule, n: int) -> Rule:
    """`rule` on each of the last `n` bars."""
    return rule if isinstance(rule, Constant) or n == 1 else All(rule, n)


def children(expr: Expression) -> tuple[Expression, ...]:
    """The expressions directly below."""
    values = (getattr(expr, field.name) for field in fields(expr))
    return tuple(value for value in values if isinstance(value, Expression))


def size(expr: Expression) -> int:
    """The number of nodes."""
    return 1 + sum(map(size, children(expr)))


def depth(expr: Expression) -> int:
    """The number of levels."""
    return 1 + max(map(depth, children(expr)), default=0)


def stack_depth(expr: Expression) -> int:
    """How many operands the deepest comparison or number below `expr` holds at once when it is computed left to right."""
    if isinstance(expr, Arithmetic | Compare | Latched):
        return max(stack_depth(expr.a), 1 + stack_depth(expr.b))
    return max(map(stack_depth, children(expr)), default=1)


Shifts = dict[Series, int]  # bit k of a value: the series is read k bars ago


def union(*parts: Shifts) -> Shifts:
    """What any of `parts` reads, in the order of first use."""
    return reduce(lambda a, b: {**a, **{series: a.get(series, 0) | bits for series, bits in b.items()}}, parts, {})


def spread(bits: int, n: int) -> int:
    """`bits` at each of `n` consecutive shifts, by doubling."""
    have = 1
    while have < n:
        step = min(have, n - have)
        bits |= bits << step
        have += step
    return bits


def reads(expr: Expression) -> Shifts:
    """Every series that `expr` reads, in the order of first use, with its shifts as the bits of an integer."""
    match expr:
        case Load():
            return {expr.series: 1 << expr.shift}
        case Shifted():
            return {series: bits << expr.k for series, bits in reads(expr.rule).items()}
        case Within() | All():
            return {series: spread(bits, expr.n) for series, bits in reads(expr.rule).items()}
    return union(*map(reads, children(expr)))
