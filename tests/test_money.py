"""Fill prices, fees, sizes, carry and liquidation worked by hand: what `docs/semantics.md` says under Money."""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import FLAT, Bar, play, rung

from gpubt.backends.base import Backend
from gpubt.compose import configuration
from gpubt.simulate import layout as k
from gpubt.simulate.parameters import parameters

STOP = {"stop_kind": k.OFFSET, "stop_value": 1.0}


def test_slippage_by_rate_moves_market_and_stop_fills(backend: Backend) -> None:
    """In at 10.1, so the stop is at 9.1, which sells a hundredth lower. The raw low of 9.1 triggers it."""
    played = play(backend, [FLAT, FLAT, (10, 10, 9.1, 9.5), FLAT], [0], slippage_rate=0.01, **STOP)
    entry = 10.0 + 10.0 * 0.01
    assert played.fills == [(1, entry, 2, (entry - 1.0) - (entry - 1.0) * 0.01, "stop")]
    short = play(backend, [FLAT] * 3, short=[0], slippage_rate=0.01)
    assert short.fills == [(1, 10.0 - 0.1, 2, 10.0 + 0.1, "end_of_data")]


def test_target_fills_are_never_moved(backend: Backend) -> None:
    target = {"target_kind": k.OFFSET, "target_value": 1.0}
    played = play(backend, [FLAT, FLAT, (10, 12, 10, 11), FLAT], [0], slippage_points=0.5, **target)
    assert played.fills == [(1, 10.5, 2, 11.5, "target")]


def test_ticks_and_half_the_spread_are_a_distance(backend: Backend) -> None:
    """Three ticks of 0.25 and half of 0.5: one."""
    config = configuration(["costs.slippage.ticks=3", "costs.slippage.tick=0.25", "costs.spread=0.5"])
    assert (points := parameters(config)["slippage_points"].item()) == 1.0
    assert play(backend, [FLAT] * 3, [0], slippage_points=points).fills == [(1, 11.0, 2, 9.0, "end_of_data")]


def test_slippage_by_a_share_of_atr_reads_the_bar_of_the_fill(backend: Backend) -> None:
    played = play(backend, [FLAT] * 4, [0], levels={"atr": [8.0, 4.0, 8.0, 2.0]}, slippage_atr=0.25)
    assert played.fills == [(1, 11.0, 3, 9.5, "end_of_data")]


def test_commission_by_rate_unit_and_fill_on_both_sides(backend: Backend) -> None:
    """100 units: at 10 a thousandth of 1,000, 100 times 0.02, and 0.5; out at 11 a thousandth of 1,100."""
    fees = {"commission_rate": 0.001, "commission_per_unit": 0.02, "commission_fixed": 0.5}
    played = play(backend, [FLAT, FLAT, (11, 11, 11, 11)], [0], size_value=100.0, **fees)
    assert played.of("entry_fees") == [3.5] and played.of("fees") == [3.5 + 3.6]
    assert played.of("pnl") == [100.0 - 3.5 - 3.6] and played.equity == [1000.0, 996.5, (1000.0 + 92.9)]


def test_the_minimum_of_a_commission(backend: Backend) -> None:
    played = play(backend, [FLAT] * 3, [0], size_value=100.0, commission_rate=0.001, commission_minimum=2.0)
    assert played.of("fees") == [4.0]
    assert play(backend, [FLAT] * 3, [0], size_value=300.0, commission_rate=0.001, commission_minimum=2.0).of("fees") == [6.0]


def test_longs_pay_the_funding_shorts_receive_it_and_pay_the_borrow(backend: Backend) -> None:
    config = configuration(["costs.funding.per_bar=0.25", "costs.borrow.per_bar=0.75"])
    record = parameters(config)
    carry = {name: record[name].item() for name in ("carry_long", "carry_short")}
    assert carry == {"carry_long": 0.25, "carry_short": 0.5}
    long, short = (play(backend, [FLAT] * 5, **{side: [0]}, **carry) for side in ("long", "short"))  # type: ignore[arg-type]
    # 2.5 and 5 a bar, from bar 1 to bar 4, in every mark and booked at the exit
    assert long.of("accrued") == [7.5] and long.equity == [1000.0, 1000.0, 997.5, 995.0, 992.5]
    assert short.of("pnl") == [-15.0] and short.equity == [1000.0, 1000.0, 995.0, 990.0, 985.0]
    earned = play(backend, [FLAT] * 3, [0], carry_long=-0.25)
    assert earned.of("pnl") == [2.5]


