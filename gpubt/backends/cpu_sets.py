"""The sets of a sweep in numba: those with equal signals that enter alike share the search for exits, the others are walked one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.base import Batch, Sets, Trading, capacity, parameter_entry
from gpubt.backends.kernels import lanes, many, shared
from gpubt.backends.kernels.account import HASH_SEED
from gpubt.backends.kernels.marks import LANE, LANES
from gpubt.backends.kernels.marks import STATE as ACCOUNT
from gpubt.backends.kernels.position import STATE
from gpubt.backends.sharing import Grouping, grouped, kinds_of_entry
from gpubt.simulate import layout as k

Share = Callable[..., None]

ROOM = 256  # candidates of one piece: their touches stay in the cache
WORTH = 50_000  # bars times sets that are worth a thread
FEWEST = 12  # sets of one signal from which on they are played side by side
PIECE = 1024  # sets of one signal that one thread takes at a time, at most
SHARES = 4  # pieces for each thread, at least, so that none waits long for the last


@dataclass(frozen=True)
class How:
    """What of a batch does not depend on the bars: PARAMS and ENTRY records of its `trades`, what lanes can play (`lanes_of`), and which
    sets share exits. Its inputs are not kept: they are large."""

    trades: Sequence[Trading]
    trade_of: NDArray[np.int64]
    input_of: NDArray[np.int64]
    params: NDArray[Any]
    entries: NDArray[Any]
    wide: NDArray[np.int64]
    groups: Grouping


_last: How | None = None  # the symbols of a sweep ask for the same one after the other


def how_of(batch: Batch) -> How:
    """The same as for the batch before, where sets trade and share their inputs as there."""
    global _last
    last = _last
    same = last is not None and last.trades is batch.trades
    if last and same and np.array_equal(last.trade_of, batch.trade_of) and np.array_equal(last.input_of, batch.input_of):
        return last
    params = np.concatenate([trade.params for trade in batch.trades])
    entries = np.concatenate([parameter_entry(trade.params) for trade in batch.trades])
    kinds, wide = kinds_of_entry(params), lanes_of(params)
    kinds = np.unique(kinds * (wide.max() + 1) + wide, return_inverse=True)[1]  # apart: those that lanes can play together
    groups = grouped(batch.input_of, batch.trade_of, batch.trades, params, kinds)
    _last = How(batch.trades, batch.trade_of, batch.input_of, params, entries, wide, groups)
    return _last


class SetRun:
    """One batch over `prices`, in arrays that outlive the kernels' addresses."""

    def __init__(
        self,
        tables: NDArray[Any],
        prices: Any,
        batch: Batch,
        ends: NDArray[np.int64],
        risk_free: float,
        mode: str,
        detail: bool,
        out: Sets,
    ) -> None:
        self.tables, self.prices, self.batch, self.out = tables, prices, batch, out
        self.n, self.bar_by_bar, self.detail = len(prices.close), mode == "bar", detail
        self.how = how_of(batch)
        self.params, self.entries = self.how.params, self.how.entries
        self.lanes = np.zeros((batch.n, LANES), LANE)
        self.ends = ends
        self.accounts = self._accounts(risk_free)

    def _accounts(self, risk_free: float) -> NDArray[Any]:
        """An account of each set."""
        found = np.zeros(self.batch.n, ACCOUNT)
        for name in ("close", "bottom0", "top0", "bottom1", "top1"):
            found[name] = getattr(self.prices, name).ctypes.data
        found["ends"], found["periods"], found["n"] = self.ends.ctypes.data, len(self.ends), self.n
        found["skip"], found["risk_free"], found["hash"] = not self.bar_by_bar, risk_free, HASH_SEED
        found["blocks"] = self.out.sums.shape[1]
        for name, rows in (("lanes", self.lanes), ("sums", self.out.sums), ("squares", self.out.squares)):
            found[name] = _rows(rows)
        return found

    def run(self, share: Share, threads: int) -> None:
        """Every tally of the batch, by `share` among `threads`."""
        wanted = -(-self.batch.n // (threads * SHARES))
        self.piece = min(PIECE, -(-wanted // lanes.WIDE) * lanes.WIDE)
        alone = np.ones(self.batch.n, np.bool_)
        if not self.bar_by_bar and not self.detail:
            sets, left = self._share_exits(share)
            alone[sets] = left
        self._walk(np.flatnonzero(alone), share)

    def _share_exits(self, share: Share) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The sets that can share exits, simulated; which of them are left to be walked."""
        trade_of, input_of = self.batch.trade_of, self.batch.input_of
        wide, found = self.how.wide, self.how.groups
        kinds = found.kinds
        sets, trades = found.sets, trade_of[found.sets]
        records = np.zeros(len(sets), shared.SET)
        for name, rows in (("params", self.params), ("entry", self.entries)):
            records[name] = _rows(rows)[trades]
        for name, rows in (("account", self.accounts), ("tally", self.out.tallies)):
            records[name] = _rows(rows)[sets]
        for name, column in zip(("stop", "trail", "target", "time"), found.places.T, strict=True):
            records[name] = column[trades]
        starts = found.bounds[:-1]
        if len(sets) and np.diff(found.bounds).max() > self.piece:
            starts = np.concatenate([np.arange(a, z, self.piece) for a, z in pairwise(found.bounds)])
        groups = np.zeros(len(starts), shared.GROUP)
        groups["first"], groups["last"] = starts, np.append(starts[1:], len(sets))[: len(starts)]
        groups["table"] = _rows(self.tables)[input_of[sets[starts]]]
        groups["lowest"], groups["highest"] = self.prices.low1.min(), self.prices.high1.max()
        groups["lanes"] = (wide[trades[starts]] > 0) & (groups["last"] - groups["first"] >= FEWEST)
        for kind, levels in found.levels.items():
            own = kinds[trades[starts]] == kind
            groups["levels"][own], groups["width"][own] = levels.ctypes.data, len(levels)
        width = max(map(len, found.levels.values()), default=0)

        def work(start: int, end: int) -> None:
            ledger, skipped = np.zeros(1, k.TRADE), np.zeros(len(k.SKIPS), np.int64)
            candidates, touches = np.empty(ROOM, shared.CANDIDATE), np.empty((ROOM, max(1, width)), shared.TOUCH)
            given = (np.uint64(groups.ctypes.data), start, end, self.n, np.uint64(records.ctypes.data), _state(ledger, skipped)[0])
            buffers = lane_buffers(width, self.piece)
            lanes.run_groups(*given, np.uint64(candidates.ctypes.data), ROOM, np.uint64(touches.ctypes.data), *buffers)

        if len(sets):
            share(work, len(groups), max(1, WORTH // self.n), 8)
        return sets, records["left"] != 0

    def _walk(self, sets: NDArray[np.int64], share: Share) -> None:
        """These sets one by one, each as a single run is."""
        if not len(sets):
            return
        batch = self.batch
        clear(self.out, sets)
        jobs = np.zeros(len(sets), many.JOB)
        jobs["table"] = _rows(self.tables)[batch.input_of[sets]]
        jobs["rungs"] = np.array([trade.rungs.ctypes.data for trade in batch.trades], np.uint64)[batch.trade_of[sets]]
        for name, rows in (("params", self.params), ("entry", self.entries)):
            jobs[name] = _rows(rows)[batch.trade_of[sets]]
        for name, rows in (("account", self.accounts), ("tally", self.out.tallies)):
            jobs[name] = _rows(rows)[sets]
        most = max(capacity(*(batch.inputs[i][0][name] for name in ("long_entry", "short_entry"))) for i in np.unique(batch.input_of[sets]))
        most = (most + 1) * (1 + max(len(trade.rungs) for trade in batch.trades))

        def work(start: int, end: int) -> None:
            ledger, skipped = np.empty(most, k.TRADE), np.zeros(len(k.SKIPS), np.int64)
            many.run_sets(np.uint64(jobs.ctypes.data), start, end, self.n, self.bar_by_bar, _state(ledger, skipped)[0])

        share(work, len(sets), max(1, WORTH // self.n), 8)


def lane_buffers(width: int, sets: int) -> tuple[NDArray[Any], ...]:
    """What `lanes.run_lanes` works in, for up to so many sets and `width` levels."""
    rows, chunks = ROOM * (width + 2), -(-sets // lanes.WIDE)
    tables = [np.empty(rows, np.int64) for _ in range(3)]
    columns = [np.empty((chunks, lanes.WHOLES * lanes.WIDE), np.int64), np.empty((chunks, lanes.REALS * lanes.WIDE))]
    hashes, sums = np.empty((chunks, lanes.WIDE), np.uint64), np.empty((chunks, 3 * LANES * lanes.WIDE))
    return (*tables, np.empty((4, rows)), np.empty(width + 1, np.int64), *columns, hashes, sums, np.empty(chunks, np.int64))


def lanes_of(params: NDArray[Any]) -> NDArray[np.int64]:
    """Of these PARAMS records a number above 0 where `lanes.py` can play them, equal for those that it can play together."""
    plain = (params["lot"] == 0.0) & (params["carry_long"] == 0.0) & (params["carry_short"] == 0.0) & (params["end_free"] == 0)
    sized = np.isin(params["size_kind"], (k.FIXED_UNITS, k.FIXED_CASH))
    sized |= (params["size_kind"] == k.PERCENT_EQUITY) & (params["commission_fixed"] == 0.0) & (params["commission_minimum"] == 0.0)
    found: NDArray[np.int64] = 1 + params["size_kind"] * 4 + params["beyond_stop"] * 2 + params["liquidate"]
    return np.where(plain & sized, found, 0)


def clear(out: Sets, sets: NDArray[np.int64]) -> None:
    """As `simulate_sets` makes them."""
    out.tallies[sets] = np.zeros(1, k.TALLY)
    out.tallies["best"][sets] = out.tallies["worst"][sets] = np.nan
    out.sums[sets] = out.squares[sets] = 0.0


def _rows(array: NDArray[Any]) -> NDArray[np.uint64]:
    """The address of each row."""
    return np.uint64(array.ctypes.data) + np.arange(len(array), dtype=np.uint64) * np.uint64(array.strides[0])


def _state(ledger: NDArray[Any], skipped: NDArray[np.int64]) -> NDArray[Any]:
    return k.record(STATE, ledger=ledger.ctypes.data, skipped=skipped.ctypes.data)
