"""The same rules in other engines, trade by trade. `python -m bench.parity [--write]` (extra `parity`)

The engines themselves run on the shipped bars (5 minutes, prices on a grid, so ties and gaps are frequent) with the signals of gpubt's
reference, each with its own fills; gpubt runs with the preset `conventions=` of that engine. Entry and exit rows, sides, prices and pnl of
every closed trade and the final equity must agree. `--write` stores the engines' trades under tests/golden/parity, which tests compare
without the engines installed.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gpubt
from gpubt.simulate.layout import REASONS

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden" / "parity"
CAPITAL = 1e6
BARS = ["strategy=ema_cross", "data.frac=0.2", "data.portion=2", f"capital={CAPITAL}", "backend=cpu"]
COLUMNS = ("entry_bar", "exit_bar", "side", "entry_price", "exit_price", "pnl")
END = next(name for code, name in REASONS.items() if code == 9)

Trades = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Work:
    """One workload: what gpubt is told besides the preset, and the same for the engines. One unit a trade, or all of the equity."""

    side: str = "both"
    stop: float | None = None
    target: float | None = None
    fees: float = 0.0
    slippage: float = 0.0
    all_in: bool = False

    def overrides(self) -> list[str]:
        """For gpubt."""
        given = [f"strategy.side={self.side}", f"costs.commission.rate={self.fees}", f"costs.slippage.rate={self.slippage}"]
        given += [f"exits.stop.pct={self.stop}", f"exits.target.pct={self.target}"] if self.stop else []
        return given if self.all_in else [*given, "sizing.fixed_units=1"]


WORKS = {
    "cross": Work(),
    "cross-fees": Work(fees=0.001),
    "cross-slippage": Work(fees=0.0005, slippage=0.0005),
    "cross-all-in": Work("long", fees=0.001, all_in=True),
    "bracket": Work(stop=0.01, target=0.02),
    "bracket-fees": Work(stop=0.005, target=0.01, fees=0.001),
    "bracket-long": Work("long", stop=0.01, target=0.01, fees=0.0005),
}


def inputs(work: Work) -> tuple[Any, dict[str, NDArray[np.bool_]]]:
    """Bars, and the four effective signals from the reference implementation."""
    from gpubt.compose import configuration
    from gpubt.data.rows import resolve_rows
    from gpubt.data.source import open_source
    from gpubt.indicators import reference as indicators
    from gpubt.strategy.compile import compile_strategy
    from gpubt.strategy.reference import evaluate

    config = configuration([*BARS, f"strategy.side={work.side}"])
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
    none = np.zeros(bars.n, bool)
    return bars, {name: masks.get(name, none) for name in ("long_entry", "long_exit", "short_entry", "short_exit")}


def ours(engine: str, work: Work) -> tuple[Trades, float]:
    """gpubt's closed trades and final equity."""
    result = gpubt.run([*BARS, f"conventions={PRESETS[engine]}", "cross=default", *work.overrides()])
    rows = result.trades.filter(np.array([reason != END for reason in result.trades["exit_reason"].to_pylist()], bool))
    trades = {name: np.array(rows[name].to_pylist()) for name in COLUMNS}
    trades["side"] = np.where(trades["side"] == "long", 1, -1)
    return trades, float(result.metrics["final_equity"] or 0.0)


def frame(bars: Any) -> Any:
    """The bars as pandas has them."""
    import pandas as pd

    columns = {name.capitalize(): getattr(bars, name) for name in ("open", "high", "low", "close")}
    return pd.DataFrame(columns, index=pd.to_datetime(bars.time)).assign(Volume=0.0)


def wishes(masks: dict[str, NDArray[np.bool_]], t: int, side: int) -> tuple[bool, int]:
    """Whether a position on `side` (0: none) is to be left after bar `t`, and the side to enter (0: none). Opposite entries reverse."""
    enter = 1 if masks["long_entry"][t] else -1 if masks["short_entry"][t] else 0
    leave = side != 0 and (bool(masks["long_exit" if side > 0 else "short_exit"][t]) or enter == -side)
    return leave, enter if side == 0 or enter == -side else 0


