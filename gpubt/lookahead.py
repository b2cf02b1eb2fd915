"""Does a strategy see the future? Its signals on bars that end early, or go on otherwise, must be those on all bars, up to there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.config import Validation
from gpubt.data.bars import PRICES, Bars

if TYPE_CHECKING:
    from gpubt.backends.base import Backend
    from gpubt.config import Config

AT_SIGNALS, EVENLY = 12, 6  # cuts right after entries, and evenly spread
LEAST = 64  # bars that are left before a cut: what is read of the bars as a whole, such as their spacing, must not change
CUT_OFF, SCRAMBLED = "cut off", "scrambled"


@dataclass(frozen=True)
class Signalled:
    """What a configuration makes of bars, all of shape (n,): the series that rules read, float64; the four effective signals, bool; the
    levels of orders, float64."""

    series: Mapping[str, NDArray[np.float64]]
    masks: Mapping[str, NDArray[np.bool_]]
    levels: Mapping[str, NDArray[np.float64]]

    def all(self) -> dict[str, NDArray[Any]]:
        """Everything by name, what is computed first in front."""
        return {**self.series, **self.masks, **{f"level {name}": level for name, level in self.levels.items()}}


@dataclass(frozen=True)
class Difference:
    """`what` is `known` on bar `bar` of all bars, and `found` where the bars from `cut` on are cut off or scrambled."""

    bar: int
    what: str
    known: float
    found: float
    cut: int
    how: str


def signals_of(config: Config, bars: Bars, backend: Backend | None = None) -> Signalled:
    """The signals and levels of `config` over exactly these bars, on the host; `backend`: the CPU unless given. Raises GpubtError."""
    from gpubt.backends.cpu import CpuBackend
    from gpubt.data.load import load, select
    from gpubt.indicators.cache import Passes, cache_of
    from gpubt.strategy.plan import plan

    backend, planned, config = backend or CpuBackend(config.backend.threads), plan(config), _of_bars(config)
    loaded = load(config, select(config, bars), planned.columns)
    market = backend.upload(loaded.columns)
    budget = int(config.cache.budget_mib * 2**20)
    cache = cache_of(backend, market.columns, loaded, config, budget)
    fetch = Passes(cache, planned.passes(), nullcontext)
    read = {str(one): backend.fetch(cache.get(one)) for step in planned.passes() for one in step if not one.is_column}
    masks: Mapping[str, Any] = {}
    if planned.program:
        masks = backend.scan(planned.program, fetch, bars.n)
    elif planned.vectors:
        masks = planned.vectors.masks(loaded.bars, cache, backend)
    flags = {name: np.unpackbits(backend.fetch(mask).view(np.uint8), bitorder="little")[: bars.n] == 1 for name, mask in masks.items()}
    return Signalled(read, flags, {name: backend.fetch(cache.get(one)) for name, one in planned.levels.items()})


def _of_bars(config: Config) -> Config:
    """The configuration for bars that are loaded: nothing is chosen, adjusted or resampled again, and odd prices are no fault."""
    plain: dict[str, Any] = {
        "resample": None,
        "frac": 1.0,
        "portion": 1,
        "start": None,
        "end": None,
        "adjust": "none",
        "bar_stamp": "start",
    }
    data = replace(config.data, **plain, symbol=None, symbols=None, validation=Validation())
    return replace(config, data=data, sim=replace(config.sim, detail=replace(config.sim.detail, path=None)))


def cuts(signalled: Signalled, n: int) -> list[int]:
    """Where bars are cut: right after entries, where a look at the next bar shows most, and evenly."""
    wanted = [mask for name, mask in signalled.masks.items() if name.endswith("entry")]
    after = np.flatnonzero(np.any(wanted, axis=0)) + 1 if wanted else np.zeros(0, np.int64)
    after = after[(after >= LEAST) & (after < n)]
    chosen = after[np.linspace(0, len(after) - 1, min(AT_SIGNALS, len(after))).astype(np.int64)]
    even = np.linspace(LEAST, n - 1, EVENLY).astype(np.int64) if n > LEAST else chosen[:0]
    return sorted({*map(int, chosen), *map(int, even)})


def differences(config: Config, bars: Bars, backend: Backend | None = None) -> tuple[list[int], list[Difference]]:
    """The cuts that were tried, and of each thing that differs its first difference, the earliest bar first. Raises GpubtError."""
    whole = signals_of(config, bars, backend)
    tried, first = cuts(whole, bars.n), dict[str, Difference]()
    for cut in tried:
        for how, other in ((CUT_OFF, _cut_off(bars, cut)), (SCRAMBLED, _scrambled(bars, cut))):
            for found in _compared(whole, signals_of(config, other, backend), cut, how):
                if found.what not in first or found.bar < first[found.what].bar:
                    first[found.what] = found
    order = {what: i for i, what in enumerate(whole.all())}
    return tried, sorted(first.values(), key=lambda found: (found.bar, order[found.what]))


def _compared(whole: Signalled, other: Signalled, cut: int, how: str) -> Iterator[Difference]:
    """The first bar before the cut on which each thing differs."""
    rest = other.all()
    for what, values in whole.all().items():
        known, found = values[:cut], rest[what][:cut]
        same = known == found
        if known.dtype == np.float64:
            same |= np.isnan(known) & np.isnan(found)
        if not same.all():
            bar = int(np.argmin(same))
            yield Difference(bar, what, float(known[bar]), float(found[bar]), cut, how)


def _cut_off(bars: Bars, cut: int) -> Bars:
    """The bars before `cut`."""
    return Bars(bars.symbol, **{name: column[:cut] for name, column in bars.columns().items()})


def _scrambled(bars: Bars, cut: int) -> Bars:
    """The bars with other ones from `cut` on, at the same times: those there in another order, each at its own multiple of its prices."""
    rng = np.random.default_rng(cut)
    order, scale = cut + rng.permutation(bars.n - cut), rng.uniform(0.5, 2.0, bars.n - cut)
    columns: dict[str, NDArray[Any]] = {"time": bars.time}
    for name, column in bars.columns().items():
        if name != "time":
            columns[name] = np.concatenate([column[:cut], column[order] * (scale if name in PRICES else 1.0)])
    return Bars(bars.symbol, **columns)
