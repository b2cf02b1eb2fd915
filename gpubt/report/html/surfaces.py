"""Figures of a sweep over any two of its axes: all other axes aggregated, or held at the values of one set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.records.tables import taken
from gpubt.report.html.page import listed
from gpubt.report.top import setting

if TYPE_CHECKING:
    from gpubt.sweep.reading import Coded, Results

LEVELS = 40  # of an axis on the page; an axis with more is put into BINS of about equal counts
BINS = 20
DIGITS = 4


@dataclass(frozen=True)
class Groups:
    """An axis on the page: the group of each row, shape (rows,), and the groups' labels."""

    key: str
    name: str
    of: NDArray[np.int64]
    labels: list[str]


def groups(results: Results, axis: Coded, name: str) -> Groups:
    """Each value by itself, or bins of numbers that follow each other."""
    codes = axis.codes
    if len(np.unique(codes)) > LEVELS:
        numeric = codes < axis.steps
        edges = np.unique(np.quantile(codes[numeric], np.linspace(0.0, 1.0, BINS + 1)[1:-1])) if numeric.any() else np.empty(0)
        codes = np.where(numeric, np.searchsorted(edges, codes, side="right"), len(edges) + 1)
    _, of = np.unique(codes, return_inverse=True)
    return Groups(axis.key, name, of, _labels(results, axis, of))


def _labels(results: Results, axis: Coded, of: NDArray[np.int64]) -> list[str]:
    """The value of each group, or its lowest and highest."""
    order = np.lexsort([axis.codes, of])
    starts = np.flatnonzero(np.diff(of[order], prepend=-1) != 0)
    ends = np.append(starts[1:], len(order)) - 1
    column = results.column(axis.key)
    low, high = ([setting(value) for value in taken(column, order[at]).to_pylist()] for at in (starts, ends))
    named = [
        a if a == b else f"{a} to {b}" if axis.codes[order[s]] < axis.steps else "other" for a, b, s in zip(low, high, starts, strict=True)
    ]
    return named


def surfaces(results: Results, axes: Sequence[Groups], figures: Sequence[str], through: Sequence[int]) -> list[dict[str, Any]]:
    """For each two axes (or the only one): by figure the mean, the lowest and the highest over all other axes, and `slices` of the first
    figure where the other axes have the values of each of the rows `through`. Lists are row by row, the second axis changing fastest; None
    where there is no set."""
    codes = np.stack([results.axis(axis.key).codes for axis in axes])
    apart = [(codes != codes[:, [row]]).astype(np.uint8) for row in through]
    values = {name: results.numbers(name) for name in figures}
    found = []
    pairs: list[tuple[int, ...]] = [*combinations(range(len(axes)), 2)]
    for pair in pairs or [(0,)]:
        shape = [len(axes[i].labels) for i in pair]
        cells = np.ravel_multi_index(tuple(axes[i].of for i in pair), shape)
        size = int(np.prod(shape))
        slices: list[NDArray[np.float64]] = []
        for different in apart:
            rows = np.flatnonzero(different.sum(axis=0) == different[list(pair)].sum(axis=0))
            slices.append(_mean(values[figures[0]][rows], cells[rows], size))
        found.append(
            {
                "axes": list(pair),
                "figures": {name: _aggregates(one, cells, size) for name, one in values.items()},
                "slices": [listed(one, DIGITS) for one in slices],
            }
        )
    return found


def _mean(values: NDArray[np.float64], cells: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    there = np.isfinite(values)
    counts, sums = (np.bincount(cells[there], weights, size) for weights in (None, values[there]))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: NDArray[np.float64] = sums / counts
    return mean


def _aggregates(values: NDArray[np.float64], cells: NDArray[np.int64], size: int) -> dict[str, Any]:
    there = np.isfinite(values)
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, cells[there], values[there])
    np.maximum.at(high, cells[there], values[there])
    return {"mean": listed(_mean(values, cells, size), DIGITS), "lowest": listed(low, DIGITS), "highest": listed(high, DIGITS)}
