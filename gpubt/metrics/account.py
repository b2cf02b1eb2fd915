"""The account of a ledger, measured where the ledger is: sums from the backend, figures finished here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.data.periods import period_ends, periods_per_year, returns_frequency
from gpubt.metrics.figures import figures
from gpubt.simulate import layout
from gpubt.simulate.parameters import parameters

if TYPE_CHECKING:
    from gpubt.backends.base import Backend, Ledger, Market
    from gpubt.config import Config
    from gpubt.data.bars import Bars


@dataclass(frozen=True)
class Measured:
    """`equity` at `ends`, the last bars of the return periods; `metrics` and `buy_and_hold` by name; `hash` is the ledger_hash;
    the tallies are the sums behind the figures."""

    ends: NDArray[np.int64]
    equity: NDArray[np.float64]
    metrics: dict[str, float | int]
    buy_and_hold: dict[str, float | int]
    hash: int
    tally: Any
    held_tally: Any
    held_equity: NDArray[np.float64]
    returns: str
    per_year: float
    snapped: bool


@dataclass(frozen=True)
class Periods:
    """Return periods: their frequency, last bars and number a year (`snapped` to a usual one), and the risk-free rate of one."""

    returns: str
    ends: NDArray[np.int64]
    per_year: float
    snapped: bool
    risk_free: float


def periods(bars: Bars, config: Config) -> Periods:
    """The return periods of bars."""
    returns = returns_frequency(bars.time, config.metrics.returns)
    ends = period_ends(bars.time, returns, config.data.timezone)
    per_year, snapped = periods_per_year(bars.time, ends)
    return Periods(returns, ends, per_year, snapped, config.metrics.risk_free / per_year if per_year > 0.0 else 0.0)


def measure(backend: Backend, market: Market, ledger: Ledger, bars: Bars, config: Config) -> Measured:
    """Measure `ledger`, and buying at the first open and holding to the last close beside it."""
    own = periods(bars, config)
    ends, per_year = own.ends, own.per_year

    def finish(trades: Ledger, costs: NDArray[Any]) -> tuple[Any, NDArray[np.float64], dict[str, float | int]]:
        tally, equity = backend.account(market, trades, ends, costs, own.risk_free, config.sim.mode)
        return tally[0], equity, figures(tally[0], capital=config.capital, bars=bars.n, periods=len(ends), per_year=per_year)

    tally, equity, metrics = finish(ledger, parameters(config, bars.mean_spacing))
    free = layout.record(layout.PARAMS, capital=config.capital)
    held_tally, held_equity, held = finish(backend.ledger(hold(bars, config.capital), "single"), free)
    return Measured(
        ends, equity, metrics, held, int(tally["hash"]) & (2**64 - 1), tally, held_tally, held_equity, own.returns, per_year, own.snapped
    )


def hold(bars: Bars, capital: float) -> NDArray[Any]:
    """One trade: all of the capital, without costs, from the first open to the last close."""
    first, last = float(bars.open[0]), float(bars.close[-1])
    pnl = (capital / first) * (last - first)
    return layout.record(
        layout.TRADE,
        exit_bar=bars.n - 1,
        entry_price=first,
        exit_price=last,
        units=capital / first,
        pnl=pnl,
        pnl_pct=pnl / capital,
        r_multiple=np.nan,
        reason=layout.END_OF_DATA,
    )
