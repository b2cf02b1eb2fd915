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
    lowest: float = INF
    highest: float = -INF

    def mark(self, equity: float, close: float) -> float:
        """Equity with this position at `close`, `equity` being that before the entry."""
        return (equity - self.fees) + (self.side * self.units) * (close - self.price)

    def see(self, bars: Bars, t: int) -> None:
        """A bar that the position was open through: its range counts for the excursions."""
        self.lowest, self.highest = min(self.lowest, bars.low[t]), max(self.highest, bars.high[t])


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


def enter(p: Any, entry: Any, side: int, bar: int, reference: float, close: float, atr: float, equity: float) -> Position | int:
    """The position that a market order opens at `reference` (raw price) in `bar`, or the `layout.SKIPS` code that says why none.

    `entry` has the levels' kinds and values and `size` (an ENTRY record, or the parameters); `close` and `atr` are the signal bar's.
    """
    single = "size" not in entry
    if not equity > 0.0:
        return k.NO_EQUITY
    if (entry["stop_kind"] == k.ATR or entry["target_kind"] == k.ATR) and math.isnan(atr):
        return k.NAN_LEVEL
    price = slipped(p, reference, side)
    anchor = price if p["anchor"] == k.ANCHOR_FILL else close
    stop = level(entry["stop_kind"], entry["stop_value"], anchor, -side, atr, 0.0)
    if entry["stop_kind"] != k.NONE and not side * (price - stop) > 0.0:
        return k.WRONG_SIDE
    target = level(entry["target_kind"], entry["target_value"], anchor, side, atr, side * (anchor - stop))
    if single or math.isnan(entry["size"]):
        units = size(p, equity, price, capped=single)
    else:
        units = capped_and_rounded(p, entry["size"], equity, price, capped=False)
    if not units > 0.0:
        return k.ZERO_SIZE
    risk = math.nan if entry["stop_kind"] == k.NONE else side * (price - stop)
    at_open = p["entry_at"] == k.AT_OPEN
    return Position(side, bar, price, units, fees(p, units, price), stop, target, risk, bar if at_open else bar + 1)


def touched(position: Position, p: Any, bars: Bars, t: int) -> Exit | None:
    """Stop or target in bar `t`: a gap at the open, then inside; both inside as `same_bar` says."""
    o, h, lo, side = bars.open[t], bars.high[t], bars.low[t], position.side
    if side * (o - position.stop) <= 0.0:
        return Exit(o, k.STOP)
    if side * (o - position.target) >= 0.0:
        return Exit(o, k.TARGET)
    against, favourable = (lo, h) if side > 0 else (h, lo)
    stop = side * (against - position.stop) <= 0.0
    target = side * (favourable - position.target) >= 0.0
    if stop and target:
        first = stop_comes_first(p["same_bar"], side, o, h, lo)
        return Exit(position.stop, k.STOP, True) if first else Exit(position.target, k.TARGET, True)
    return Exit(position.stop, k.STOP) if stop else Exit(position.target, k.TARGET) if target else None


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
    leaving = False  # an exit signal or a reversal was decided at the close before
    entering: int | None = None  # the side of a market order for this open
    at_open = p["entry_at"] == k.AT_OPEN

    def leave(t: int, exit: Exit) -> None:
        nonlocal position, equity
        assert position is not None
        trade = close_trade(p, position, bars, t, exit)
        out.trades.append(trade)
        equity, position = equity + trade["pnl"], None

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
                entering = -position.side if reverses else None
                position.see(bars, t)
        side = signals.entry(t)
        if position is None and side is not None and not consumed:
            if t == n - 1:
                out.skipped[k.AT_END] += 1
            elif at_open:
                entering = side
            else:
                open_at(t, t, side, bars.close[t])
        out.equity.append(position.mark(equity, bars.close[t]) if position else equity)
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
        position = enter(p, entry, side, first, reference, bars.close[signal], atr[signal], p["capital"])
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
