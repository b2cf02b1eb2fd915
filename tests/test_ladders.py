"""Target ladders and added entries worked by hand: a row a fill, one position."""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import FLAT, play, row, rung

from gpubt.backends.base import Backend
from gpubt.simulate import layout as k

HALVES = [rung(1.0, 0.5), rung(2.0, 0.5, rest=True)]  # targets 11 and 12
TEN = {"size_value": 10.0, "stop_kind": k.OFFSET, "stop_value": 1.0}  # ten units at 10, stop 9


def legs(played: Any) -> list[tuple[float, int, float, str]]:
    """Units, exit bar and price, reason of each row of the only position, whose legs count from 0."""
    assert played.of("position") == [0] * len(played.rows) and played.of("leg") == list(range(len(played.rows)))
    return [(row["units"], row["exit_bar"], row["exit_price"], k.REASONS[row["reason"]]) for row in played.rows]


def test_each_rung_closes_its_share_at_its_level(backend: Backend) -> None:
    bars = [FLAT, FLAT, (10, 11, 10, 11), (11, 12.5, 11, 12), FLAT]
    played = play(backend, bars, [0], rungs=HALVES, **TEN)
    assert legs(played) == [(5.0, 2, 11.0, "target"), (5.0, 3, 12.0, "target")]
    assert played.of("pnl") == [5.0, 10.0] and played.equity == [1000.0, 1000.0, 1010.0, 1015.0, 1015.0]


def test_the_stop_takes_what_is_left(backend: Backend) -> None:
    bars = [FLAT, FLAT, (10, 11, 10, 11), (11, 11, 8.5, 9), FLAT]
    assert legs(play(backend, bars, [0], rungs=HALVES, **TEN)) == [(5.0, 2, 11.0, "target"), (5.0, 3, 9.0, "stop")]


def test_one_bar_fills_every_rung_that_it_reaches(backend: Backend) -> None:
    bars = [FLAT, FLAT, (10, 12.5, 10, 12), FLAT]
    assert legs(play(backend, bars, [0], rungs=HALVES, **TEN)) == [(5.0, 2, 11.0, "target"), (5.0, 2, 12.0, "target")]


def test_an_open_beyond_several_rungs_fills_them_there_or_at_their_levels(backend: Backend) -> None:
    bars = [FLAT, FLAT, (12.5, 13, 12, 12.5), FLAT]
    assert [leg[2] for leg in legs(play(backend, bars, [0], rungs=HALVES, **TEN))] == [12.5, 12.5]
    assert [leg[2] for leg in legs(play(backend, bars, [0], rungs=HALVES, **TEN, gap_at_level=1))] == [11.0, 12.0]


def test_shares_below_one_leave_a_rest_for_other_exits(backend: Backend) -> None:
    bars = [FLAT, FLAT, (10, 11, 10, 11), (11, 20, 11, 13), (13, 13, 13, 13)]
    assert legs(play(backend, bars, [0], rungs=[rung(1.0, 0.25)], **TEN)) == [(2.5, 2, 11.0, "target"), (7.5, 4, 13.0, "end_of_data")]


def test_a_rung_in_multiples_of_r(backend: Backend) -> None:
    """R is 1: the targets are at 10.5 and 13."""
    rungs = [rung(0.5, 0.5, kind=k.R_MULTIPLE), rung(3.0, 0.5, rest=True, kind=k.R_MULTIPLE)]
    played = play(backend, [FLAT, FLAT, (10, 13, 10, 13), FLAT], [0], rungs=rungs, **TEN)
    assert legs(played) == [(5.0, 2, 10.5, "target"), (5.0, 2, 13.0, "target")] and played.of("r_multiple") == [0.5, 3.0]


@pytest.mark.parametrize(
    ("policy", "rows"),
    [
        (k.STOP_FIRST, [(10.0, 2, 9.0, "stop")]),
        (k.OLHC, [(10.0, 2, 9.0, "stop")]),
        (k.TARGET_FIRST, [(5.0, 2, 11.0, "target"), (5.0, 2, 9.0, "stop")]),
        (k.OHLC, [(5.0, 2, 11.0, "target"), (5.0, 2, 9.0, "stop")]),
    ],
)
def test_stop_and_first_rung_in_one_bar(backend: Backend, policy: int, rows: list[Any]) -> None:
    played = play(backend, [FLAT, FLAT, (10, 11.5, 8.5, 10), FLAT], [0], rungs=HALVES, **TEN, same_bar=policy)
    assert legs(played) == rows and played.of("ambiguous") == [1] * len(rows)


def test_only_rows_from_the_ambiguous_bar_on_carry_the_flag(backend: Backend) -> None:
    """The first rung fills on a clear bar; the second one's bar has the stop in it too."""
    played = play(backend, [FLAT, FLAT, (10, 11, 10, 11), (11, 12.5, 8.5, 10), FLAT], [0], rungs=HALVES, **TEN)
    assert legs(played) == [(5.0, 2, 11.0, "target"), (5.0, 3, 9.0, "stop")] and played.of("ambiguous") == [0, 1]


