"""Which of stop and target came first, worked by hand: the own bar of a fill inside it, finer bars, `exposed` and `basis`."""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import FLAT, Bar, at, finer, play, rung

from gpubt.backends.base import Backend
from gpubt.simulate import layout as k

LEVELS = {"stop_kind": k.OFFSET, "stop_value": 1.0, "target_kind": k.OFFSET, "target_value": 1.0}
STOP = {"order": k.STOP_ORDER, "order_kind": k.OFFSET, "order_value": 1.0}  # in at 11, stop 10, target 12
LIMIT = {"order": k.LIMIT, "order_kind": k.OFFSET, "order_value": 1.0}  # in at 9, stop 8, target 10
POLICIES = {"stop_first": k.STOP_FIRST, "target_first": k.TARGET_FIRST, "ohlc": k.OHLC, "olhc": k.OLHC, "adaptive": k.ADAPTIVE}
MIRRORED = {k.OHLC: k.OLHC, k.OLHC: k.OHLC}

# order, the bar of the fill, and what follows on it under stop_first, target_first, ohlc, olhc (S: stop, T: target, -: the trade lives on)
OWN_BAR = [
    (STOP, (10.5, 12.5, 9.5, 11.0), "STTT"),  # both in the range, the close between them
    (STOP, (10.5, 11.5, 9.5, 11.0), "S-S-"),  # the low may have been before the fill
    (STOP, (10.5, 11.5, 9.5, 10.0), "SSSS"),  # the close is at the stop: it came after the fill whatever the path
    (STOP, (10.5, 12.5, 10.2, 12.0), "TTTT"),
    (STOP, (10.5, 12.5, 9.5, 9.8), "STTT"),
    (STOP, (10.5, 11.5, 10.2, 11.0), "----"),
    (LIMIT, (9.5, 10.5, 7.5, 9.0), "STSS"),
    (LIMIT, (9.5, 10.5, 8.5, 9.0), "-T-T"),  # the high may have been before the fill
    (LIMIT, (9.5, 10.5, 8.5, 10.0), "TTTT"),  # the close is at the target
    (LIMIT, (9.5, 9.8, 7.5, 9.0), "SSSS"),
    (LIMIT, (9.5, 9.8, 8.5, 9.0), "----"),
]


@pytest.mark.parametrize(("order", "bar", "outcomes"), OWN_BAR)
def test_the_own_bar_of_a_fill_inside_it(backend: Backend, order: dict[str, Any], bar: Bar, outcomes: str) -> None:
    """And mirrored, where high first and low first change places too."""
    fill = 11.0 if order is STOP else 9.0
    bars = [FLAT, bar, (fill,) * 4]
    for policy, outcome in zip((k.STOP_FIRST, k.TARGET_FIRST, k.OHLC, k.OLHC), outcomes, strict=True):
        exits = {"S": (1, fill - 1.0, "stop"), "T": (1, fill + 1.0, "target"), "-": (2, fill, "end_of_data")}[outcome]
        played = play(backend, bars, [0], **order, **LEVELS, same_bar=policy)
        assert played.fills == [(1, fill, *exits)]
        assert played.of("ambiguous") == [int(len(set(outcomes)) > 1)]
        mirrored = play(backend, [at(one) for one in bars], short=[0], **order, **LEVELS, same_bar=MIRRORED.get(policy, policy))
        assert mirrored.fills == [(1, 20.0 - fill, exits[0], 20.0 - exits[1], exits[2])]
        assert mirrored.of("pnl") == played.of("pnl") == [{"S": -1.0, "T": 1.0, "-": 0.0}[outcome]]


@pytest.mark.parametrize(
    ("bar", "outcome"),
    [
        ((10.5, 11.2, 9.5, 11.0), (10.0, "stop")),  # 0.7 up, 1 down: high first, as ohlc
        ((10.5, 11.5, 9.8, 11.0), (11.0, "end_of_data")),  # 1 up, 0.7 down: low first, as olhc
        ((10.5, 11.5, 9.5, 11.0), (10.0, "stop")),  # a tie: stop_first
    ],
)
def test_adaptive_on_the_own_bar(backend: Backend, bar: Bar, outcome: tuple[float, str]) -> None:
    [fill] = play(backend, [FLAT, bar, (11.0,) * 4], [0], **STOP, **LEVELS, same_bar=k.ADAPTIVE).fills
    assert fill[3:] == outcome


def test_a_resting_entry_at_the_open_is_exposed_to_all_of_its_bar(backend: Backend) -> None:
    """In at the open of 12, beyond the 11: stop 11, target 13, all four policies as for a position from before."""
    bars = [FLAT, (12, 13.5, 10.5, 12), (12, 12, 12, 12)]
    for policy, price in ((k.STOP_FIRST, 11.0), (k.TARGET_FIRST, 13.0), (k.OHLC, 13.0), (k.OLHC, 11.0)):
        played = play(backend, bars, [0], **STOP, **LEVELS, same_bar=policy)
        assert [fill[:4] for fill in played.fills] == [(1, 12.0, 1, price)] and played.of("ambiguous") == [1]


