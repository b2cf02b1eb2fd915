"""The open position in numba: prices, sizes and levels of an entry, the effective stop, targets, ledger rows.

Formulas and names are those of `simulate/reference_orders.py` and `simulate/reference.py`, in the same order of evaluation.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gpubt.backends.kernels.bits import INNER, increment, read, record_reader
from gpubt.backends.kernels.market import INF, extremes, optional
from gpubt.simulate import layout as k

# One account and its position. The first leg is in it; further legs (pyramiding) wait in the ledger rows that they will become.
STATE = np.dtype(
    [
        *((name, "f8") for name in ("equity", "price", "units", "fees", "initial_units", "risk", "stop", "target", "liquidation")),
        *((name, "f8") for name in ("trail", "trail_from", "even_from", "even", "extreme", "anchor", "atr", "distance", "own_target")),
        *((name, "f8") for name in ("order_level", "order_limit", "lowest", "highest")),
        *((name, "i8") for name in ("alone", "side", "entry_bar", "first", "inside", "legs", "rung", "targets", "laddered", "ambiguous")),
        *((name, "i8") for name in ("row", "closed", "positions", "left_at", "leaving", "flat_until")),
        *((name, "i8") for name in ("entering", "entering_signal", "adds", "order_side", "order_signal", "order_last", "armed")),
        *((name, "i8") for name in ("next_long_entry", "next_long_exit", "next_short_entry", "next_short_exit", "next_session")),
        *((name, "u8") for name in ("ledger", "skipped", "rungs")),  # addresses
    ]
)
trade_at, rung_at, entry_at = record_reader(k.TRADE), record_reader(k.RUNG), record_reader(k.ENTRY)


@njit(**INNER)
def charge(p, units, price):
    """Commission of one fill, before the minimum."""
    return (p.commission_rate * (units * price) + p.commission_per_unit * units) + p.commission_fixed


@njit(**INNER)
def commission(p, units, price):
    cash = charge(p, units, price)
    return p.commission_minimum if cash < p.commission_minimum else cash


@njit(**INNER)
def slipped(x, p, reference, direction, t):
    distance = reference * p.slippage_rate + p.slippage_points
    if p.slippage_atr != 0.0:
        distance = distance + p.slippage_atr * optional(x.atr, t)
    return reference + direction * distance


@njit(**INNER)
def sized(p, equity, price, distance):
    """Units as `sizing` says, before cap and lot."""
    if p.size_kind == k.PERCENT_EQUITY:
        budget = p.size_value * equity
        units = (budget - p.commission_fixed) / (price * (1.0 + p.commission_rate) + p.commission_per_unit)
        if charge(p, units, price) < p.commission_minimum:
            units = (budget - p.commission_minimum) / price
        return units
    if p.size_kind == k.FIXED_UNITS:
        return p.size_value
    if p.size_kind == k.FIXED_CASH:
        return p.size_value / price
    return (p.size_value * equity) / distance


@njit(**INNER)
def lots(p, units):
    if p.lot <= 0.0:
        return units
    count = np.floor(units / p.lot)
    if (count + 1.0) * p.lot <= units:
        count += 1.0
    return count * p.lot


@njit(**INNER)
def level(kind, given, anchor, direction, atr, risk, rule):
    if kind == k.NONE:
        return direction * INF
    if kind == k.PRICE:
        return given
    if kind == k.RULE:
        return rule
    if kind == k.PCT:
        return anchor * (1.0 + direction * given)
    distance = given * atr if kind == k.ATR else given * risk if kind == k.R_MULTIPLE else given
    return anchor + direction * distance


@njit(**INNER)
def carry(p, side):
    return p.carry_long if side > 0 else p.carry_short


@njit(**INNER)
def mark(p, s, price, t):
    """Equity with the position at `price` in bar `t`."""
    side, rate = s.side, carry(p, s.side)
    fees = 0.0 + s.fees
    units = 0.0 + side * s.units
    shift = 0.0 + (side * s.units) * (s.price - s.price)
    slope = 0.0 + (rate * s.units) * s.price
    late = 0.0 + ((rate * s.units) * s.price) * (s.entry_bar - s.entry_bar)
    for j in range(1, s.legs):
        leg = trade_at(s.ledger, s.row + j)
        fees += leg.entry_fees
        units += side * leg.units
        shift += (side * leg.units) * (leg.entry_price - s.price)
        slope += (rate * leg.units) * leg.entry_price
        late += ((rate * leg.units) * leg.entry_price) * (leg.entry_bar - s.entry_bar)
    return (((s.equity - fees) - shift) + units * (price - s.price)) - (slope * (t - s.entry_bar) - late)


@njit(**INNER)
def held(s):
    """Units of all legs."""
    total = 0.0 + s.units
    for j in range(1, s.legs):
        total += trade_at(s.ledger, s.row + j).units
    return total


@njit(**INNER)
def set_liquidation(p, s):
    if p.liquidate == 0 or s.alone != 0:
        s.liquidation = -s.side * INF
        return
    units, cost, fees = 0.0 + s.units, 0.0 + s.units * s.price, 0.0 + s.fees
    for j in range(1, s.legs):
        leg = trade_at(s.ledger, s.row + j)
        units += leg.units
        cost += leg.units * leg.entry_price
        fees += leg.entry_fees
    own = s.equity - fees
    if s.side > 0:
        s.liquidation = (cost - own) / (units * (1.0 - p.maintenance))
    else:
        s.liquidation = (cost + own) / (units * (1.0 + p.maintenance))


@njit(**INNER)
def effective_stop(p, s, extreme):
    """The nearest of initial, break-even, trailing stop and liquidation when the best price so far is `extreme`; monotone in it."""
    return trailed_stop(p, s, extreme, extreme)


@njit(**INNER)
def trailed_stop(p, s, extreme, trailing_extreme):
    """The same with the trailing stop's own best price."""
    side, stop, reason = s.side, s.stop, k.STOP
    if side * (extreme - s.even_from) >= 0.0 and side * (s.even - stop) > 0.0:
        stop, reason = s.even, k.BREAK_EVEN
    if p.trail_kind != k.NONE and side * (trailing_extreme - s.trail_from) >= 0.0:
        trailing = trailing_extreme * (1.0 - side * s.trail) if p.trail_kind == k.PCT else trailing_extreme - side * s.trail
        if side * (trailing - stop) > 0.0:
            stop, reason = trailing, k.TRAILING
    if side * (s.liquidation - stop) > 0.0:
        stop, reason = s.liquidation, k.LIQUIDATION
    return stop, reason


