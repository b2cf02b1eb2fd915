"""The bars of a configuration: first which rows, then exactly those, validated, with the finer bars inside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from gpubt.data.rows import resolve_rows
from gpubt.data.source import Source, open_source
from gpubt.data.validate import DataReport, validate

if TYPE_CHECKING:
    from gpubt.config import Config
    from gpubt.data.bars import Bars
    from gpubt.data.detail import Detail


@dataclass(frozen=True)
class Rows:
    """Rows `lo` to `hi` (exclusive) of a source."""

    source: Source
    lo: int
    hi: int

    @property
    def n(self) -> int:
        """How many."""
        return self.hi - self.lo


@dataclass(frozen=True)
class Loaded:
    """Validated bars, what validation says of them, the finer bars of `sim.detail.path` (None: there are none), and the columns that rules
    read of the clock and of other symbols."""

    bars: Bars
    report: DataReport
    detail: Detail | None
    clock: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    others: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """What backends compute with, by name: float64, shape (n,)."""
        return {name: column for name, column in self.bars.columns().items() if name != "time"} | {**self.clock, **self.others}


def select(config: Config, bars: Bars | None = None) -> Rows:
    """The rows that `data` asks for, of `bars` if there are any, from metadata alone. Raises ConfigError, DataError."""
    source = open_source(config.data, config.seed, bars)
    return Rows(source, *resolve_rows(source, config.data))


def load(config: Config, rows: Rows, columns: Collection[str]) -> Loaded:
    """These rows: times, prices, and `columns`, also those of the clock and of other symbols. Raises DataError."""
    from gpubt.data.detail import load_detail
    from gpubt.data.moments import clock_columns

    read = rows.source.read(rows.lo, rows.hi, columns)
    bars, report = validate(read, rows.lo, rows.hi, config.data.validation, rows.source.findings)
    detail = load_detail(config, bars) if config.sim.detail.path is not None else None
    clock = clock_columns(bars.time, columns, config)
    if not any("." in name for name in columns):
        return Loaded(bars, report, detail, clock)
    from gpubt.data.others import with_others

    others, report = with_others(config, bars, report, columns)
    return Loaded(bars, report, detail, clock, others)
