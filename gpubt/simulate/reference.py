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
from gpubt.simulate.reference_account import Account
from gpubt.simulate.reference_inside import disagree, in_detail, look
from gpubt.simulate.reference_orders import INF, Bar, Bars, Levels, Resting, level

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


class Entering(NamedTuple):
    """A market order for the next open; `adds`: to the open position."""

    side: int
    signal: int
    adds: bool


class Simulation(Account):
    """One account over `bars`: `step` plays a bar in the order that the contract gives. `alone` and `log` are the account's."""

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
        super().__init__(bars, levels, rungs, p, alone, log)
        self.signals = signals
        self.order: Resting | None = None
        self.entering: Entering | None = None

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
        if disagree(position, entered, bar, stop):
            found = in_detail(self.bars, p, position, t, entered, level, stop) or found._replace(ambiguous=True)
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
