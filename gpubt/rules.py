"""The rule language for strategies in Python: `from gpubt.rules import close, crosses_above, ema`.

Every column and function of the language is a name here. Calls and operators write the text that a YAML file would have, so that both
ways give the same expression tree: `(close > ema(close, 20)) & ~rising(close, 3)` is `close > ema(close, 20) and not rising(close, 3)`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from numbers import Integral, Real
from typing import Any, NoReturn

from gpubt.errors import ConfigError, accepted
from gpubt.indicators.series import NAMES, SESSION
from gpubt.strategy.functions import FUNCTIONS, READINGS

# How tightly an operator binds, loosest first: a part that stands where a tighter one is needed gets parentheses
OR, AND, NOT, COMPARE, SUM, PRODUCT, NEGATED, ATOM = range(8)


class Part:
    """A number or a rule of each bar, as text. `level` is that of its outermost operator."""

    __hash__ = None  # type: ignore[assignment]  # == writes a comparison

    def __init__(self, text: str, level: int = ATOM) -> None:
        self.text, self.level = text, level

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<{self.text}>"

    def __bool__(self) -> NoReturn:
        raise ConfigError(
            f"{self.text!r} is true or false on a bar, not here: write & | ~ with parentheses for and, or, not, and between(x, low, high) "
            "for low <= x <= high"
        )

    def at(self, level: int) -> str:
        """The text for a place that needs `level`."""
        return self.text if self.level >= level else f"({self.text})"

    def __and__(self, other: Any) -> Part:
        return _joined(self, "and", other, AND)

    def __rand__(self, other: Any) -> Part:
        return _joined(other, "and", self, AND)

    def __or__(self, other: Any) -> Part:
        return _joined(self, "or", other, OR)

    def __ror__(self, other: Any) -> Part:
        return _joined(other, "or", self, OR)

    def __invert__(self) -> Part:
        return Part(f"not {self.at(NOT)}", NOT)

    def __add__(self, other: Any) -> Part:
        return _joined(self, "+", other, SUM)

    def __radd__(self, other: Any) -> Part:
        return _joined(other, "+", self, SUM)

    def __sub__(self, other: Any) -> Part:
        return _joined(self, "-", other, SUM)

    def __rsub__(self, other: Any) -> Part:
        return _joined(other, "-", self, SUM)

    def __mul__(self, other: Any) -> Part:
        return _joined(self, "*", other, PRODUCT)

    def __rmul__(self, other: Any) -> Part:
        return _joined(other, "*", self, PRODUCT)

    def __truediv__(self, other: Any) -> Part:
        return _joined(self, "/", other, PRODUCT)

    def __rtruediv__(self, other: Any) -> Part:
        return _joined(other, "/", self, PRODUCT)

    def __neg__(self) -> Part:
        return Part(f"-{self.at(NEGATED)}", NEGATED)

    def __abs__(self) -> Part:
        return Part(f"abs({self.text})")

    def __gt__(self, other: Any) -> Part:
        return _compared(self, ">", other)

    def __ge__(self, other: Any) -> Part:
        return _compared(self, ">=", other)

    def __lt__(self, other: Any) -> Part:
        return _compared(self, "<", other)

    def __le__(self, other: Any) -> Part:
        return _compared(self, "<=", other)

    def __eq__(self, other: object) -> Part:  # type: ignore[override]
        return _compared(self, "==", other)

    def __ne__(self, other: object) -> Part:  # type: ignore[override]
        return _compared(self, "!=", other)


def text(words: str) -> Part:
    """A part written in the language: `text("ema(close, fast) * 2") > low`; parameters are names in it."""
    return Part(words, OR - 1)


def written(part: Any) -> Part:
    """A part made here, a number, True or False as a part. Raises ConfigError for anything else."""
    if isinstance(part, Part):
        return part
    if isinstance(part, bool) or type(part).__name__ == "bool":  # NumPy's too
        return Part(str(bool(part)))
    if isinstance(part, Real) and isfinite(part):
        number = int(part) if isinstance(part, Integral) else float(part)
        return Part(repr(number), NEGATED if number < 0 else ATOM)
    raise ConfigError(f"rules are made of columns, indicators, finite numbers, True and False, got {part!r}")


def _joined(a: Any, op: str, b: Any, level: int) -> Part:
    """Operators of one level are read from the left."""
    return Part(f"{written(a).at(level)} {op} {written(b).at(level + 1)}", level)


def _compared(a: Any, op: str, b: Any) -> Part:
    return Part(f"{written(a).at(SUM)} {op} {written(b).at(SUM)}", COMPARE)


def _argument(part: Any) -> str:
    """Texts are words of the language (the reading of a crossing), or quoted."""
    if isinstance(part, str):
        return part if part in READINGS else f'"{part}"'
    return written(part).text


def _function(name: str) -> Callable[..., Part]:
    """What it takes is checked when the rules are read."""

    def call(*values: Any, **named: Any) -> Part:
        given = [_argument(one) for one in values] + [f"{key}={_argument(one)}" for key, one in named.items()]
        return Part(f"{name}({', '.join(given)})")

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"`{FUNCTIONS[name].signature}`"
    return call


def __getattr__(name: str) -> Any:
    if name in (*NAMES, SESSION):
        return Part(name)
    if name in FUNCTIONS:
        return _function(name)
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError(f"the rule language has no {name!r}; {accepted((*NAMES, SESSION, *FUNCTIONS), name)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *NAMES, SESSION, *FUNCTIONS})
