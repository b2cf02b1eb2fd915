"""The same rules in other engines, on the shipped bars, trade by trade. `python -m bench.parity` (extra `parity`)

An EMA crossover, long only, market orders, commission on both sides: in backtesting.py and vectorbt, each with the fills that it uses by
default. Entry and exit rows, prices and returns of every trade, and the final equity, must agree. Each engine computes its own averages'
signals from the same arrays (TA-Lib's definition), so that only the simulation is compared.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gpubt

CAPITAL, COMMISSION = 1e6, 0.001
OVERRIDES = [
    "strategy=ema_cross",
    "strategy.side=long",
    "data.frac=0.2",
    f"capital={CAPITAL}",
    f"costs.commission.rate={COMMISSION}",
    "backend=cpu",
]

Trades = dict[str, NDArray[Any]]


def signals() -> tuple[Any, NDArray[np.bool_], NDArray[np.bool_]]:
    """Bars, entries and exits, from the reference implementation."""
    from gpubt.compose import configuration
    from gpubt.data.rows import resolve_rows
    from gpubt.data.source import open_source
    from gpubt.indicators import reference as indicators
    from gpubt.strategy.compile import compile_strategy
    from gpubt.strategy.reference import evaluate

    config = configuration(OVERRIDES)
    source = open_source(config.data, config.seed)
    bars = source.read(*resolve_rows(source, config.data))

    def get(series: Any) -> NDArray[np.float64]:
        columns: NDArray[np.float64] = (
            getattr(bars, series.name)
            if series.is_column
            else indicators.compute(series.name, tuple(get(one) for one in series.inputs), 0, series.params)
        )
        return columns

    masks = evaluate(compile_strategy(config.strategy), get, bars.n)
    return bars, masks["long_entry"], masks["long_exit"]


def ours(*overrides: str) -> tuple[Trades, float]:
    """gpubt's trades and final equity."""
    result = gpubt.run([*OVERRIDES, *overrides])
    names = ("entry_bar", "exit_bar", "entry_price", "exit_price", "pnl_pct")
    return {name: np.array(result.trades[name]) for name in names}, float(result.metrics["final_equity"] or 0.0)


def frame(bars: Any) -> Any:
    """The bars as pandas has them."""
    import pandas as pd

    columns = {name.capitalize(): getattr(bars, name) for name in ("open", "high", "low", "close")}
    return pd.DataFrame(columns, index=pd.to_datetime(bars.time)).assign(Volume=0.0)


def backtesting(bars: Any, entry: NDArray[np.bool_], leave: NDArray[np.bool_]) -> tuple[Trades, float]:
    """backtesting.py: fills at the next open; a single fractional unit scaled down, because it trades whole units."""
    from backtesting import Backtest, Strategy

    class Cross(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.bar = -1

        def next(self) -> None:
            t = len(self.data) - 1
            if self.position and leave[t]:
                self.position.close()
            elif not self.position and entry[t]:
                self.buy(size=1)

    stats = Backtest(frame(bars), Cross, cash=CAPITAL, commission=COMMISSION, finalize_trades=True).run()
    rows = stats["_trades"]
    trades = {
        "entry_bar": rows["EntryBar"].to_numpy(),
        "exit_bar": rows["ExitBar"].to_numpy(),
        "entry_price": rows["EntryPrice"].to_numpy(),
        "exit_price": rows["ExitPrice"].to_numpy(),
        "pnl_pct": (rows["PnL"] / rows["EntryPrice"]).to_numpy(),
    }
    return trades, float(stats["Equity Final [$]"])


def vectorbt(bars: Any, entry: NDArray[np.bool_], leave: NDArray[np.bool_]) -> tuple[Trades, float]:
    """vectorbt: fills at the signal bar's close, all in."""
    import pandas as pd
    import vectorbt as vbt

    close = pd.Series(bars.close)
    portfolio = vbt.Portfolio.from_signals(close, pd.Series(entry), pd.Series(leave), init_cash=CAPITAL, fees=COMMISSION, freq="1min")
    rows = portfolio.trades.records
    trades = {
        "entry_bar": rows["entry_idx"].to_numpy(),
        "exit_bar": rows["exit_idx"].to_numpy(),
        "entry_price": rows["entry_price"].to_numpy(),
        "exit_price": rows["exit_price"].to_numpy(),
        "pnl_pct": rows["return"].to_numpy(),
    }
    return trades, float(portfolio.final_value())


RIVALS: dict[str, tuple[Callable[..., tuple[Trades, float]], list[str]]] = {
    "backtesting.py": (backtesting, ["sizing.fixed_units=1"]),
    "vectorbt": (vectorbt, ["entry.at=close"]),
}


def compare(name: str, theirs: Trades, mine: Trades, their_equity: float, my_equity: float) -> list[str]:
    """What differs, in words; nothing when all trades agree. The last trade may be closed by one engine and left open by the other."""
    if abs(len(theirs["exit_bar"]) - len(mine["exit_bar"])) > 0:
        return [f"{name}: {len(theirs['exit_bar'])} trades, gpubt {len(mine['exit_bar'])}"]
    found = []
    for column, tolerance in (("entry_bar", 0.0), ("exit_bar", 0.0), ("entry_price", 1e-12), ("exit_price", 1e-12), ("pnl_pct", 1e-9)):
        wrong = np.flatnonzero(~np.isclose(theirs[column], mine[column], rtol=tolerance, atol=tolerance))
        wrong = wrong[wrong != len(mine["exit_bar"]) - 1]
        if len(wrong):
            row = wrong[0]
            found.append(f"{name}: {column} of trade {row}: {theirs[column][row]}, gpubt {mine[column][row]} ({len(wrong)} differ)")
    if abs(their_equity / my_equity - 1.0) > 1e-9:
        found.append(f"{name}: final equity {their_equity}, gpubt {my_equity}")
    return found


def main() -> int:
    """Print what was compared; 3 when something differs."""
    warnings.simplefilter("ignore")
    bars, entry, leave = signals()
    entry, leave = entry.copy(), leave.copy()
    differences = []
    for name, (rival, overrides) in RIVALS.items():
        theirs, their_equity = rival(bars, entry, leave)
        mine, my_equity = ours(*overrides)
        found = compare(name, theirs, mine, their_equity, my_equity)
        print(f"{name}: {len(mine['exit_bar'])} trades, final equity {my_equity:,.2f}: {'differ' if found else 'equal'}")
        differences += found
    print(*differences, sep="\n")
    return 3 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
