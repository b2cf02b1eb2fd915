"""Equity from the ledger alone equals the reference's marks, and the account adds up."""

from __future__ import annotations

from itertools import groupby

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpubt.metrics.equity import lines
from gpubt.simulate import layout as k
from gpubt.simulate.reference_orders import commission, slipped

SEEDS, SIZES = st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 64, 300])


@pytest.mark.parametrize("positions", ["single", "overlapping", "list"])
@given(seed=SEEDS, n=SIZES)
def test_lines_give_the_marks_of_the_reference(positions: str, seed: int, n: int) -> None:
    case = cases.case(np.random.default_rng(seed), n, positions)
    want, p = case.reference(), case.params
    curve = lines(cases.as_record(k.TRADE, want.trades), p["capital"], positions, (p["carry_long"], p["carry_short"]))
    got = np.concatenate([equity for _, equity in curve.chunks(case.columns["close"], size=37)])
    assert got.tolist() == want.equity


@given(seed=SEEDS, n=SIZES)
def test_final_equity_is_the_capital_plus_every_pnl_in_the_order_of_exits(seed: int, n: int) -> None:
    case = cases.case(np.random.default_rng(seed), n, "single")
    want = case.reference()
    total = case.params["capital"]
    for trade in want.trades:
        total += trade["pnl"]
    np.testing.assert_array_equal(total, want.equity[-1])


@given(seed=SEEDS, n=SIZES)
def test_with_liquidation_equity_after_a_fill_is_never_below_zero(seed: int, n: int) -> None:
    case = cases.case(np.random.default_rng(seed), n, "single")
    case.params |= {"liquidate": 1, "max_leverage": 20.0, "size_kind": k.PERCENT_EQUITY, "size_value": 20.0}
    equity = case.params["capital"]
    for trade in case.reference().trades:
        equity += trade["pnl"]
        assert equity >= 0.0 and trade["shortfall"] >= 0.0
        assert trade["shortfall"] == 0.0 or equity == 0.0


@given(seed=SEEDS, n=SIZES)
def test_a_fill_costs_its_slippage_and_commission_and_nothing_else(seed: int, n: int) -> None:
    """Marked at its own price, equity just before and after an entry differs by the commission; so at an exit, less what accrued."""
    case = cases.case(np.random.default_rng(seed), n, "single")
    p = case.params
    equity = p["capital"]
    for _, group in groupby(case.reference().trades, key=lambda trade: trade["position"]):
        rows = list(group)
        if not all(trade["leg"] == 0 and trade["shortfall"] == 0.0 for trade in rows):
            equity += sum(trade["pnl"] for trade in rows)
            continue
        trade = rows[0]
        side, free = (1 if trade["side"] == k.LONG else -1), trade["reason"] == k.END_OF_DATA and p["end_free"]
        assert trade["entry_fees"] == commission(p, trade["units"], trade["entry_price"])
        exit_fees = 0.0 if free else commission(p, trade["units"], trade["exit_price"])
        assert trade["fees"] == trade["entry_fees"] + exit_fees
        profit = (side * trade["units"]) * (trade["exit_price"] - trade["entry_price"])
        before = ((equity - trade["entry_fees"]) + profit) - trade["accrued"]
        assert equity + trade["pnl"] == pytest.approx(before - exit_fees, rel=1e-12, abs=1e-7)
        equity += trade["pnl"]


def test_slippage_moves_a_fill_against_the_trader() -> None:
    costs = {"slippage_rate": 0.001, "slippage_points": 0.05, "slippage_atr": 0.1}
    assert slipped(costs, 100.0, 1, 2.0) == 100.0 + ((100.0 * 0.001 + 0.05) + 0.1 * 2.0)
    assert slipped(costs, 100.0, -1, 2.0) == 100.0 - ((100.0 * 0.001 + 0.05) + 0.1 * 2.0)
    assert slipped(costs | {"slippage_atr": 0.0}, 100.0, 1, float("nan")) == 100.15
