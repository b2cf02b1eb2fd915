"""The simulation contract in plain Python, one step a bar. This is the specification: a backend is right when its ledger equals this one.

Everything is a Python float (IEEE double, no contraction); `docs/semantics.md` has the rules in words, in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gpubt.metrics.reference import marks
from gpubt.simulate import layout as k
from gpubt.simulate.reference_orders import (
    INF,
    Bar,
    Bars,
    Leg,
    Levels,
    Position,
    Resting,
    Rung,
    carry,
    commission,
    level,
    liquidation,
    lots,
    size,
    slipped,
)

__all__ = ["Bars", "Outcome", "Signals", "Simulation", "list_equity", "simulate", "simulate_list", "simulate_overlapping"]


@dataclass
class Signals:
    """Four rules, a truth value each bar (entries are effective, see `strategy/compile.py`), and the calendars: the last bar of each
    session, and bars in which no entry may fill (empty: none)."""

    long_entry: Sequence[bool]
    long_exit: Sequence[bool]
    short_entry: Sequence[bool]
    short_exit: Sequence[bool]
    session: Sequence[bool] = ()
    blackout: Sequence[bool] = ()

    def entry(self, t: int) -> int | None:
        """The side (+1 or -1) that wants in at the close of bar `t`, or None."""
        return 1 if self.long_entry[t] else -1 if self.short_entry[t] else None

    def exit(self, side: int, t: int) -> bool:
        """Whether a position on `side` wants out at the close of bar `t`."""
        return bool(self.long_exit[t] if side > 0 else self.short_exit[t])

    def ends_session(self, t: int) -> bool:
        """Whether bar `t` is the last of a session."""
        return bool(len(self.session) and self.session[t])

    def forbids(self, t: int) -> bool:
        """Whether no entry may fill in bar `t`."""
        return bool(len(self.blackout) and self.blackout[t])


@dataclass
class Outcome:
    """Trades as dictionaries of `layout.TRADE` fields, equity at the close of each bar, and counts by `layout.SKIPS`."""

    trades: list[dict[str, Any]] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)
    skipped: list[int] = field(default_factory=lambda: [0] * len(k.SKIPS))


class Inside(NamedTuple):
    """What a bar's range does to a position: whether the stop comes before the targets, whether it is touched, and the best price that
    counts for the targets."""

    stop_first: bool
    stop_hit: bool
    reach: float
    ambiguous: bool = False


class Entering(NamedTuple):
    """A market order for the next open; `adds`: to the open position."""

    side: int
    signal: int
    adds: bool


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


class Simulation:
    """One account and its position over `bars`: `step` plays a bar in the order that the contract gives.

    `alone`: one entry only, sized from the starting capital (positions=list and overlapping). `log`, if given, is told of every event:
    bar, name, numbers.
    """

    def __init__(
        self,
        bars: Bars,
        signals: Signals,
        levels: Levels,
        rungs: Sequence[Any],
        p: Any,
        alone: bool = False,
        log: Callable[[int, str, dict[str, Any]], None] | None = None,
    ) -> None:
        self.bars, self.signals, self.levels, self.rungs, self.p, self.alone, self.log = bars, signals, levels, rungs, p, alone, log
        self.n = len(bars)
        self.equity = float(p["capital"])
        self.rows: list[dict[str, Any]] = []
        self.skipped = [0] * len(k.SKIPS)
        self.position: Position | None = None
        self.order: Resting | None = None
        self.entering: Entering | None = None
        self.leaving = False  # an exit was decided at the close before
        self.flat_until = 0  # no signal before this bar acts
        self.positions = 0

    def step(self, t: int) -> None:
        """Everything that happens in bar `t`, in order."""
        self.exits_at_open(t)
        self.entries_at_open(t)
        self.inside(t)
        self.at_close(t)

    def exits_at_open(self, t: int) -> None:
        """What was decided on the bar before, time, gaps."""
        if self.position and self.leaving:
            self.close(t, self.bars.open[t], k.SIGNAL)
        elif self.position and self.due(t, k.AT_OPEN):
            self.close(t, self.bars.open[t], k.TIME)
        else:
            self.gap(t)
        self.leaving = False

    def entries_at_open(self, t: int) -> None:
        """A market order, or a resting one that the open is beyond; then a gap through the new position's own levels."""
        entering, self.entering, price = self.entering, None, self.bars.open[t]
        if entering and not (entering.adds and self.position is None):
            self.fill(t, entering.signal, entering.side, price, k.MARKET)
            self.gap(t)
        elif self.order and self.order.signal < t and self.position is None:
            order = self.order
            if self.p["order"] == k.STOP_LIMIT and order.side * (price - order.level) >= 0.0:
                order.armed = True
            beyond = order.side * (price - order.level) >= 0.0 if self.p["order"] == k.STOP_ORDER else self.falls_to(order, price)
            if beyond:
                self.order = None
                self.fill(t, order.signal, order.side, price, self.p["order"])
                self.gap(t)

    def inside(self, t: int) -> None:
        """Levels within the bar's range; or the fill of a resting order, and what can follow it on that bar."""
        if self.position and self.position.legs[0].first <= t:
            self.exits_inside(t, k.MARKET, 0.0)
        elif self.order and self.order.signal < t and self.position is None:
            order, bar = self.order, self.bars[t]
            found = self.fill_inside(order, bar)
            if found:
                price, entered = found
                self.order = None
                self.fill(t, order.signal, order.side, price, self.p["order"], inside=True)
                if self.position and not self.p["exposed_later"]:
                    self.exits_inside(t, entered, price)

    def at_close(self, t: int) -> None:
        """Signals, time, session and the end of data; then what became of a resting order; then new entries."""
        p, consumed, wanted = self.p, False, self.signals.entry(t)
        if self.position:
            side = self.position.side
            opposite = wanted == -side and t < self.n - 1
            exits = self.signals.exit(side, t) or (opposite and p["on_opposite"] == k.CLOSE)
            reverses = opposite and p["on_opposite"] == k.REVERSE
            reverse_at = p["entry_at"] if p["order"] == k.MARKET else p["exit_at"]
            if (exits and p["exit_at"] == k.AT_CLOSE) or (reverses and reverse_at == k.AT_CLOSE):
                consumed = opposite and p["on_opposite"] == k.CLOSE
                self.close(t, self.bars.close[t], k.SIGNAL)
            elif self.due(t, k.AT_CLOSE):
                self.close(t, self.bars.close[t], k.TIME)
            elif self.signals.ends_session(t):
                self.close(t, self.bars.close[t], k.SESSION)
            elif t == self.n - 1:
                self.close(t, self.bars.close[t], k.END_OF_DATA)
            else:
                self.leaving = exits or reverses
                self.position.see(self.bars[t], t)
                if self.leaving:
                    self.tell(t, "exit_decided", reverses=reverses)
                if reverses and not p["cooldown"] and not self.alone:
                    self.want(t, -side, adds=False)
                elif not self.leaving and wanted == side and self.may_add():
                    self.want(t, side, adds=True)
                return
        self.tend(t)
        if not self.alone and wanted is not None and not consumed and t >= self.flat_until:
            self.want(t, wanted, adds=False)

    def may_add(self) -> bool:
        """Whether a same-side signal adds to the position."""
        assert self.position is not None
        return not self.alone and len(self.position.legs) < self.p["pyramiding"]

    def want(self, t: int, side: int, adds: bool) -> None:
        """An entry signal at the close of bar `t` that may act."""
        p = self.p
        at_close = p["order"] == k.MARKET and p["entry_at"] == k.AT_CLOSE
        if t == self.n - 1:
            self.skip(t, k.AT_END)
        elif self.signals.ends_session(t):
            self.skip(t, k.AT_SESSION_END)
        elif self.signals.forbids(t if at_close else t + 1):
            self.skip(t, k.BLACKOUT)
        elif p["order"] != k.MARKET:
            self.place(t, side)
        elif at_close:
            self.fill(t, t, side, self.bars.close[t], k.MARKET)
        else:
            self.entering = Entering(side, t, adds)
            self.tell(t, "market_order", side=side, adds=adds)

    def place(self, t: int, side: int) -> None:
        """A resting order from the signal at `t`; it is live from the next row on."""
        p, atr = self.p, self.at("atr", t)
        name = "long" if side > 0 else "short"
        direction = -side if p["order"] == k.LIMIT else side
        price = level(p["order_kind"], p["order_value"], self.bars.close[t], direction, atr, 0.0, self.at(f"{name}_order", t))
        limit = price
        if p["order"] == k.STOP_LIMIT:
            limit = level(p["limit_kind"], p["limit_value"], price, side, atr, 0.0, self.at(f"{name}_limit", t))
        if math.isnan(price) or math.isnan(limit):
            self.skip(t, k.NAN_LEVEL)
            return
        self.order = Resting(side, t, price, limit, t + p["valid_bars"] if p["valid_bars"] else INF)
        self.tell(t, "order_placed", side=side, level=price, limit=limit)

    def tend(self, t: int) -> None:
        """What ends a resting order at the close of bar `t`."""
        order = self.order
        if order is None or order.signal >= t:
            return
        wanted = None if self.alone and self.signals.entry(t) == order.side else self.signals.entry(t)
        if t >= order.last:
            self.drop(t, k.EXPIRED)
        elif self.signals.ends_session(t) or self.signals.exit(order.side, t) or wanted == -order.side:
            self.drop(t, k.CANCELLED)
        elif wanted is not None:
            self.drop(t, k.REPLACED)
        elif t == self.n - 1:
            self.drop(t, k.AT_END)

    def drop(self, t: int, code: int) -> None:
        """The resting order ends without a fill."""
        self.order = None
        self.skip(t, code)

    def falls_to(self, order: Resting, price: float) -> bool:
        """Whether a limit order (or a stop-limit order that is armed) fills at `price` or better."""
        limit = order.level if self.p["order"] == k.LIMIT else order.limit
        live = self.p["order"] == k.LIMIT or order.armed
        return live and order.side * (price - limit) <= 0.0

    def fill_inside(self, order: Resting, bar: Bar) -> tuple[float, int] | None:
        """The price within `bar` at which the order fills, and whether as a rising (STOP_ORDER) or a falling (LIMIT) price, for a buy."""
        side, limit = order.side, order.level if self.p["order"] == k.LIMIT else order.limit
        if self.p["order"] != k.STOP_ORDER and self.falls_to(order, bar.against(side)):
            return limit, k.LIMIT
        if self.p["order"] == k.LIMIT or order.armed or side * (bar.favourable(side) - order.level) < 0.0:
            return None
        if self.p["order"] == k.STOP_ORDER:
            return order.level, k.STOP_ORDER
        order.armed = True
        if side * (limit - order.level) >= 0.0:
            return order.level, k.STOP_ORDER
        return (limit, k.LIMIT) if side * (bar.close - limit) <= 0.0 else None

    def fill(self, t: int, signal: int, side: int, reference: float, order: int, inside: bool = False, entry: Any = None) -> None:
        """Open a position, or add to it, at the raw price `reference` in bar `t`; a skip is counted when that can't be.

        `entry` has the levels' kinds and values (an ENTRY record with its own `size`; None: the parameters). Limit fills are never moved.
        """
        p, position = self.p, self.position
        entry = p if entry is None else entry
        equity = position.mark(p, self.equity, reference, t) if position else self.equity
        if not equity > 0.0:
            return self.skip(t, k.NO_EQUITY)
        slides = order in (k.MARKET, k.STOP_ORDER)
        price = slipped(p, reference, side, self.at("atr", t)) if slides else reference
        levels = (position.stop, []) if position else self.levels_of(entry, side, signal, price)
        if levels is None or math.isnan(price):
            return self.skip(t, k.NAN_LEVEL)
        stop, targets = levels
        has_stop = entry["stop_kind"] != k.NONE
        if has_stop and p["size_kind"] == k.RISK_PERCENT and price == stop:
            return self.skip(t, k.ZERO_RISK)
        if has_stop and not side * (price - stop) > 0.0 and not p["beyond_stop"]:
            return self.skip(t, k.WRONG_SIDE)
        units = self.units(entry, equity, price, side * (price - stop), position.held() if position else 0.0)
        if not units > 0.0:
            return self.skip(t, k.ZERO_SIZE)
        risk = side * (price - stop) if has_stop and side * (price - stop) > 0.0 else math.nan
        at_open = not inside and not (p["order"] == k.MARKET and p["entry_at"] == k.AT_CLOSE)
        leg = Leg(t, price, units, commission(p, units, price), risk, t if at_open and not p["exposed_later"] else t + 1, inside)
        if position:
            position.legs.append(leg)
        else:
            position = self.position = self.opened(side, leg, stop, targets, self.at("atr", signal))
        position.liquidation = self.liquidation_of(position)
        rungs = [target.level for target in position.targets]
        self.tell(t, "entry", side=side, reference=reference, price=price, units=units, stop=stop, targets=rungs)

    def levels_of(self, entry: Any, side: int, signal: int, price: float) -> tuple[float, list[tuple[float, Any]]] | None:
        """The initial stop and the targets (level, its rung or None) of an entry at `price`; None when one of them is NaN, or ATR where
        it is needed."""
        p, atr = self.p, self.at("atr", signal)
        name = "long" if side > 0 else "short"
        anchor = price if p["anchor"] == k.ANCHOR_FILL else self.bars.close[signal]
        given: list[tuple[int, float, Any]] = [(rung["kind"], rung["value"], rung) for rung in self.rungs]
        if entry["target_kind"] != k.NONE or not given:
            given = [(entry["target_kind"], entry["target_value"], None)] if entry["target_kind"] != k.NONE else []
        if k.ATR in (entry["stop_kind"], p["trail_kind"], p["even_kind"], *(kind for kind, _, _ in given)) and math.isnan(atr):
            return None
        stop = level(entry["stop_kind"], entry["stop_value"], anchor, -side, atr, 0.0, self.at(f"{name}_stop", signal))
        risk, rule = side * (anchor - stop), self.at(f"{name}_target", signal)
        targets = [(level(kind, value, anchor, side, atr, risk, rule), rung) for kind, value, rung in given]
        return None if math.isnan(stop) or any(math.isnan(price) for price, _ in targets) else (stop, targets)

    def units(self, entry: Any, equity: float, price: float, distance: float, held: float) -> float:
        """Units of an entry: its own size or as `sizing` says, at most what leverage allows (with the account checked), in whole lots."""
        p, own = self.p, entry.get("size", math.nan)
        units = size(p, equity, price, distance) if math.isnan(own) else own
        cap = (p["max_leverage"] * equity) / price - held
        if not self.alone and units > cap:
            units = cap
        return lots(p, units)

    def opened(self, side: int, leg: Leg, stop: float, targets: Sequence[tuple[float, Any]], atr: float) -> Position:
        """A new position with its first leg."""
        p, price = self.p, leg.price
        rungs = [Rung(target, INF if rung is None or rung["rest"] else lots(p, rung["share"] * leg.units)) for target, rung in targets]
        position = Position(side, [leg], stop, rungs, extreme=price)
        position.trail = p["trail_value"] * atr if p["trail_kind"] == k.ATR else p["trail_value"]
        position.trail_from = level(p["trail_kind"], p["trail_activation"], price, side, atr, 0.0)
        position.even_from = level(p["even_kind"], p["even_value"], price, side, atr, leg.risk)
        position.even = price * (1.0 + side * p["even_plus"])
        return position

    def liquidation_of(self, position: Position) -> float:
        """Where the position is liquidated, infinitely far if never."""
        return liquidation(self.p, position, self.equity) if self.p["liquidate"] and not self.alone else -position.side * INF

    def due(self, t: int, at: int) -> bool:
        """Whether the time exit is at bar `t`, at its open or its close."""
        p = self.p
        return bool(self.position and p["time_at"] == at and p["max_bars"] and t == self.position.bar + p["max_bars"])

    def gap(self, t: int) -> None:
        """An open at or beyond a level; of two levels the stop."""
        position, price = self.position, self.bars.open[t]
        if position is None or position.legs[0].first > t:
            return
        stop, reason = position.effective_stop(self.p, position.extreme)
        if position.side * (price - stop) <= 0.0:
            self.tell(t, "gap", price=price, level=stop, reason=reason)
            self.close(t, stop if self.p["gap_at_level"] else price, reason)
        elif position.touched(price):
            self.tell(t, "gap", price=price, level=position.targets[0].level, reason=k.TARGET)
            self.fill_targets(t, price, None if self.p["gap_at_level"] else price)

    def exits_inside(self, t: int, entered: int, level: float) -> None:
        """Stop and targets within the range of bar `t`; `entered` and `level` are those of a fill inside this bar."""
        p, position, bar = self.p, self.position, self.bars[t]
        assert position is not None
        extreme = position.better(bar.favourable(position.side)) if p["trail_same_bar"] and entered == k.MARKET else position.extreme
        stop, reason = position.effective_stop(p, extreme)
        found = look(p["same_bar"], entered, position.side, bar, stop)
        if self.disagree(entered, bar, stop):
            found = self.in_detail(t, entered, level, stop) or found._replace(ambiguous=True)
        position.ambiguous = position.ambiguous or found.ambiguous
        if found.stop_hit or position.touched(found.reach):
            targets = [target.level for target in position.targets[: position.touched(found.reach)]]
            self.tell(t, "inside", stop=stop, reason=reason, targets=targets, entered=entered, **found._asdict())
        if found.stop_first and found.stop_hit:
            self.close(t, stop, reason)
            return
        self.fill_targets(t, found.reach, None)
        if found.stop_hit and self.position is position:
            self.close(t, stop, reason)

    def outcome(self, found: Inside) -> tuple[int, bool]:
        """Targets filled and whether the stop then takes the rest."""
        assert self.position is not None
        if found.stop_first and found.stop_hit:
            return 0, True
        filled, left = 0, self.position.legs[0].units
        for rung in self.position.targets[: self.position.touched(found.reach)]:
            filled, left = filled + 1, left - rung.units if rung.units < left else 0.0
            if left == 0.0:
                return filled, False
        return filled, found.stop_hit

    def disagree(self, entered: int, bar: Bar, stop: float) -> bool:
        """Whether the four fixed policies differ on this bar."""
        assert self.position is not None
        side = self.position.side
        return len({self.outcome(look(policy, entered, side, bar, stop)) for policy in FIXED_POLICIES}) > 1

    def in_detail(self, t: int, entered: int, price: float, stop: float) -> Inside | None:
        """What the finer bars of bar `t` say about the order of its levels; None when they don't."""
        position, finer = self.position, self.bars.finer
        assert position is not None
        if finer is None or (entered != k.MARKET and self.p["order"] == k.STOP_LIMIT):
            return None
        side, start, end = position.side, self.bars.first[t], self.bars.first[t + 1]
        reach = -side * INF
        if entered != k.MARKET:
            falls = side if entered == k.LIMIT else -side
            edge = Bar.against if entered == k.LIMIT else Bar.favourable
            start = next((f for f in range(start, end) if falls * (edge(finer[f], side) - price) <= 0.0), end)
            if start == end:
                return None
            if falls * (finer.open[start] - price) > 0.0:  # filled inside this finer bar
                if self.disagree(entered, finer[start], stop):
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

    def fill_targets(self, t: int, reach: float, price: float | None) -> None:
        """The targets that `reach` touches fill, in their order, at `price` (None: each at its level)."""
        position = self.position
        assert position is not None
        for _ in range(position.touched(reach)):
            rung, leg = position.targets.pop(0), position.legs[0]
            fill = rung.level if price is None else price
            if not rung.units < leg.units:
                self.close(t, fill, k.TARGET)
                return
            if rung.units > 0.0:
                fees = leg.fees * (rung.units / leg.units)
                self.book(t, leg, rung.units, fees, fill, k.TARGET)
                leg.units, leg.fees = leg.units - rung.units, leg.fees - fees
                position.liquidation = self.liquidation_of(position)

    def close(self, t: int, reference: float, reason: int) -> None:
        """Close what is open at the raw price `reference`; targets are limit fills."""
        p, position = self.p, self.position
        assert position is not None
        free = reason == k.END_OF_DATA and p["end_free"]
        price = reference if reason == k.TARGET or free else slipped(p, reference, -position.side, self.at("atr", t))
        self.tell(t, "closing", reference=reference, price=price, reason=reason)
        for leg in position.legs:
            self.book(t, leg, leg.units, leg.fees, price, reason)
        self.rows += position.rows
        self.position, self.leaving = None, False
        self.positions += 1
        self.flat_until = t + p["cooldown"]
        if reason != k.SIGNAL and not p["reentry"] and not p["cooldown"]:
            self.flat_until = t + 1

    def book(self, t: int, leg: Leg, units: float, entry_fees: float, price: float, reason: int) -> None:
        """The ledger row of `units` of `leg` closed in bar `t` at `price`."""
        p, position = self.p, self.position
        assert position is not None
        side, entry = position.side, leg.price
        exit_fees = 0.0 if reason == k.END_OF_DATA and p["end_free"] else commission(p, units, price)
        accrued = ((carry(p, side) * units) * entry) * (t - leg.bar)
        pnl = (((side * units) * (price - entry) - entry_fees) - exit_fees) - accrued
        shortfall = 0.0
        if p["liquidate"] and not self.alone and pnl < -self.equity:
            shortfall, pnl = -self.equity - pnl, -self.equity
        low, high = min(leg.low, price), max(leg.high, price)
        against, favourable = (low, high) if side > 0 else (high, low)
        row = {
            "entry_bar": leg.bar,
            "exit_bar": t,
            "entry_price": entry,
            "exit_price": price,
            "side": k.LONG if side > 0 else k.SHORT,
            "units": units,
            "entry_fees": entry_fees,
            "fees": entry_fees + exit_fees,
            "accrued": accrued,
            "shortfall": shortfall,
            "pnl": pnl,
            "pnl_pct": pnl / (units * entry),
            "r_multiple": pnl / (units * leg.risk),
            "mae": min(0.0, side * (against - entry) / entry),
            "mfe": max(0.0, side * (favourable - entry) / entry),
            "reason": reason,
            "ambiguous": int(position.ambiguous),
            "position": self.positions,
            "leg": len(position.rows),
        }
        position.rows.append(row)
        self.equity += pnl
        self.tell(t, "exit", **row)

    def at(self, name: str, t: int) -> float:
        """A series of `layout.LEVELS` at bar `t`, NaN where there is none."""
        return float(self.levels[name][t]) if name in self.levels else math.nan

    def skip(self, t: int, code: int) -> None:
        """Count a signal that gave no entry."""
        self.skipped[code] += 1
        self.tell(t, "skipped", reason=k.SKIPS[code])

    def tell(self, t: int, event: str, **numbers: Any) -> None:
        """Log an event."""
        if self.log:
            self.log(t, event, numbers)