def backtesting(bars: Any, masks: dict[str, NDArray[np.bool_]], work: Work) -> tuple[Trades, float]:
    """backtesting.py: market orders at the next open; sl and tp are prices from the signal's close."""
    from backtesting import Backtest, Strategy

    class Signals(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            pass

        def next(self) -> None:
            t = len(self.data) - 1
            side = 1 if self.position.is_long else -1 if self.position.is_short else 0
            leave, enter = wishes(masks, t, side)
            if leave:
                self.position.close()
            if enter:
                close = bars.close[t]
                levels = (
                    {"sl": close * (1 - enter * work.stop), "tp": close * (1 + enter * work.target)} if work.stop and work.target else {}
                )
                size = {} if work.all_in else {"size": 1}
                (self.buy if enter > 0 else self.sell)(**size, **levels)

    stats = Backtest(frame(bars), Signals, cash=CAPITAL, commission=work.fees, finalize_trades=False).run()
    rows = stats["_trades"].sort_values(["EntryBar"], kind="stable")
    trades = {
        "entry_bar": rows["EntryBar"].to_numpy(),
        "exit_bar": rows["ExitBar"].to_numpy(),
        "side": np.sign(rows["Size"].to_numpy()),
        "entry_price": rows["EntryPrice"].to_numpy(),
        "exit_price": rows["ExitPrice"].to_numpy(),
        "pnl": rows["PnL"].to_numpy(),
    }
    return trades, float(stats["Equity Final [$]"])


def vectorbt(bars: Any, masks: dict[str, NDArray[np.bool_]], work: Work) -> tuple[Trades, float]:
    """vectorbt: fills at the signal bar's close."""
    import pandas as pd
    import vectorbt as vbt

    columns = {name: pd.Series(getattr(bars, name)) for name in ("open", "high", "low", "close")}
    signals = {"entries": "long_entry", "exits": "long_exit", "short_entries": "short_entry", "short_exits": "short_exit"}
    given = {name: pd.Series(masks[mask]) for name, mask in signals.items() if work.side == "both" or "short" not in name}
    levels = {"sl_stop": work.stop, "tp_stop": work.target} if work.stop else {}
    size = {} if work.all_in else {"size": 1.0}
    last = bars.n - 1
    for series in given.values():
        series.iloc[last] = False  # an order at the last close would fill there; gpubt's fills nothing
    portfolio = vbt.Portfolio.from_signals(
        **columns, **given, **levels, **size, init_cash=CAPITAL, fees=work.fees, slippage=work.slippage, freq="1min"
    )
    rows = portfolio.trades.records
    rows = rows[rows["status"] == 1]
    trades = {
        "entry_bar": rows["entry_idx"].to_numpy(),
        "exit_bar": rows["exit_idx"].to_numpy(),
        "side": np.where(rows["direction"] == 0, 1, -1),
        "entry_price": rows["entry_price"].to_numpy(),
        "exit_price": rows["exit_price"].to_numpy(),
        "pnl": rows["pnl"].to_numpy(),
    }
    return trades, float(portfolio.final_value())


def backtrader(bars: Any, masks: dict[str, NDArray[np.bool_]], work: Work) -> tuple[Trades, float]:
    """backtrader: market orders at the next open, with bracket orders whose prices come from the signal's close."""
    import backtrader as bt

    closed: list[tuple[Any, ...]] = []
    fills: list[tuple[int, float, float]] = []

    class Signals(bt.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            self.children: list[Any] = []

        def notify_order(self, order: Any) -> None:
            if order.status == order.Completed:
                fills.append((len(self.data) - 1, order.executed.price, order.executed.size))

        def notify_trade(self, trade: Any) -> None:
            if trade.isclosed:
                entry, leave = fills[2 * len(closed) : 2 * len(closed) + 2]  # one unit a trade: fills enter and leave in turn
                closed.append((entry[0], leave[0], int(np.sign(entry[2])), entry[1], leave[1], trade.pnlcomm))

        def next(self) -> None:
            t = len(self.data) - 1
            side = int(np.sign(self.position.size))
            leave, enter = wishes(masks, t, side)
            if leave:
                for child in self.children:
                    self.cancel(child)
                self.close()
            if enter and t < bars.n - 1:
                close = bars.close[t]
                order = self.buy if enter > 0 else self.sell
                if not work.stop or not work.target:
                    order(size=1)
                    return
                bracket = self.buy_bracket if enter > 0 else self.sell_bracket
                stop, limit = close * (1 - enter * work.stop), close * (1 + enter * work.target)
                _, *self.children = bracket(size=1, exectype=bt.Order.Market, stopprice=stop, limitprice=limit)

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(bt.feeds.PandasData(dataname=frame(bars)))
    cerebro.addstrategy(Signals)
    cerebro.broker.setcash(CAPITAL)
    cerebro.broker.setcommission(commission=work.fees)
    if work.slippage:
        cerebro.broker.set_slippage_perc(work.slippage, slip_open=True, slip_match=True, slip_out=True)
    cerebro.run()
    columns = zip(*closed, strict=True) if closed else [[] for _ in COLUMNS]
    return {name: np.array(column) for name, column in zip(COLUMNS, columns, strict=True)}, float(cerebro.broker.getvalue())


ENGINES: dict[str, Callable[..., tuple[Trades, float]]] = {"vectorbt": vectorbt, "backtesting": backtesting, "backtrader": backtrader}
PRESETS = {name: name for name in ENGINES}
# what an engine has no like of: docs/conventions.md
WITHOUT = {
    "backtesting": {"cross-slippage"},
    "backtrader": {"cross-all-in"},
    "vectorbt": set(),
}


def compare(theirs: Trades, mine: Trades, their_equity: float, my_equity: float) -> list[str]:
    """What differs, in words; nothing when all closed trades agree."""
    if len(theirs["exit_bar"]) != len(mine["exit_bar"]):
        return [f"{len(theirs['exit_bar'])} trades, gpubt {len(mine['exit_bar'])}"]
    found = []
    for column in COLUMNS:
        # rows and sides exactly; prices to rounding; pnl is the difference of two notionals
        tolerance = {"entry_price": 1e-12, "exit_price": 1e-12, "pnl": 1e-9}.get(column, 0.0)
        scale = np.abs(mine["entry_price"]) if column == "pnl" else np.abs(mine[column])
        wrong = np.flatnonzero(np.abs(theirs[column] - mine[column]) > tolerance * np.maximum(scale, np.abs(mine[column])))
        if len(wrong):
            row = wrong[0]
            found.append(f"{column} of trade {row}: {theirs[column][row]}, gpubt {mine[column][row]} ({len(wrong)} differ)")
    if abs(their_equity / my_equity - 1.0) > 1e-9:
        found.append(f"final equity {their_equity}, gpubt {my_equity}")
    return found


def golden(engine: str, name: str) -> Path:
    """Where the trades of an engine on a workload are kept."""
    return GOLDEN / f"{engine}-{name}.parquet"


def store(engine: str, name: str, trades: Trades, equity: float) -> None:
    """Keep what an engine gave, with its version."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    package = {"backtesting": "backtesting", "vectorbt": "vectorbt", "backtrader": "backtrader"}[engine]
    table = pa.table({column: trades[column].astype(float if column.endswith(("price", "pnl")) else int) for column in COLUMNS})
    notes = {"final_equity": repr(equity), "engine": f"{package} {version(package)}"}
    GOLDEN.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(notes), golden(engine, name), compression="zstd")


def main() -> int:
    """Print what was compared; 3 when something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="store the engines' trades for the tests")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    differences = 0
    for name, work in WORKS.items():
        bars, masks = inputs(work)
        for engine, rival in ENGINES.items():
            if name in WITHOUT[engine]:
                continue
            theirs, their_equity = rival(bars, {key: mask.copy() for key, mask in masks.items()}, work)
            mine, my_equity = ours(engine, work)
            found = compare(theirs, mine, their_equity, my_equity)
            print(f"{engine:<12} {name:<15} {len(mine['exit_bar']):>5} trades, equity {my_equity:,.4f}: {'DIFFER' if found else 'equal'}")
            for text in found:
                print(f"    {text}")
            differences += len(found)
            if options.write and not found:
                store(engine, name, theirs, their_equity)
    return 3 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
