"""Exits by expression, session and convention, and what may be entered after an exit, worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import FLAT, Bar, at, play, row

from gpubt.backends.base import Backend
from gpubt.simulate import layout as k

STOP = {"stop_kind": k.OFFSET, "stop_value": 1.0}
TARGET = {"target_kind": k.OFFSET, "target_value": 2.0}


def test_levels_by_expression_are_the_values_at_the_signals_bar(backend: Backend) -> None:
    """Stop 9 and target 12 of bar 0; what the expressions are later does not count."""
    rules = {"stop_kind": k.RULE, "target_kind": k.RULE}
    levels = {"long_stop": [9.0, 10.0, 10.0, 10.0], "long_target": [12.0, 10.0, 10.0, 10.0]}
    assert play(backend, [FLAT, FLAT, (10, 12, 9.5, 11), FLAT], [0], levels=levels, **rules).fills == [(1, 10.0, 2, 12.0, "target")]
    assert play(backend, [FLAT, FLAT, (10, 11, 8, 9), FLAT], [0], levels=levels, **rules).fills == [(1, 10.0, 2, 9.0, "stop")]
    short = {"short_stop": [11.0] * 4, "short_target": [8.0] * 4}
    assert play(backend, [FLAT, FLAT, (10, 10.5, 8, 9), FLAT], short=[0], levels=short, **rules).fills == [(1, 10.0, 2, 8.0, "target")]


@pytest.mark.parametrize(
    ("stop", "target", "levels", "prices"),
    [
        ({"stop_kind": k.PCT, "stop_value": 0.1}, {"target_kind": k.PCT, "target_value": 0.2}, {}, (9.0, 12.0)),
        # ATR of the signal's bar
        ({"stop_kind": k.ATR, "stop_value": 0.5}, {"target_kind": k.ATR, "target_value": 1.0}, {"atr": [2.0, 9, 9, 9]}, (9.0, 12.0)),
        ({"stop_kind": k.OFFSET, "stop_value": 1.5}, {"target_kind": k.R_MULTIPLE, "target_value": 2.0}, {}, (8.5, 13.0)),
    ],
)
def test_levels_by_fraction_atr_and_r(backend: Backend, stop: Any, target: Any, levels: Any, prices: tuple[float, float]) -> None:
    down = play(backend, [FLAT, FLAT, (10, 10, 8, 9), FLAT], [0], levels=levels, **stop, **target)
    up = play(backend, [FLAT, FLAT, (10, 14, 10, 14), FLAT], [0], levels=levels, **stop, **target)
    assert (down.of("exit_price"), up.of("exit_price")) == ([prices[0]], [prices[1]])


def test_levels_start_from_the_fill_or_from_the_signals_close(backend: Backend) -> None:
    """Signal at a close of 10, in at an open of 10.5."""
    bars = [FLAT, (10.5, 10.5, 10.5, 10.5), (10.5, 10.5, 9.6, 10), (10, 10, 8.9, 9), FLAT]
    assert play(backend, bars, [0], **STOP).fills == [(1, 10.5, 3, 9.5, "stop")]
    assert play(backend, bars, [0], **STOP, anchor=k.ANCHOR_SIGNAL_CLOSE).fills == [(1, 10.5, 3, 9.0, "stop")]


def test_a_gap_may_fill_at_the_level(backend: Backend) -> None:
    down, up = [FLAT, FLAT, (8, 8, 8, 8), FLAT], [FLAT, FLAT, (13, 13, 13, 13), FLAT]
    for gap_at_level, prices in ((0, (8.0, 13.0)), (1, (9.0, 12.0))):
        assert play(backend, down, [0], **STOP, **TARGET, gap_at_level=gap_at_level).of("exit_price") == [prices[0]]
        assert play(backend, up, [0], **STOP, **TARGET, gap_at_level=gap_at_level).of("exit_price") == [prices[1]]
        mirrored = play(backend, [at(bar) for bar in down], short=[0], **STOP, **TARGET, gap_at_level=gap_at_level)
        assert mirrored.of("exit_price") == [20.0 - prices[0]]


def test_an_entry_beyond_its_stop_is_skipped_or_leaves_at_once(backend: Backend) -> None:
    """The stop, a unit under the close of 10, is above the open of 8: out at that same open, and R does not exist."""
    bars = [FLAT, (8, 8.5, 7.5, 8), FLAT]
    away = {**STOP, "anchor": k.ANCHOR_SIGNAL_CLOSE}
    assert play(backend, bars, [0], **away).skipped == {"wrong_side_stop": 1}
    entered = play(backend, bars, [0], **away, beyond_stop=1)
    assert entered.fills == [(1, 8.0, 1, 8.0, "stop")] and entered.skipped == {}
    assert str(entered.rows[0]["r_multiple"]) == "nan"


def test_a_session_ends_positions_at_its_last_close(backend: Backend) -> None:
    bars: list[Bar] = [FLAT, FLAT, (10, 11, 9.5, 10.5), FLAT, FLAT, FLAT]
    played = play(backend, bars, [0, 2, 3], signals={"session": [2]}, **STOP)
    # in again only on the signal of bar 3: that of the session's last bar is dropped
    assert played.fills == [(1, 10.0, 2, 10.5, "session"), (4, 10.0, 5, 10.0, "end_of_data")]
    assert played.skipped == {"session": 1}
    # a stop inside that bar, and a signal or a time exit at its close, come first
    assert play(backend, [FLAT, FLAT, (10, 11, 9, 10.5), FLAT], [0], signals={"session": [2]}, **STOP).fills[0][3:] == (9.0, "stop")
    closes = {"session": [2], "long_exit": [2]}
    assert play(backend, bars, [0], signals=closes, exit_at=k.AT_CLOSE).fills == [(1, 10.0, 2, 10.5, "signal")]
    timed = play(backend, bars, [0], signals={"session": [2]}, max_bars=1, time_at=k.AT_CLOSE)
    assert timed.fills == [(1, 10.0, 2, 10.5, "time")]
    # an exit that would fill at the next open does not: the session ends before it
    assert play(backend, bars, [0], signals=closes).fills == [(1, 10.0, 2, 10.5, "session")]


def test_what_is_in_a_table_of_entries_ends_with_the_session_too(backend: Backend) -> None:
    entries = [row(0, size=2.0), row(1, k.SHORT, target_kind=k.PRICE, target_value=9.0), row(2)]
    played = play(
        backend, [FLAT, FLAT, (10, 11, 9, 10.5), FLAT, FLAT], positions="list", entries=entries, signals={"session": [2], "blackout": [4]}
    )
    assert played.fills == [(1, 10.0, 2, 10.5, "session"), (2, 10.0, 2, 9.0, "target")]
    assert played.of("pnl") == [1.0, 1.0] and played.skipped == {"session": 1}


def test_the_bar_of_an_exit_by_a_level_may_take_no_signal(backend: Backend) -> None:
    bars = [FLAT, FLAT, (10, 10, 9, 10), FLAT, FLAT, FLAT]
    assert play(backend, bars, [0, 2], **STOP).of("entry_bar") == [1, 3]
    assert play(backend, bars, [0, 2], **STOP, reentry=0).of("entry_bar") == [1]
    assert play(backend, bars, [0, 3], **STOP, reentry=0).of("entry_bar") == [1, 4]
    # after an exit by signal they act all the same
    assert play(backend, bars, [0, 3], signals={"long_exit": [2]}, reentry=0).of("entry_bar") == [1, 4]
    assert play(backend, [FLAT] * 5, [0, 2], signals={"long_exit": [1]}, reentry=0).of("entry_bar") == [1, 3]


def test_with_a_cooldown_a_reversal_only_closes(backend: Backend) -> None:
    """Out at bar 3; with a cooldown of 2 the first usable signal is that of bar 5."""
    bars = [FLAT] * 8
    played = play(backend, bars, [0], [2, 4, 5], on_opposite=k.REVERSE, cooldown=2)
    assert [fill[0] for fill in played.fills] == [1, 6] and played.fills[0][2:] == (3, 10.0, "signal")
    assert play(backend, bars, [0], [2], on_opposite=k.REVERSE).of("entry_bar") == [1, 3]


def test_an_exit_at_the_close_and_an_opposite_entry_at_the_next_open(backend: Backend) -> None:
    bars = [FLAT, FLAT, (10, 12, 10, 12), (11, 11, 11, 11), FLAT]
    played = play(backend, bars, [0], [2], signals={"long_exit": [2]}, on_opposite=k.REVERSE, exit_at=k.AT_CLOSE)
    assert played.fills == [(1, 10.0, 2, 12.0, "signal"), (3, 11.0, 4, 10.0, "end_of_data")]
    # without an own exit signal the reversal is at one price, that of the entry
    played = play(backend, bars, [0], [2], on_opposite=k.REVERSE, exit_at=k.AT_CLOSE)
    assert played.fills == [(1, 10.0, 3, 11.0, "signal"), (3, 11.0, 4, 10.0, "end_of_data")]


def test_the_last_bar(backend: Backend) -> None:
    """An opposite entry on it does nothing; an exit signal at its close still is the reason."""
    bars = [FLAT, FLAT, (11, 11, 11, 11)]
    opposite = play(backend, bars, [0], [2], on_opposite=k.REVERSE, entry_at=k.AT_CLOSE, exit_at=k.AT_CLOSE)
    assert opposite.fills == [(0, 10.0, 2, 11.0, "end_of_data")]
    signal = play(backend, bars, [0], signals={"long_exit": [2]}, exit_at=k.AT_CLOSE)
    assert signal.fills == [(1, 10.0, 2, 11.0, "signal")]


def test_the_close_at_the_end_of_data_may_be_free(backend: Backend) -> None:
    costs = {"commission_fixed": 1.0, "slippage_points": 0.5}
    bars = [FLAT, FLAT, (11, 11, 11, 11)]
    assert play(backend, bars, [0], **costs).fills == [(1, 10.5, 2, 10.5, "end_of_data")]
    free = play(backend, bars, [0], **costs, end_free=1)
    assert free.fills == [(1, 10.5, 2, 11.0, "end_of_data")] and (free.of("fees"), free.of("pnl")) == ([1.0], [-0.5])


def test_rows_of_a_table_bring_their_own_levels_and_size(backend: Backend) -> None:
    entries = [
        row(0, size=3.0, stop_kind=k.PRICE, stop_value=9.0),
        row(0, k.SHORT, target_kind=k.PCT, target_value=0.1),
        row(1, stop_kind=k.PCT, stop_value=0.05, target_kind=k.PRICE, target_value=12.0),
    ]
    bars = [FLAT, FLAT, (10, 12, 9.6, 10), (10, 10, 9, 9.5), FLAT]
    played = play(backend, bars, positions="list", entries=entries, size_value=2.0)
    assert played.fills == [(1, 10.0, 3, 9.0, "stop"), (1, 10.0, 3, 9.0, "target"), (2, 10.0, 2, 12.0, "target")]
    assert played.of("units") == [3.0, 2.0, 2.0] and played.of("pnl") == [-3.0, 2.0, 4.0]
