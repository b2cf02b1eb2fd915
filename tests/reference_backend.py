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
from gpubt.strategy.compile import Signals, compile_strategy
from gpubt.strategy.expr import reads
from gpubt.strategy.plan import level_texts
from gpubt.strategy.reference import evaluate, measure


class ReferenceBackend(Backend):
    """Plain Python and NumPy, a loop a bar; rules are evaluated from the tree, not from the lowered program."""

    name = device = "reference"

    def __init__(self, config: Config) -> None:
        self.config = config

    def _upload(self, columns: Mapping[str, np.ndarray], detail: Any) -> Market:
        return Market(len(columns["close"]), columns, cases.reference_bars(dict(columns), detail))

    def _indicator(self, name: str, inputs: tuple[Array, ...], first: int, params: tuple[float, ...]) -> Array:
        return indicators.compute(name, inputs, first, params)

    def _scan(self, program: Any, fetch: Any, n: int) -> dict[str, Array]:
        series = dict(zip(program.series(), fetch(program.series()), strict=True))
        return evaluate(compile_strategy(self.config.strategy, self.config.cross, dict(level_texts(self.config))), series.__getitem__, n)

    def _held(self, condition: Any, inputs: Any, n: int) -> Array:
        arrays = dict(zip(reads(condition.rule), inputs, strict=True))
        return evaluate(Signals(condition.rule, None, None, None), arrays.__getitem__, n)["long_entry"]

    def _measure(self, name: str, mask: Array, n: int, first: int, params: Any) -> Array:
        return measure(name, mask, first, params)

    def _no_signal(self, n: int) -> Array:
        return np.zeros(n, bool)

    def mask(self, flags: np.ndarray) -> Array:
        return flags

    def place(self, series: np.ndarray) -> Array:
        return series

    def _simulate(self, market: Market, masks: Any, levels: Any, rungs: Any, params: Any, bar_by_bar: bool, positions: str) -> Ledger:
        run = reference.simulate if positions == "single" else reference.simulate_overlapping
        signals = reference.Signals(**{name: mask.tolist() for name, mask in masks.items()})
        return self._ledger(run(market.prices, signals, self._lists(levels), self._records(rungs), *self._records(params)), positions)

    def _simulate_list(self, market: Market, masks: Any, entries: Any, levels: Any, rungs: Any, params: Any, bar_by_bar: bool) -> Ledger:
        calendars = {name: mask.tolist() for name, mask in masks.items()}
        signals = reference.Signals(*[[False] * market.n] * 4, **calendars)
        given = (self._records(entries), self._lists(levels), self._records(rungs), *self._records(params))
        return self._ledger(reference.simulate_list(market.prices, signals, *given), "list")

    def _account(self, market: Market, ledger: Ledger, ends: Any, params: Any, risk_free: float, skip: bool) -> Any:
        p = self._records(params)[0]
        equity = account.marks(ledger.rows, market.prices.close, p, ledger.positions)
        tally = account.tally(ledger.rows, equity, ends.tolist(), p["capital"], risk_free)
        return cases.as_record(layout.TALLY, [tally]), np.array([equity[end] for end in ends])

    def _place(self, array: np.ndarray) -> Array:
        return self._records(array)

    def _trades(self, ledger: Ledger) -> np.ndarray:
        return cases.as_record(layout.TRADE, ledger.rows)

    @staticmethod
    def _ledger(outcome: reference.Outcome, positions: str) -> Ledger:
        return Ledger(outcome.trades, len(outcome.trades), np.array(outcome.skipped), positions)

    @staticmethod
    def _lists(levels: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
        return {name: series.tolist() for name, series in levels.items()}

    @staticmethod
    def _records(records: np.ndarray) -> list[dict[str, Any]]:
        return [{name: row[name].item() for name in records.dtype.names or ()} for row in records]
