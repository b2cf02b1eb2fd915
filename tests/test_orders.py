"""Resting orders and skipped signals worked by hand, on the reference and every backend: what `docs/semantics.md` says under Entries."""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import FLAT, Bar, at, play

from gpubt.backends.base import Backend
from gpubt.simulate import layout as k

LIMIT = {"order": k.LIMIT, "order_kind": k.OFFSET, "order_value": 1.0}  # a purchase at 9 after a close of 10
STOP = {"order": k.STOP_ORDER, "order_kind": k.OFFSET, "order_value": 1.0}  # a purchase at 11
STOP_LIMIT = {"order": k.STOP_LIMIT, "order_kind": k.OFFSET, "order_value": 1.0, "limit_kind": k.OFFSET}
NAN = float("nan")


@pytest.mark.parametrize(
    ("order", "bar", "price"),
    [
        (LIMIT, (10, 10.5, 8.5, 9.5), 9.0),  # inside
        (LIMIT, (10, 10.5, 9.0, 9.5), 9.0),  # touching is enough
        (LIMIT, (10, 10.5, 9.1, 9.5), None),
        (LIMIT, (8.5, 10, 8, 9.5), 8.5),  # the open is better than the level
        (STOP, (10, 11.5, 9.5, 10.5), 11.0),
        (STOP, (10, 11.0, 9.5, 10.5), 11.0),
        (STOP, (10, 10.9, 9.5, 10.5), None),
        (STOP, (12, 12.5, 11.5, 12), 12.0),  # the open is worse than the level
    ],
)
def test_limit_and_stop_orders_fill_at_the_level_or_at_the_open_beyond_it(
    backend: Backend, order: dict[str, Any], bar: Bar, price: float | None
) -> None:
    played = play(backend, [FLAT, bar, FLAT], [0], **order)
    mirrored = play(backend, [FLAT, at(bar), FLAT], short=[0], **order)
    if price is None:
        assert (played.rows, played.skipped) == ([], {"end_of_data": 1})
        assert (mirrored.rows, mirrored.skipped) == ([], {"end_of_data": 1})
    else:
        assert played.fills == [(1, price, 2, 10.0, "end_of_data")]
        assert mirrored.fills == [(1, 20.0 - price, 2, 10.0, "end_of_data")]
        assert played.of("pnl") == mirrored.of("pnl") == [10.0 - price]


def test_the_level_is_fixed_at_the_signal_and_rests(backend: Backend) -> None:
    """The close of bar 1 moves nothing; bar 2 comes down to the 9 of the signal's close."""
    bars = [FLAT, (10, 13, 10, 13), (13, 13, 9, 9.5), FLAT]
    assert play(backend, bars, [0], **LIMIT).fills == [(2, 9.0, 3, 10.0, "end_of_data")]


@pytest.mark.parametrize(
    ("kind", "value", "levels", "price"),
    [
        (k.PCT, 0.1, {}, 9.0),
        (k.ATR, 0.5, {"atr": [2.0, 8.0, 8.0]}, 9.0),
        (k.RULE, 0.0, {"long_order": [9.25, 1.0, 1.0]}, 9.25),
    ],
)
def test_an_order_level_by_fraction_atr_and_expression(backend: Backend, kind: int, value: float, levels: Any, price: float) -> None:
    """All of them read at the bar of the signal."""
    order = {"order": k.LIMIT, "order_kind": kind, "order_value": value}
    assert play(backend, [FLAT, (10, 10, 8.5, 9), FLAT], [0], levels=levels, **order).fills == [(1, price, 2, 10.0, "end_of_data")]


@pytest.mark.parametrize(
    ("limit", "first", "second", "fill"),
    [
        # the stop is at 11, the limit `limit` beyond it
        (0.5, (10, 11.2, 10, 10.5), FLAT, (1, 11.0)),  # armed inside, and the limit is above: at the stop
        (-0.5, (10, 11.2, 10, 10.4), FLAT, (1, 10.5)),  # the limit is below, the close under it: the price came back
        (-0.5, (10, 11.2, 10, 10.8), (10.8, 11, 10.3, 10.8), (2, 10.5)),  # it did not yet: a plain limit from the next bar on
        (-0.5, (10, 11.2, 10, 10.8), (10.2, 10.8, 10, 10.8), (2, 10.2)),
        (0.5, (12, 12.5, 11.8, 12), (12, 12, 11.4, 12), (2, 11.5)),  # armed at an open beyond the limit, which rests
        (0.5, (12, 12.5, 11.4, 12), FLAT, (1, 11.5)),  # armed at the open, that bar included
        (0.5, (11.3, 12.5, 11.2, 12), FLAT, (1, 11.3)),
        (0.5, (10, 10.9, 9, 10), FLAT, None),  # never armed
    ],
)
def test_a_stop_limit_order(backend: Backend, limit: float, first: Bar, second: Bar, fill: tuple[int, float] | None) -> None:
    bars = [FLAT, first, second, FLAT]
    played = play(backend, bars, [0], **STOP_LIMIT, limit_value=limit)
    mirrored = play(backend, [at(bar) for bar in bars], short=[0], **STOP_LIMIT, limit_value=limit)
    assert [(row["entry_bar"], row["entry_price"]) for row in played.rows] == ([fill] if fill else [])
    assert [(row["entry_bar"], row["entry_price"]) for row in mirrored.rows] == ([(fill[0], 20.0 - fill[1])] if fill else [])


