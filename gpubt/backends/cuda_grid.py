"""Masks of many programs of one structure on a device: each comparison and each operation on masks is one launch for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.cuda_scan import Layout, combine_members, compare_members
from gpubt.backends.runtime import Array, Runtime
from gpubt.indicators.series import Series
from gpubt.strategy.grid import ProgramGrid
from gpubt.strategy.program import CONST, LOAD, Fetch, words

ROOM = 64 << 20  # bytes of masks on the way to the signals


@dataclass(frozen=True)
class MaskRows(Sequence[Mapping[str, Array]]):
    """Masks of many signals in one device array, of shape (signals, names, words); `none` for signals without a rule."""

    masks: Array
    names: Sequence[str]
    signals: int
    words: int
    none: Mapping[str, Array]

    def __len__(self) -> int:
        return self.signals

    def __getitem__(self, i: Any) -> Any:
        if not 0 <= i < self.signals:
            raise IndexError(i)
        first = i * len(self.names)
        own = {name: self.masks[(first + j) * self.words : (first + j + 1) * self.words] for j, name in enumerate(self.names)}
        return {**self.none, **own}

    def addresses(self, address: Callable[[Array], int]) -> dict[str, NDArray[np.uint64]]:
        """Of each name the addresses of all masks, shape (signals,)."""
        found = {name: np.full(self.signals, address(mask), np.uint64) for name, mask in self.none.items()}
        first = address(self.masks) + 8 * self.words * len(self.names) * np.arange(self.signals, dtype=np.uint64)
        return found | {name: first + np.uint64(8 * self.words * j) for j, name in enumerate(self.names)}


def scan_grid(runtime: Runtime, grid: ProgramGrid, members: Sequence[int], fetch: Fetch, n: int, none: Mapping[str, Array]) -> MaskRows:
    """The masks of `members`; `none` by the names that the grid has no rule for."""
    of = grid.of[np.asarray(members)]
    wanted = np.unique(of)
    series = {int(i): leaf for i in wanted if isinstance(leaf := grid.leaves[i], Series)}
    addresses, constants = np.zeros(len(grid.leaves), np.uint64), np.zeros(len(grid.leaves))
    arrays = fetch(tuple(series.values()))
    addresses[list(series)] = [runtime.address(array) for array in arrays]
    for i in wanted:
        if i not in series:
            constants[i] = grid.leaves[i]
    code, places = _code(grid)
    size, outputs, slots = words(n), len(grid.outputs), len(places)
    out = runtime.empty(max(1, len(of) * outputs * size), np.uint64)
    each = max(1, min(len(of), ROOM // (8 * size * max(1, slots))))
    work = runtime.empty(max(1, each * slots * size), np.uint64)
    masks = {slot: work[place * size :] for slot, place in places.items()}
    for start in range(0, len(of), each):
        part = of[start : start + each]
        within, last = (Layout(n, len(part), slots * size, stride * size) for stride in (slots, outputs))
        compare_members(runtime, code, constants[part], addresses[part], within, work)
        for step in grid.combines:
            a, b = masks[step.a], masks[step.a if step.b is None else step.b]
            combine_members(runtime, step.op, a, b, step.k, within, masks[step.target])
        for j, slot in enumerate(grid.outputs.values()):
            combine_members(runtime, "shift", masks[slot], masks[slot], 0, last, out[(start * outputs + j) * size :])
    return MaskRows(out, tuple(grid.outputs), len(of), size, {name: mask for name, mask in none.items() if name not in grid.outputs})


def _code(grid: ProgramGrid) -> tuple[NDArray[np.int64], dict[int, int]]:
    """Rows for `scan_compare`, whose leaves are numbered in the order of their use, and of each slot where its mask is."""
    rows, leaf = [], 0
    for place, (_, own) in enumerate(grid.atoms):
        for op, _, shift in own:
            loads = op in (LOAD, CONST)
            rows.append((op, leaf if loads else place, shift))
            leaf += loads
    slots = [slot for slot, _ in grid.atoms] + [step.target for step in grid.combines]
    return np.array(rows, np.int64).reshape(-1, 3), {slot: place for place, slot in enumerate(slots)}