def simulate(bars: Bars, signals: Signals, levels: Levels, rungs: Sequence[Any], p: Any) -> Outcome:
    """positions=single: one net position, sized from the account."""
    run = Simulation(bars, signals, levels, rungs, p)
    for t in range(len(bars)):
        run.step(t)
    return Outcome(run.rows, marks(run.rows, bars.close, p, "single"), run.skipped)


def simulate_overlapping(bars: Bars, signals: Signals, levels: Levels, rungs: Sequence[Any], p: Any) -> Outcome:
    """positions=overlapping: every signal its own trade, sized from the starting capital; beyond `max_open` at the fill it is dropped."""
    everyone: list[Simulation] = []
    active: list[Simulation] = []
    dropped = 0
    at_open = p["order"] == k.MARKET and p["entry_at"] == k.AT_OPEN

    def full() -> bool:
        return bool(p["max_open"] and sum(one.position is not None for one in active) >= p["max_open"])

    for t in range(len(bars)):
        for one in active:
            one.exits_at_open(t)
        for one in active:
            if one.entering and full():
                one.entering, dropped = None, dropped + 1
            one.entries_at_open(t)
        for one in active:
            one.inside(t)
        for one in active:
            one.at_close(t)
        active = [one for one in active if one.position or one.order or one.entering]
        side = signals.entry(t)
        if side is not None:
            new = Simulation(bars, signals, levels, rungs, p, alone=True)
            if not at_open and p["order"] == k.MARKET and full() and t < len(bars) - 1 and not blocked(signals, t):
                dropped += 1
            else:
                new.want(t, side, adds=False)
                everyone.append(new)
                active.append(new)
    out = together(everyone, bars, p)
    out.skipped[k.MAX_OPEN] += dropped
    return out


