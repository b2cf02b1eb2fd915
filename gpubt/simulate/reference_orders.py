"""Prices, sizes, levels and the open position in plain Python: the formulas of the contract, each in its one order of evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gpubt.simulate import layout as k

INF = math.inf
Levels = Mapping[str, Sequence[float]]


class Bar(NamedTuple):
    """One bar's prices."""

    open: float
    high: float
    low: float
    close: float

    def against(self, side: int) -> float:
        """The price of the bar that is worst for a position on `side`."""
        return self.low if side > 0 else self.high

    def favourable(self, side: int) -> float:
        """The best one."""
        return self.high if side > 0 else self.low


@dataclass
class Bars:
    """Plain lists of prices, a bar each; `finer` are the bars of `sim.detail`, those of bar `t` at `first[t]` up to `first[t + 1]`."""

    open: Sequence[float]
    high: Sequence[float]
    low: Sequence[float]
    close: Sequence[float]
    finer: Bars | None = None
    first: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.close)

    def __getitem__(self, t: int) -> Bar:
        return Bar(self.open[t], self.high[t], self.low[t], self.close[t])


@dataclass
class Leg:
    """One entry fill of a position; `low` and `high` are the extremes of the bars it was open through."""

    bar: int
    price: float
    units: float  # that are still open
    fees: float  # of the entry, of the units still open
    risk: float  # R: entry price to the initial stop, NaN without one on the losing side
    first: int  # first bar whose range can touch a level
    inside: bool  # filled within its bar, which then counts for the excursions by its close
    low: float = INF
    high: float = -INF


class Rung(NamedTuple):
    """A target: its level, and the units of it (infinite: all that is left)."""

    level: float
    units: float


@dataclass
class Position:
    """An open trade: its legs (several with pyramiding), the initial stop (infinite when there is none) and the targets not yet reached."""

    side: int  # +1 long, -1 short
    legs: list[Leg]
    stop: float
    targets: list[Rung]
    trail: float = 0.0  # distance of the trailing stop from the extreme: a fraction or a price, as `trail_kind` says
    trail_from: float = 0.0  # the extreme from which on it trails
    even_from: float = 0.0  # the extreme from which on the stop is at break-even, infinite for never
    even: float = 0.0  # the stop then
    extreme: float = 0.0  # best price of the exposed bars before this one, and the first entry price
    liquidation: float = 0.0
    ambiguous: bool = False
    rows: list[dict[str, Any]] = field(default_factory=list)  # ledger rows that are closed already

    @property
    def bar(self) -> int:
        """Bar of the first entry."""
        return self.legs[0].bar

    def mark(self, p: Any, equity: float, price: float, t: int) -> float:
        """Equity with this position at `price` in bar `t`, `equity` being what is realised."""
        fees = units = shift = slope = late = 0.0
        first, rate = self.legs[0], carry(p, self.side)
        for leg in self.legs:
            fees += leg.fees
            units += self.side * leg.units
            shift += (self.side * leg.units) * (leg.price - first.price)
            slope += (rate * leg.units) * leg.price
            late += ((rate * leg.units) * leg.price) * (leg.bar - first.bar)
        return (((equity - fees) - shift) + units * (price - first.price)) - (slope * (t - first.bar) - late)

    def held(self) -> float:
        """Units of all legs."""
        total = 0.0
        for leg in self.legs:
            total += leg.units
        return total

    def see(self, bar: Bar, t: int) -> None:
        """A bar at whose close the position is still open: its range counts for excursions and the trailing stop."""
        for leg in self.legs:
            if leg.first <= t:
                leg.low, leg.high = min(leg.low, bar.low), max(leg.high, bar.high)
            elif leg.bar == t and leg.inside:
                leg.low = leg.high = bar.close
        if self.legs[0].first <= t:
            self.extreme = self.better(bar.favourable(self.side))

    def better(self, price: float) -> float:
        """The extreme with `price` in it."""
        return price if self.side * (price - self.extreme) > 0.0 else self.extreme

    def effective_stop(self, p: Any, extreme: float) -> tuple[float, int]:
        """The nearest of initial, break-even, trailing stop and liquidation, and its reason; on a tie the earlier of these. The trailing
        stop follows `extreme`."""
        stop, reason = self.stop, k.STOP
        if self.side * (self.extreme - self.even_from) >= 0.0 and self.side * (self.even - stop) > 0.0:
            stop, reason = self.even, k.BREAK_EVEN
        if p["trail_kind"] != k.NONE and self.side * (extreme - self.trail_from) >= 0.0:
            pct = p["trail_kind"] == k.PCT
            trailing = extreme * (1.0 - self.side * self.trail) if pct else extreme - self.side * self.trail
            if self.side * (trailing - stop) > 0.0:
                stop, reason = trailing, k.TRAILING
        if self.side * (self.liquidation - stop) > 0.0:
            stop, reason = self.liquidation, k.LIQUIDATION
        return stop, reason

    def touched(self, reach: float) -> int:
        """How many of the targets a price reaches, in their order."""
        count = 0
        while count < len(self.targets) and self.side * (reach - self.targets[count].level) >= 0.0:
            count += 1
        return count


