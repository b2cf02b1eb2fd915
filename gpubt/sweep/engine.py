"""The sets over one symbol's bars: bars once, masks once for all sets that share them, tallies in chunks that fit the memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.base import Batch, Sets, Trading
from gpubt.indicators.cache import IndicatorCache
from gpubt.metrics.account import periods
from gpubt.simulate.entries import load_entries
from gpubt.simulate.inputs import calendars
from gpubt.simulate.parameters import needs_atr, parameters, rungs
from gpubt.strategy.plan import Plan, level_texts, plan
from gpubt.sweep.variants import Groups, Variants, config_of

if TYPE_CHECKING:
    from gpubt.backends.base import Array, Backend
    from gpubt.config import Config
    from gpubt.data.load import Loaded
    from gpubt.phases import Phases
    from gpubt.sweep.budget import Shares
    from gpubt.sweep.space import Space

SETS = 4_096  # of one call, at most

Inputs = tuple[Mapping[str, "Array"], Mapping[str, "Array"]]  # masks, levels


class Engine:
    """What all sets over one symbol's bars share, and the sets of one space at a time (`use`)."""

    def __init__(self, variants: Variants, space: Space, backend: Backend, data: Loaded, shares: Shares, phases: Phases) -> None:
        self.variants, self.backend, self.data, self.shares, self.phases = variants, backend, data, shares, phases
        self.bars = bars = data.bars
        with self._phase("transfer"):
            self.market = backend.upload({name: column for name, column in bars.columns().items() if name != "time"}, data.detail)
        self.cache = IndicatorCache(backend.indicator, self.market.columns, data.report.digest, backend.device, shares.indicators)
        self._calendars: dict[str, dict[str, Array]] = {}
        self.use(space)
        self.periods = periods(bars, self._config(0))

    def use(self, space: Space) -> None:
        """Simulate the sets of `space` from now on. Raises ConfigError, with the set, for values that don't agree."""
        self.space, self.groups = space, Groups.of(space)
        self.config = self._config(0)
        self._capitals = np.empty(len(self.groups.trades))
        self._traded = []
        levels = []
        for i, first in enumerate(self.groups.trades):
            one = self._config(int(first))
            self._capitals[i] = one.capital
            self._traded.append(Trading(rungs(one), parameters(one, self.bars.mean_spacing), self._entries(one)))
            levels.append(repr((needs_atr(one), one.exits.atr_length, *level_texts(one))))
        self._levels_of = np.unique(levels, return_inverse=True)[1]  # groups that read their levels from the same expressions

    def _entries(self, config: Config) -> NDArray[Any] | None:
        return load_entries(config, self.data.bars.time, self.data.bars.symbol) if config.positions == "list" else None

    def _phase(self, name: str, **counts: int) -> AbstractContextManager[None]:
        return self.phases.phase(name, wait=self.backend.wait, **(counts or {"bars": self.data.bars.n}))

    def _config(self, i: int) -> Config:
        return config_of(self.variants, self.space, i)

    def capital(self, sets: NDArray[np.int64]) -> NDArray[np.float64]:
        """What each of these sets begins with."""
        return self._capitals[self.groups.trade_of[sets]]

    def simulated(self, remaining: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Sets]]:
        """Tallies of the sets that remain, chunk by chunk, in the order of their signals."""
        config = self.config
        for sets, batch in self._chunks(remaining):
            with self._phase("simulate", sets=len(sets)):
                yield (
                    sets,
                    self.backend.simulate_sets(
                        *(self.market, batch, self.periods.ends, self.periods.risk_free),
                        mode=config.sim.mode,
                        positions=config.positions,
                        blocks=config.sweep.blocks,
                    ),
                )

    def _chunks(self, remaining: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Batch]]:
        """Sets of as many signals as fit, but at most `SETS`; those of one signal that are more, in several chunks."""
        of = self.groups.signal_of[remaining]
        order = np.argsort(of, kind="stable")
        remaining, of = remaining[order], of[order]
        start = 0
        while start < len(remaining):
            end = start + int(np.searchsorted(of[start : start + SETS], of[start] + self.shares.signals, side="left"))
            yield remaining[start:end], self._batch(remaining[start:end])
            start = end

    def _batch(self, sets: NDArray[np.int64]) -> Batch:
        """What a backend needs to simulate `sets`, which come by their signals."""
        signals, trades = self.groups.signal_of[sets], self.groups.trade_of[sets]
        inputs: list[Inputs] = []
        input_of = np.empty(len(sets), np.int64)
        kinds = self._levels_of[trades]
        bounds = np.append(np.flatnonzero(np.diff(signals, prepend=-1)), len(sets))
        for start, end in pairwise(bounds):
            masks, planned = self._masks(int(sets[start]))
            for kind in np.unique(kinds[start:end]):
                mine = start + np.flatnonzero(kinds[start:end] == kind)
                levels = (planned if mine[0] == start else plan(self._config(int(sets[mine[0]])))).levels
                input_of[mine] = len(inputs)
                inputs.append((masks, {name: self.cache.get(one) for name, one in levels.items()}))
        return Batch(inputs, self._traded, input_of, trades)

    def _masks(self, i: int) -> tuple[dict[str, Array], Plan]:
        """The masks of set `i`, and its plan."""
        config = self._config(i)
        key = repr((config.session, config.blackout))
        if key not in self._calendars:
            self._calendars[key] = calendars(config, self.bars, self.backend)
        planned = plan(config)
        masks = dict(self._calendars[key])
        if planned.program is not None:
            with self._phase("indicators"):
                for one in planned.program.series():
                    self.cache.get(one)
            with self._phase("scan"):
                masks |= self.backend.scan(planned.program, lambda wanted: [self.cache.get(one) for one in wanted], self.bars.n)
        return masks, planned
