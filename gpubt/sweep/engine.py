"""The sets over one symbol's bars: bars once, masks once for all sets that share them, tallies in chunks that fit the memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.base import Batch, Inputs, Sets
from gpubt.errors import OutOfDeviceMemory
from gpubt.indicators.cache import cache_of
from gpubt.metrics.account import periods
from gpubt.records.log import LOGGER
from gpubt.simulate.inputs import calendars

if TYPE_CHECKING:
    from gpubt.backends.base import Array, Backend
    from gpubt.config import Config
    from gpubt.data.load import Loaded
    from gpubt.phases import Phases
    from gpubt.sweep.budget import Shares
    from gpubt.sweep.prepared import Prepared

SETS = 4_096  # of one call, at most; of a backend that is broader so many times more


class Engine:
    """What all sets over one symbol's bars share, and the sets of one space at a time (`use`)."""

    def __init__(self, prepared: Prepared, backend: Backend, data: Loaded, shares: Shares, phases: Phases) -> None:
        self.backend, self.data, self.shares, self.phases = backend, data, shares, phases
        self.halved = 0  # how often memory ran out
        self.bars = bars = data.bars
        with self._phase("transfer"):
            self.market = backend.upload(data.columns, data.detail)
        self.cache = cache_of(backend, self.market.columns, data, prepared.config, shares.indicators)
        self._calendars: dict[str, dict[str, Array]] = {}
        self.use(prepared)
        self.periods = periods(bars, self.config)

    def use(self, prepared: Prepared) -> None:
        """Simulate the sets of another space from now on."""
        self.prepared, self.space, self.groups, self.signals = prepared, prepared.space, prepared.groups, prepared.signals
        self.config = prepared.config
        self._usual = self._calendars_of(self.config)
        self._traded = prepared.trading(self.bars)

    def _phase(self, name: str, **counts: int) -> AbstractContextManager[None]:
        return self.phases.phase(name, device=self.backend, **(counts or {"bars": self.data.bars.n}))

    def capital(self, sets: NDArray[np.int64]) -> NDArray[np.float64]:
        """What each of these sets begins with."""
        return self.prepared.capitals[self.groups.trade_of[sets]]

    def simulated(self, remaining: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Sets]]:
        """Tallies of the sets that remain, chunk by chunk, in the order of their signals. Where a device has no room for a chunk, half of
        it is tried. Raises OutOfDeviceMemory when there is none for one set."""
        of = self.groups.signal_of[remaining]
        order = np.argsort(of, kind="stable")
        remaining, of = remaining[order], of[order]
        bounds = np.append(np.flatnonzero(np.diff(of, prepend=-1)), len(of))
        at = 0
        while at < len(remaining):
            try:
                for sets, out in self._next(remaining, of, bounds, at):
                    yield sets, out
                    at += len(sets)
            except OutOfDeviceMemory as error:
                self._ease(error)

    def _next(
        self, remaining: NDArray[np.int64], of: NDArray[np.int64], bounds: NDArray[np.int64], at: int
    ) -> Iterator[tuple[NDArray[np.int64], Sets]]:
        """From number `at` on the sets of as many signals as fit, but at most `most`; those of one signal that are more in several chunks.
        `of` are their signals, which begin at `bounds`."""
        start = int(np.searchsorted(bounds, at, "right")) - 1
        stop = self._fitting(of, bounds, start, at)
        groups = [int(of[first]) for first in bounds[start:stop]]
        masks = self._masks(groups)
        for first in range(at, bounds[stop], self.most):
            sets = remaining[first : min(first + self.most, bounds[stop])]
            yield sets, self._tallies(self._batch(sets, groups, masks))

    def _tallies(self, batch: Batch) -> Sets:
        config = self.config
        with self._phase("simulate", sets=batch.n):
            return self.backend.simulate_sets(
                *(self.market, batch, self.periods.ends, self.periods.risk_free),
                mode=config.sim.mode,
                positions=config.positions,
                blocks=config.sweep.blocks,
            )

    def _ease(self, error: OutOfDeviceMemory) -> None:
        """Take half as much at once from now on. Raises the error where that is less than one set."""
        if self.most == self._signals == 1:
            raise error
        self.halved += 1
        self.cache.shrink()
        self.backend.ease()
        LOGGER.warning("device memory ran out", extra={"fields": {"sets_at_once": self.most, "text": str(error)}})

    @property
    def warning(self) -> str | None:
        """What the record says of memory that ran out."""
        if not self.halved:
            return None
        return f"{self.backend.device} ran out of memory over {self.bars.symbol}: {self.most:,} sets at once, halved {self.halved} times"

    @property
    def most(self) -> int:
        """Sets of one call."""
        return max(1, SETS * self.backend.breadth >> self.halved)

    @property
    def _signals(self) -> int:
        return max(1, self.shares.signals >> self.halved)

    def _fitting(self, of: NDArray[np.int64], bounds: NDArray[np.int64], start: int, at: int) -> int:
        """The end of the signals from `start` on whose masks and indicators fit the memory, and which have up to `most` sets from number
        `at` on."""
        room = max(1, (self.shares.indicators >> self.halved) // (8 * self.bars.n))
        if self.signals is None or self.signals.kinds <= room:
            most = int(np.searchsorted(bounds, at + self.most, "right")) - 1
            return max(start + 1, min(most, start + self._signals, len(bounds) - 1))
        series: set[int] = set()
        stop = start
        while stop < len(bounds) - 1 and stop - start < self._signals:
            more = self.signals.numbers(int(of[bounds[stop]]))
            if stop > start and (len(series | more) > room or bounds[stop + 1] - at > self.most):
                break
            series |= more
            stop += 1
        return stop

    def _masks(self, groups: list[int]) -> Sequence[Mapping[str, Array]]:
        """The masks of some signals."""
        if self.signals is None:
            return [{}] * len(groups)
        with self._phase("indicators"):
            self.cache.prepare(self.signals.series(groups), partial(self.backend.together, n=self.bars.n))
        with self._phase("scan"):
            return self.signals.masks(groups, self.backend, self.cache, self.bars)

    def _calendar(self, group: int) -> dict[str, Array]:
        """Session ends and blackouts of a group."""
        return self._calendars_of(self.prepared.of(int(self.groups.signals[group])))

    def _calendars_of(self, config: Config) -> dict[str, Array]:
        key = repr((config.session, config.blackout))
        if key not in self._calendars:
            self._calendars[key] = calendars(config, self.bars, self.backend)
        return self._calendars[key]

    def _batch(self, sets: NDArray[np.int64], groups: list[int], masks: Sequence[Mapping[str, Array]]) -> Batch:
        """What a backend needs to simulate `sets`, whose signals are among `groups` with these masks."""
        trades = self.groups.trade_of[sets]
        signals, kinds = np.searchsorted(groups, self.groups.signal_of[sets]), self.prepared.levels_of[trades]
        pairs, first, input_of = np.unique(signals * len(self.prepared.written) + kinds, return_index=True, return_inverse=True)
        signals, kinds = np.divmod(pairs, len(self.prepared.written))
        calendars, calendar_of = [self._usual], np.zeros(len(pairs), np.int64)
        if self.prepared.varying_calendars:
            calendars, calendar_of = [self._calendar(group) for group in groups], signals
        levels, level_of = self._levels(sets[first], kinds)
        return Batch(Inputs(masks, calendars, levels, np.stack([signals, calendar_of, level_of], axis=1)), self._traded, input_of, trades)

    def _levels(self, sets: NDArray[np.int64], kinds: NDArray[np.int64]) -> tuple[list[Mapping[str, Array]], NDArray[np.int64]]:
        """The level series of some sets, and which of them each set has: all of a kind the same, unless they read parameters."""
        found: list[Mapping[str, Array]] = []
        of = np.empty(len(sets), np.int64)
        for kind in np.unique(kinds):
            mine = np.flatnonzero(kinds == kind)
            own = mine if self.prepared.written[kind] else mine[:1]
            of[mine] = len(found) + (np.arange(len(mine)) if self.prepared.written[kind] else 0)
            for i in own:
                found.append({name: self.cache.get(one) for name, one in self.prepared.levels(int(sets[i])).items()})
        return found, of
