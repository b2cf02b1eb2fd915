"""Whether a set is good on a plateau or on a spike: the figure of the sets one step away on the grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gpubt.sweep.reading import Coded

WIDEST = 2**62  # numbers of a set stay below
FAR = 0.25  # of all sets: as many between two of them


@dataclass(frozen=True)
class Stability:
    """Of each shown set, shape (shown,): its neighbours that have the figure, their mean and worst, and the mean less the set's own; NaN
    without any. `possible`: neighbours of a set inside the grid."""

    count: NDArray[np.int64]
    mean: NDArray[np.float64]
    worst: NDArray[np.float64]
    difference: NDArray[np.float64]
    shape: list[str | None]
    possible: int


def stability(axes: Sequence[Coded], values: NDArray[np.float64], shown: NDArray[np.int64], *, high: bool) -> Stability:
    """How the figure `values` of the rows `shown` stands to that of their neighbours; `high`: whether higher is better.

    `spike`: more than a quarter of all sets lie between a set and its neighbours' mean, which is worse; `plateau`: not even between it and
    their worst; `slope`: anything else. Ranks, not a deviation, so that a long tail of bad sets does not make everything flat.
    """
    rows, sign = neighbours(axes, shown), 1.0 if high else -1.0
    around, own = np.where(rows >= 0, values[rows], np.nan), values[shown]
    there = ~np.isnan(around)
    count = there.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = np.where(there, around, 0.0).sum(axis=1) / count
        worst = np.where(count > 0, sign * np.where(there, sign * around, np.inf).min(axis=1, initial=np.inf), np.nan)
        difference = mean - own
    ordered = np.sort(sign * values[~np.isnan(values)])
    behind, behind_mean, behind_worst = (np.searchsorted(ordered, sign * one) for one in (own, mean, worst))
    quarter, defined = FAR * len(ordered), ~np.isnan(difference)
    names = np.where(behind - behind_mean > quarter, "spike", np.where(behind - behind_worst <= quarter, "plateau", "slope"))
    shape = [name if there else None for name, there in zip(names.tolist(), defined.tolist(), strict=True)]
    return Stability(count, mean, worst, difference, shape, rows.shape[1])


def neighbours(axes: Sequence[Coded], shown: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows that differ from each of `shown` by one step of one axis, shape (shown, 2 * axes with steps); -1 where there is none."""
    stepped = [j for j, axis in enumerate(axes) if axis.steps > 1]
    wanted = np.repeat(np.stack([axis.codes[shown] for axis in axes])[:, :, None], 2 * len(stepped), axis=2)
    inside = np.ones(wanted.shape[1:], np.bool_)
    for at, (j, step) in enumerate(product(stepped, (-1, 1))):
        codes = axes[j].codes[shown]
        wanted[j, :, at] = codes + step
        inside[:, at] = (codes < axes[j].steps) & (codes + step >= 0) & (codes + step < axes[j].steps)
    found = _find(axes, wanted.reshape(len(axes), -1))
    return np.where(inside, found.reshape(inside.shape), -1)


def _find(axes: Sequence[Coded], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row with each column of codes, shape (axes, queries), or -1. Rows are looked up among the few queries, so none is sorted."""
    n, number, bound = len(axes[0].codes), np.zeros(len(axes[0].codes) + wanted.shape[1], np.int64), 1
    for axis, codes in zip(axes, wanted, strict=True):
        if bound * axis.levels > WIDEST:  # drawn numbers: count only those that occur
            distinct, number = np.unique(number, return_inverse=True)
            bound = len(distinct)
        number = number * axis.levels + np.concatenate([axis.codes, codes])
        bound *= axis.levels
    keys, slot = np.unique(number[n:], return_inverse=True)
    rows = np.full(len(keys), -1, np.int64)
    if len(keys):
        at = np.minimum(np.searchsorted(keys, number[:n]), len(keys) - 1)
        hits = np.flatnonzero(keys[at] == number[:n])
        rows[at[hits]] = hits
    return rows[slot]