@njit(**INNER)
def better(s, price):
    """The extreme with `price` in it."""
    return price if s.side * (price - s.extreme) > 0.0 else s.extreme


@njit(**INNER)
def target_at(s, i):
    """The level of target `i`."""
    if s.laddered == 0:
        return s.own_target
    return level(rung_at(s.rungs, i).kind, rung_at(s.rungs, i).value, s.anchor, s.side, s.atr, s.distance, np.nan)


@njit(**INNER)
def target_units(p, s, i):
    """What target `i` closes; infinite: everything."""
    if s.laddered == 0 or rung_at(s.rungs, i).rest != 0.0:
        return INF
    return lots(p, rung_at(s.rungs, i).share * s.initial_units)


@njit(**INNER)
def next_target(s):
    s.target = target_at(s, s.rung) if s.rung < s.targets else s.side * INF


@njit(**INNER)
def touched(s, reach):
    """How many of the targets a price reaches, in their order."""
    i = s.rung
    while i < s.targets and s.side * (reach - target_at(s, i)) >= 0.0:
        i += 1
    return i - s.rung


@njit(**INNER)
def skip(s, code):
    increment(s.skipped, code)


@njit(**INNER)
def fill(x, p, entry, s, t, signal, side, reference, order, inside):
    """Open a position, or add to it, at the raw price `reference` in bar `t`; a skip is counted when that can't be."""
    adds = s.side != 0
    equity = mark(p, s, reference, t) if adds else s.equity
    if not equity > 0.0:
        return skip(s, k.NO_EQUITY)
    price = slipped(x, p, reference, side, t) if order == k.MARKET or order == k.STOP_ORDER else reference
    if not adds and not set_levels(x, p, entry, s, side, signal, price):
        return skip(s, k.NAN_LEVEL)
    if np.isnan(price):
        return skip(s, k.NAN_LEVEL)
    has_stop, distance = entry.stop_kind != k.NONE, side * (price - s.stop)
    if has_stop and p.size_kind == k.RISK_PERCENT and price == s.stop:
        return skip(s, k.ZERO_RISK)
    if has_stop and not distance > 0.0 and p.beyond_stop == 0:
        return skip(s, k.WRONG_SIDE)
    units = sized(p, equity, price, distance) if np.isnan(entry.size) else entry.size
    cap = (p.max_leverage * equity) / price - (held(s) if adds else 0.0)
    if s.alone == 0 and units > cap:
        units = cap
    units = lots(p, units)
    if not units > 0.0:
        return skip(s, k.ZERO_SIZE)
    risk = distance if has_stop and distance > 0.0 else np.nan
    if adds:
        leg = trade_at(s.ledger, s.row + s.legs)
        leg.entry_price, leg.units, leg.entry_fees, leg.entry_bar, leg.r_multiple = price, units, commission(p, units, price), t, risk
        s.legs += 1
    else:
        at_open = inside == 0 and not (p.order == k.MARKET and p.entry_at == k.AT_CLOSE)
        s.first = t if at_open and p.exposed_later == 0 else t + 1
        s.side, s.entry_bar, s.inside, s.legs, s.closed, s.ambiguous = side, t, inside, 1, 0, 0
        s.price, s.units, s.initial_units, s.fees, s.risk, s.extreme = price, units, units, commission(p, units, price), risk, price
        s.trail = p.trail_value * s.atr if p.trail_kind == k.ATR else p.trail_value
        s.trail_from = level(p.trail_kind, p.trail_activation, price, side, s.atr, 0.0, np.nan)
        s.even_from = level(p.even_kind, p.even_value, price, side, s.atr, risk, np.nan)
        s.even = price * (1.0 + side * p.even_plus)
        s.rung, s.lowest, s.highest = 0, INF, -INF
        next_target(s)
    set_liquidation(p, s)


