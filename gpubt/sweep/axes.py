"""What a sweep varies: Hydra's own sweep syntax on the command line, as axes with exact decimal steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gpubt.errors import ConfigError

# What the sets of one sweep can differ in: everything else is the same for all, or belongs to a multirun
SIGNALS: tuple[str, ...] = (
    "strategy.params.",
    "strategy.indicators.",
    "strategy.long.",
    "strategy.short.",
    "strategy.side",
    "cross",
    "session.",
    "blackout.",
)
TRADES: tuple[str, ...] = (
    "exits.",
    "strategy.exits.",
    "sizing.",
    "strategy.sizing.",
    "costs.",
    "entry.",
    "exit.",
    "time.",
    "capital",
    "sim.same_bar",
    "pyramiding",
)
TRADES += ("on_opposite", "end_of_data")


@dataclass(frozen=True)
class Axis:
    """A key and the values it takes, in their order."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Interval:
    """A key and the range that random search draws from, uniformly; whole numbers if both ends are."""

    key: str
    low: float
    high: float

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers only."""
        return type(self.low) is int and type(self.high) is int


def is_signal(key: str) -> bool:
    """Whether sets that differ in `key` may have different signals; else they only trade them differently."""
    return key.startswith(SIGNALS)


def split(overrides: Sequence[str]) -> tuple[list[str], list[Axis | Interval]]:
    """The overrides that hold for all sets, as they are, and the axes in their order.

    Raises ConfigError for a key that can't differ between the sets of one sweep, with the command that can.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    from gpubt.compose_errors import explain

    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except Exception as error:
        raise explain(error) from error
    fixed: list[str] = []
    axes: list[Axis | Interval] = []
    for text, override in zip(overrides, parsed, strict=True):
        if not override.is_sweep_override() or override.key_or_group.startswith(("sweep.", "hydra.")):
            fixed.append(text)
            continue
        key = str(override.key_or_group)
        if not key.startswith((*SIGNALS, *TRADES)):
            instead = "sweep each by itself" if key == "strategy._target_" else f"gpubt run -m {text} runs one after the other"
            raise ConfigError(f"{key} can't differ between the sets of one sweep; {instead}")
        if any(axis.key == key for axis in axes):
            raise ConfigError(f"{key} is given twice")
        axes.append(_axis(key, override, text))
    return fixed, axes


def _axis(key: str, override: Any, text: str) -> Axis | Interval:
    from hydra.core.override_parser.types import IntervalSweep, RangeSweep

    value = override.value()
    if isinstance(value, IntervalSweep):
        assert value.start is not None and value.end is not None
        if not value.start < value.end:
            raise ConfigError(f"{key}=interval({value.start:g}, {value.end:g}) must have its lower end first")
        return Interval(key, value.start, value.end)
    if isinstance(value, RangeSweep) and not value.shuffle and not isinstance(value.range(), range):
        values: Sequence[Any] = decimal_range(value.start, value.stop, value.step)
    else:
        values = list(override.sweep_iterator())
    if not values:
        raise ConfigError(f"{key} has no value in {text}")
    if len(set(map(repr, values))) < len(values):
        raise ConfigError(f"{key} has a value twice in {text}")
    return Axis(key, tuple(values))


def decimal_range(start: Any, stop: Any, step: Any) -> list[float]:
    """`start`, `start + step`, ... before `stop`, in decimal arithmetic: the third of range(0.1, 0.5, 0.1) is 0.3."""
    first, last, by = (Decimal(str(number)) for number in (start, stop, step))
    if by == 0:
        raise ConfigError("the step of a range must not be 0")
    count = max(0, -int((first - last) // by)) if (last - first) / by > 0 else 0
    values = [first + by * i for i in range(count + 1)]
    return [float(value) for value in values if (value < last if by > 0 else value > last)]


def is_trade(key: str) -> bool:
    """Whether sets that differ in `key` trade the same signals differently. The side of a strategy does both."""
    return not is_signal(key) or key == "strategy.side"
