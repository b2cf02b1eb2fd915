"""The account of ledgers that no simulator made: reference == numba == host-built CUDA (== CUDA), skipping blocks or not, to the bit."""

from __future__ import annotations

from typing import Any

import cases
import ledgers
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpubt.backends.base import Backend
from gpubt.metrics import reference
from gpubt.metrics.equity import lines
from gpubt.simulate import layout as k

SIZES = (1, 2, 3, 5, 63, 64, 65, 128, 200, 300)
MAKE = {"single": ledgers.single, "list": ledgers.side_by_side}


def made(seed: int, n: int, positions: str) -> tuple[np.random.Generator, dict[str, np.ndarray], dict[str, Any], list[dict[str, Any]]]:
    rng = np.random.default_rng(seed)
    columns, p = cases.bars(rng, n), ledgers.params(rng)
    return rng, columns, p, MAKE[positions](rng, columns["close"], p)


def assert_same(want: dict[str, Any], got: np.ndarray) -> None:
    """Every field of a tally to the bit, -0.0 as 0.0."""
    for name in k.TALLY.names or ():
        a, b = np.array([want[name]], k.TALLY[name]) + 0, got[name] + 0
        assert a.tobytes() == b.tobytes() or (np.isnan(a).all() and np.isnan(b).all()), (name, a, b)


def check(backend: Backend, seed: int, n: int, positions: str) -> None:
    rng, columns, p, rows = made(seed, n, positions)
    ends, risk_free = cases.period_ends(rng, n), float(rng.choice([0.0, 1e-4]))
    equity = reference.marks(rows, columns["close"].tolist(), p, positions)
    want = reference.tally(rows, equity, ends.tolist(), p["capital"], risk_free)
    market, record = backend.upload(columns), k.record(k.PARAMS, **p)
    ledger = backend.ledger(cases.as_record(k.TRADE, rows), positions)
    for mode in ("event", "bar"):
        got, marks = backend.account(market, ledger, ends, record, risk_free, mode)
        assert_same(want, got)
        assert marks.tolist() == [equity[end] for end in ends]


@pytest.mark.parametrize("positions", ["single", "list"])
@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), n=st.sampled_from(SIZES[:-1]))
def test_the_marks_are_those_of_the_definition(positions: str, seed: int, n: int) -> None:
    _, columns, p, rows = made(seed, min(n, 65) if positions == "list" else n, positions)
    close = columns["close"].tolist()
    plain = ledgers.equity_single if positions == "single" else ledgers.equity_list
    assert reference.marks(rows, close, p, positions) == plain(rows, close, p)


@pytest.mark.parametrize("positions", ["single", "list"])
@settings(max_examples=300)
@given(seed=st.integers(0, 2**32 - 1), n=st.sampled_from(SIZES))
def test_a_backend_equals_the_reference_to_the_bit(backend: Backend, positions: str, seed: int, n: int) -> None:
    check(backend, seed, n, positions)


@pytest.mark.parametrize("seed", range(12))
def test_blocks_are_skipped_without_a_trace(backend: Backend, seed: int) -> None:
    check(backend, seed, 20_000, "single")
    check(backend, 100 + seed, 9_000, "list")


@pytest.mark.parametrize("positions", ["single", "list"])
@settings(max_examples=200)
@given(seed=st.integers(0, 2**32 - 1), n=st.sampled_from(SIZES))
def test_the_lines_of_a_ledger_give_its_marks(positions: str, seed: int, n: int) -> None:
    _, columns, p, rows = made(seed, n, positions)
    curve = lines(cases.as_record(k.TRADE, rows), p["capital"], positions, (p["carry_long"], p["carry_short"]))
    got = np.concatenate([equity for _, equity in curve.chunks(columns["close"], size=37)])
    assert got.tolist() == reference.marks(rows, columns["close"].tolist(), p, positions)


def test_one_row_without_carry_is_marked_as_ever(backend: Backend) -> None:
    """`(E - fees) + (side * units) * (close - entry)`: what the other terms add for one row changes nothing."""
    _, columns, p, _ = made(5, 300, "single")
    p |= {"carry_long": 0.0, "carry_short": 0.0}
    one = ledgers.row(np.random.default_rng(1), columns["close"], p, k.SHORT, 3, 290, 7.3, None) | {"position": 0, "leg": 0}
    ends = np.arange(300)
    _, marks = backend.account(
        backend.upload(columns), backend.ledger(cases.as_record(k.TRADE, [one]), "single"), ends, k.record(k.PARAMS, **p), 0.0, "event"
    )
    held = [(p["capital"] - one["entry_fees"]) + -one["units"] * (close - one["entry_price"]) for close in columns["close"][3:290].tolist()]
    assert marks.tolist() == [p["capital"]] * 3 + held + [p["capital"] + one["pnl"]] * 10


def test_counts_are_of_positions_and_sums_of_rows(backend: Backend) -> None:
    columns, p = cases.bars(np.random.default_rng(2), 40), {"capital": 1000.0, "carry_long": 0.0, "carry_short": 0.0}
    rng = np.random.default_rng(3)
    rows = [
        ledgers.row(rng, columns["close"], p, k.LONG, first, last, 1.0, 100.0) | {"position": position, "leg": leg, "ambiguous": flag}
        for first, last, position, leg, flag in [(2, 5, 0, 0, 0), (2, 9, 0, 1, 1), (2, 9, 0, 2, 1), (9, 9, 1, 0, 0)]
    ]
    for i, pnl in enumerate([5.0, 4.0, -1.0, -2.0]):
        rows[i] |= {"pnl": pnl, "units": 2.0, "shortfall": 0.5 * i}
    ledger = backend.ledger(cases.as_record(k.TRADE, rows), "single")
    tally, _ = backend.account(backend.upload(columns), ledger, np.array([39]), k.record(k.PARAMS, **p), 0.0, "event")
    got = tally[0]
    assert (got["trades"], got["wins"], got["losses"], got["ambiguous"], got["bars_held"], got["exposed"]) == (2, 1, 1, 1, 8, 7)
    assert (got["gross_profit"], got["gross_loss"], got["best"], got["worst"]) == (8.0, -2.0, 8.0 / 600.0, -0.01)
    assert got["final_equity"] == 1006.0 and got["shortfall"] == 3.0
    assert got["fees"] == reference.in_order(row["fees"] for row in rows)


def test_no_row_is_the_capital_at_every_bar(backend: Backend) -> None:
    columns = cases.bars(np.random.default_rng(2), 100)
    for positions in ("single", "list"):
        ledger = backend.ledger(np.zeros(0, k.TRADE), positions)
        tally, marks = backend.account(backend.upload(columns), ledger, np.array([9, 99]), k.record(k.PARAMS, capital=50.0), 0.0, "event")
        assert marks.tolist() == [50.0, 50.0]
        assert_same(reference.tally([], [50.0] * 100, [9, 99], 50.0, 0.0), tally)


def test_rows_of_another_kind_are_refused(backend: Backend) -> None:
    with pytest.raises(ValueError, match="expected records"):
        backend.ledger(np.zeros(1, k.TALLY), "single")