@njit(**INNER)
def set_levels(x, p, entry, s, side, signal, price):
    """Anchor, initial stop and targets of an entry at `price`; False when one of them, or ATR where it is needed, is NaN.

    `s.side` is not set yet; a level's direction comes from `side`."""
    atr = optional(x.atr, signal)
    s.atr, s.anchor = atr, price if p.anchor == k.ANCHOR_FILL else read(x.close, signal)
    s.laddered = 1 if entry.target_kind == k.NONE and p.rungs > 0 else 0
    s.targets = p.rungs if s.laddered != 0 else 1 if entry.target_kind != k.NONE else 0
    needs_atr = entry.stop_kind == k.ATR or p.trail_kind == k.ATR or p.even_kind == k.ATR or entry.target_kind == k.ATR
    if s.laddered != 0:
        for i in range(p.rungs):
            needs_atr |= rung_at(s.rungs, i).kind == k.ATR
    if needs_atr and np.isnan(atr):
        return False
    rule = optional(x.long_stop if side > 0 else x.short_stop, signal) if entry.stop_kind == k.RULE else np.nan
    s.stop = level(entry.stop_kind, entry.stop_value, s.anchor, -side, atr, 0.0, rule)
    s.distance = side * (s.anchor - s.stop)
    if np.isnan(s.stop):
        return False
    if s.laddered != 0:
        wrong = False
        for i in range(p.rungs):
            wrong |= np.isnan(level(rung_at(s.rungs, i).kind, rung_at(s.rungs, i).value, s.anchor, side, atr, s.distance, np.nan))
        return not wrong
    rule = optional(x.long_target if side > 0 else x.short_target, signal) if entry.target_kind == k.RULE else np.nan
    s.own_target = level(entry.target_kind, entry.target_value, s.anchor, side, atr, s.distance, rule)
    return not np.isnan(s.own_target)


