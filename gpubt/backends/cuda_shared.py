"""Exits shared by the sets of one signal on a device: the touches of each distinct level are searched once for each entry, then each set
takes its own: few sets fill a device so too. Sets that gain nothing by it, and those that may be liquidated, are left to the walk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.base import Sets
from gpubt.backends.cuda_sets import SetLaunches
from gpubt.backends.kernels.levels import LEVEL, TIMES
from gpubt.backends.sharing import Grouping, grouped, kinds_of_entry
from gpubt.simulate import layout

ROOM = 64 << 20  # bytes of one launch: half for sets, half for entries and their touches
HOLD = 64  # bars that a trade is taken to last: entries may be denser, and a search for each of them is wasted
FULL = 1 << 15  # threads that keep a device busy
SEGMENTS = 256  # of the bars, whose entries are found side by side
LEFT = -1

# `Group`, `Own` and `Shared` of kernels/touches.cu; bytes of its Candidate, Touch and Account
GROUP = np.dtype([(name, "i8") for name in ("input", "trade", "levels", "width", "row", "liquidates")])
OWN = np.dtype([(name, "i8") for name in ("group", "trade", "stop", "trail", "target")])
POINTERS = (
    *("inputs", "params", "entries", "levels", "groups", "own", "ends", "before", "candidates", "touches", "accounts"),
    *("free", "sums", "squares", "out"),
)
SHARED = np.dtype(
    [
        *((name, "u8") for name in POINTERS),
        *((name, "i8") for name in ("count", "sets", "segments", "room", "width", "periods", "blocks")),
        ("risk_free", "f8"),
    ]
)
CANDIDATE, TOUCH, ACCOUNT = 48, 16, 344


@dataclass(frozen=True)
class Groups:
    """Sets by their groups: of each set `own` (OWN, by set in `sets`), of each group `groups` (GROUP), its entries and its sets."""

    sets: NDArray[np.int64]
    own: NDArray[Any]
    groups: NDArray[Any]
    levels: NDArray[Any]
    entries: NDArray[np.int64]


class SharedLaunches:
    """The sets of a batch that share exits; `walk` has what is on the device already."""

    def __init__(self, walk: SetLaunches, n: int) -> None:
        self.walk, self.runtime, self.n = walk, walk.runtime, n
        self.half = ROOM // 2 // walk.eased
        self.segments = min(SEGMENTS, n // 64 + 1)

    def run(self, out: Sets) -> NDArray[np.int64]:
        """Tallies and sums of sets that share exits; the others."""
        alone = np.ones(len(out.tallies), np.bool_)
        found = self._groups()
        blocks = out.sums.shape[1]
        most = max(1, self.half // (ACCOUNT + layout.TALLY.itemsize + OWN.itemsize + GROUP.itemsize + 8 + 16 * blocks))
        for start in range(0, len(found.sets), most):
            part = slice(start, start + most)
            alone[found.sets[part]] = self._launch(found, part, blocks, out)
        return np.flatnonzero(alone)

    def _groups(self) -> Groups:
        """The groups whose entries are worth searching; their levels and counts of entries are on the device then."""
        walk = self.walk
        found = grouped(walk.batch.input_of, walk.trade_of, walk.trades, walk.params, kinds_of_entry(walk.params))
        groups, levels = self._records(found)
        sizes = np.diff(found.bounds)
        some = np.flatnonzero(worth_sharing(sizes, groups["width"], np.ones(len(groups), np.int64), self.n, len(found.sets)))
        groups["row"][some] = np.arange(len(some))
        entries = self._count(groups[some])
        kept = worth_sharing(sizes[some], groups["width"][some], entries, self.n, len(found.sets))
        some, entries = some[kept], entries[kept]
        of = np.repeat(np.arange(len(sizes)), sizes)
        number = np.full(len(sizes), -1)
        number[some] = np.arange(len(some))
        mine = number[of] >= 0
        sets = found.sets[mine]
        own = np.zeros(len(sets), OWN)
        own["group"], own["trade"] = number[of[mine]], walk.trade_of[sets]
        for name, column in zip(("stop", "trail", "target"), found.places.T, strict=False):
            own[name] = column[own["trade"]]
        return Groups(sets, own, groups[some], levels, entries)

    def _records(self, found: Grouping) -> tuple[NDArray[Any], NDArray[Any]]:
        """GROUP records, and the levels of all kinds. Time exits, the last of a kind's levels, need no search."""
        walk = self.walk
        groups = np.zeros(len(found.bounds) - 1, GROUP)
        first = found.sets[found.bounds[:-1]]
        groups["input"], groups["trade"] = walk.batch.input_of[first], walk.trade_of[first]
        kinds, levels, start = found.kinds[groups["trade"]], [np.zeros(0, LEVEL)], 0
        for kind, own in found.levels.items():
            levels.append(own[own["family"] != TIMES])
            mine = kinds == kind
            groups["levels"][mine], groups["width"][mine] = start, len(levels[-1])
            groups["liquidates"][mine] = walk.params["liquidate"][found.kinds == kind].any()
            start += len(levels[-1])
        return groups, np.concatenate(levels)

    def _count(self, groups: NDArray[Any]) -> NDArray[np.int64]:
        """How many entries each of these groups has; `before` says where in the bars they are."""
        if not len(groups):
            return np.zeros(0, np.int64)
        runtime, fixed, count, segments = self.runtime, self.walk.fixed, len(groups), np.int64(self.segments)
        self.before, totals = runtime.empty(count * (self.segments + 1), np.int64), runtime.empty(count, np.int64)
        given = (fixed["inputs"], fixed["params"], self.walk.put(groups), np.int64(count), segments, self.before)
        runtime.launch("count_entries", count * self.segments, *given)
        runtime.launch("running_counts", count, self.before, np.int64(count), segments, totals)
        return runtime.to_host(totals)

    def _launch(self, found: Groups, part: slice, blocks: int, out: Sets) -> NDArray[np.bool_]:
        """Some sets; which of them are left to the walk."""
        sets, own = found.sets[part], found.own[part].copy()
        numbers, own["group"] = np.unique(own["group"], return_inverse=True)
        groups, entries = found.groups[numbers], int(found.entries[numbers].max())
        count, width = len(groups), max(1, int(groups["width"].max()))
        room = max(1, min(entries, self.half // (count * (CANDIDATE + TOUCH * width))))
        put, empty = self.walk.put, self.runtime.empty
        mine = {
            **{"levels": put(found.levels), "groups": put(groups), "own": put(own), "before": self.before},
            "candidates": empty(count * room * CANDIDATE, np.uint8),
            "touches": empty(count * room * width * TOUCH, np.uint8),
            "accounts": empty(len(sets) * ACCOUNT, np.uint8),
            "free": empty(len(sets), np.int64),
            **self.walk.results(len(sets), blocks),
        }
        sizes = {"count": count, "sets": len(sets), "segments": self.segments, "room": room, "width": width, "blocks": blocks}
        record = self.walk.record(SHARED, mine, **sizes)
        pieces = max(1, -(-entries // room))
        for piece in map(np.int64, range(pieces)):
            self.runtime.launch("find_candidates", count * self.segments, record, piece)
            self.runtime.launch("search_exits", count * room, record, piece)
            self.runtime.launch("search_touches", count * room * width, record, piece)
            self.runtime.launch("play_candidates", len(sets), record, piece, np.int64(piece == pieces - 1))
        self.walk.keep(mine, sets, out)
        left: NDArray[np.bool_] = self.runtime.to_host(mine["free"]) == LEFT
        return left


def worth_sharing(
    sets: NDArray[np.int64], width: NDArray[np.int64], entries: NDArray[np.int64], n: int, together: int
) -> NDArray[np.bool_]:
    """Whether groups of so many sets with `width` levels are done sooner by a search for each of their entries than by one for each trade
    of each set. Where the sets of a launch, `together`, leave the device idle, more searches cost nothing: they run side by side, and
    those of a walk one after the other."""
    idle = max(1, FULL // max(1, together))
    found: NDArray[np.bool_] = ((sets > 1) | (idle > 1)) & (entries * width <= idle * sets * np.minimum(entries, max(1, n // HOLD)))
    return found
