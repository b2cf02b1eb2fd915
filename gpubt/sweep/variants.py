"""One set's configuration, and what sets have in common: those with equal signals, and those that trade signals alike."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gpubt.compose import compose, raw
from gpubt.config import Config
from gpubt.errors import ConfigError
from gpubt.limits import check
from gpubt.resolve import resolve
from gpubt.strategy.plan import Plan, plan
from gpubt.sweep.axes import Axis, Interval, is_signal, is_trade
from gpubt.sweep.space import SYMBOL

if TYPE_CHECKING:
    from gpubt.sweep.space import Space

T = TypeVar("T")
KEPT = 4_096  # plans


class Variants:
    """Configurations of sets, from what Hydra composed for all of them."""

    def __init__(self, fixed: list[str], config_dir: str | None = None) -> None:
        self._composed = compose(fixed, config_dir)
        self.base = raw(self._composed)
        self._plans: dict[tuple[Any, ...], Plan] = {}
        self._checked = False  # whether the values that all sets have in common were

    def typed(self, axis: Axis | Interval) -> Axis | Interval:
        """The axis with its values as the configuration holds them; an interval is of whole numbers where its key takes no others, or has
        one as its default. Raises ConfigError as a run with that value would."""
        from omegaconf import OmegaConf

        from gpubt.compose_errors import explain

        def put(value: Any) -> Any:
            try:
                OmegaConf.update(self._composed, axis.key, value)
                return OmegaConf.select(self._composed, axis.key)
            except Exception as error:
                raise explain(error) from error

        if isinstance(axis, Axis):
            return Axis(axis.key, tuple(put(value) for value in axis.values))
        usual = OmegaConf.select(self._composed, axis.key)
        if not (float(axis.low).is_integer() and float(axis.high).is_integer()):
            return Interval(axis.key, put(axis.low), put(axis.high))
        if type(usual) is int:  # a parameter of a strategy: its default says what it is
            return Interval(axis.key, int(axis.low), int(axis.high))
        return Interval(axis.key, put(int(axis.low)), put(int(axis.high)))

    def config(self, values: Mapping[str, Any]) -> Config:
        """The checked, resolved configuration of a set. Raises ConfigError."""
        config = copy.copy(self.base)
        for key, value in values.items():
            assign(config, key, value)
        check(config, values if self._checked else None)
        self._checked = True
        return resolve(config)

    def plan(self, values: Mapping[str, Any]) -> Plan:
        """What a set with these values computes; kept, as a sweep is checked by the values that its signals are made from. Raises
        ConfigError."""
        key = tuple(values.values())
        found = self._plans.get(key)
        if found is None:
            if len(self._plans) >= KEPT:
                self._plans.clear()
            found = self._plans[key] = plan(self.config(values))
        return found


def assign(config: Config, key: str, value: Any) -> None:
    """Set the value at a dotted key of the dataclasses and mappings of a configuration. `config` is a copy; what lies on the way is
    copied too, so that nothing else sees the change."""
    *path, name = key.split(".")
    node: Any = config
    for part in path:
        inner = copy.copy(node[part] if isinstance(node, dict) else getattr(node, part))
        put(node, part, inner)
        node = inner
    put(node, name, value)


def put(node: Any, name: str, value: Any) -> None:
    """Set a key of a mapping or a field of a dataclass."""
    if isinstance(node, dict):
        node[name] = value
    else:
        setattr(node, name, value)


@dataclass(frozen=True)
class Groups:
    """Of each set the group with its signals and the group that trades alike; `signals[i]` and `trades[i]` are their first sets.
    `signal_keys`: the axes that signals depend on."""

    signal_keys: tuple[str, ...]
    signals: NDArray[np.int64]
    signal_of: NDArray[np.int64]
    trades: NDArray[np.int64]
    trade_of: NDArray[np.int64]

    @classmethod
    def of(cls, space: Space) -> Groups:
        """The groups of a space."""
        keys = tuple(key for key in space.keys if is_signal(key))
        signals, signal_of = space.groups(keys)
        trades, trade_of = space.groups([key for key in space.keys if is_trade(key) and key != SYMBOL])
        return cls(keys, signals, signal_of, trades, trade_of)


def checked(variants: Variants, space: Space) -> Iterator[Plan]:
    """Plans of sets in which every value of every axis occurs: what is wrong with one is found before the sweep begins. Raises ConfigError
    with the set."""
    for i in space.examples():
        yield _explained(space, int(i), variants.plan)


def config_of(variants: Variants, space: Space, i: int) -> Config:
    """The configuration of set `i`. Raises ConfigError with its values."""
    return _explained(space, i, variants.config)


def _explained(space: Space, i: int, make: Callable[[Mapping[str, Any]], T]) -> T:
    values = space.values(i)
    try:
        return make(values)
    except ConfigError as error:
        raise ConfigError(f"set {i} ({', '.join(f'{key}={value}' for key, value in values.items())}): {error}") from None
