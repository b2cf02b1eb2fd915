"""The simulation contract in plain Python, one loop a bar. This is the specification: a backend is right when its ledger equals this one.

Everything is a Python float (IEEE double, no contraction); `docs/semantics.md` has the rules in words, in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gpubt.simulate import layout as k

INF = math.inf


@dataclass
class Bars:
    """Plain lists of prices, a bar each."""

    open: Sequence[float]
    high: Sequence[float]
    low: Sequence[float]
    close: Sequence[float]

    def __len__(self) -> int:
        return len(self.close)


@dataclass
class Signals:
    """Four rules, a truth value each bar; entries are effective (see `strategy/compile.py`)."""

    long_entry: Sequence[bool]
    long_exit: Sequence[bool]
    short_entry: Sequence[bool]
    short_exit: Sequence[bool]

    def entry(self, t: int) -> int | None:
        """The side (+1 or -1) that wants in at the close of bar `t`, or None."""
        return 1 if self.long_entry[t] else -1 if self.short_entry[t] else None

    def exit(self, side: int, t: int) -> bool:
        """Whether a position on `side` wants out at the close of bar `t`."""
        return bool(self.long_exit[t] if side > 0 else self.short_exit[t])


@dataclass
class Position:
    """An open trade; `stop` and `target` are infinite when there is none."""

    side: int  # +1 long, -1 short
    bar: int
    price: float
    units: float
    fees: float
    stop: float
    target: float
    risk: float  # R: entry price to the initial stop, NaN without one
    exposed: int  # first bar whose range can touch a level
    trail: float = 0.0  # distance of the trailing stop from the extreme: a fraction or a price, as `trail_kind` says
    trail_from: float = 0.0  # the extreme from which on it trails
    even_from: float = 0.0  # the extreme from which on the stop is at break-even, infinite for never
    even: float = 0.0  # the stop then
    extreme: float = 0.0  # best price of the exposed bars before this one, and the entry price
    lowest: float = INF
    highest: float = -INF

    def mark(self, equity: float, close: float) -> float:
        """Equity with this position at `close`, `equity` being that before the entry."""
        return (equity - self.fees) + (self.side * self.units) * (close - self.price)

    def see(self, bars: Bars, t: int) -> None:
        """A bar that the position was open through: its range counts for the excursions."""
        self.lowest, self.highest = min(self.lowest, bars.low[t]), max(self.highest, bars.high[t])
        best = bars.high[t] if self.side > 0 else bars.low[t]
        self.extreme = best if self.side * (best - self.extreme) > 0.0 else self.extreme

    def effective_stop(self, p: Any) -> tuple[float, int]:
        """The nearest of the initial, break-even and trailing stop, and its reason; on a tie the earlier of these."""
        stop, reason = self.stop, k.STOP
        if self.side * (self.extreme - self.even_from) >= 0.0 and self.side * (self.even - stop) > 0.0:
            stop, reason = self.even, k.BREAK_EVEN
        if p["trail_kind"] != k.NONE and self.side * (self.extreme - self.trail_from) >= 0.0:
            pct = p["trail_kind"] == k.PCT
            trailing = self.extreme * (1.0 - self.side * self.trail) if pct else self.extreme - self.side * self.trail
            if self.side * (trailing - stop) > 0.0:
                stop, reason = trailing, k.TRAILING
        return stop, reason


class Exit(NamedTuple):
    """How a position leaves."""

    price: float  # the reference price, before slippage
    reason: int
    ambiguous: bool = False


@dataclass
class Outcome:
    """Trades as dictionaries of `layout.TRADE` fields, equity at the close of each bar, and counts by `layout.SKIPS`."""

    trades: list[dict[str, Any]] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)
    skipped: list[int] = field(default_factory=lambda: [0] * len(k.SKIPS))


def fees(p: Any, units: float, price: float) -> float:
    """Commission of one fill in cash."""
    charge: float = (p["commission_rate"] * (units * price) + p["commission_per_unit"] * units) + p["commission_fixed"]
    return float(p["commission_minimum"]) if charge < p["commission_minimum"] else charge


def slipped(p: Any, reference: float, direction: int) -> float:
    """The fill of a market or stop order that buys (+1) or sells (-1) at `reference`."""
    return float(reference + direction * (reference * p["slippage_rate"]))


def size(p: Any, equity: float, price: float, capped: bool) -> float:
    """Units of a new position, before lots are a matter of price."""
    if p["size_kind"] == k.PERCENT_EQUITY:
        budget = p["size_value"] * equity
        units = (budget - p["commission_fixed"]) / (price * (1.0 + p["commission_rate"]) + p["commission_per_unit"])
        if (p["commission_rate"] * (units * price) + p["commission_per_unit"] * units) + p["commission_fixed"] < p["commission_minimum"]:
            units = (budget - p["commission_minimum"]) / price
    elif p["size_kind"] == k.FIXED_UNITS:
        units = p["size_value"]
    else:
        units = p["size_value"] / price
    return capped_and_rounded(p, units, equity, price, capped)


def capped_and_rounded(p: Any, units: float, equity: float, price: float, capped: bool) -> float:
    """At most the leverage allows, then whole lots."""
    cap = (p["max_leverage"] * equity) / price
    if capped and units > cap:
        units = cap
    if p["lot"] > 0.0:
        lots = math.floor(units / p["lot"])
        if (lots + 1.0) * p["lot"] <= units:
            lots += 1
        units = lots * p["lot"]
    return units


def level(kind: int, value: float, anchor: float, direction: int, atr: float, risk: float) -> float:
    """The price of a stop (`direction` against the position) or target (with it); infinite on that side without one."""
    if kind == k.NONE:
        return direction * INF
    if kind == k.PRICE:
        return value
    if kind == k.PCT:
        return anchor * (1.0 + direction * value)
    distance = value * atr if kind == k.ATR else value * risk if kind == k.R_MULTIPLE else value
    return anchor + direction * distance


def enter(
    p: Any, entry: Any, side: int, bar: int, reference: float, close: float, atr: float, equity: float, checked: bool = True
) -> Position | int:
    """The position that a market order opens at `reference` (raw price) in `bar`, or the `layout.SKIPS` code that says why none.

    `entry` has the levels' kinds and values (an ENTRY record, with its own `size`, or the parameters); `close` and `atr` are the signal
    bar's. `checked`: the leverage cap applies.
    """
    if not equity > 0.0:
        return k.NO_EQUITY
    if k.ATR in (entry["stop_kind"], entry["target_kind"], p["trail_kind"], p["even_kind"]) and math.isnan(atr):
        return k.NAN_LEVEL
    price = slipped(p, reference, side)
    anchor = price if p["anchor"] == k.ANCHOR_FILL else close
    stop = level(entry["stop_kind"], entry["stop_value"], anchor, -side, atr, 0.0)
    if entry["stop_kind"] != k.NONE and not side * (price - stop) > 0.0:
        return k.WRONG_SIDE
    target = level(entry["target_kind"], entry["target_value"], anchor, side, atr, side * (anchor - stop))
    own = entry.get("size", math.nan)
    units = size(p, equity, price, checked) if math.isnan(own) else capped_and_rounded(p, own, equity, price, checked)
    if not units > 0.0:
        return k.ZERO_SIZE
    risk = math.nan if entry["stop_kind"] == k.NONE else side * (price - stop)
    first = bar if p["entry_at"] == k.AT_OPEN else bar + 1
    position = Position(side, bar, price, units, fees(p, units, price), stop, target, risk, first, extreme=price)
    position.trail = p["trail_value"] * atr if p["trail_kind"] == k.ATR else p["trail_value"]
    position.trail_from = level(p["trail_kind"], p["trail_activation"], price, side, atr, 0.0)
    position.even_from = level(p["even_kind"], p["even_value"], price, side, atr, risk)
    position.even = price * (1.0 + side * p["even_plus"])
    return position


def gap(position: Position, p: Any, bars: Bars, t: int) -> Exit | None:
    """An open at or beyond a level; of two levels the stop."""
    o, side = bars.open[t], position.side
    stop, reason = position.effective_stop(p)
    if side * (o - stop) <= 0.0:
        return Exit(o, reason)
    return Exit(o, k.TARGET) if side * (o - position.target) >= 0.0 else None


def inside(position: Position, p: Any, bars: Bars, t: int) -> Exit | None:
    """Stop or target within the range of bar `t`; both as `same_bar` says."""
    o, h, lo, side = bars.open[t], bars.high[t], bars.low[t], position.side
    stop, reason = position.effective_stop(p)
    against, favourable = (lo, h) if side > 0 else (h, lo)
    hit_stop = side * (against - stop) <= 0.0
    hit_target = side * (favourable - position.target) >= 0.0
    both = hit_stop and hit_target
    if hit_stop and (not both or stop_comes_first(p["same_bar"], side, o, h, lo)):
        return Exit(stop, reason, both)
    return Exit(position.target, k.TARGET, both) if hit_target else None


def touched(position: Position, p: Any, bars: Bars, t: int) -> Exit | None:
    """Stop or target in bar `t`: a gap at the open, then inside."""
    return gap(position, p, bars, t) or inside(position, p, bars, t)


def stop_comes_first(policy: int, side: int, o: float, h: float, lo: float) -> bool:
    """Which of stop and target, both inside the bar, counts as first: a long position's stop is at the low, a short one's at the high."""
    if policy in (k.STOP_FIRST, k.TARGET_FIRST):
        return policy == k.STOP_FIRST
    if policy == k.ADAPTIVE:
        if h - o == o - lo:
            return True
        high_first = h - o < o - lo
    else:
        high_first = policy == k.OHLC
    return high_first if side < 0 else not high_first


def close_trade(p: Any, position: Position, bars: Bars, t: int, out: Exit) -> dict[str, Any]:
    """The ledger row of `position` closed in bar `t`; limit fills (targets) are never moved by slippage."""
    side, entry, units = position.side, position.price, position.units
    price = out.price if out.reason == k.TARGET else slipped(p, out.price, -side)
    exit_fees = fees(p, units, price)
    pnl = ((side * units) * (price - entry) - position.fees) - exit_fees
    lowest, highest = min(position.lowest, price), max(position.highest, price)
    against, favourable = (lowest, highest) if side > 0 else (highest, lowest)
    return {
        "entry_bar": position.bar,
        "exit_bar": t,
        "entry_price": entry,
        "exit_price": price,
        "side": k.LONG if side > 0 else k.SHORT,
        "units": units,
        "entry_fees": position.fees,
        "fees": position.fees + exit_fees,
        "pnl": pnl,
        "pnl_pct": pnl / (units * entry),
        "r_multiple": pnl / (units * position.risk),
        "mae": min(0.0, side * (against - entry) / entry),
        "mfe": max(0.0, side * (favourable - entry) / entry),
        "reason": out.reason,
        "ambiguous": int(out.ambiguous),
    }


def simulate(bars: Bars, signals: Signals, atr: Sequence[float], p: Any) -> Outcome:
    """positions=single: one net position, sized from the account, by the order of events that the contract gives for a bar."""
    out, equity, n = Outcome(), p["capital"], len(bars)
    position: Position | None = None
    flat_until = 0  # no signal before this bar acts
    leaving = False  # an exit signal or a reversal was decided at the close before
    entering: int | None = None  # the side of a market order for this open
    at_open = p["entry_at"] == k.AT_OPEN

    def leave(t: int, exit: Exit) -> None:
        nonlocal position, equity, flat_until
        assert position is not None
        trade = close_trade(p, position, bars, t, exit)
        out.trades.append(trade)
        equity, position, flat_until = equity + trade["pnl"], None, t + p["cooldown"]

    def open_at(t: int, signal: int, side: int, reference: float) -> None:
        nonlocal position
        got = enter(p, p, side, t, reference, bars.close[signal], atr[signal], equity)
        if isinstance(got, Position):
            position = got
        else:
            out.skipped[got] += 1

    for t in range(n):
        # 1. at the open: what was decided on the bar before
        if position and leaving:
            leave(t, Exit(bars.open[t], k.SIGNAL))
        elif position and p["time_at"] == k.AT_OPEN and p["max_bars"] and t == position.bar + p["max_bars"]:
            leave(t, Exit(bars.open[t], k.TIME))
        if entering is not None:
            open_at(t, t - 1, entering, bars.open[t])
        leaving, entering = False, None
        # 2. inside the bar
        if position:
            hit = touched(position, p, bars, t)
            if hit:
                leave(t, hit)
        # 3. at the close
        consumed = False
        if position:
            opposite = signals.entry(t) == -position.side and t < n - 1
            exits = signals.exit(position.side, t) or (opposite and p["on_opposite"] == k.CLOSE)
            reverses = opposite and p["on_opposite"] == k.REVERSE
            if (exits and p["exit_at"] == k.AT_CLOSE) or (reverses and not at_open):
                consumed = opposite and p["on_opposite"] == k.CLOSE
                leave(t, Exit(bars.close[t], k.SIGNAL))
            elif p["time_at"] == k.AT_CLOSE and p["max_bars"] and t == position.bar + p["max_bars"]:
                leave(t, Exit(bars.close[t], k.TIME))
            elif t == n - 1:
                leave(t, Exit(bars.close[t], k.END_OF_DATA))
            else:
                leaving = exits or reverses
                entering = -position.side if reverses and not p["cooldown"] else None
                position.see(bars, t)
        side = signals.entry(t)
        if position is None and side is not None and not consumed and t >= flat_until:
            if t == n - 1:
                out.skipped[k.AT_END] += 1
            elif at_open:
                entering = side
            else:
                open_at(t, t, side, bars.close[t])
        out.equity.append(position.mark(equity, bars.close[t]) if position else equity)
    return out


def simulate_overlapping(bars: Bars, signals: Signals, atr: Sequence[float], p: Any) -> Outcome:
    """positions=overlapping: every signal its own trade, sized from the starting capital; beyond `max_open` at the fill it is dropped."""
    out, n, at_open = Outcome(), len(bars), p["entry_at"] == k.AT_OPEN
    open_: list[tuple[int, Position]] = []  # with the number of the trade
    closed: dict[int, dict[str, Any]] = {}
    leaving: set[int] = set()  # trades whose exit was decided at the close before
    entering: int | None = None
    number = 0

    def leave(t: int, exits: dict[int, Exit]) -> None:
        nonlocal open_
        closed.update({i: close_trade(p, position, bars, t, exits[i]) for i, position in open_ if i in exits})
        open_ = [(i, position) for i, position in open_ if i not in exits]

    def open_at(t: int, signal: int, side: int, reference: float) -> None:
        nonlocal number
        if p["max_open"] and len(open_) >= p["max_open"]:
            out.skipped[k.MAX_OPEN] += 1
            return
        got = enter(p, p, side, t, reference, bars.close[signal], atr[signal], p["capital"], checked=False)
        if isinstance(got, Position):
            open_.append((number, got))
            number += 1
        else:
            out.skipped[got] += 1

    def decided(t: int, position: Position, at: int) -> bool:
        """Whether the signals of bar `t` end the trade at the close (`at` AT_CLOSE) or at the next open."""
        opposite = signals.entry(t) == -position.side and t < n - 1 and p["on_opposite"] == k.REVERSE
        return (signals.exit(position.side, t) and p["exit_at"] == at) or (opposite and p["entry_at"] == at)

    def due(position: Position, t: int, at: int) -> bool:
        return bool(p["time_at"] == at and p["max_bars"] and t == position.bar + p["max_bars"])

    for t in range(n):
        # 1. at the open: decided exits, time, gaps; then the entry
        leave(t, {i: Exit(bars.open[t], k.SIGNAL) for i, _ in open_ if i in leaving})
        leave(t, {i: Exit(bars.open[t], k.TIME) for i, position in open_ if due(position, t, k.AT_OPEN)})
        leave(t, {i: found for i, position in open_ if (found := gap(position, p, bars, t))})
        if entering is not None:
            open_at(t, t - 1, entering, bars.open[t])
        # 2. inside the bar; a new trade first by a gap against its own open
        leave(t, {i: found for i, position in open_ if (found := touched(position, p, bars, t))})
        # 3. at the close
        leave(t, {i: Exit(bars.close[t], k.SIGNAL) for i, position in open_ if decided(t, position, k.AT_CLOSE)})
        leave(t, {i: Exit(bars.close[t], k.TIME) for i, position in open_ if due(position, t, k.AT_CLOSE)})
        if t == n - 1:
            leave(t, {i: Exit(bars.close[t], k.END_OF_DATA) for i, _ in open_})
        leaving = {i for i, position in open_ if decided(t, position, k.AT_OPEN)}
        for _, position in open_:
            position.see(bars, t)
        side, entering = signals.entry(t), None
        if side is not None:
            if t == n - 1:
                out.skipped[k.AT_END] += 1
            elif at_open:
                entering = side
            else:
                open_at(t, t, side, bars.close[t])
    out.trades = [closed[i] for i in range(number)]
    out.equity = list_equity(out.trades, bars, p["capital"])
    return out


def simulate_list(bars: Bars, entries: Sequence[Any], atr: Sequence[float], p: Any) -> Outcome:
    """positions=list: each entry its own trade, sized from the starting capital; rows in the order of entry bar, then of the table."""
    out, n = Outcome(), len(bars)
    for entry in entries:
        side, signal = (1 if entry["side"] == k.LONG else -1), entry["bar"]
        if signal >= n - 1:
            out.skipped[k.AT_END] += 1
            continue
        first = signal + 1 if p["entry_at"] == k.AT_OPEN else signal
        reference = bars.open[first] if p["entry_at"] == k.AT_OPEN else bars.close[first]
        position = enter(p, entry, side, first, reference, bars.close[signal], atr[signal], p["capital"], checked=False)
        if isinstance(position, Position):
            out.trades.append(run_alone(p, position, bars))
        else:
            out.skipped[position] += 1
    out.equity = list_equity(out.trades, bars, p["capital"])
    return out


def run_alone(p: Any, position: Position, bars: Bars) -> dict[str, Any]:
    """One trade of a list from its first exposed bar to its exit: stop, target, time or the end of data."""
    deadline = position.bar + p["max_bars"] if p["max_bars"] else len(bars)
    for t in range(position.exposed, len(bars)):
        if p["time_at"] == k.AT_OPEN and t == deadline:
            return close_trade(p, position, bars, t, Exit(bars.open[t], k.TIME))
        hit = touched(position, p, bars, t)
        if hit:
            return close_trade(p, position, bars, t, hit)
        if p["time_at"] == k.AT_CLOSE and t == deadline:
            return close_trade(p, position, bars, t, Exit(bars.close[t], k.TIME))
        if t < len(bars) - 1:
            position.see(bars, t)
    return close_trade(p, position, bars, len(bars) - 1, Exit(bars.close[-1], k.END_OF_DATA))


def list_equity(trades: Sequence[dict[str, Any]], bars: Bars, capital: float) -> list[float]:
    """`P + Q * close`, both updated fill by fill: by bar, exits before entries, then position; flat means exactly no units."""
    fills = sorted([(t["exit_bar"], 0, i) for i, t in enumerate(trades)] + [(t["entry_bar"], 1, i) for i, t in enumerate(trades)])
    cash, units, held, at, equity = capital, 0.0, 0, 0, []
    for bar in range(len(bars)):
        while at < len(fills) and fills[at][0] == bar:
            _, entering, i = fills[at]
            trade = trades[i]
            signed = (1 if trade["side"] == k.LONG else -1) * trade["units"]
            if entering:
                cash, units, held = (cash - signed * trade["entry_price"]) - trade["entry_fees"], units + signed, held + 1
            else:
                cash = (cash + signed * trade["exit_price"]) - (trade["fees"] - trade["entry_fees"])
                units, held = units - signed, held - 1
            at += 1
        if held == 0:
            units = 0.0
        equity.append(cash + units * (bars.close[bar] - 0.0))
    return equity
