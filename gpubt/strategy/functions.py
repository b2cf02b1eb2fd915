"""The functions of the rule language: their arguments, and the expression that a call stands for. Every indicator is one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from gpubt.indicators.definitions import DEFINITIONS, Definition, series
from gpubt.indicators.framed import framed
from gpubt.indicators.series import Series
from gpubt.strategy.candles import PATTERNS, Pattern
from gpubt.strategy.computed import as_series, checked
from gpubt.strategy.expr import (
    Expression,
    Load,
    Numeric,
    Rule,
    absolute,
    arithmetic,
    both,
    compare,
    delayed,
    lagged,
    latched,
    throughout,
    within,
)
from gpubt.strategy.measures import count, since

LONGEST = 1_000_000  # bars that one shift or window may reach back

# what makes a crossing: see `_crosses_above`; the first is the default of the key `cross`
READINGS = ("default", "strict", "latched")

# kind of argument: what a message calls it
KINDS = {
    "number": "a number",
    "rule": "a rule",
    "any": "a number or a rule",
    "series": "a column, an indicator or arithmetic on them",
    "constant": "a constant number",
    "ratio": "a constant number of at least 0",
    "shift": f"a constant whole number from 0 to {LONGEST}",
    "bars": f"a constant whole number from 1 to {LONGEST}",
    "reading": f"{', '.join(READINGS[:-1])} or {READINGS[-1]}",
}


@dataclass(frozen=True)
class Argument:
    """One argument: `kind` is a key of KINDS; None as default: it must be given. A reading not given is that of the key `cross`."""

    name: str
    kind: str
    default: float | str | None = None


@dataclass(frozen=True)
class Function:
    """`build` takes the arguments in order, each as its kind: an expression or a plain number. `about` says what a call is."""

    name: str
    arguments: tuple[Argument, ...]
    build: Callable[..., Expression]
    about: str

    @property
    def signature(self) -> str:
        """As it is written: `rising(x, n=1)`."""
        return f"{self.name}({', '.join(a.name if a.default is None else f'{a.name}={a.default}' for a in self.arguments)})"


def _crosses_above(a: Numeric, b: Numeric, reading: str) -> Rule:
    """`a > b`, and: on the bar before `a <= b` (default) or `a < b` (strict), or `a < b` when they last differed (latched)."""
    if reading == "latched":
        return latched(a, b)
    return both(compare(">", a, b), delayed(compare("<" if reading == "strict" else "<=", a, b), 1))


def _crosses_below(a: Numeric, b: Numeric, reading: str) -> Rule:
    if reading == "latched":
        return latched(b, a)
    return both(compare("<", a, b), delayed(compare(">" if reading == "strict" else ">=", a, b), 1))


AT = "bar"


def _at(x: Numeric) -> Expression:
    return Load(as_series(x))


def in_frame(expr: Expression, frame: str) -> Expression:
    """An indicator of a timeframe. Raises ConfigError."""
    assert isinstance(expr, Load)
    return Load(checked(framed(expr.series, frame)), expr.shift)


def _shift(x: Any, n: int) -> Expression:
    return delayed(x, n) if isinstance(x, Rule) else lagged(x, n)


def _rising(x: Numeric, n: int) -> Rule:
    return throughout(compare(">", x, lagged(x, 1)), n)


def _falling(x: Numeric, n: int) -> Rule:
    return throughout(compare("<", x, lagged(x, 1)), n)


def _between(x: Numeric, low: Numeric, high: Numeric) -> Rule:
    return both(compare(">=", x, low), compare("<=", x, high))


def _indicator(definition: Definition) -> Function:
    """The indicator as a function of its series, then of its parameters."""
    count = definition.inputs if isinstance(definition.inputs, int) else 0
    inputs = [Argument(name, "series") for name in ("x", "y", "z")[:count]]
    params = [Argument(parameter.name, "constant") for parameter in definition.params]

    def build(*values: Any) -> Expression:
        chosen: list[Series] = [as_series(value) for value in values[:count]]
        return Load(checked(series(definition.name, chosen, values[count:])))

    return Function(definition.name, (*inputs, *params), build, definition.about)


_NUMBERS = (Argument("a", "number"), Argument("b", "number"))
_STEPS = (Argument("x", "number"), Argument("n", "bars", 1))
_CROSSES = (*_NUMBERS, Argument("reading", "reading", "default"))
_WINDOW = (Argument("rule", "rule"), Argument("n", "bars"))
_BETWEEN = (Argument("x", "number"), Argument("low", "number"), Argument("high", "number"))
_ALL = (
    Function("crosses_above", _CROSSES, _crosses_above, "rule: `a > b` and, one bar ago, `a <= b`; the readings are below"),
    Function("crosses_below", _CROSSES, _crosses_below, "rule: `a < b` and, one bar ago, `a >= b`; the readings are below"),
    Function("shift", (Argument("x", "any"), Argument("n", "shift")), _shift, "the number or the rule of `n` bars ago"),
    Function("within", _WINDOW, within, "rule: `rule` holds on any of the last `n` bars, this one included"),
    Function(
        "since",
        _WINDOW[:1],
        since,
        "number: bars since `rule` last held, 0 on a bar where it does; before it ever did, as if on the bar before its first",
    ),
    Function("count", _WINDOW, count, "number: on how many of the last `n` bars `rule` held, this one included"),
    Function("rising", _STEPS, _rising, "rule: each of the last `n` steps goes strictly up"),
    Function("falling", _STEPS, _falling, "rule: each of the last `n` steps goes strictly down"),
    Function("between", _BETWEEN, _between, "rule: `low <= x <= high`"),
    Function(AT, (Argument("x", "series"),), _at, 'number: `x` of the longer bars of a timeframe, as `bar(high, tf="1d")`'),
    Function("abs", (Argument("x", "number"),), absolute, "number: without its sign"),
    Function("max", _NUMBERS, partial(arithmetic, "max"), "number: the larger, NaN where either is"),
    Function("min", _NUMBERS, partial(arithmetic, "min"), "number: the smaller, NaN where either is"),
)


def _candle(pattern: Pattern) -> Function:
    """The pattern as a rule of the bars' own columns."""
    arguments = tuple(Argument(name, "ratio", default) for name, default in pattern.ratios)
    return Function(pattern.name, arguments, pattern.rule, f"rule: {pattern.about}")


INDICATORS: dict[str, Function] = {name: _indicator(definition) for name, definition in DEFINITIONS.items()}
RULES: dict[str, Function] = {function.name: function for function in _ALL}
CANDLES: dict[str, Function] = {name: _candle(pattern) for name, pattern in PATTERNS.items()}
FUNCTIONS: dict[str, Function] = INDICATORS | RULES | CANDLES


def add_indicator(definition: Definition) -> None:
    """Make a user's indicator a word of the language."""
    INDICATORS[definition.name] = FUNCTIONS[definition.name] = _indicator(definition)
