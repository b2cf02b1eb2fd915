"""What every figure is: the one place that `docs/semantics.md` and reports take definitions from."""

from __future__ import annotations

from typing import NamedTuple

FRACTION, RATIO, CASH, BARS, COUNT = "fraction", "ratio", "cash", "bars", "count"


class Definition(NamedTuple):
    """`label` for people, `unit` of the value, and how it is computed from what, after whom."""

    label: str
    unit: str
    text: str
    source: str = ""


DEFINITIONS = {
    "total_return": Definition("total return", FRACTION, "final equity / capital - 1"),
    "annual_return": Definition(
        "annual return", FRACTION, "(final equity / capital)^(periods per year / periods) - 1", "compound annual growth"
    ),
    "volatility": Definition("volatility", FRACTION, "standard deviation of returns (ddof 1) x sqrt(periods per year)"),
    "sharpe_ratio": Definition("Sharpe ratio", RATIO, "mean excess return / standard deviation x sqrt(periods per year)", "Sharpe 1994"),
    "sortino_ratio": Definition(
        "Sortino ratio",
        RATIO,
        "mean excess return / sqrt(mean of squared negative excess returns) x sqrt(periods per year)",
        "Sortino and Price 1994",
    ),
    "calmar_ratio": Definition("Calmar ratio", RATIO, "annual return / -max drawdown", "Young 1991"),
    "max_drawdown": Definition("max drawdown", FRACTION, "lowest equity / peak before it - 1, at bar level, at most 0"),
    "max_drawdown_bars": Definition(
        "max drawdown bars", BARS, "from the peak before the max drawdown to the next new peak, or to the last bar"
    ),
    "exposure": Definition("exposure", FRACTION, "bars at whose close a position is open / bars"),
    "turnover": Definition("turnover", RATIO, "cash traded, entries and exits / capital"),
    "n_trades": Definition("trades", COUNT, "positions: a position lasts from its first entry to its last exit"),
    "win_rate": Definition("win rate", FRACTION, "trades with pnl > 0 / trades"),
    "profit_factor": Definition("profit factor", RATIO, "gross profit / gross loss"),
    "expectancy": Definition("expectancy", CASH, "pnl a trade"),
    "average_win": Definition("average win", CASH, "gross profit / trades with pnl > 0"),
    "average_loss": Definition("average loss", CASH, "gross loss / trades with pnl < 0, at most 0"),
    "average_bars_held": Definition("average bars held", BARS, "bars from first entry to last exit, at least 1, on average"),
    "best_trade": Definition("best trade", FRACTION, "highest pnl / (sum of units x entry price) of a trade"),
    "worst_trade": Definition("worst trade", FRACTION, "lowest pnl / (sum of units x entry price) of a trade"),
    "fees": Definition("fees", CASH, "commission, sum over rows"),
    "carry": Definition("carry", CASH, "funding and borrow accrued, sum over rows; negative: earned"),
    "shortfall": Definition("shortfall", CASH, "losses beyond the account, sum over rows"),
    "ambiguous_exits": Definition("ambiguous exits", COUNT, "trades of which a row is `ambiguous`: the order within a bar mattered"),
    "final_equity": Definition("final equity", CASH, "equity at the close of the last bar"),
}


def markdown() -> str:
    """The table of `docs/semantics.md`: `python -m gpubt.metrics.definitions` prints it."""
    rows = (f"| {name} | {one.text} | {one.source + ' ' if one.source else ''}|" for name, one in DEFINITIONS.items())
    return "\n".join(["| figure | definition | source |", "| --- | --- | --- |", *rows])


if __name__ == "__main__":
    print(markdown())
