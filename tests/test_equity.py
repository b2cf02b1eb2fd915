"""Equity from the ledger alone equals the reference's marks, and the account adds up."""

from __future__ import annotations

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpubt.metrics.equity import lines
from gpubt.simulate import layout as k
from gpubt.simulate import reference


@pytest.mark.parametrize("positions", ["single", "list"])
@given(seed=st.integers(0, 2**32 - 1), n=st.sampled_from([1, 2, 3, 64, 300]))
def test_lines_give_the_marks_of_the_reference(positions: str, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    columns, signals, p = cases.bars(rng, n), cases.signals(rng, n), cases.params(rng)
    bars, atr = cases.reference_bars(columns), np.ones(n).tolist()
    if positions == "single":
        want = reference.simulate(bars, reference.Signals(**{name: mask.tolist() for name, mask in signals.items()}), atr, p)
    else:
        want = reference.simulate_list(bars, cases.entries(rng, n, columns["close"], p), atr, p)
    curve = lines(cases.as_record(k.TRADE, want.trades), p["capital"], positions)
    got = np.concatenate([equity for _, equity in curve.chunks(columns["close"], size=37)])
    assert got.tolist() == want.equity
    if positions == "single":
        final = p["capital"]
        for trade in want.trades:
            final += trade["pnl"]
        assert final == want.equity[-1]
