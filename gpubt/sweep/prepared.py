"""What the sets of a space have in common over any symbol's bars: configurations, levels and signals of their groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gpubt.backends.base import Trading
from gpubt.simulate.entries import load_entries
from gpubt.simulate.parameters import needs_atr, parameters, rungs
from gpubt.strategy.plan import level_texts, plan
from gpubt.sweep.signals import Signals
from gpubt.sweep.variants import Groups, Variants, config_of

if TYPE_CHECKING:
    from gpubt.config import Config
    from gpubt.data.bars import Bars
    from gpubt.indicators.series import Series
    from gpubt.sweep.space import Space


class Prepared:
    """The groups of a space. Raises ConfigError, with the set, for values that don't agree."""

    def __init__(self, variants: Variants, space: Space) -> None:
        self.variants, self.space, self.groups = variants, space, Groups.of(space)
        self.config = self.of(0)
        self.traded = [self.of(int(first)) for first in self.groups.trades]
        self.capitals = np.array([one.capital for one in self.traded])
        texts = [tuple(level_texts(one)) for one in self.traded]
        kinds = [repr((needs_atr(one), one.exits.atr_length, own)) for one, own in zip(self.traded, texts, strict=True)]
        # groups that read their levels from the same expressions; which kinds of them do, with the strategy's parameters in them
        _, first_of, self.levels_of = np.unique(kinds, return_index=True, return_inverse=True)
        self.written = np.array([bool(own) for own in texts])[first_of]
        self.varying_calendars = any(key.startswith(("session.", "blackout.")) for key in space.keys)
        self._trading: tuple[float, list[Trading]] | None = None
        self._levels: dict[int, Mapping[str, Series]] = {}

    @cached_property
    def signals(self) -> Signals | None:
        """The mask programs; None for a list of entries."""
        return Signals(self.variants, self.space, self.groups) if self.config.positions != "list" else None

    def of(self, i: int) -> Config:
        """The configuration of set `i`."""
        return config_of(self.variants, self.space, i)

    def trading(self, bars: Bars) -> Sequence[Trading]:
        """How each group trades over these bars."""
        spacing = bars.mean_spacing
        if self._trading is None or self._trading[0] != spacing:
            self._trading = spacing, [Trading(rungs(one), parameters(one, spacing)) for one in self.traded]
        if self.config.positions != "list":
            return self._trading[1]
        own = (load_entries(one, bars.time, bars.symbol) for one in self.traded)
        return [replace(trading, entries=entries) for trading, entries in zip(self._trading[1], own, strict=True)]

    def levels(self, i: int) -> Mapping[str, Series]:
        """The level series of set `i`."""
        kind = int(self.levels_of[self.groups.trade_of[i]])
        if kind not in self._levels:
            levels = plan(self.of(i)).levels
            if self.written[kind]:
                return levels
            self._levels[kind] = levels
        return self._levels[kind]