def test_a_yearly_rate_is_divided_by_the_bars_of_a_year() -> None:
    day = 86_400 * 10**9
    config = configuration(["costs.funding.annual=0.73050", "costs.borrow.annual=1.4610"])
    record = parameters(config, day)
    assert record["carry_long"].item() == pytest.approx(0.002, rel=1e-15)
    assert record["carry_short"].item() == pytest.approx(0.002, rel=1e-15)


@pytest.mark.parametrize(
    ("size", "units"),
    [
        ({"size_kind": k.PERCENT_EQUITY, "size_value": 1.0}, 100.0),
        ({"size_kind": k.PERCENT_EQUITY, "size_value": 0.5}, 50.0),
        # what is bought with 999 when each unit costs 10, a tenth of that, and 0.1
        (
            {"size_kind": k.PERCENT_EQUITY, "size_value": 1.0, "commission_rate": 0.1, "commission_fixed": 1.0, "commission_per_unit": 0.1},
            999 / 11.1,
        ),
        ({"size_kind": k.PERCENT_EQUITY, "size_value": 1.0, "commission_rate": 0.001, "commission_minimum": 50.0}, 95.0),
        ({"size_kind": k.FIXED_UNITS, "size_value": 7.5}, 7.5),
        ({"size_kind": k.FIXED_CASH, "size_value": 250.0}, 25.0),
        ({"size_kind": k.RISK_PERCENT, "size_value": 0.02, **STOP}, 20.0),  # 20 of 1,000, a loss of 1 a unit
        ({"size_kind": k.RISK_PERCENT, "size_value": 0.5, **STOP}, 100.0),  # 500 units are more than the account carries
        ({"size_kind": k.RISK_PERCENT, "size_value": 0.5, **STOP, "max_leverage": 3.0}, 300.0),
        ({"size_kind": k.FIXED_UNITS, "size_value": 7.9, "lot": 2.0}, 6.0),
        ({"size_kind": k.FIXED_UNITS, "size_value": 0.3, "lot": 0.1}, 0.2),  # 3 * 0.1 is above 0.3: two lots
        ({"size_kind": k.FIXED_UNITS, "size_value": 0.6, "lot": 0.2}, 0.4),  # so is 3 * 0.2
    ],
)
def test_the_size_of_an_entry(backend: Backend, size: dict[str, Any], units: float) -> None:
    [got] = play(backend, [FLAT] * 3, [0], **({"max_leverage": 1.0} | size)).of("units")
    assert got == pytest.approx(units, rel=1e-15)


def test_sizes_follow_the_account_in_single_positions_and_the_capital_elsewhere(backend: Backend) -> None:
    bars = [FLAT, FLAT, (20, 20, 20, 20), (20, 20, 20, 20), (20, 20, 20, 20)]
    all_in = {"size_kind": k.PERCENT_EQUITY, "size_value": 1.0, "max_leverage": 1.0}
    exits = {"long_exit": [1]}
    assert play(backend, bars, [0, 2], signals=exits, **all_in).of("units") == [100.0, 100.0]  # 2,000 by then
    assert play(backend, bars, [0, 2], signals=exits, positions="overlapping", **all_in).of("units") == [100.0, 50.0]


LIQUID = {"capital": 10.0, "size_value": 2.0, "liquidate": 1}  # two units for 20 on an account of 10


