"""The sets of a sweep in numba: those with equal signals that enter alike share the search for exits, the others are walked one by one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.base import Batch, Sets, capacity, parameter_entry
from gpubt.backends.kernels import lanes, many, shared
from gpubt.backends.kernels.account import HASH_SEED
from gpubt.backends.kernels.marks import LANE, LANES
from gpubt.backends.kernels.marks import STATE as ACCOUNT
from gpubt.backends.kernels.position import STATE
from gpubt.simulate import layout as k

Share = Callable[..., None]

# What sets that share exits may differ in; all else decides when an entry fills, or what ends it
FREE = (
    *("capital", "size_kind", "size_value", "max_leverage", "lot", "maintenance", "liquidate", "same_bar", "max_bars"),
    *("commission_rate", "commission_per_unit", "commission_fixed", "commission_minimum", "carry_long", "carry_short"),
    *("stop_kind", "stop_value", "target_kind", "target_value", "trail_kind", "trail_value", "trail_activation", "beyond_stop", "end_free"),
)
ROOM = 256  # candidates of one piece: their touches stay in the cache
WORTH = 50_000  # bars times sets that are worth a thread
FEWEST = 12  # sets of one signal from which on they are played side by side
PIECE = 1024  # sets of one signal that one thread takes at a time, at most
SHARES = 4  # pieces for each thread, at least, so that none waits long for the last


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
        self.params = np.concatenate([trade.params for trade in batch.trades])
        self.entries = np.concatenate([parameter_entry(trade.params) for trade in batch.trades])
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
        batch, trade_of, input_of = self.batch, self.batch.trade_of, self.batch.input_of
        fits = np.array([can_share(trade.params[0], trade.rungs) for trade in batch.trades])
        kinds, wide = kinds_of_entry(self.params), lanes_of(self.params)
        kinds = np.unique(kinds * (wide.max() + 1) + wide, return_inverse=True)[1]  # apart: those that lanes can play together
        sets = np.flatnonzero(fits[trade_of])
        key = input_of[sets] * (kinds.max() + 1) + kinds[trade_of[sets]]
        order = np.argsort(key, kind="stable")
        sets, key = sets[order], key[order]
        records = np.zeros(len(sets), shared.SET)
        for name, rows in (("params", self.params), ("entry", self.entries)):
            records[name] = _rows(rows)[trade_of[sets]]
        for name, rows in (("account", self.accounts), ("tally", self.out.tallies)):
            records[name] = _rows(rows)[sets]
        bounds = np.flatnonzero(np.diff(key, prepend=-1, append=-1))
        starts = bounds[:-1]
        if len(sets) and np.diff(bounds).max() > self.piece:
            starts = np.concatenate([np.arange(a, z, self.piece) for a, z in pairwise(bounds)])
        groups = np.zeros(len(starts), shared.GROUP)
        groups["first"], groups["last"] = starts, np.minimum(np.append(starts[1:], len(sets)), len(sets))
        groups["table"] = _rows(self.tables)[input_of[sets[starts]]]
        groups["lowest"], groups["highest"] = self.prices.low1.min(), self.prices.high1.max()
        kept = []
        for kind in np.unique(kinds[fits]):
            trades = np.flatnonzero(fits & (kinds == kind))
            levels, places = distinct_levels(self.params[trades])
            kept.append(levels)
            number = np.zeros(len(kinds), np.int64)
            number[trades] = np.arange(len(trades))
            mine = kinds[trade_of[sets]] == kind
            for name, column in zip(("stop", "trail", "target", "time"), places.T, strict=True):
                records[name][mine] = column[number[trade_of[sets[mine]]]]
            own = mine[starts]
            groups["lanes"][own] = wide[trades[0]] > 0
            groups["levels"][own], groups["width"][own] = levels.ctypes.data, len(levels)
        width = max((len(levels) for levels in kept), default=0)

        groups["lanes"] &= groups["last"] - groups["first"] >= FEWEST

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


def can_share(params: Any, rungs: NDArray[Any]) -> bool:
    """Whether the exit of a trade depends on its entry alone: market orders, one at a time, without a ladder, a break-even stop or a
    trailing stop that looks at its own bar."""
    return bool(
        params["order"] == k.MARKET
        and params["pyramiding"] <= 1
        and not len(rungs)
        and params["even_kind"] == k.NONE
        and params["trail_same_bar"] == 0
    )


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


def kinds_of_entry(params: NDArray[Any]) -> NDArray[np.int64]:
    """A number for each of the PARAMS records: equal where they agree in all that sharing needs."""
    fixed = np.stack([params[name].astype(float) for name in k.PARAMS.names or () if name not in FREE], axis=1)
    return np.unique(fixed, axis=0, return_inverse=True)[1].ravel()


def distinct_levels(params: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The LEVEL records of these PARAMS records, and of each record the number of its stop, trailing stop, target and time exit, -1 for
    none."""
    count = len(params)
    wanted = np.zeros((4, count), shared.LEVEL)  # stops first: targets in R measure from them
    for family, name in ((shared.STOPS, "stop"), (shared.TRAILS, "trail"), (shared.TARGETS, "target")):
        wanted["family"][family], wanted["of"][family] = family, -1
        wanted["kind"][family], wanted["value"][family] = params[f"{name}_kind"], params[f"{name}_value"]
    wanted["activation"][shared.TRAILS] = params["trail_activation"]
    wanted["family"][shared.TIMES], wanted["of"][shared.TIMES] = shared.TIMES, -1
    wanted["kind"][shared.TIMES], wanted["value"][shared.TIMES] = params["max_bars"] > 0, params["max_bars"]
    places = np.full((count, 4), -1, np.int64)
    found: list[NDArray[Any]] = []
    for family in (shared.STOPS, shared.TRAILS, shared.TARGETS, shared.TIMES):
        if family == shared.TARGETS:
            wanted["of"][family] = np.where(wanted["kind"][family] == k.R_MULTIPLE, places[:, shared.STOPS], -1)
        there = wanted["kind"][family] != k.NONE
        own, places[there, family] = np.unique(wanted[family][there], return_inverse=True)
        places[there, family] += sum(map(len, found))
        found.append(own)
    return np.concatenate(found), places


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