BOTH = (10.0, 11.5, 8.5, 10.0)  # stop 9 and target 11


@pytest.mark.parametrize(
    ("inside", "outcome", "ambiguous"),
    [
        ([(10, 11.5, 10, 11), (11, 11, 8.5, 10)], (11.0, "target"), 0),
        ([(10, 10, 8.5, 9), (9, 11.5, 9, 10)], (9.0, "stop"), 0),
        ([(10, 10.5, 10, 10), BOTH], (9.0, "stop"), 1),  # one finer bar has both: the policy
        ([(10, 10.5, 9.5, 10)], (9.0, "stop"), 1),  # the finer bars show neither
        ([], (9.0, "stop"), 1),
    ],
)
def test_finer_bars_settle_an_ambiguous_bar_or_leave_it_to_the_policy(
    backend: Backend, inside: list[Bar], outcome: tuple[float, str], ambiguous: int
) -> None:
    detail = finer([], [], inside, [])
    [long] = play(backend, [FLAT, FLAT, BOTH, FLAT], [0], detail=detail, **LEVELS).rows
    assert (long["exit_price"], k.REASONS[long["reason"]], long["ambiguous"]) == (*outcome, ambiguous)
    mirrored = finer([], [], [at(bar) for bar in inside], [])
    [short] = play(backend, [FLAT, FLAT, at(BOTH), FLAT], short=[0], detail=mirrored, **LEVELS).rows
    assert (short["pnl"], short["ambiguous"]) == (long["pnl"], ambiguous)


@pytest.mark.parametrize(
    ("inside", "outcome", "ambiguous"),
    [
        # in at 11 in the second finer bar, after the low of the bar: only the target can follow
        ([(10.5, 10.5, 9.5, 10.2), (10.2, 12.5, 10.2, 12), (12, 12, 11, 11)], (12.0, "target"), 0),
        # in at 11 in the first, then down to the stop before the target
        ([(10.5, 11.2, 10.5, 11), (11, 11, 9.5, 10), (10, 12.5, 10, 11)], (10.0, "stop"), 0),
        # the finer bar of the fill has the stop too
        ([(10.5, 11.2, 9.5, 11), (11, 12.5, 11, 11)], (10.0, "stop"), 1),
    ],
)
def test_finer_bars_find_a_resting_entry_first(backend: Backend, inside: list[Bar], outcome: tuple[float, str], ambiguous: int) -> None:
    bars = [FLAT, (10.5, 12.5, 9.5, 11), (11, 11, 11, 11)]
    [row] = play(backend, bars, [0], detail=finer([], inside, []), **STOP, **LEVELS).rows
    assert (row["exit_price"], k.REASONS[row["reason"]], row["ambiguous"]) == (*outcome, ambiguous)


def test_finer_bars_settle_a_ladder(backend: Backend) -> None:
    """The first target, then the stop of the rest; the second target comes too late."""
    inside = [(10, 11.2, 10, 11), (11, 11, 8.5, 9), (9, 12.5, 9, 10)]
    rungs, stop = [rung(1.0, 0.5), rung(2.0, 0.5, rest=True)], {"stop_kind": k.OFFSET, "stop_value": 1.0}
    played = play(backend, [FLAT, FLAT, (10, 12.5, 8.5, 10), FLAT], [0], rungs=rungs, detail=finer([], [], inside, []), **stop)
    assert [(row["exit_price"], k.REASONS[row["reason"]]) for row in played.rows] == [(11.0, "target"), (9.0, "stop")]
    assert played.of("ambiguous") == [0, 0]


def test_an_entry_may_first_be_exposed_on_the_next_bar(backend: Backend) -> None:
    bars = [FLAT, (10, 10, 8, 10), (10, 10, 8.5, 10), FLAT]
    assert play(backend, bars, [0], **LEVELS).fills == [(1, 10.0, 1, 9.0, "stop")]
    assert play(backend, bars, [0], **LEVELS, exposed_later=1).fills == [(1, 10.0, 2, 9.0, "stop")]
    inside = [FLAT, (10, 10, 7, 8), (8, 9.5, 7.5, 8), FLAT]  # in at 9; gap at the open of bar 2, which is at the stop
    assert play(backend, inside, [0], **LIMIT, **LEVELS, exposed_later=1).fills == [(1, 9.0, 2, 8.0, "stop")]


def test_a_trailing_stop_may_count_the_high_of_the_tested_bar(backend: Backend) -> None:
    bars, trail = [FLAT, FLAT, (10, 14, 11, 13), (13, 13, 12.5, 13), FLAT], {"trail_kind": k.OFFSET, "trail_value": 2.0}
    assert play(backend, bars, [0], **trail).fills == [(1, 10.0, 4, 10.0, "trailing")]  # at 12 from bar 3 on: a gap at bar 4's open
    assert play(backend, bars, [0], **trail, trail_same_bar=1).fills == [(1, 10.0, 2, 12.0, "trailing")]