@njit(**INNER)
def book(p, s, row, t, units, entry_fees, entry, entry_bar, lowest, highest, risk, price, reason):
    """Write the ledger row of `units` of a leg closed in bar `t` at `price`, and realise its pnl. `lowest` and `highest` are the extremes
    of the bars that it was open through."""
    side = s.side
    exit_fees = 0.0 if reason == k.END_OF_DATA and p.end_free != 0 else commission(p, units, price)
    accrued = ((carry(p, side) * units) * entry) * (t - entry_bar)
    pnl = (((side * units) * (price - entry) - entry_fees) - exit_fees) - accrued
    shortfall = 0.0
    if p.liquidate != 0 and s.alone == 0 and pnl < -s.equity:
        shortfall, pnl = -s.equity - pnl, -s.equity
    lowest = price if price < lowest else lowest
    highest = price if price > highest else highest
    against, favourable = (lowest, highest) if side > 0 else (highest, lowest)
    mae = side * (against - entry) / entry
    mfe = side * (favourable - entry) / entry
    row.entry_bar, row.exit_bar = entry_bar, t
    row.entry_price, row.exit_price = entry, price
    row.side = k.LONG if side > 0 else k.SHORT
    row.units = units
    row.entry_fees, row.fees = entry_fees, entry_fees + exit_fees
    row.accrued, row.shortfall = accrued, shortfall
    row.pnl, row.pnl_pct = pnl, pnl / (units * entry)
    row.r_multiple = pnl / (units * risk)
    row.mae = mae if mae < 0.0 else 0.0
    row.mfe = mfe if mfe > 0.0 else 0.0
    row.reason, row.ambiguous = reason, s.ambiguous
    row.position, row.leg = s.positions, s.closed
    s.closed += 1
    s.equity += pnl


@njit(**INNER)
def close(x, p, s, t, reference, reason, at_open):
    """Close what is open at the raw price `reference`; targets are limit fills."""
    free = reason == k.TARGET or (reason == k.END_OF_DATA and p.end_free != 0)
    price = reference if free else slipped(x, p, reference, -s.side, t)
    row = trade_at(s.ledger, s.row + s.closed)
    book(p, s, row, t, s.units, s.fees, s.price, s.entry_bar, s.lowest, s.highest, s.risk, price, reason)
    for j in range(1, s.legs):
        leg = trade_at(s.ledger, s.row + j)
        first = leg.entry_bar if p.entry_at == k.AT_OPEN and p.exposed_later == 0 else leg.entry_bar + 1
        lowest, highest = extremes(x, first, t, INF, -INF)
        book(p, s, leg, t, leg.units, leg.entry_fees, leg.entry_price, leg.entry_bar, lowest, highest, leg.r_multiple, price, reason)
    s.row += s.closed
    s.side, s.leaving, s.positions = 0, 0, s.positions + 1
    s.left_at = 2 * t + (0 if at_open else 1)
    s.flat_until = t + p.cooldown
    if reason != k.SIGNAL and p.reentry == 0 and p.cooldown == 0:
        s.flat_until = t + 1


@njit(**INNER)
def fill_targets(x, p, s, t, reach, at_level, price, at_open):
    """The targets that `reach` touches fill, in their order, each at its level or all at `price`."""
    for _ in range(touched(s, reach)):
        units, reference = target_units(p, s, s.rung), s.target if at_level else price
        s.rung += 1
        if not units < s.units:
            close(x, p, s, t, reference, k.TARGET, at_open)
            return
        if units > 0.0:
            fees = s.fees * (units / s.units)
            row = trade_at(s.ledger, s.row + s.closed)
            book(p, s, row, t, units, fees, s.price, s.entry_bar, s.lowest, s.highest, s.risk, reference, k.TARGET)
            s.units, s.fees = s.units - units, s.fees - fees
            set_liquidation(p, s)
        next_target(s)


@njit(**INNER)
def take(s, low, high):
    """A range that the position was open through."""
    s.lowest = low if low < s.lowest else s.lowest
    s.highest = high if high > s.highest else s.highest
