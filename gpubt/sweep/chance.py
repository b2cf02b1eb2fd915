"""What the best Sharpe ratio of a sweep would be by chance alone: the expected maximum of that many tries without any skill.

Bailey and Lopez de Prado, The Deflated Sharpe Ratio (Journal of Portfolio Management 40, 2014): of `N` independent sets whose true ratio
is 0 and whose estimates have the standard deviation `s`, the best is expected at

    s * ((1 - g) * z(1 - 1/N) + g * z(1 - 1/(N * e)))

with Euler's g = 0.5772..., and z the quantile of the normal distribution. Sets of a sweep are alike: with the mean correlation `r` of their
returns, M sets count as N = r + (1 - r) * M (the same paper, appendix 3). The deflated ratio is the probability that the best set's true
ratio is above 0, given that it was the best of N: Phi((SR - SR0) * sqrt(T - 1) / sqrt(1 + SR^2 / 2)), SR0 being that expected maximum, both
of one period, over T periods, with returns taken as normal (rows don't keep their skewness and kurtosis).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpubt.sweep.rows import BLOCKS

if TYPE_CHECKING:
    from gpubt.sweep.reading import Results

EULER = 0.5772156649015329
SAMPLE = 100_000  # sets, evenly chosen, that the correlation is estimated from


@dataclass(frozen=True)
class Chance:
    """Of `sets` that have a Sharpe ratio: the mean `correlation` of their returns, how many `independent` ones that makes, the `spread`
    (standard deviation) of their ratios, the `expected` best of the independent ones without skill, the `best` there is, all a year; the
    `probability` that it is more than luck, None where the number of return `periods` can't be told."""

    sets: int
    correlation: float
    independent: float
    spread: float
    expected: float
    best: float
    periods: int | None
    probability: float | None


def by_chance(results: Results) -> Chance | None:
    """None without sums of returns by block, or with fewer than two sets that have a Sharpe ratio."""
    if any(name not in results.names for name in (*BLOCKS, "sharpe_ratio", "volatility")):
        return None
    sharpe = results.numbers("sharpe_ratio")
    there = np.flatnonzero(np.isfinite(sharpe))
    if len(there) < 2:
        return None
    some = there[np.unique(np.linspace(0, len(there) - 1, SAMPLE).astype(np.int64))]
    sums, squares = (_blocks(results, name, some) for name in BLOCKS)
    correlation = mean_correlation(sums)
    independent = correlation + (1.0 - correlation) * len(there)
    spread, best = float(np.std(sharpe[there], ddof=1)), float(np.max(sharpe[there]))
    expected = expected_maximum(independent, spread)
    told = periods_of(results.numbers("volatility")[some], sharpe[some], sums.sum(axis=1), squares.sum(axis=1))
    periods, probability = (None, None) if told is None else (told[0], deflated(best, expected, *told))
    return Chance(len(there), correlation, independent, spread, expected, best, periods, probability)


def expected_maximum(sets: float, spread: float) -> float:
    """The best of `sets` independent normal numbers with mean 0 and this standard deviation; 0 for one."""
    if sets <= 1.0:
        return 0.0
    z = NormalDist().inv_cdf
    last = 1.0 / sets if sets > 1.0 + 1e-9 else 1.0 - 1e-9
    return spread * max(0.0, (1.0 - EULER) * z(1.0 - last) + EULER * z(1.0 - last / math.e))


def deflated(best: float, expected: float, periods: int, per_year: float) -> float:
    """The deflated Sharpe ratio, a probability; `best` and `expected` are ratios a year."""
    own, chance = best / math.sqrt(per_year), expected / math.sqrt(per_year)
    return NormalDist().cdf((own - chance) * math.sqrt(periods - 1) / math.sqrt(1.0 + own * own / 2.0))


def mean_correlation(sums: NDArray[np.float64]) -> float:
    """Of every two rows of `sums`, shape (sets, blocks), on average, within [0, 1]; sets without any variation are left out."""
    centred = sums - sums.mean(axis=1, keepdims=True)
    size = np.sqrt((centred * centred).sum(axis=1))
    unit = centred[size > 0.0] / size[size > 0.0, None]
    n = len(unit)
    if n < 2:
        return 0.0
    total = unit.sum(axis=0)
    return min(1.0, max(0.0, (float(total @ total) - n) / (n * (n - 1.0))))


def periods_of(
    volatility: NDArray[np.float64], sharpe: NDArray[np.float64], sums: NDArray[np.float64], squares: NDArray[np.float64]
) -> tuple[int, float] | None:
    """Number of return periods `T` and periods a year `p`, which a row's figures and sums S, Q of returns and squares tell together:
    volatility^2 = p (Q - S^2 / T) / (T - 1) and volatility * sharpe = p S / T. The median over rows; None where no row tells."""
    with np.errstate(all="ignore"):
        periods = (volatility * sums - sums * sums * sharpe) / (volatility * sums - squares * sharpe)
        per_year = volatility * sharpe * periods / sums
    good = np.isfinite(periods) & np.isfinite(per_year) & (periods > 1.5) & (per_year > 0.0)
    if not good.any():
        return None
    return round(float(np.median(periods[good]))), float(np.median(per_year[good]))


def _blocks(results: Results, name: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    import pyarrow as pa

    from gpubt.records.tables import taken, values_of

    lists = taken(results.column(name), rows)
    return values_of(pa.chunked_array([chunk.flatten() for chunk in lists.chunks], pa.float64())).reshape(len(rows), -1)
