"""Which sets are best by a figure: what is better of each, the sets that a condition leaves, and their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpubt.errors import ConfigError, accepted

if TYPE_CHECKING:
    from gpubt.sweep.reading import Results

HIGH, LOW = "high", "low"

# What is better of every figure. Falls and losses are at most 0, so higher is better; more trades are more evidence
BEST = {
    "total_return": HIGH,
    "annual_return": HIGH,
    "volatility": LOW,
    "sharpe_ratio": HIGH,
    "sortino_ratio": HIGH,
    "calmar_ratio": HIGH,
    "max_drawdown": HIGH,
    "max_drawdown_bars": LOW,
    "exposure": LOW,
    "turnover": LOW,
    "n_trades": HIGH,
    "win_rate": HIGH,
    "profit_factor": HIGH,
    "expectancy": HIGH,
    "average_win": HIGH,
    "average_loss": HIGH,
    "average_bars_held": LOW,
    "best_trade": HIGH,
    "worst_trade": HIGH,
    "fees": LOW,
    "carry": LOW,
    "shortfall": LOW,
    "ambiguous_exits": LOW,
    "final_equity": HIGH,
}
ALIASES = {"trades": "n_trades"}


def figure(results: Results, name: str) -> str:
    """The figure that `--by name` means. Raises ConfigError, with the nearest name, where the rows don't have it."""
    found = ALIASES.get(name, name)
    if found not in results.figures:
        raise ConfigError(f"--by has no figure {name!r}; {accepted(results.figures, name)}")
    return found


def left(results: Results, where: str | None) -> NDArray[np.int64]:
    """The rows for which the condition is true, ascending; all without one. Raises ConfigError where it leaves none."""
    from gpubt.sweep.reading import Names
    from gpubt.sweep.space import condition

    if where is None:
        return np.arange(results.n)
    found = np.flatnonzero(condition(where, "--where", Names(results)))
    if not len(found):
        raise ConfigError(f"--where {where!r} leaves no set of {results.n:,}")
    return found


def ranked(values: NDArray[np.float64], rows: NDArray[np.int64], *, ascending: bool) -> NDArray[np.int64]:
    """`rows` by their values; equal ones by their set, NaN last."""
    keys = values[rows] if ascending else -values[rows]
    return rows[np.argsort(keys, kind="stable")]
