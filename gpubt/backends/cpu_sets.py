"""The sets of a sweep in numba: those with equal signals that enter alike share the search for exits, the others are walked one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.base import Batch, Sets, capacity, parameter_entry
from gpubt.backends.kernels import many, shared
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
ROOM = 512  # candidates of one piece: their touches stay in the cache
PIECE = 256  # sets of one signal that one thread takes at a time


class SetRun:
    """One batch over `prices`, in arrays that outlive the kernels' addresses."""

    def __init__(
        self,
        tables: Sequence[NDArray[Any]],
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

    def run(self, share: Share) -> None:
        """Every tally of the batch."""
        alone = np.ones(self.batch.n, np.bool_)
        if not self.bar_by_bar and not self.detail:
            groups = [group for group in self._groups() if group.sets.size]
            pieces = [(group, at) for group in groups for at in range(0, len(group.sets), PIECE)]

            def work(start: int, end: int) -> None:
                for group, at in pieces[start:end]:
                    group.run(self, at)

            share(work, len(pieces), 1, 8)
            for group in groups:
                alone[group.sets] = group.records["left"] != 0
        self._walk(np.flatnonzero(alone), share)

    def _groups(self) -> list[Group]:
        """Sets that can share exits, by their signals and how they enter."""
        fits = np.array([can_share(trade.params[0], trade.rungs) for trade in self.batch.trades])
        fixed = np.stack([self.params[name].astype(float) for name in k.PARAMS.names or () if name not in FREE], axis=1)
        kinds = np.unique(fixed, axis=0, return_inverse=True)[1].ravel()
        trade_of, input_of = self.batch.trade_of, self.batch.input_of
        key = np.where(fits[trade_of], input_of * (kinds.max() + 1) + kinds[trade_of], -1)
        order = np.argsort(key, kind="stable")
        bounds = np.flatnonzero(np.diff(key[order], prepend=-2, append=-2))
        return [Group(self, order[a:b]) for a, b in pairwise(bounds) if key[order[a]] >= 0]

    def _walk(self, sets: NDArray[np.int64], share: Share) -> None:
        """These sets one by one, each as a single run is."""
        if not len(sets):
            return
        batch = self.batch
        clear(self.out, sets)
        jobs = np.zeros(len(sets), many.JOB)
        jobs["table"] = np.array([table.ctypes.data for table in self.tables], np.uint64)[batch.input_of[sets]]
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

        share(work, len(sets), 1, 8)


class Group:
    """Sets with the same signals that enter alike."""

    def __init__(self, run: SetRun, sets: NDArray[np.int64]) -> None:
        trade_of = run.batch.trade_of[sets]
        self.sets, self.table = sets, run.tables[int(run.batch.input_of[sets[0]])]
        trades, of = np.unique(trade_of, return_inverse=True)
        self.levels, places = distinct_levels(run.params[trades])
        self.records = np.zeros(len(sets), shared.SET)
        for name, rows in (("params", run.params), ("entry", run.entries)):
            self.records[name] = _rows(rows)[trade_of]
        for name, rows in (("account", run.accounts), ("tally", run.out.tallies)):
            self.records[name] = _rows(rows)[sets]
        for name, column in zip(("stop", "trail", "target"), places.T, strict=True):
            self.records[name] = column[of]

    def run(self, run: SetRun, at: int) -> None:
        """Sets from number `at` on, up to `PIECE`."""
        width = len(self.levels)
        ledger, skipped = np.zeros(1, k.TRADE), np.zeros(len(k.SKIPS), np.int64)
        candidates, touches = np.empty(ROOM, shared.CANDIDATE), np.empty((ROOM, max(1, width)), shared.TOUCH)
        prices = run.prices
        shared.run_shared(
            *(np.uint64(self.table.ctypes.data), run.n, np.uint64(self.records.ctypes.data), at, min(at + PIECE, len(self.sets))),
            *(_state(ledger, skipped)[0], np.uint64(candidates.ctypes.data), ROOM, np.uint64(self.levels.ctypes.data), width),
            *(np.uint64(touches.ctypes.data), float(prices.low1.min()), float(prices.high1.max())),
        )


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


def distinct_levels(params: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The LEVEL records of these PARAMS records, and of each record the number of its stop, trailing stop and target, -1 for none."""
    found: dict[tuple[Any, ...], int] = {}
    places = np.full((len(params), 3), -1, np.int64)
    for i, one in enumerate(params):
        stop = (shared.STOPS, one["stop_kind"].item(), one["stop_value"].item(), 0.0, -1)
        trail = (shared.TRAILS, one["trail_kind"].item(), one["trail_value"].item(), one["trail_activation"].item(), -1)
        for column, level in enumerate((stop, trail)):
            if level[1] != k.NONE:
                places[i, column] = found.setdefault(level, len(found))
        kind = one["target_kind"].item()
        if kind != k.NONE:
            of = int(places[i, 0]) if kind == k.R_MULTIPLE else -1
            places[i, 2] = found.setdefault((shared.TARGETS, kind, one["target_value"].item(), 0.0, of), len(found))
    return np.array(list(found), shared.LEVEL) if found else np.zeros(0, shared.LEVEL), places


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
