"""Strategies as Python classes and functions: what users write. `gpubt.Strategy`, `gpubt.Param`, `gpubt.Rules`, `gpubt.params`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar, overload

from gpubt.errors import ConfigError, accepted
from gpubt.rules import Part, written

Number = TypeVar("Number", int, float)
Made = TypeVar("Made", bound=Callable[..., Any])


class Param(Generic[Number]):
    """A number that runs and sweeps may set (`strategy.params.NAME`): `Param(50, int, low=2, high=500)`, both ends included.

    On an instance it is the number itself. `kind` is int or float; without it, that of `default`.
    """

    def __init__(
        self, default: Number, kind: type[Number] | None = None, *, low: float | None = None, high: float | None = None, about: str = ""
    ) -> None:
        self.kind: type[Number] = kind or type(default)
        self.low, self.high, self.about = low, high, about
        self.name = "default"
        if self.kind not in (int, float):
            raise ConfigError(f"a Param is an int or a float, got {self.kind.__name__}")
        self.default: Number = self.checked(default, "the default of a Param")

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Param[Number]: ...
    @overload
    def __get__(self, instance: Strategy, owner: type) -> Number: ...
    def __get__(self, instance: Strategy | None, owner: type) -> Param[Number] | Number:
        return self if instance is None else instance.params[self.name]

    def checked(self, value: Any, key: str) -> Number:
        """`value` as the kind. Raises ConfigError, with `key`, for another kind or one out of bounds."""
        number = isinstance(value, Real) and not isinstance(value, bool)
        whole = isinstance(value, Integral) or (number and float(value).is_integer())
        inside = number and (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        if not inside or not abs(value) < 1e300 or (self.kind is int and not whole):
            raise ConfigError(f"{key} must be {self.accepts()}, got {value!r}")
        return self.kind(value)

    def accepts(self) -> str:
        """`an integer from 2 to 500`."""
        kind = "an integer" if self.kind is int else "a number"
        if self.low is not None and self.high is not None:
            return f"{kind} from {self.low:g} to {self.high:g}"
        return kind + (
            f" of at least {self.low:g}" if self.low is not None else f" of at most {self.high:g}" if self.high is not None else ""
        )


@dataclass(frozen=True)
class Rules:
    """Entry and exit rules of both sides: expressions of `gpubt.rules`, texts of the language, True or False; None: never."""

    long_entry: Part | str | bool | None = None
    long_exit: Part | str | bool | None = None
    short_entry: Part | str | bool | None = None
    short_exit: Part | str | bool | None = None

    def texts(self) -> dict[str, str | None]:
        """In the rule language, by name."""
        return {name: None if rule is None else rule if isinstance(rule, str) else written(rule).text for name, rule in vars(self).items()}


class Strategy:
    """Base of strategies in Python. Give the rules in `rules`, or as attributes or properties `long_entry`, `long_exit`, `short_entry`,
    `short_exit`; or give arrays, in a method `signals(self, bars, indicators, params, xp)` (see docs/strategies.md).

    Class attributes that are `Param`s are its parameters; `exits` and `sizing` are as in a YAML file, `side` is both, long or short.
    """

    name: ClassVar[str] = ""
    side: ClassVar[str] = "both"
    exits: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    sizing: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    long_entry: Any = None
    long_exit: Any = None
    short_entry: Any = None
    short_exit: Any = None

    def __init__(self, **params: float) -> None:
        self.params: Mapping[str, Any] = MappingProxyType(checked(self.declared(), params, type(self).__name__))

    @classmethod
    def declared(cls) -> dict[str, Param[Any]]:
        """The parameters, those of base classes first."""
        found = {name: one for base in reversed(cls.__mro__) for name, one in vars(base).items() if isinstance(one, Param)}
        return {name: one for name, one in found.items() if getattr(cls, name) is one}

    def rules(self) -> Rules:
        """The rules for the parameters of this instance."""
        return Rules(self.long_entry, self.long_exit, self.short_entry, self.short_exit)


def checked(declared: Mapping[str, Param[Any]], given: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Every parameter with its value. Raises ConfigError for one that `owner` does not declare or accept."""
    for name in given:
        if name not in declared:
            hint = accepted(declared, str(name)) if declared else "it declares none"
            raise ConfigError(f"strategy.params.{name} is no parameter of {owner}; {hint}")
    return {name: one.checked(given[name], f"strategy.params.{name}") if name in given else one.default for name, one in declared.items()}


def params(**declared: Param[Any]) -> Callable[[Made], Made]:
    """Declares the parameters of a function: `@gpubt.params(length=gpubt.Param(20, int, low=2))` above `def signals(...)`."""
    for name, one in declared.items():
        if not isinstance(one, Param):
            raise ConfigError(f"gpubt.params takes Params, got {name}={one!r}")

    def mark(function: Made) -> Made:
        function.declared = lambda: dict(declared)  # type: ignore[attr-defined]
        return function

    return mark


def about(made: Any) -> str:
    """The first line of what a class or a function says of itself."""
    own = vars(made).get("about")
    return own if isinstance(own, str) else cleandoc(made.__doc__ or "").partition("\n")[0]