def carry(p: Any, side: int) -> float:
    """Cost of holding a bar, as a fraction of the entry's notional."""
    return float(p["carry_long"] if side > 0 else p["carry_short"])


def commission(p: Any, units: float, price: float) -> float:
    """Of one fill, in cash."""
    charge: float = (p["commission_rate"] * (units * price) + p["commission_per_unit"] * units) + p["commission_fixed"]
    return float(p["commission_minimum"]) if charge < p["commission_minimum"] else charge


def slipped(p: Any, reference: float, direction: int, atr: float) -> float:
    """The fill of a market or stop order that buys (+1) or sells (-1) at `reference`; `atr` is that of the bar of the fill."""
    distance = reference * p["slippage_rate"] + p["slippage_points"]
    if p["slippage_atr"] != 0.0:
        distance = distance + p["slippage_atr"] * atr
    return float(reference + direction * distance)


def size(p: Any, equity: float, price: float, distance: float) -> float:
    """Units of a new position before cap and lot; `distance` is that to the stop."""
    if p["size_kind"] == k.PERCENT_EQUITY:
        budget = p["size_value"] * equity
        units = (budget - p["commission_fixed"]) / (price * (1.0 + p["commission_rate"]) + p["commission_per_unit"])
        if (p["commission_rate"] * (units * price) + p["commission_per_unit"] * units) + p["commission_fixed"] < p["commission_minimum"]:
            units = (budget - p["commission_minimum"]) / price
        return float(units)
    if p["size_kind"] == k.FIXED_UNITS:
        return float(p["size_value"])
    if p["size_kind"] == k.FIXED_CASH:
        return float(p["size_value"] / price)
    return float((p["size_value"] * equity) / distance)


def lots(p: Any, units: float) -> float:
    """The whole lots in `units`."""
    if p["lot"] <= 0.0:
        return units
    count = math.floor(units / p["lot"])
    if (count + 1.0) * p["lot"] <= units:
        count += 1
    return float(count * p["lot"])


def level(kind: int, value: float, anchor: float, direction: int, atr: float, risk: float, rule: float = math.nan) -> float:
    """The price of a level `direction` from `anchor`; infinite on that side for NONE. `rule` is the value of its expression."""
    if kind == k.NONE:
        return direction * INF
    if kind == k.PRICE:
        return value
    if kind == k.RULE:
        return rule
    if kind == k.PCT:
        return anchor * (1.0 + direction * value)
    distance = value * atr if kind == k.ATR else value * risk if kind == k.R_MULTIPLE else value
    return anchor + direction * distance


def liquidation(p: Any, position: Position, equity: float) -> float:
    """The price at which what is left of the account is `maintenance` of the position's notional; `equity` is what is realised."""
    units = cost = fees = 0.0
    for leg in position.legs:
        units += leg.units
        cost += leg.units * leg.price
        fees += leg.fees
    own = equity - fees
    if position.side > 0:
        return float((cost - own) / (units * (1.0 - p["maintenance"])))
    return float((cost + own) / (units * (1.0 + p["maintenance"])))


@dataclass
class Resting:
    """A limit, stop or stop-limit order, live up to row `last`; `limit` is the second price of a stop-limit order, which is `armed` once
    its stop was reached."""

    side: int
    signal: int
    level: float
    limit: float
    last: float
    armed: bool = False
