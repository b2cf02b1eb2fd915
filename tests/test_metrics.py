"""Figures against other authors' code (empyrical-reloaded), and where a figure does not exist."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import gpubt
from gpubt.metrics.figures import annual_return, figures
from gpubt.metrics.reference import tally


@pytest.fixture(scope="module")
def run() -> gpubt.RunResult:
    return gpubt.run(["strategy=trend_pullback", "costs.commission.rate=0.0003", "equity=returns"])


def daily_returns(run: gpubt.RunResult) -> np.ndarray:
    equity = np.concatenate([[run.config.capital], np.array(run.equity["equity"])])
    return equity[1:] / equity[:-1] - 1.0


def test_figures_equal_those_of_empyrical(run: gpubt.RunResult) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        empyrical = pytest.importorskip("empyrical", reason="empyrical-reloaded is not installed")
    returns, per_year = daily_returns(run), run.summary["annualisation"]
    want = {
        "total_return": empyrical.cum_returns_final(returns),
        "annual_return": empyrical.annual_return(returns, annualization=per_year),
        "volatility": empyrical.annual_volatility(returns, annualization=per_year),
        "sharpe_ratio": empyrical.sharpe_ratio(returns, annualization=per_year),
        "sortino_ratio": empyrical.sortino_ratio(returns, annualization=per_year),
    }
    for name, value in want.items():
        assert run.metrics[name] == pytest.approx(float(value), rel=1e-9), name
    by_bar = gpubt.run(["strategy=trend_pullback", "costs.commission.rate=0.0003", "equity=bar"])
    assert run.metrics["max_drawdown"] == pytest.approx(float(empyrical.max_drawdown(daily_returns(by_bar))), rel=1e-9)
    assert run.metrics["calmar_ratio"] == pytest.approx(run.metrics["annual_return"] / -run.metrics["max_drawdown"], rel=1e-12)


def test_trade_figures_are_what_the_ledger_says(run: gpubt.RunResult) -> None:
    pnl, held = np.array(run.trades["pnl"]), np.array(run.trades["bars_held"])
    m = run.metrics
    assert m["win_rate"] == (pnl > 0).mean() and m["n_trades"] == len(pnl)
    assert m["profit_factor"] == pytest.approx(pnl[pnl > 0].sum() / -pnl[pnl < 0].sum())
    assert m["expectancy"] == pytest.approx(pnl.mean())
    assert m["average_win"] == pytest.approx(pnl[pnl > 0].mean()) and m["average_loss"] == pytest.approx(pnl[pnl < 0].mean())
    assert m["average_bars_held"] == held.mean()
    assert m["best_trade"] == np.array(run.trades["pnl_pct"]).max() and m["worst_trade"] == np.array(run.trades["pnl_pct"]).min()
    assert m["fees"] == pytest.approx(np.array(run.trades["fees"]).sum())
    traded = np.array(run.trades["units"]) * (np.array(run.trades["entry_price"]) + np.array(run.trades["exit_price"]))
    assert m["turnover"] == pytest.approx(traded.sum() / run.config.capital)
    assert m["exposure"] == (np.array(run.trades["exit_bar"]) - np.array(run.trades["entry_bar"])).sum() / run.summary["rows"]


def test_the_risk_free_rate_lowers_the_ratios(run: gpubt.RunResult) -> None:
    charged = gpubt.run(["strategy=trend_pullback", "costs.commission.rate=0.0003", "metrics.risk_free=0.03"])
    returns, per_year = daily_returns(run), run.summary["annualisation"]
    excess = returns - 0.03 / per_year
    assert charged.metrics["sharpe_ratio"] == pytest.approx(excess.mean() / excess.std(ddof=1) * math.sqrt(per_year), rel=1e-9)
    assert charged.metrics["volatility"] == pytest.approx(run.metrics["volatility"], rel=1e-9)


def test_what_does_not_exist_is_nan() -> None:
    got = figures(tally([], [100.0], [0], 100.0, 0.0), capital=100.0, bars=1, periods=1, per_year=math.nan)
    missing = {name for name, value in got.items() if math.isnan(value)}
    assert missing == {
        *("annual_return", "volatility", "sharpe_ratio", "sortino_ratio", "calmar_ratio", "win_rate", "profit_factor", "expectancy"),
        *("average_win", "average_loss", "average_bars_held", "best_trade", "worst_trade"),
    }


def test_ruin_is_a_loss_of_everything_not_a_complex_number() -> None:
    assert annual_return(-0.5, 2.0) == -1.0
    assert annual_return(1.5, 1e-6) == math.inf