def test_the_entry_fee_is_shared_out_by_units_and_each_exit_pays_its_own(backend: Backend) -> None:
    """Eight units: the entry costs 8 and so does every exit; a quarter of the units takes a quarter of the entry fee."""
    rungs, params = [rung(1.0, 0.25), rung(2.0, 0.25), rung(3.0, 0.5, rest=True)], {"size_value": 8.0, "commission_fixed": 8.0}
    bars = [FLAT, FLAT, (10, 11, 10, 11), (11, 12, 11, 12), (12, 13, 12, 13), FLAT]
    played = play(backend, bars, [0], rungs=rungs, **params)
    assert played.of("units") == [2.0, 2.0, 4.0] and played.of("entry_fees") == [2.0, 2.0, 4.0]
    assert played.of("fees") == [10.0, 10.0, 12.0] and played.of("pnl") == [2.0 - 10.0, 4.0 - 10.0, 12.0 - 12.0]
    # after the entry 8 is gone; after the first exit 6 of it is of the units still open
    assert played.equity == [1000.0, 992.0, 992.0 + 8.0 - 8.0, 992.0 + 8.0 - 8.0 + 6.0 - 8.0, 986.0, 986.0]


def test_shares_are_rounded_down_to_lots(backend: Backend) -> None:
    bars = [FLAT, FLAT, (10, 11, 10, 11), (11, 12, 11, 12), FLAT]
    three = {"size_value": 3.0, "lot": 1.0}
    assert [leg[:3] for leg in legs(play(backend, bars, [0], rungs=HALVES, **three))] == [(1.0, 2, 11.0), (2.0, 3, 12.0)]
    # a quarter of three is no lot: the first rung closes nothing, and the second is looked at
    none = [rung(1.0, 0.25), rung(2.0, 0.75, rest=True)]
    assert [leg[:3] for leg in legs(play(backend, bars, [0], rungs=none, **three))] == [(3.0, 3, 12.0)]


def test_an_entry_of_a_table_leaves_by_the_ladder_of_the_run(backend: Backend) -> None:
    bars = [FLAT, FLAT, (10, 11, 10, 11), (11, 12, 11, 12), FLAT]
    played = play(backend, bars, positions="list", entries=[row(0, size=10.0)], rungs=HALVES)
    assert legs(played) == [(5.0, 2, 11.0, "target"), (5.0, 3, 12.0, "target")]


def test_same_side_signals_add_up_to_pyramiding_entries(backend: Backend) -> None:
    """The third signal is ignored; all leave together, each row with its own fees."""
    bars = [FLAT, FLAT, (12, 12, 12, 12), (13, 13, 13, 13), (14, 14, 14, 14)]
    played = play(backend, bars, [0, 1, 2], pyramiding=2, commission_fixed=1.0)
    assert played.fills == [(1, 10.0, 4, 14.0, "end_of_data"), (2, 12.0, 4, 14.0, "end_of_data")]
    assert played.of("position") == [0, 0] and played.of("leg") == [0, 1]
    assert played.of("pnl") == [4.0 - 2.0, 2.0 - 2.0] and played.skipped == {}
    # bar 2: one unit 2 up, the other just in, two entry fees; bar 3: 3 and 1 up
    assert played.equity == [1000.0, 999.0, 1000.0, 1002.0, 1002.0]
    assert play(backend, bars, [0, 1, 2], pyramiding=3, commission_fixed=1.0).of("entry_bar") == [1, 2, 3]


def test_added_entries_have_the_levels_of_the_first(backend: Backend) -> None:
    """In at 10 and 12 with the stop of 3 at 7 and the target of 5 at 15, for both."""
    levels = {"stop_kind": k.OFFSET, "stop_value": 3.0, "target_kind": k.OFFSET, "target_value": 5.0, "pyramiding": 2}
    down = play(backend, [FLAT, FLAT, (12, 12, 12, 12), (12, 12, 6.5, 7), FLAT], [0, 1], **levels)
    assert down.fills == [(1, 10.0, 3, 7.0, "stop"), (2, 12.0, 3, 7.0, "stop")]
    assert down.of("pnl") == [-3.0, -5.0] and down.of("r_multiple") == [-1.0, -1.0]  # R is 3, and 12 - 7
    up = play(backend, [FLAT, FLAT, (12, 12, 12, 12), (12, 15.5, 12, 15), FLAT], [0, 1], **levels)
    assert up.fills == [(1, 10.0, 3, 15.0, "target"), (2, 12.0, 3, 15.0, "target")]


def test_an_added_entry_is_sized_from_the_marked_equity_and_leverage_caps_the_whole(backend: Backend) -> None:
    """Half of 1,000 is 50 units at 10. At 12 the account is worth 1,100: half of it is 45.8 units, but 1,100 carries 91.7 in all."""
    bars = [FLAT, FLAT, (12, 12, 12, 12), FLAT]
    half = {"size_kind": k.PERCENT_EQUITY, "size_value": 0.5, "pyramiding": 2}
    assert play(backend, bars, [0, 1], **half, max_leverage=1.0).of("units") == [50.0, 1100.0 / 12.0 - 50.0]
    assert play(backend, bars, [0, 1], **half, max_leverage=2.0).of("units") == [50.0, 550.0 / 12.0]


def test_adding_does_not_outlive_an_exit_at_the_same_open(backend: Backend) -> None:
    """The open of bar 2 is beyond the stop: the position leaves, and the order that was to add to it is gone."""
    played = play(backend, [FLAT, FLAT, (8, 8, 8, 8), FLAT], [0, 1], stop_kind=k.OFFSET, stop_value=1.0, pyramiding=2)
    assert played.fills == [(1, 10.0, 2, 8.0, "stop")]
