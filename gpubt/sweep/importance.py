"""How much of a figure's spread over the sets each axis explains by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gpubt.sweep.reading import Coded

BINS, FILLED = 20, 20  # of a drawn axis: bins at most, sets in each at least on average


def first_order(values: NDArray[np.float64], axes: Sequence[Coded], rows: NDArray[np.int64], *, sampled: bool) -> dict[str, float]:
    """`Var(E[y | x]) / Var(y)` of each axis over `rows` with a finite value, by key; empty where `y` does not vary.

    These are the first-order indices of Sobol (1993); what they leave of 1 is interactions (Saltelli et al., 2008, Global Sensitivity
    Analysis, chapter 1). With `sampled` sets nearly every number of an axis has one set only, which would explain all of it: those
    are put into bins of about equal counts.
    """
    rows = rows[np.isfinite(values[rows])]
    y = values[rows]
    if len(y) < 2 or y.min() == y.max():
        return {}
    y = (y - y.mean()) / (y.max() - y.min())  # in one order of magnitude, so that squares neither overflow nor vanish
    y -= y.mean()
    bins = max(2, min(BINS, len(y) // FILLED)) if sampled else None
    return {axis.key: _share(y, _groups(axis, axis.codes[rows], bins)) for axis in axes}


def _share(y: NDArray[np.float64], groups: NDArray[np.int64]) -> float:
    """Of the squares of `y`, whose mean is 0, those of its groups' means."""
    counts, sums = np.bincount(groups), np.bincount(groups, y)
    there = counts > 0
    return min(1.0, float(np.sum(sums[there] ** 2 / counts[there]) / np.sum(y * y)))


def _groups(axis: Coded, codes: NDArray[np.int64], bins: int | None) -> NDArray[np.int64]:
    numeric = codes < axis.steps
    if bins is None or axis.steps <= bins or not numeric.any():
        return codes
    edges = np.unique(np.quantile(codes[numeric], np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    return np.where(numeric, np.searchsorted(edges, codes, side="right"), codes)
