"""From the sums of accounts to the figures that people read: one function for every backend, for single runs and for sweeps.

Definitions and their sources: `docs/semantics.md`. A figure that does not exist (no trade, no loss, one period) is NaN, null in files.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

NAN = math.nan


def figures(tally: Any, *, capital: float, bars: int, periods: int, per_year: float) -> dict[str, float | int]:
    """`tally`: a `layout.TALLY` record or a mapping of its fields. `periods` returns were summed, `per_year` make a year
    (NaN: unknown). Fractions, cash and bars."""
    return {name: column[0].item() for name, column in columns(tally, capital, bars=bars, periods=periods, per_year=per_year).items()}


def columns(tallies: Any, capital: ArrayLike, *, bars: int, periods: int, per_year: float) -> dict[str, NDArray[Any]]:
    """The same of many: `tallies` are `layout.TALLY` records, shape (n,), `capital` is one number or n. Each column has shape (n,)."""
    t, capital = _Fields(tallies), np.asarray(capital, float)
    profit, loss = t.real("gross_profit"), t.real("gross_loss")
    trades, wins, losses = (t.whole(name) for name in ("trades", "wins", "losses"))
    final, fall = t.real("final_equity"), -t.real("drawdown")
    with np.errstate(all="ignore"):
        growth = final / capital
        annual = np.array([annual_return(one, periods / per_year) for one in growth.tolist()])
        volatility, sharpe, sortino = ratios(t, periods, per_year)
        return {
            "total_return": growth - 1.0,
            "annual_return": annual,
            "volatility": volatility,
            "sharpe_ratio": sharpe,
            "sortino_ratio": sortino,
            "calmar_ratio": divide(annual, -fall),
            "max_drawdown": fall,
            "max_drawdown_bars": t.whole("drawdown_end") - t.whole("drawdown_start"),
            "exposure": t.whole("exposed") / bars,
            "turnover": t.real("notional") / capital,
            "n_trades": trades,
            "win_rate": divide(wins, trades),
            "profit_factor": divide(profit, -loss),
            "expectancy": divide(profit + loss, trades),
            "average_win": divide(profit, wins),
            "average_loss": divide(loss, losses),
            "average_bars_held": divide(t.whole("bars_held"), trades),
            "best_trade": t.real("best"),
            "worst_trade": t.real("worst"),
            "fees": t.real("fees"),
            "carry": t.real("accrued"),
            "shortfall": t.real("shortfall"),
            "ambiguous_exits": t.whole("ambiguous"),
            "final_equity": final,
        }


class _Fields:
    """Fields of tallies as columns of one type."""

    def __init__(self, tallies: Any) -> None:
        self._tallies = tallies

    def real(self, name: str) -> NDArray[np.float64]:
        return np.atleast_1d(np.asarray(self._tallies[name], np.float64))

    def whole(self, name: str) -> NDArray[np.int64]:
        return np.atleast_1d(np.asarray(self._tallies[name], np.int64))


def annual_return(growth: float, years: float) -> float:
    """The constant yearly return that gives `growth` (final over first) in `years`; -1 after ruin. NumPy's power differs by platform."""
    if not years > 0.0:
        return NAN
    if growth <= 0.0:
        return -1.0
    try:
        return math.pow(growth, 1.0 / years) - 1.0
    except OverflowError:  # a few profitable days, annualised
        return math.inf


def ratios(tallies: _Fields, periods: int, per_year: float) -> tuple[NDArray[np.float64], ...]:
    """Volatility, Sharpe and Sortino ratio, annualised. The sums are of returns above the risk-free rate, whose spread is the same."""
    total, square, downside = (tallies.real(name) for name in ("sum_return", "sum_square", "sum_downside"))
    if periods < 2 or not per_year > 0.0:
        return (np.full(len(total), NAN),) * 3
    mean = total / periods
    variance = (square - total * total / periods) / (periods - 1)
    deviation, root = np.sqrt(np.where(variance > 0.0, variance, 0.0)), math.sqrt(per_year)
    return deviation * root, divide(mean, deviation) * root, divide(mean, np.sqrt(downside / periods)) * root


def divide(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """NaN where there is nothing to divide by."""
    return np.where(b != 0.0, a / b, NAN)
