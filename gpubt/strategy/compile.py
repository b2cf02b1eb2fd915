"""A strategy's texts to rules: parameters, then indicators by name, then the entry and exit rules of both sides."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from keyword import iskeyword

from gpubt.config import Strategy
from gpubt.errors import ConfigError, accepted
from gpubt.indicators.series import NAMES, SESSION, Series
from gpubt.strategy.computed import as_series
from gpubt.strategy.expr import Numeric, Rule, number, reads, union
from gpubt.strategy.functions import FUNCTIONS
from gpubt.strategy.grammar import parse_number, parse_rule


@dataclass(frozen=True)
class Signals:
    """The rules as written; None: never. `gpubt.strategy.reference` says how the effective entries follow from them."""

    long_entry: Rule | None
    long_exit: Rule | None
    short_entry: Rule | None
    short_exit: Rule | None
    prices: Mapping[str, Series] = field(default_factory=dict)  # by the name that was asked for

    def rules(self) -> tuple[Rule, ...]:
        """Those that are there."""
        return tuple(rule for rule in (self.long_entry, self.long_exit, self.short_entry, self.short_exit) if rule is not None)

    def series(self) -> tuple[Series, ...]:
        """Every series that the rules read, once, in the order of first use."""
        return tuple(union(*map(reads, self.rules())))


Prices = Mapping[str, tuple[str, str]]  # name: key, expression


def compile_prices(strategy: Strategy, prices: Prices, others: Collection[str] = ()) -> dict[str, Series]:
    """The series of expressions over the strategy's names. Raises ConfigError, which names the key."""
    return _prices(prices, _Names(strategy, others))


def _prices(prices: Prices, names: _Names) -> dict[str, Series]:
    found = {}
    for name, (key, text) in prices.items():
        try:
            found[name] = as_series(parse_number(text, names, key))
        except ConfigError as error:
            raise error if str(error).startswith(key) else ConfigError(f"{key}: {error}") from None
    return found


def compile_strategy(strategy: Strategy, cross: str = "default", prices: Prices | None = None, others: Collection[str] = ()) -> Signals:
    """The rules of `strategy`; those of a side that `strategy.side` excludes are checked, then dropped. `cross` (one of READINGS) is
    what makes a crossing where the rule does not say it. `prices` are expressions of levels, over the same names; `others` the
    symbols whose columns may be read.

    Raises ConfigError for a text outside the grammar, names that collide or that nothing reads, circular indicators, no entry rule.
    """
    names = _Names(strategy, others)
    for name in strategy.indicators:
        names[name]
    rules: dict[str, Rule | None] = {}
    for side in ("long", "short"):
        for what, text in (("entry", getattr(strategy, side).entry), ("exit", getattr(strategy, side).exit)):
            rule = None if text is None else parse_rule(text, names, f"strategy.{side}.{what}", cross)
            rules[f"{side}_{what}"] = rule if strategy.side in ("both", side) else None
    levels = _prices(prices or {}, names)
    for name in strategy.params if strategy._target_ is None else ():  # code has put numbers in their place
        if name not in names.read:
            raise ConfigError(
                f"strategy.params.{name} is read by no rule or indicator (exits and sizing take their numbers under exits.* and sizing.*); "
                + (accepted(sorted(names.read), name) if names.read else "this strategy has no parameters")
            )
    if rules["long_entry"] is None and rules["short_entry"] is None:
        needed = {"both": "strategy.long.entry or strategy.short.entry"}.get(strategy.side, f"strategy.{strategy.side}.entry")
        raise ConfigError(
            f"strategy {strategy.name!r} has no entry rule: {needed} must be a rule when strategy.side={strategy.side}, got null"
        )
    return Signals(**rules, prices=levels)


class _Names(Mapping[str, Numeric]):
    """Parameters and indicators. An indicator is parsed when it is first asked for, so that they may stand in any order."""

    def __init__(self, strategy: Strategy, others: Collection[str] = ()) -> None:
        self.others = others  # symbols whose columns may be read
        self.read: set[str] = set()  # parameters that some text names
        self._params = strategy.params
        self._texts = strategy.indicators
        self._done: dict[str, Numeric] = {}
        self._open: list[str] = []
        for group, names in (("params", self._params), ("indicators", self._texts)):
            for name in names:
                self._check_name(group, name)

    def __len__(self) -> int:
        return len(self._params) + len(self._texts)

    def __iter__(self) -> Iterator[str]:
        yield from self._params
        yield from self._texts

    def __contains__(self, name: object) -> bool:
        return name in self._params or name in self._texts

    def __getitem__(self, name: str) -> Numeric:
        if name in self._params:
            self.read.add(name)
            return number(self._value(name))
        if name not in self._done:
            if name in self._open:
                raise ConfigError(f"strategy.indicators.{name} is defined by itself: {' -> '.join([*self._open, name])}")
            self._open.append(name)
            self._done[name] = parse_number(self._texts[name], self, f"strategy.indicators.{name}")
            self._open.pop()
        return self._done[name]

    def _value(self, name: str) -> float:
        value = self._params[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
            raise ConfigError(f"strategy.params.{name} must be a number (in size below 1e300), got {value!r}")
        return value

    def _check_name(self, group: str, name: str) -> None:
        key = f"strategy.{group}.{name}"
        if not isinstance(name, str) or not name.isidentifier() or iskeyword(name):
            raise ConfigError(f"{key}: a name must be letters, digits and _ and no word of the language, got {name!r}")
        if name in (*NAMES, SESSION, *FUNCTIONS):
            kind = "function" if name in FUNCTIONS else "column"
            raise ConfigError(f"{key}: {name} is a {kind} already; choose another name, e.g. {name}_1")
        if group == "indicators" and name in self._params:
            raise ConfigError(f"{key}: {name} is a parameter already; choose another name")
