"""From the sums of an account to the figures that people read. One scalar function, for every backend and for sweeps.

Definitions and their sources: `docs/semantics.md`. A figure that does not exist (no trade, no loss, one period) is NaN, null in files.
"""

from __future__ import annotations

import math
from typing import Any

NAN = math.nan


def figures(tally: Any, *, capital: float, bars: int, periods: int, per_year: float) -> dict[str, float | int]:
    """`tally`: a `layout.TALLY` record or a mapping of its fields. `periods` returns were summed, `per_year` make a year
    (NaN: unknown). Fractions, cash and bars."""
    final = float(tally["final_equity"])
    trades, wins, losses = (int(tally[name]) for name in ("trades", "wins", "losses"))
    profit, loss = float(tally["gross_profit"]), float(tally["gross_loss"])
    fall = -float(tally["drawdown"])
    annual = annual_return(final / capital, periods / per_year)
    volatility, sharpe, sortino = ratios(tally, periods, per_year)
    return {
        "total_return": final / capital - 1.0,
        "annual_return": annual,
        "volatility": volatility,
        "sharpe_ratio": sharpe,
        "sortino_ratio": sortino,
        "calmar_ratio": divide(annual, -fall),
        "max_drawdown": fall,
        "max_drawdown_bars": int(tally["drawdown_end"]) - int(tally["drawdown_start"]),
        "exposure": int(tally["exposed"]) / bars,
        "turnover": float(tally["notional"]) / capital,
        "n_trades": trades,
        "win_rate": divide(wins, trades),
        "profit_factor": divide(profit, -loss),
        "expectancy": divide(profit + loss, trades),
        "average_win": divide(profit, wins),
        "average_loss": divide(loss, losses),
        "average_bars_held": divide(int(tally["bars_held"]), trades),
        "best_trade": float(tally["best"]),
        "worst_trade": float(tally["worst"]),
        "fees": float(tally["fees"]),
        "carry": float(tally["accrued"]),
        "shortfall": float(tally["shortfall"]),
        "ambiguous_exits": int(tally["ambiguous"]),
        "final_equity": final,
    }


def annual_return(growth: float, years: float) -> float:
    """The constant yearly return that gives `growth` (final over first) in `years`; -1 after ruin."""
    if not years > 0.0:
        return NAN
    if growth <= 0.0:
        return -1.0
    try:
        return math.pow(growth, 1.0 / years) - 1.0
    except OverflowError:  # a few profitable days, annualised
        return math.inf


def ratios(tally: Any, periods: int, per_year: float) -> tuple[float, float, float]:
    """Volatility, Sharpe and Sortino ratio, annualised. The sums are of returns above the risk-free rate, whose spread is the same."""
    if periods < 2 or not per_year > 0.0:
        return NAN, NAN, NAN
    total, square, downside = (float(tally[name]) for name in ("sum_return", "sum_square", "sum_downside"))
    mean = total / periods
    variance = max(0.0, (square - total * total / periods) / (periods - 1))
    deviation, root = math.sqrt(variance), math.sqrt(per_year)
    return deviation * root, divide(mean, deviation) * root, divide(mean, math.sqrt(downside / periods)) * root


def divide(a: float, b: float) -> float:
    """NaN, not an exception, when there is nothing to divide by."""
    return a / b if b != 0.0 else NAN
