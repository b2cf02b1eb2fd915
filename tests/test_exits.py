"""Stops, targets and positions worked by hand, on every backend: what `docs/semantics.md` says, in numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpubt.backends.base import Backend
from gpubt.simulate import layout as k

# open, high, low, close
Bars = list[tuple[float, float, float, float]]


def run(backend: Backend, bars: Bars, signals: dict[str, list[int]], positions: str = "single", **params: Any) -> list[Any]:
    """(entry bar, exit bar, exit price, reason, ambiguous) of each trade; `signals` lists the bars of each mask."""
    defaults = {"capital": 100.0, "size_kind": k.FIXED_UNITS, "size_value": 1.0, "max_leverage": 1e9, "pyramiding": 1, "reentry": 1}
    record = k.record(k.PARAMS, **(defaults | params))
    columns = dict(zip(("open", "high", "low", "close"), np.array(bars, float).T.copy(), strict=True))
    market = backend.upload(columns)
    found = []
    for mode in ("event", "bar"):
        masks = {name: backend.mask(np.isin(np.arange(len(bars)), signals.get(name, []))) for name in k.MASKS}
        trades = backend.trades(backend.simulate(market, masks, {}, np.zeros(0, k.RUNG), record, mode, positions))
        found.append([tuple(t[name].item() for name in ("entry_bar", "exit_bar", "exit_price", "reason", "ambiguous")) for t in trades])
    assert found[0] == found[1]
    return found[0]


FLAT = (10.0, 10.0, 10.0, 10.0)


def test_a_stop_fills_at_its_level_and_a_gap_at_the_open(backend: Backend) -> None:
    stop = {"stop_kind": k.OFFSET, "stop_value": 1.0}
    assert run(backend, [FLAT, FLAT, (10, 10, 8.5, 9.5), FLAT], {"long_entry": [0]}, **stop) == [(1, 2, 9.0, k.STOP, 0)]
    assert run(backend, [FLAT, FLAT, (8, 8.5, 7.5, 8), FLAT], {"long_entry": [0]}, **stop) == [(1, 2, 8.0, k.STOP, 0)]
    assert run(backend, [FLAT, FLAT, (10, 11.0, 10, 10), FLAT], {"short_entry": [0]}, **stop) == [(1, 2, 11.0, k.STOP, 0)]


@pytest.mark.parametrize(
    ("policy", "bar", "price"),
    [
        (k.STOP_FIRST, (10, 11.5, 8.5, 10), 9.0),
        (k.TARGET_FIRST, (10, 11.5, 8.5, 10), 11.0),
        (k.OHLC, (10, 11.5, 8.5, 10), 11.0),
        (k.OLHC, (10, 11.5, 8.5, 10), 9.0),
        (k.ADAPTIVE, (10, 11.2, 8.5, 10), 11.0),
        (k.ADAPTIVE, (10, 11.5, 8.8, 10), 9.0),
        (k.ADAPTIVE, (10, 11.5, 8.5, 10), 9.0),
    ],
)
def test_both_in_one_bar_follow_the_policy_and_are_ambiguous(backend: Backend, policy: int, bar: Any, price: float) -> None:
    levels = {"stop_kind": k.OFFSET, "stop_value": 1.0, "target_kind": k.OFFSET, "target_value": 1.0, "same_bar": policy}
    [trade] = run(backend, [FLAT, FLAT, bar, FLAT], {"long_entry": [0]}, **levels)
    assert (trade[1], trade[2], trade[4]) == (2, price, 1)


def test_an_entry_at_the_open_is_exposed_on_its_own_bar_and_one_at_the_close_is_not(backend: Backend) -> None:
    stop = {"stop_kind": k.OFFSET, "stop_value": 1.0}
    bars = [FLAT, (10, 10, 8, 10), FLAT, FLAT]
    assert run(backend, bars, {"long_entry": [0]}, **stop) == [(1, 1, 9.0, k.STOP, 0)]
    assert run(backend, bars, {"long_entry": [1]}, entry_at=k.AT_CLOSE, **stop) == [(1, 3, 10.0, k.END_OF_DATA, 0)]


def test_a_trailing_stop_follows_the_highs_of_the_bars_before(backend: Backend) -> None:
    trail = {"trail_kind": k.OFFSET, "trail_value": 2.0}
    # the high of bar 2 does not raise the stop for bar 2 itself; for bar 3 it is at 12
    bars = [FLAT, FLAT, (10, 14, 11, 13), (13, 13, 11.5, 12.5), FLAT]
    assert run(backend, bars, {"long_entry": [0]}, **trail) == [(1, 3, 12.0, k.TRAILING, 0)]


def test_a_trailing_stop_above_the_next_open_is_a_gap(backend: Backend) -> None:
    bars = [FLAT, FLAT, (10, 14, 9, 9.5), (9.5, 10, 9, 9.5), FLAT]
    assert run(backend, bars, {"long_entry": [0]}, trail_kind=k.OFFSET, trail_value=2.0) == [(1, 3, 9.5, k.TRAILING, 0)]


def test_a_trailing_stop_waits_for_its_activation(backend: Backend) -> None:
    bars = [FLAT, FLAT, (10, 10.5, 8, 9), (9, 12, 9, 12), (12, 12, 10.5, 11), FLAT]
    trail = {"trail_kind": k.OFFSET, "trail_value": 1.0, "trail_activation": 2.0}
    assert run(backend, bars, {"long_entry": [0]}, **trail) == [(1, 4, 11.0, k.TRAILING, 0)]


def test_break_even_acts_from_the_bar_after_the_move(backend: Backend) -> None:
    levels = {"stop_kind": k.OFFSET, "stop_value": 2.0, "even_kind": k.R_MULTIPLE, "even_value": 1.0, "even_plus": 0.01}
    bars = [FLAT, FLAT, (10, 12, 9, 11), (11, 11, 10, 10.5), FLAT]
    assert run(backend, bars, {"long_entry": [0]}, **levels) == [(1, 3, 10.0 * 1.01, k.BREAK_EVEN, 0)]


def test_on_a_tie_the_initial_stop_is_the_reason(backend: Backend) -> None:
    levels = {"stop_kind": k.OFFSET, "stop_value": 1.0, "trail_kind": k.OFFSET, "trail_value": 1.0}
    assert run(backend, [FLAT, FLAT, (10, 10, 9, 9.5), FLAT], {"long_entry": [0]}, **levels) == [(1, 2, 9.0, k.STOP, 0)]


def test_time_exits_at_the_open_or_the_close(backend: Backend) -> None:
    bars = [FLAT, FLAT, (11, 11, 11, 11), (12, 13, 12, 13), FLAT]
    assert run(backend, bars, {"long_entry": [0]}, max_bars=2) == [(1, 3, 12.0, k.TIME, 0)]
    assert run(backend, bars, {"long_entry": [0]}, max_bars=2, time_at=k.AT_CLOSE) == [(1, 3, 13.0, k.TIME, 0)]


def test_a_reversal_closes_and_opens_at_one_price(backend: Backend) -> None:
    bars = [FLAT, FLAT, FLAT, (11, 11, 11, 11), (12, 12, 12, 12)]
    trades = run(backend, bars, {"long_entry": [0], "short_entry": [2]}, on_opposite=k.REVERSE)
    assert [t[:4] for t in trades] == [(1, 3, 11.0, k.SIGNAL), (3, 4, 12.0, k.END_OF_DATA)]
    trades = run(backend, bars, {"long_entry": [0], "short_entry": [2]}, on_opposite=k.CLOSE)
    assert [t[:4] for t in trades] == [(1, 3, 11.0, k.SIGNAL)]


def test_no_signal_acts_in_the_cooldown(backend: Backend) -> None:
    signals = {"long_entry": [0, 2, 3, 4], "long_exit": [1]}
    bars = [FLAT] * 7
    assert [t[0] for t in run(backend, bars, signals)] == [1, 3]
    assert [t[0] for t in run(backend, bars, signals, cooldown=2)] == [1, 5]


def test_overlapping_trades_up_to_max_open_counted_after_the_exits_of_that_open(backend: Backend) -> None:
    signals = {"long_entry": [0, 1, 2, 3]}
    bars = [FLAT] * 8
    every = run(backend, bars, signals, "overlapping", max_bars=2)
    assert [t[:2] for t in every] == [(1, 3), (2, 4), (3, 5), (4, 6)]
    # at the open of bar 3 the first trade has left, so that there is room for the third
    two = run(backend, bars, signals, "overlapping", max_bars=2, max_open=2)
    assert two == every
    one = run(backend, bars, signals, "overlapping", max_bars=2, max_open=1)
    assert [t[:2] for t in one] == [(1, 3), (3, 5)]


def test_a_signal_on_the_last_bar_fills_nothing(backend: Backend) -> None:
    for at in (k.AT_OPEN, k.AT_CLOSE):
        assert run(backend, [FLAT] * 3, {"long_entry": [2]}, entry_at=at) == []