def test_limit_and_stop_limit_fills_are_never_moved_and_stop_fills_are(backend: Backend) -> None:
    slip = {"slippage_points": 0.25}
    assert play(backend, [FLAT, (10, 10, 8.5, 9), FLAT], [0], **LIMIT, **slip).of("entry_price") == [9.0]
    assert play(backend, [FLAT, (10, 11, 10, 11), FLAT], [0], **STOP_LIMIT, limit_value=0.5, **slip).of("entry_price") == [11.0]
    assert play(backend, [FLAT, (10, 11, 10, 11), FLAT], [0], **STOP, **slip).of("entry_price") == [11.25]
    assert play(backend, [FLAT, (10, 10, 9, 9), FLAT], short=[0], **STOP, **slip).of("entry_price") == [8.75]


def test_an_order_lives_for_valid_bars_rows(backend: Backend) -> None:
    touches = (10, 10, 9, 10)
    last = play(backend, [FLAT, FLAT, touches, FLAT], [0], **LIMIT, valid_bars=2)
    assert last.fills == [(2, 9.0, 3, 10.0, "end_of_data")] and last.skipped == {}
    late = play(backend, [FLAT, FLAT, FLAT, touches, FLAT], [0], **LIMIT, valid_bars=2)
    assert (late.rows, late.skipped) == ([], {"expired": 1})
    # the last row of the order comes before everything else that ends it on that row
    assert play(backend, [FLAT] * 4, [0], signals={"long_exit": [1]}, **LIMIT, valid_bars=1).skipped == {"expired": 1}


def test_a_new_signal_of_its_side_replaces_an_order(backend: Backend) -> None:
    """The second order rests a unit below the close of bar 1, 12."""
    bars = [FLAT, (12, 12, 11.5, 12), (12, 12, 10.5, 11), FLAT]
    played = play(backend, bars, [0, 1], **LIMIT)
    assert played.fills == [(2, 11.0, 3, 10.0, "end_of_data")]
    assert played.skipped == {"replaced": 1}


def test_what_cancels_an_order(backend: Backend) -> None:
    bars = [FLAT, FLAT, (10, 10, 9, 10), FLAT]
    for signals in ({"long_exit": [1]}, {"session": [1]}):
        played = play(backend, bars, [0], signals=signals, **LIMIT)
        assert (played.rows, played.skipped) == ([], {"cancelled": 1})
    # an opposite signal cancels it, and places its own order, at 11
    played = play(backend, [FLAT, FLAT, (10, 11, 9, 10), FLAT], [0], [1], **LIMIT)
    assert played.fills == [(2, 11.0, 3, 10.0, "end_of_data")] and played.of("side") == [k.SHORT]
    assert played.skipped == {"cancelled": 1}
    # an exit signal of the other side does not
    assert play(backend, bars, [0], signals={"short_exit": [1]}, **LIMIT).skipped == {}


def test_a_fill_in_a_bar_comes_before_the_signals_at_its_close(backend: Backend) -> None:
    bars = [FLAT, (10, 10, 9, 10), FLAT, FLAT]
    same = play(backend, bars, [0, 1], **LIMIT)  # in a position: the second signal does nothing
    assert same.fills == [(1, 9.0, 3, 10.0, "end_of_data")] and same.skipped == {}
    out = play(backend, bars, [0], signals={"long_exit": [1]}, **LIMIT)  # no cancellation: an exit
    assert out.fills == [(1, 9.0, 2, 10.0, "signal")] and out.skipped == {}


def test_a_reversal_with_resting_orders_closes_and_the_order_rests(backend: Backend) -> None:
    bars = [FLAT, (10, 10, 9, 10), FLAT, (10.5, 10.5, 10, 10), (10, 11, 10, 10), FLAT]
    played = play(backend, bars, [0], [2], on_opposite=k.REVERSE, **LIMIT)
    assert played.fills == [(1, 9.0, 3, 10.5, "signal"), (4, 11.0, 5, 10.0, "end_of_data")]
    assert played.of("pnl") == [1.5, 1.0]


