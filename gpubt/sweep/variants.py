"""One set's configuration, and what sets have in common: those with equal signals, and those that trade signals alike."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.compose import compose, raw
from gpubt.config import Config
from gpubt.errors import ConfigError
from gpubt.limits import check
from gpubt.resolve import resolve
from gpubt.sweep.axes import Axis, Interval, is_signal, is_trade

if TYPE_CHECKING:
    from gpubt.sweep.space import Space


class Variants:
    """Configurations of sets, from what Hydra composed for all of them."""

    def __init__(self, fixed: list[str], config_dir: str | None = None) -> None:
        self._composed = compose(fixed, config_dir)
        self.base = raw(self._composed)

    def typed(self, axis: Axis | Interval) -> Axis | Interval:
        """The axis with its values as the configuration holds them. Raises ConfigError as a run with that value would."""
        from omegaconf import OmegaConf

        from gpubt.compose_errors import explain

        values = []
        for value in axis.values if isinstance(axis, Axis) else (axis.low, axis.high):
            try:
                OmegaConf.update(self._composed, axis.key, value)
                values.append(OmegaConf.select(self._composed, axis.key))
            except Exception as error:
                raise explain(error) from error
            raw(self._composed)
        return Axis(axis.key, tuple(values)) if isinstance(axis, Axis) else axis

    def config(self, values: Mapping[str, Any]) -> Config:
        """The checked, resolved configuration of a set. Raises ConfigError."""
        config = copy.deepcopy(self.base)
        for key, value in values.items():
            assign(config, key, value)
        check(config)
        return resolve(config)


def assign(config: Config, key: str, value: Any) -> None:
    """Set the value at a dotted key of the dataclasses and mappings of a configuration."""
    *path, name = key.split(".")
    node: Any = config
    for part in path:
        node = node[part] if isinstance(node, dict) else getattr(node, part)
    if isinstance(node, dict):
        node[name] = value
    else:
        setattr(node, name, value)


@dataclass(frozen=True)
class Groups:
    """Of each set the group with its signals and the group that trades alike; `signals[i]` and `trades[i]` are their first sets."""

    signals: NDArray[np.int64]
    signal_of: NDArray[np.int64]
    trades: NDArray[np.int64]
    trade_of: NDArray[np.int64]

    @classmethod
    def of(cls, space: Space) -> Groups:
        """The groups of a space."""
        signals, signal_of = space.groups([key for key in space.keys if is_signal(key)])
        trades, trade_of = space.groups([key for key in space.keys if is_trade(key)])
        return cls(signals, signal_of, trades, trade_of)


def explained(space: Space, i: int, error: ConfigError) -> ConfigError:
    """The error of set `i`, with its values."""
    return ConfigError(f"set {i} ({', '.join(f'{key}={value}' for key, value in space.values(i).items())}): {error}")