@pytest.mark.parametrize(
    ("side", "maintenance", "price"),
    [
        ("long", 0.0, 5.0),  # (20 - 10) / 2
        ("long", 0.2, 6.25),  # there 2.5 is left, a fifth of 12.5
        ("short", 0.0, 15.0),  # (20 + 10) / 2
        ("short", 0.25, 12.0),  # there 6 is left, a quarter of 24
    ],
)
def test_the_price_of_liquidation(backend: Backend, side: str, maintenance: float, price: float) -> None:
    bars: list[Bar] = [FLAT, FLAT, (10, 16, 4.5, 10), FLAT]
    played = play(backend, bars, **{side: [0]}, **LIQUID, maintenance=maintenance)  # type: ignore[arg-type]
    assert played.fills == [(1, 10.0, 2, price, "liquidation")]
    left = 10.0 - 2.0 * abs(price - 10.0)
    assert played.equity == [10.0, 10.0, left, left] and played.of("shortfall") == [0.0]


def test_a_gap_through_the_liquidation_price_leaves_a_shortfall_and_no_debt(backend: Backend) -> None:
    """Out at the open of 4: 12 are lost, 10 were there."""
    bars: list[Bar] = [FLAT, FLAT, (4, 4, 4, 4), FLAT]
    played = play(backend, bars, [0], **LIQUID)
    assert played.fills == [(1, 10.0, 2, 4.0, "liquidation")]
    assert (played.of("pnl"), played.of("shortfall"), played.equity) == ([-10.0], [2.0], [10.0, 10.0, 0.0, 0.0])
    owed = play(backend, bars, [0], **(LIQUID | {"liquidate": 0}))
    assert owed.fills == [(1, 10.0, 3, 10.0, "end_of_data")] and owed.equity == [10.0, 10.0, -2.0, 10.0]


def test_the_fee_of_the_exit_is_not_owed_either(backend: Backend) -> None:
    """The entry costs 1, so the account is gone at 5.5; the exit's 1 is a shortfall."""
    played = play(backend, [FLAT, FLAT, (10, 10, 5, 6), FLAT], [0], **LIQUID, commission_fixed=1.0)
    assert played.fills == [(1, 10.0, 2, 5.5, "liquidation")]
    assert (played.of("pnl"), played.of("shortfall"), played.equity[-1]) == ([-10.0], [1.0], 0.0)


def test_the_nearer_of_stop_and_liquidation_acts_and_on_a_tie_the_stop(backend: Backend) -> None:
    bars = [FLAT, FLAT, (10, 10, 4.5, 5), FLAT]
    for distance, price, reason in ((3.0, 7.0, "stop"), (5.0, 5.0, "stop"), (6.0, 5.0, "liquidation")):
        played = play(backend, bars, [0], **LIQUID, stop_kind=k.OFFSET, stop_value=distance)
        assert played.fills == [(1, 10.0, 2, price, reason)]


def test_liquidation_is_fixed_again_after_a_partial_exit_and_an_added_entry(backend: Backend) -> None:
    """Half out at 11 pays for the other half in full: nothing is left to liquidate. A second entry at 10 brings it nearer."""
    bars: list[Bar] = [FLAT, FLAT, (10, 11, 10, 10), (10, 10, 0.5, 10), FLAT]
    assert play(backend, bars, [0], **LIQUID).fills == [(1, 10.0, 3, 5.0, "liquidation")]
    half = play(backend, bars, [0], rungs=[rung(1.0, 0.5)], **LIQUID)
    assert half.fills == [(1, 10.0, 2, 11.0, "target"), (1, 10.0, 4, 10.0, "end_of_data")]
    added = play(backend, bars, [0, 1], pyramiding=2, **LIQUID)  # four units, 10 in the account: (40 - 10) / 4
    assert added.fills == [(1, 10.0, 3, 7.5, "liquidation"), (2, 10.0, 3, 7.5, "liquidation")]
    assert added.of("pnl") == [-5.0, -5.0] and added.equity[-1] == 0.0


def test_final_equity_is_the_capital_and_every_pnl_to_the_bit(backend: Backend) -> None:
    bars: list[Bar] = [(10.1 * i % 7 + 9, 17, 8, 10.3 * i % 5 + 9) for i in range(40)]
    fees = {"commission_rate": 0.001, "carry_long": 0.0001, "slippage_rate": 0.0003}
    played = play(backend, bars, list(range(0, 40, 3)), list(range(1, 40, 4)), on_opposite=k.REVERSE, **fees)
    total = 1000.0
    for pnl in played.of("pnl"):
        total += pnl
    assert len(played.rows) > 10 and played.equity[-1] == total
