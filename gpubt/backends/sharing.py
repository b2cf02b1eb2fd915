"""Which sets of a sweep can share the search for their exits, and what it has to search: for the CPU and for a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.base import Trading
from gpubt.backends.kernels.levels import LEVEL, STOPS, TARGETS, TIMES, TRAILS
from gpubt.simulate import layout as k

# What sets that share exits may differ in; all else decides when an entry fills, or what ends it
FREE = (
    *("capital", "size_kind", "size_value", "max_leverage", "lot", "maintenance", "liquidate", "same_bar", "max_bars"),
    *("commission_rate", "commission_per_unit", "commission_fixed", "commission_minimum", "carry_long", "carry_short"),
    *("stop_kind", "stop_value", "target_kind", "target_value", "trail_kind", "trail_value", "trail_activation", "beyond_stop", "end_free"),
)


@dataclass(frozen=True)
class Grouping:
    """The sets that can share exits, those of one group beside each other: `sets[bounds[g]:bounds[g + 1]]` have the same signals and enter
    alike. `kinds`: of each way to trade a number, by which `levels` holds LEVEL records; `places`: of each way to trade the numbers of its
    stop, trailing stop, target and time exit among them, -1 for none, shape (trades, 4)."""

    sets: NDArray[np.int64]
    bounds: NDArray[np.int64]
    kinds: NDArray[np.int64]
    levels: dict[int, NDArray[Any]]
    places: NDArray[np.int64]


def grouped(
    input_of: NDArray[np.int64], trade_of: NDArray[np.int64], trades: Sequence[Trading], params: NDArray[Any], kinds: NDArray[np.int64]
) -> Grouping:
    """Sets by their inputs and, of how they trade (`params` are the PARAMS records of `trades`), by the numbers in `kinds`."""
    fits = np.array([can_share(trade.params[0], trade.rungs) for trade in trades], np.bool_)
    sets = np.flatnonzero(fits[trade_of])
    key = input_of[sets] * (kinds.max(initial=0) + 1) + kinds[trade_of[sets]]
    order = np.argsort(key, kind="stable")
    bounds = np.flatnonzero(np.diff(key[order], prepend=-1, append=-1)) if len(sets) else np.zeros(1, np.int64)
    levels: dict[int, NDArray[Any]] = {}
    places = np.full((len(trades), 4), -1, np.int64)
    for kind in np.unique(kinds[fits]):
        own = np.flatnonzero(fits & (kinds == kind))
        levels[int(kind)], places[own] = distinct_levels(params[own])
    return Grouping(sets[order], bounds, kinds, levels, places)


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


def kinds_of_entry(params: NDArray[Any]) -> NDArray[np.int64]:
    """A number for each of the PARAMS records: equal where they agree in all that sharing needs."""
    fixed = np.stack([params[name].astype(float) for name in k.PARAMS.names or () if name not in FREE], axis=1)
    return np.unique(fixed, axis=0, return_inverse=True)[1].ravel()


def distinct_levels(params: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The LEVEL records of these PARAMS records, and of each record the number of its stop, trailing stop, target and time exit, -1 for
    none."""
    count = len(params)
    wanted = np.zeros((4, count), LEVEL)  # stops first: targets in R measure from them
    for family, name in ((STOPS, "stop"), (TRAILS, "trail"), (TARGETS, "target")):
        wanted["family"][family], wanted["of"][family] = family, -1
        wanted["kind"][family], wanted["value"][family] = params[f"{name}_kind"], params[f"{name}_value"]
    wanted["activation"][TRAILS] = params["trail_activation"]
    wanted["family"][TIMES], wanted["of"][TIMES] = TIMES, -1
    wanted["kind"][TIMES], wanted["value"][TIMES] = params["max_bars"] > 0, params["max_bars"]
    places = np.full((count, 4), -1, np.int64)
    found: list[NDArray[Any]] = []
    for family in (STOPS, TRAILS, TARGETS, TIMES):
        if family == TARGETS:
            wanted["of"][family] = np.where(wanted["kind"][family] == k.R_MULTIPLE, places[:, STOPS], -1)
        there = wanted["kind"][family] != k.NONE
        own, places[there, family] = np.unique(wanted[family][there], return_inverse=True)
        places[there, family] += sum(map(len, found))
        found.append(own)
    return np.concatenate(found), places
