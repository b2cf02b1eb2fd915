"""What a sweep is, from its overrides alone: what holds for all sets, and the axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from gpubt.config import Config
from gpubt.errors import ConfigError
from gpubt.records.environment import config_digest
from gpubt.sweep.axes import Axis, Interval, split
from gpubt.sweep.space import SYMBOL, Space, grid, sample
from gpubt.sweep.variants import Variants

HOW = ("backend", "memory", "cache", "profile", "report", "progress", "debug")  # how rows are computed, not what is in them


@dataclass(frozen=True)
class Definition:
    """`overrides` as given; `variants` makes the configuration of a set from the values of its `axes`."""

    overrides: tuple[str, ...]
    config_dir: str | None
    variants: Variants
    axes: tuple[Axis | Interval, ...]
    symbols: tuple[str, ...] | None

    @property
    def config(self) -> Config:
        """What holds for all sets, unresolved: axes have the value of a single run."""
        return self.variants.base

    @property
    def digest(self) -> str:
        """SHA-256 of what holds for all sets and decides what is in the rows."""
        return config_digest({key: value for key, value in asdict(self.config).items() if key not in HOW})

    def space(self) -> Space:
        """Every set. Raises ConfigError."""
        own = self.config.sweep
        random = own.method == "random"
        space = sample(self.axes, own.sets, self.config.seed, own.where) if random else grid(self.axes, own.where)
        return space if self.symbols is None else space.times(Axis(SYMBOL, self.symbols))


def define(overrides: Sequence[str], config_dir: str | None = None, *, alone: bool = False) -> Definition:
    """The sweep of these overrides; `alone`: for a run of one of its sets, which may do what only runs do. Raises ConfigError."""
    from gpubt.symbols import chosen

    fixed, axes = split(overrides)
    variants = Variants(fixed, config_dir)
    if not alone:
        _refuse_unsuited(variants.base)
    typed = tuple(variants.typed(axis) for axis in axes)
    symbols = None
    if variants.base.data.symbols is not None:
        symbols = tuple(chosen(variants.base))
        variants.base = replace(variants.base, data=replace(variants.base.data, symbols=None))
    return Definition(tuple(overrides), config_dir, variants, typed, symbols)


def _refuse_unsuited(config: Config) -> None:
    """Raise ConfigError for what only single runs do."""
    for key, wrong, instead in (
        ("sim.same_bar=band", config.sim.same_bar == "band", "sweep over sim.same_bar=stop_first,target_first"),
        ("equity=bar", config.equity == "bar", "gpubt replay writes the equity of a row by bar"),
        ("data.frac=ask", config.data.frac == "ask", "give a fraction"),
    ):
        if wrong:
            raise ConfigError(f"{key} is for gpubt run; {instead}")


def about(definition: Definition, sets: int, dropped: int, facts: dict[str, Any]) -> dict[str, Any]:
    """`sweep.json`: the sweep, and `facts` of the bars and the machine."""
    axes = {axis.key: list(axis.values) if isinstance(axis, Axis) else [axis.low, axis.high] for axis in definition.axes}
    return {
        "version": 1,
        "overrides": list(definition.overrides),
        "config_dir": definition.config_dir,
        "method": definition.config.sweep.method,
        "axes": axes if definition.symbols is None else {SYMBOL: list(definition.symbols), **axes},
        "where": definition.config.sweep.where,
        "sets": sets,
        "dropped": dropped,
        "blocks": definition.config.sweep.blocks,
        "config_digest": definition.digest,
        **facts,
    }