@pytest.mark.parametrize(
    ("reason", "given"),
    [
        ("nan_level", {"stop_kind": k.ATR, "stop_value": 1.0, "levels": {"atr": [NAN, 1.0, 1.0, 1.0]}}),
        ("nan_level", {"stop_kind": k.RULE, "levels": {"long_stop": [NAN, 9.0, 9.0, 9.0]}}),
        ("nan_level", {"target_kind": k.RULE, "levels": {"long_target": [NAN, 11.0, 11.0, 11.0]}}),
        ("nan_level", {"order": k.LIMIT, "order_kind": k.RULE, "levels": {"long_order": [NAN, 9.0, 9.0, 9.0]}}),
        ("nan_level", {"slippage_atr": 0.1, "levels": {"atr": [1.0, NAN, 1.0, 1.0]}}),  # ATR of the bar of the fill
        ("zero_risk", {"size_kind": k.RISK_PERCENT, "size_value": 0.01, "stop_kind": k.RULE, "levels": {"long_stop": [10.0] * 4}}),
        ("wrong_side_stop", {"stop_kind": k.RULE, "levels": {"long_stop": [11.0] * 4}}),
        ("wrong_side_stop", {"stop_kind": k.RULE, "levels": {"long_stop": [10.0] * 4}}),
        ("zero_size", {"size_value": 0.5, "lot": 1.0}),
        ("blackout", {"signals": {"blackout": [1]}}),
        ("blackout", {"signals": {"blackout": [0]}, "entry_at": k.AT_CLOSE}),
        ("blackout", {"signals": {"blackout": [1]}, **LIMIT}),
        ("session", {"signals": {"session": [0]}}),
        ("session", {"signals": {"session": [0]}, "entry_at": k.AT_CLOSE}),
        ("session", {"signals": {"session": [0], "blackout": [1]}}),  # the first reason that holds
    ],
)
def test_a_signal_without_an_entry_is_counted_by_its_reason(backend: Backend, reason: str, given: dict[str, Any]) -> None:
    played = play(backend, [FLAT] * 4, [0], **given)
    assert (played.rows, played.skipped) == ([], {reason: 1})


def test_a_blackout_is_of_the_bar_of_the_fill(backend: Backend) -> None:
    """A resting order is only asked about the first row it is live in; exits may always fill."""
    assert play(backend, [FLAT] * 4, [0], signals={"blackout": [0]}).of("entry_bar") == [1]
    assert play(backend, [FLAT] * 4, [1], signals={"blackout": [1]}, entry_at=k.AT_CLOSE).rows == []
    bars = [FLAT, FLAT, (10, 10, 9, 10), FLAT]
    assert play(backend, bars, [0], signals={"blackout": [2]}, **LIMIT).of("entry_bar") == [2]
    assert play(backend, [FLAT] * 4, [0], signals={"blackout": [2, 3], "long_exit": [1]}).fills == [(1, 10.0, 2, 10.0, "signal")]


def test_there_is_no_entry_without_equity(backend: Backend) -> None:
    """Two units for 20 on an account of 10: liquidated at 5, where nothing is left."""
    bars = [FLAT, (10, 10, 4, 5), FLAT, FLAT, FLAT]
    played = play(backend, bars, [0, 2], capital=10.0, size_value=2.0, liquidate=1)
    assert played.fills == [(1, 10.0, 1, 5.0, "liquidation")]
    assert played.skipped == {"no_equity": 1} and played.equity == [10.0, 0.0, 0.0, 0.0, 0.0]


def test_beyond_max_open_a_signal_is_dropped_and_counted(backend: Backend) -> None:
    for entry_at, bar in ((k.AT_OPEN, 1), (k.AT_CLOSE, 0)):
        played = play(backend, [FLAT] * 4, [0, 1], positions="overlapping", max_open=1, entry_at=entry_at)
        assert played.of("entry_bar") == [bar] and played.skipped == {"max_open": 1}


def test_overlapping_orders_rest_on_their_own(backend: Backend) -> None:
    """A new signal of their side replaces none; both fill in bar 2, in the order of their signals."""
    bars = [FLAT, (11, 11, 11, 11), (11, 11, 8.5, 9), (9, 9, 9, 9)]
    played = play(backend, bars, [0, 1], positions="overlapping", **LIMIT)
    assert played.fills == [(2, 9.0, 3, 9.0, "end_of_data"), (2, 10.0, 3, 9.0, "end_of_data")]
    assert played.of("position") == [0, 1] and played.skipped == {}
