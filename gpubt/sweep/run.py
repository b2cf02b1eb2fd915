"""A sweep from end to end: bars once, masks once for all sets that share them, rows in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.base import Job, Sets
from gpubt.errors import ConfigError
from gpubt.data.load import Loaded, load, select
from gpubt.metrics.figures import figures
from gpubt.phases import Phases
from gpubt.progress import progress
from gpubt.simulate.parameters import parameters, rungs
from gpubt.strategy.plan import level_texts, plan
from gpubt.sweep.store import Store
from gpubt.sweep.variants import Groups, Variants, explained

if TYPE_CHECKING:
    import pyarrow as pa

    from gpubt.backends.base import Array, Backend
    from gpubt.config import Config
    from gpubt.sweep.space import Space

PART = 65_536  # rows of a part file at most
PATIENCE = 5.0  # seconds of work that an interruption may lose, besides what is in flight
BATCH = 4_096  # sets simulated in one call


@dataclass
class Trading:
    """Sets that trade their signals alike: parameters, ladder, and the series of levels (None: they depend on the signals' indicators)."""

    config: Config
    params: NDArray[Any]
    rungs: NDArray[Any]
    levels: Mapping[str, Any] | None
    arrays: dict[str, Array] = field(default_factory=dict)


class Sweep:
    """The sets of a space over the bars of one configuration."""

    def __init__(self, variants: Variants, space: Space, backend: Backend, data: Loaded) -> None:
        self.variants, self.space, self.backend, self.data = variants, space, backend, data
        self.groups = Groups.of(space)
        self.config = self._config(0)
        self.phases = Phases()
        self._phase = partial(self.phases.phase, wait=backend.wait)

    def _config(self, i: int) -> Config:
        try:
            return self.variants.config(self.space.values(i))
        except ConfigError as error:
            raise explained(self.space, i, error) from None

    def trading(self) -> list[Trading]:
        """What each trade group does with signals. Raises ConfigError with the set whose values don't agree."""
        found = []
        for first in self.groups.trades:
            config = self._config(int(first))
            own = None if any(True for _ in level_texts(config)) else plan(config).levels
            found.append(Trading(config, parameters(config, self.data.bars.mean_spacing), rungs(config), own))
        return found

    def run(self, remaining: NDArray[np.int64], store: Store) -> None:
        """Simulate the sets that remain, and keep their rows."""
        from gpubt.indicators.cache import IndicatorCache
        from gpubt.metrics.account import periods
        from gpubt.simulate.inputs import calendars

        bars, config, backend = self.data.bars, self.config, self.backend
        with self._phase("transfer", bars=bars.n):
            columns = {name: column for name, column in bars.columns().items() if name != "time"}
            self.market = backend.upload(columns, self.data.detail)
        budget = int(config.cache.budget_mib * 2**20)
        self.cache = IndicatorCache(backend.indicator, self.market.columns, self.data.report.digest, backend.device, budget)
        self.periods = periods(bars, config)
        self.traded = self.trading()
        self.calendars = calendars(config, bars, backend)
        rows, since = [], perf_counter()
        with progress("simulating", total=len(remaining), unit="sets") as advance:
            for sets, jobs in self.batches(remaining):
                with self._phase("simulate", sets=len(sets)):
                    out = backend.simulate_sets(
                        self.market, jobs, self.periods.ends, self.periods.risk_free, config.sim.mode, config.positions, config.sweep.blocks
                    )
                with self._phase("metrics", sets=len(sets)):
                    rows.append(self.table(sets, out))
                advance(len(sets))
                if sum(map(len, rows)) >= PART or perf_counter() - since > PATIENCE:
                    self._flush(rows, store)
                    rows, since = [], perf_counter()
        self._flush(rows, store)

    def _flush(self, rows: list[pa.Table], store: Store) -> None:
        if rows:
            import pyarrow as pa

            with self._phase("write"):
                store.add(pa.concat_tables(rows))

    def batches(self, remaining: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], list[Job]]]:
        """Sets by their signals, with what a backend needs to simulate them; masks of a batch fit the budget."""
        order = remaining[np.argsort(self.groups.signal_of[remaining], kind="stable")]
        starts = np.flatnonzero(np.diff(self.groups.signal_of[order], prepend=-1))
        room = max(1, int(self.config.cache.budget_mib * 2**20 / 4) // (4 * (self.data.bars.n // 8 + 8)))  # masks of so many groups
        sets: list[NDArray[np.int64]] = []
        jobs: list[Job] = []
        for held, (start, end) in enumerate(zip(starts, [*starts[1:], len(order)], strict=True), 1):
            for at in range(start, end, BATCH):
                group = order[at : min(at + BATCH, end)]
                if at == start:
                    masks, series = self.masks(int(group[0]))
                jobs += [Job(masks, self.levels(int(i), series), trade.rungs, trade.params) for i, trade in self.each(group)]
                sets.append(group)
                if len(jobs) >= BATCH or held % room == 0:
                    yield np.concatenate(sets), jobs
                    sets, jobs = [], []
        if jobs:
            yield np.concatenate(sets), jobs

    def each(self, sets: NDArray[np.int64]) -> Iterator[tuple[int, Trading]]:
        """Sets with what they do with their signals."""
        for i in sets:
            yield int(i), self.traded[self.groups.trade_of[i]]

    def masks(self, i: int) -> tuple[dict[str, Array], Config]:
        """The masks of set `i`, and its configuration."""
        config = self._config(i)
        with self._phase("indicators", bars=self.data.bars.n):
            planned = plan(config)
            assert planned.program is not None
            series = {one: self.cache.get(one) for one in planned.program.series()}
        with self._phase("scan", bars=self.data.bars.n):
            found = self.backend.scan(planned.program, lambda wanted: [series[one] for one in wanted], self.data.bars.n)
        return self.calendars | found, config

    def levels(self, i: int, config: Config) -> Mapping[str, Array]:
        """The level series of set `i`, whose signals are those of `config`."""
        trade = self.traded[self.groups.trade_of[i]]
        if trade.levels is None:
            return {name: self.cache.get(one) for name, one in plan(self._config(i)).levels.items()}
        if not trade.arrays:
            trade.arrays.update({name: self.cache.get(one) for name, one in trade.levels.items()})
        return trade.arrays

    def table(self, sets: NDArray[np.int64], out: Sets) -> pa.Table:
        """Rows: the set, its values, every metric, the ledger's hash, and the sums of its returns in blocks."""
        import pyarrow as pa

        columns: dict[str, Any] = {"set": pa.array(sets)}
        for key in self.space.keys:
            levels = self.space.levels[key]
            columns[key] = pa.array([levels[code] for code in self.space.codes[key][sets]])
        found = [
            figures(tally, capital=float(trade.config.capital), bars=self.data.bars.n, periods=len(self.periods.ends), per_year=self.periods.per_year)
            for tally, (_, trade) in zip(out.tallies, self.each(sets), strict=True)
        ]
        for name, kind in ((name, pa.int64() if isinstance(value, int) else pa.float64()) for name, value in found[0].items()):
            values = np.array([row[name] for row in found])
            columns[name] = pa.array(values, kind, mask=np.isnan(values) if kind == pa.float64() else None)
        columns["ledger_hash"] = pa.array([f"{value & (2**64 - 1):016x}" for value in out.tallies["hash"].tolist()])
        for name, sums in (("block_return", out.sums), ("block_square", out.squares)):
            columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(sums).ravel()), sums.shape[1])
        return pa.table(columns)


def prepare(variants: Variants, space: Space) -> Loaded:
    """The bars, with every column that a set reads."""
    groups = Groups.of(space)
    columns: set[str] = set()
    for first in {*groups.signals.tolist(), *groups.trades.tolist()}:
        try:
            columns |= plan(variants.config(space.values(first))).columns
        except ConfigError as error:
            raise explained(space, first, error) from None
    config = variants.config(space.values(0))
    return load(config, select(config), columns)


def folder_of(out: str | None) -> Path:
    """Where a sweep is kept: `out`, or a folder named by the time."""
    from datetime import datetime

    return Path(out).expanduser() if out else Path("sweeps") / f"{datetime.now():%Y-%m-%d}" / f"{datetime.now():%H-%M-%S}"
