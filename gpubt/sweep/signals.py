"""The signals of a sweep's sets: programs for all of them from those of a few, where each axis changes what it changes by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.errors import ConfigError
from gpubt.indicators.series import Series
from gpubt.strategy.grid import ProgramGrid, grid
from gpubt.strategy.program import MaskProgram

if TYPE_CHECKING:
    from gpubt.backends.base import Array, Backend
    from gpubt.data.bars import Bars
    from gpubt.indicators.cache import IndicatorCache
    from gpubt.strategy.plan import Plan
    from gpubt.sweep.space import Space
    from gpubt.sweep.variants import Groups, Variants

FEWEST = 4  # groups, from which on a grid of programs is tried


class Signals:
    """The mask programs of the groups of sets with equal signals."""

    def __init__(self, variants: Variants, space: Space, groups: Groups) -> None:
        self._variants, self._space, self._groups = variants, space, groups
        self._numbers: dict[Series, int] = {}
        self._next = count()  # threads that ask at once get different numbers
        code = variants.base.strategy._target_ is not None  # Python may make other rules of two values together than of each alone
        self._grid = self._try_grid() if len(groups.signals) >= FEWEST and not code else None

    def series(self, groups: Sequence[int]) -> tuple[Series, ...]:
        """What the rules of some groups read, once each."""
        if self._grid:
            return self._grid.series(groups)
        return tuple(dict.fromkeys(one for group in groups for one in self._read(group)))

    def numbers(self, group: int) -> set[int]:
        """The indicators that the rules of a group read, by numbers that are the same for all groups."""
        if self._grid:
            return self._grid.numbers(group)
        return {self._numbers.setdefault(one, next(self._next)) for one in self._read(group) if not one.is_column}

    @property
    def kinds(self) -> float:
        """How many indicators the rules of all groups read; infinite where that is not known."""
        return self._grid.kinds if self._grid else inf

    def masks(self, groups: Sequence[int], backend: Backend, cache: IndicatorCache, bars: Bars) -> Sequence[Mapping[str, Array]]:
        """The signal masks of some groups; what a function of arrays gives for the same parameters is asked for once."""

        def fetch(wanted: tuple[Series, ...]) -> list[Any]:
            return [cache.get(one) for one in wanted]

        if self._grid:
            return backend.scan_grid(self._grid, groups, fetch, bars.n)
        made: dict[str, Mapping[str, Array]] = {}
        found: list[Mapping[str, Array]] = []
        for group in groups:
            plan = self._plan(group)
            if plan.program is not None:
                found.append(backend.scan(plan.program, fetch, bars.n))
            elif plan.vectors is not None:
                key = repr((plan.vectors.params, plan.vectors.side))
                if key not in made:
                    made[key] = plan.vectors.masks(bars, cache, backend)
                found.append(made[key])
        return found

    def _plan(self, group: int) -> Plan:
        return self._variants.plan(self._space.values(int(self._groups.signals[group])))

    def _read(self, group: int) -> tuple[Series, ...]:
        """What the rules of a group read; what a function of arrays will ask for is not known."""
        program = self._plan(group).program
        return () if program is None else program.series()

    def _try_grid(self) -> ProgramGrid | None:
        """None where an axis changes more than numbers; then each group is compiled by itself."""
        space, first = self._space, int(self._groups.signals[0])
        base = space.values(first)
        axes: list[tuple[NDArray[np.int64], list[MaskProgram]]] = []
        try:
            start = self._compiled(base)
            for key in self._groups.signal_keys:
                programs = [self._compiled({**base, key: value}) for value in space.levels[key]]
                axes.append((space.codes[key][self._groups.signals], programs))
        except ConfigError:  # a value that is wrong beside those of the first set
            return None
        return grid(start, axes)

    def _compiled(self, values: dict[str, Any]) -> MaskProgram:
        found = self._variants.plan(values).program
        assert found is not None
        return found
