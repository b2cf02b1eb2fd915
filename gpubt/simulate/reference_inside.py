"""What a bar's range does to a position: the policies of `sim.same_bar`, and the finer bars that settle what they disagree on."""

from __future__ import annotations

from typing import Any, NamedTuple

from gpubt.simulate import layout as k
from gpubt.simulate.reference_orders import INF, Bar, Bars, Position


class Inside(NamedTuple):
    """What a bar's range does to a position: whether the stop comes before the targets, whether it is touched, and the best price that
    counts for the targets."""

    stop_first: bool
    stop_hit: bool
    reach: float
    ambiguous: bool = False


FIXED_POLICIES = (k.STOP_FIRST, k.TARGET_FIRST, k.OHLC, k.OLHC)
MIRRORED = {k.OHLC: k.OLHC, k.OLHC: k.OHLC}  # a short position seen as a long one: high and low change places

# The own bar of an entry that filled inside it, for a long position: is the stop first; is the stop tested by the close (else the low); are
# targets (else the high). A stop entry rises into its level, a limit entry falls into it.
OWN_BAR = {
    (k.STOP_ORDER, k.STOP_FIRST): (True, False, False),
    (k.STOP_ORDER, k.TARGET_FIRST): (False, True, False),
    (k.STOP_ORDER, k.OHLC): (False, False, False),
    (k.STOP_ORDER, k.OLHC): (False, True, False),
    (k.LIMIT, k.STOP_FIRST): (True, False, True),
    (k.LIMIT, k.TARGET_FIRST): (False, False, False),
    (k.LIMIT, k.OHLC): (True, False, True),
    (k.LIMIT, k.OLHC): (True, False, False),
}


def look(policy: int, entered: int, side: int, bar: Bar, stop: float) -> Inside:
    """What `bar` does under one policy to a position with this stop; `entered` is MARKET for a position from before, else how it was filled
    inside this bar."""
    if policy == k.ADAPTIVE:
        up, down = bar.high - bar.open, bar.open - bar.low
        policy = k.STOP_FIRST if up == down else k.OHLC if up < down else k.OLHC
    if side < 0:
        policy = MIRRORED.get(policy, policy)
    stop_first, by_close, reach_close = OWN_BAR.get((entered, policy), (policy in (k.STOP_FIRST, k.OLHC), False, False))
    against = bar.close if by_close else bar.against(side)
    return Inside(stop_first, side * (against - stop) <= 0.0, bar.close if reach_close else bar.favourable(side))


def outcome(position: Position, found: Inside) -> tuple[int, bool]:
    """Targets filled and whether the stop then takes the rest."""
    if found.stop_first and found.stop_hit:
        return 0, True
    filled, left = 0, position.legs[0].units
    for rung in position.targets[: position.touched(found.reach)]:
        filled, left = filled + 1, left - rung.units if rung.units < left else 0.0
        if left == 0.0:
            return filled, False
    return filled, found.stop_hit


def disagree(position: Position, entered: int, bar: Bar, stop: float) -> bool:
    """Whether the four fixed policies differ on this bar."""
    side = position.side
    return len({outcome(position, look(policy, entered, side, bar, stop)) for policy in FIXED_POLICIES}) > 1


def in_detail(bars: Bars, p: Any, position: Position, t: int, entered: int, price: float, stop: float) -> Inside | None:
    """What the finer bars of bar `t` say about the order of its levels; None when they don't."""
    finer = bars.finer
    if finer is None or (entered != k.MARKET and p["order"] == k.STOP_LIMIT):
        return None
    side, start, end = position.side, bars.first[t], bars.first[t + 1]
    reach = -side * INF
    if entered != k.MARKET:
        falls = side if entered == k.LIMIT else -side
        edge = Bar.against if entered == k.LIMIT else Bar.favourable
        start = next((f for f in range(start, end) if falls * (edge(finer[f], side) - price) <= 0.0), end)
        if start == end:
            return None
        if falls * (finer.open[start] - price) > 0.0:  # filled inside this finer bar
            if disagree(position, entered, finer[start], stop):
                return None
            own = look(k.STOP_FIRST, entered, side, finer[start], stop)
            if own.stop_hit:
                return Inside(True, True, reach)
            reach, start = own.reach, start + 1
    for f in range(start, end):
        best = finer[f].favourable(side)
        further = best if side * (best - reach) > 0.0 else reach
        if side * (finer[f].against(side) - stop) <= 0.0:
            if position.touched(further) > position.touched(reach):
                return None
            return Inside(position.touched(reach) == 0, True, reach)
        reach = further
    return None if entered == k.MARKET else Inside(False, False, reach)
