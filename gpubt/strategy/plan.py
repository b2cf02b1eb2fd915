"""What a run will compute, known from the configuration alone: the columns to read, the series, the mask program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gpubt.config import Config
from gpubt.errors import ConfigError
from gpubt.indicators.definitions import series
from gpubt.indicators.framed import needs_session
from gpubt.indicators.series import Series
from gpubt.simulate.parameters import needs_atr
from gpubt.strategy.compile import compile_prices, compile_strategy
from gpubt.strategy.lower import lower
from gpubt.strategy.program import MaskProgram
from gpubt.strategy.vector import Vectors, vectors_of


@dataclass(frozen=True)
class Plan:
    """`columns` of the bars beyond time and prices, and of the clock; `levels` that orders read, by `layout.LEVELS`; what makes the signals
    is `program`, or `vectors`, or for positions=list neither."""

    columns: frozenset[str]
    levels: Mapping[str, Series]
    program: MaskProgram | None
    vectors: Vectors | None = None

    def passes(self) -> Iterator[tuple[Series, ...]]:
        """The series that are read at once: by each pass of the program, then the levels'."""
        yield from (step.series for step in (self.program.compares if self.program else ()))
        yield tuple(self.levels.values())

    def needs_session(self) -> bool:
        """Whether a rule or a level depends on the configured session."""
        return any(needs_session(one) for step in self.passes() for one in step)


def plan(config: Config) -> Plan:
    """Raises ConfigError for a rule, an expression or an indicator that is wrong."""
    levels = {"atr": series("atr", [], [config.exits.atr_length or 14])} if needs_atr(config) else {}
    prices = dict(level_texts(config))
    if config.positions == "list":
        levels |= compile_prices(config.strategy, prices, config.data.others)
        return Plan(_columns(config, levels.values()), levels, None)
    if vectors := vectors_of(config):
        levels |= compile_prices(config.strategy, prices, config.data.others)
        return Plan(_columns(config, levels.values()) | {"volume"}, levels, None, vectors)
    signals = compile_strategy(config.strategy, config.cross, prices, config.data.others)
    read = signals.series()
    levels |= signals.prices
    return Plan(_columns(config, [*read, *levels.values()]), levels, lower(signals))


def _columns(config: Config, read: Iterable[Series]) -> frozenset[str]:
    found = list(read)
    if any(map(needs_session, found)) and config.session.hours is None and config.session.days is None:
        raise ConfigError("a rule asks for the session, and there is none: give session.hours, such as 09:30-16:00, or session.days")
    return frozenset[str]().union(*(one.columns() for one in found)) - {"open", "high", "low", "close"}


def level_texts(config: Config) -> Iterator[tuple[str, tuple[str, str]]]:
    """The expressions of levels: name in `layout.LEVELS`, then key and text."""
    order = {"limit": "entry.limit", "stop": "entry.stop", "stop_limit": "entry.stop"}.get(config.entry.order)
    keys = {"stop": "exits.stop", "target": "exits.target"}
    if order:
        keys["order"] = order
    if config.entry.order == "stop_limit":
        keys["limit"] = "entry.limit"
    for name, key in keys.items():
        group, level = key.split(".")
        for side in ("long", "short"):
            text = getattr(getattr(getattr(config, group), level), side)
            if text is not None and (config.strategy.side in ("both", side) or config.positions == "list"):
                yield f"{side}_{name}", (f"{key}.{side}", text)
