"""What a run will compute, known from the configuration alone: the columns to read, the series, the mask program."""

from __future__ import annotations

from dataclasses import dataclass

from gpubt.config import Config
from gpubt.indicators.definitions import series
from gpubt.indicators.series import COLUMNS, Series
from gpubt.simulate.parameters import needs_atr
from gpubt.strategy.compile import compile_strategy
from gpubt.strategy.lower import lower
from gpubt.strategy.program import MaskProgram


@dataclass(frozen=True)
class Plan:
    """`columns` of the bars beyond time and prices; `series` the rules read; `atr` for levels; `program` is None for positions=list."""

    columns: frozenset[str]
    series: tuple[Series, ...]
    atr: Series | None
    program: MaskProgram | None


def plan(config: Config) -> Plan:
    """Raises ConfigError for a rule or an indicator that is wrong."""
    atr = series("atr", [], [config.exits.atr_length or 14]) if needs_atr(config) else None
    if config.positions == "list":
        return Plan(frozenset(), (), atr, None)
    signals = compile_strategy(config.strategy)
    read = signals.series()
    columns = frozenset[str]().union(*(one.columns() for one in read)) & set(COLUMNS) - {"open", "high", "low", "close"}
    return Plan(columns, read, atr, lower(signals))