def blocked(signals: Signals, t: int) -> bool:
    """Whether an entry at the close of bar `t` is forbidden by a calendar."""
    return signals.ends_session(t) or signals.forbids(t)


def simulate_list(bars: Bars, signals: Signals, entries: Sequence[Any], levels: Levels, rungs: Sequence[Any], p: Any) -> Outcome:
    """positions=list: each entry its own trade, sized from the starting capital. Of `signals` only the calendars count."""
    everyone = []
    for entry in entries:
        run = ListEntry(bars, signals, levels, rungs, p, alone=True)
        run.entry = entry
        run.want(entry["bar"], 1 if entry["side"] == k.LONG else -1, adds=False)
        for t in range(entry["bar"] + 1, len(bars)):
            if not (run.position or run.order or run.entering):
                break
            run.step(t)
        everyone.append(run)
    return together(everyone, bars, p)


class ListEntry(Simulation):
    """A row of a table of entries, with its own levels and size."""

    entry: Any = None

    def fill(self, t: int, signal: int, side: int, reference: float, order: int, inside: bool = False, entry: Any = None) -> None:
        """With the row's levels."""
        super().fill(t, signal, side, reference, order, inside, self.entry)


def together(everyone: Sequence[Simulation], bars: Bars, p: Any) -> Outcome:
    """The ledger of trades that run side by side: positions numbered by entry bar, then in the order of their signals."""
    out = Outcome()
    for number, one in enumerate(sorted((one for one in everyone if one.rows), key=lambda one: one.rows[0]["entry_bar"])):
        out.trades += [row | {"position": number} for row in one.rows]
    for one in everyone:
        out.skipped = [a + b for a, b in zip(out.skipped, one.skipped, strict=True)]
    out.equity = list_equity(out.trades, bars, p["capital"])
    return out


def list_equity(trades: Sequence[dict[str, Any]], bars: Bars, capital: float) -> list[float]:
    """Equity at every close of trades that run side by side."""
    return marks(trades, bars.close, {"capital": capital}, "list")
