"""The specification as a backend, so that whole runs of the pipeline can be compared with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cases
import numpy as np

from gpubt.backends.base import Array, Backend, Ledger, Market
from gpubt.config import Config
from gpubt.indicators import reference as indicators
from gpubt.metrics import reference as account
from gpubt.simulate import layout, reference
from gpubt.strategy.compile import compile_strategy
from gpubt.strategy.reference import evaluate


class ReferenceBackend(Backend):
    """Plain Python and NumPy, a loop a bar; rules are evaluated from the tree, not from the lowered program."""

    name = device = "reference"

    def __init__(self, config: Config) -> None:
        self.config = config

    def _upload(self, columns: Mapping[str, np.ndarray]) -> Market:
        return Market(len(columns["close"]), columns, cases.reference_bars(dict(columns)))

    def _indicator(self, name: str, inputs: tuple[Array, ...], first: int, params: tuple[float, ...]) -> Array:
        return indicators.compute(name, inputs, first, params)

    def _scan(self, program: Any, series: Mapping[Any, Array], n: int) -> dict[str, Array]:
        return evaluate(compile_strategy(self.config.strategy), series.__getitem__, n)

    def _no_signal(self, n: int) -> Array:
        return np.zeros(n, bool)

    def _simulate(self, market: Market, masks: Any, atr: Any, params: Any, bar_by_bar: bool, positions: str) -> Ledger:
        run = reference.simulate if positions == "single" else reference.simulate_overlapping
        signals = reference.Signals(**{name: mask.tolist() for name, mask in masks.items()})
        return self._ledger(run(market.prices, signals, self._atr(atr, market), self._params(params)), positions)

    def _simulate_list(self, market: Market, entries: Any, atr: Any, params: Any, bar_by_bar: bool) -> Ledger:
        rows = [{name: row[name].item() for name in layout.ENTRY.names or ()} for row in entries]
        return self._ledger(reference.simulate_list(market.prices, rows, self._atr(atr, market), self._params(params)), "list")

    def _account(self, market: Market, ledger: Ledger, ends: Any, capital: float, risk_free: float, skip: bool) -> Any:
        equity = self._equity(market, ledger, capital)
        tally = account.tally(ledger.rows, equity, ends.tolist(), capital, risk_free)
        return cases.as_record(layout.TALLY, [tally]), np.array([equity[end] for end in ends])

    def _place(self, trades: np.ndarray) -> Array:
        return [{name: row[name].item() for name in layout.TRADE.names or ()} for row in trades]

    def _trades(self, ledger: Ledger) -> np.ndarray:
        return cases.as_record(layout.TRADE, ledger.rows)

    @staticmethod
    def _equity(market: Market, ledger: Ledger, capital: float) -> list[float]:
        if ledger.positions != "single":
            return reference.list_equity(ledger.rows, market.prices, capital)
        equity, marks = capital, []
        for t in ledger.rows:
            marks += [equity] * (t["entry_bar"] - len(marks))
            side = 1 if t["side"] == layout.LONG else -1
            for close in market.prices.close[t["entry_bar"] : t["exit_bar"]]:
                marks.append((equity - t["entry_fees"]) + (side * t["units"]) * (close - t["entry_price"]))
            equity += t["pnl"]
        return marks + [equity] * (market.n - len(marks))

    @staticmethod
    def _ledger(outcome: reference.Outcome, positions: str) -> Ledger:
        return Ledger(outcome.trades, len(outcome.trades), np.array(outcome.skipped), positions)

    @staticmethod
    def _atr(atr: Any, market: Market) -> list[float]:
        return [float("nan")] * market.n if atr is None else atr.tolist()

    @staticmethod
    def _params(params: np.ndarray) -> dict[str, Any]:
        return {name: params[name][0].item() for name in layout.PARAMS.names or ()}
