"""Entries, levels and exits in numba: the formulas of `simulate/reference.py` in the same order of evaluation.

Prices are a `Prices` tuple of flat float64 arrays: the four columns, and for each of two block sizes the lowest low, highest high, lowest
and highest close of a block, which prove that nothing is touched inside.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np
from numba import njit

from gpubt.backends.kernels.bits import OPTIONS
from gpubt.simulate import layout as k

FINE, COARSE = 64, 4096
Prices = namedtuple("Prices", "open high low close low0 high0 bottom0 top0 low1 high1 bottom1 top1")

INF = np.inf
# `moving`: whether the stop can move. `trail`: distance of the trailing stop; it and the break-even stop act from an extreme on.
Order = namedtuple("Order", "skip price units fees stop target risk moving trail trail_from even_from even")
Levels = namedtuple("Levels", "stop_kind stop_value target_kind target_value size")  # `size` NaN: as the parameters say
Touch = namedtuple("Touch", "price reason ambiguous gap")


@njit(**OPTIONS)
def block_extremes(low, high, size, bottom, top, start, end):
    """Lowest `low` and highest `high` of blocks [start, end) of `size` values; the last block may be short."""
    n = len(low)
    for b in range(start, end):
        first = b * size
        a, z = low[first], high[first]
        for i in range(first + 1, min(n, first + size)):
            a = low[i] if low[i] < a else a
            z = high[i] if high[i] > z else z
        bottom[b] = a
        top[b] = z


@njit(**OPTIONS)
def charge(p, units, price):
    """Commission of one fill, before the minimum."""
    return (p.commission_rate * (units * price) + p.commission_per_unit * units) + p.commission_fixed


@njit(**OPTIONS)
def commission(p, units, price):
    cash = charge(p, units, price)
    return p.commission_minimum if cash < p.commission_minimum else cash


@njit(**OPTIONS)
def slipped(p, reference, direction):
    return reference + direction * (reference * p.slippage_rate)


@njit(**OPTIONS)
def sized(p, equity, price):
    """Units as `sizing` says, before cap and lot."""
    if p.size_kind == k.PERCENT_EQUITY:
        budget = p.size_value * equity
        units = (budget - p.commission_fixed) / (price * (1.0 + p.commission_rate) + p.commission_per_unit)
        if charge(p, units, price) < p.commission_minimum:
            units = (budget - p.commission_minimum) / price
        return units
    if p.size_kind == k.FIXED_UNITS:
        return p.size_value
    return p.size_value / price


@njit(**OPTIONS)
def capped_and_rounded(p, units, equity, price, capped):
    cap = (p.max_leverage * equity) / price
    if capped and units > cap:
        units = cap
    if p.lot > 0.0:
        lots = np.floor(units / p.lot)
        if (lots + 1.0) * p.lot <= units:
            lots += 1.0
        units = lots * p.lot
    return units


@njit(**OPTIONS)
def level(kind, value, anchor, direction, atr, risk):
    if kind == k.NONE:
        return direction * INF
    if kind == k.PRICE:
        return value
    if kind == k.PCT:
        return anchor * (1.0 + direction * value)
    distance = value * atr if kind == k.ATR else value * risk if kind == k.R_MULTIPLE else value
    return anchor + direction * distance


@njit(**OPTIONS)
def refused(code):
    return Order(np.int64(code), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, False, 0.0, 0.0, 0.0, 0.0)


@njit(**OPTIONS)
def order(p, v, checked, side, reference, close, atr, equity):
    """A market entry at the raw price `reference`: an `Order` whose `skip` is -1, or the code that says why there is none."""
    if not equity > 0.0:
        return refused(k.NO_EQUITY)
    if (v.stop_kind == k.ATR or v.target_kind == k.ATR or p.trail_kind == k.ATR or p.even_kind == k.ATR) and np.isnan(atr):
        return refused(k.NAN_LEVEL)
    price = slipped(p, reference, side)
    anchor = price if p.anchor == k.ANCHOR_FILL else close
    stop = level(v.stop_kind, v.stop_value, anchor, -side, atr, 0.0)
    if v.stop_kind != k.NONE and not side * (price - stop) > 0.0:
        return refused(k.WRONG_SIDE)
    target = level(v.target_kind, v.target_value, anchor, side, atr, side * (anchor - stop))
    units = sized(p, equity, price) if np.isnan(v.size) else v.size
    units = capped_and_rounded(p, units, equity, price, checked)
    if not units > 0.0:
        return refused(k.ZERO_SIZE)
    risk = np.nan if v.stop_kind == k.NONE else side * (price - stop)
    moving = p.trail_kind != k.NONE or p.even_kind != k.NONE
    trail = p.trail_value * atr if p.trail_kind == k.ATR else p.trail_value
    trail_from = level(p.trail_kind, p.trail_activation, price, side, atr, 0.0)
    even_from = level(p.even_kind, p.even_value, price, side, atr, risk)
    even = price * (1.0 + side * p.even_plus)
    return Order(np.int64(-1), price, units, commission(p, units, price), stop, target, risk, moving, trail, trail_from, even_from, even)


@njit(**OPTIONS)
def order_after(p, x, v, checked, side, signal, atr, equity):
    """The order of a signal at the close of bar `signal`, filled there or at the next open; `atr` is empty when no level needs it."""
    reference = x.open[signal + 1] if p.entry_at == k.AT_OPEN else x.close[signal]
    return order(p, v, checked, side, reference, x.close[signal], atr[signal] if len(atr) else np.nan, equity)


@njit(**OPTIONS)
def levels_of(p):
    """The levels that the parameters give every trade."""
    return Levels(p.stop_kind, p.stop_value, p.target_kind, p.target_value, np.nan)


@njit(**OPTIONS)
def effective_stop(p, placed, side, extreme):
    """The nearest of the initial, break-even and trailing stop when the best price so far is `extreme`; monotone in it."""
    stop, reason = placed.stop, k.STOP
    if side * (extreme - placed.even_from) >= 0.0 and side * (placed.even - stop) > 0.0:
        stop, reason = placed.even, k.BREAK_EVEN
    if p.trail_kind != k.NONE and side * (extreme - placed.trail_from) >= 0.0:
        trailing = extreme * (1.0 - side * placed.trail) if p.trail_kind == k.PCT else extreme - side * placed.trail
        if side * (trailing - stop) > 0.0:
            stop, reason = trailing, k.TRAILING
    return stop, reason


@njit(**OPTIONS)
def first_moving_touch(p, x, placed, side, t, end, extreme):
    """`first_touch` with a stop that follows the best price of the bars before: the bar (or `end`) and that price. A block is skipped when
    its range stays clear even of the stop that its own best price would raise."""
    against = x.low if side > 0 else x.high
    best = x.high if side > 0 else x.low
    against0, best0 = (x.low0, x.high0) if side > 0 else (x.high0, x.low0)
    against1, best1 = (x.low1, x.high1) if side > 0 else (x.high1, x.low1)
    target = placed.target
    while t < end:
        if (t & (COARSE - 1)) == 0 and t + COARSE <= end:
            b = t >> 12
            top = best1[b] if side * (best1[b] - extreme) > 0.0 else extreme
            if side * (against1[b] - effective_stop(p, placed, side, top)[0]) > 0.0 and side * (best1[b] - target) < 0.0:
                extreme, t = top, t + COARSE
                continue
        if (t & (FINE - 1)) == 0 and t + FINE <= end:
            b = t >> 6
            top = best0[b] if side * (best0[b] - extreme) > 0.0 else extreme
            if side * (against0[b] - effective_stop(p, placed, side, top)[0]) > 0.0 and side * (best0[b] - target) < 0.0:
                extreme, t = top, t + FINE
                continue
        stop = min(end, (t | (FINE - 1)) + 1)
        while t < stop:
            if side * (against[t] - effective_stop(p, placed, side, extreme)[0]) <= 0.0 or side * (best[t] - target) >= 0.0:
                return t, extreme
            extreme = best[t] if side * (best[t] - extreme) > 0.0 else extreme
            t += 1
    return end, extreme


@njit(**OPTIONS)
def first_touch(x, t, end, down, up):
    """First bar in [t, end) whose range reaches `down` or `up` (inclusive), or `end`. Blocks whose extremes reach neither are skipped."""
    while t < end:
        if (t & (COARSE - 1)) == 0 and t + COARSE <= end and x.low1[t >> 12] > down and x.high1[t >> 12] < up:
            t += COARSE
        elif (t & (FINE - 1)) == 0 and t + FINE <= end and x.low0[t >> 6] > down and x.high0[t >> 6] < up:
            t += FINE
        else:
            stop = min(end, (t | (FINE - 1)) + 1)
            while t < stop:
                if x.low[t] <= down or x.high[t] >= up:
                    return t
                t += 1
    return end


@njit(**OPTIONS)
def stop_comes_first(policy, side, o, h, low):
    if policy == k.STOP_FIRST or policy == k.TARGET_FIRST:
        return policy == k.STOP_FIRST
    high_first = policy == k.OHLC
    if policy == k.ADAPTIVE:
        if h - o == o - low:
            return True
        high_first = h - o < o - low
    return high_first if side < 0 else not high_first


@njit(**OPTIONS)
def touch_at(p, x, placed, side, t, extreme):
    """Stop or target in bar `t`: a gap at the open, then inside. `reason` is 0 when neither is touched."""
    o, h, low = x.open[t], x.high[t], x.low[t]
    stop, reason = effective_stop(p, placed, side, extreme)
    target = placed.target
    if side * (o - stop) <= 0.0:
        return Touch(o, reason, 0, True)
    if side * (o - target) >= 0.0:
        return Touch(o, k.TARGET, 0, True)
    against, favourable = (low, h) if side > 0 else (h, low)
    hit_stop = side * (against - stop) <= 0.0
    hit_target = side * (favourable - target) >= 0.0
    both = hit_stop and hit_target
    if hit_stop and (not both or stop_comes_first(p.same_bar, side, o, h, low)):
        return Touch(stop, reason, 1 if both else 0, False)
    if hit_target:
        return Touch(target, k.TARGET, 1 if both else 0, False)
    return Touch(0.0, 0, 0, False)


@njit(**OPTIONS)
def better(x, side, t, extreme):
    """The best price after bar `t`."""
    best = x.high[t] if side > 0 else x.low[t]
    return best if side * (best - extreme) > 0.0 else extreme


@njit(**OPTIONS)
def extremes(x, t, end, lowest, highest):
    """Lowest low and highest high of bars [t, end), with what was seen before."""
    while t < end:
        if (t & (COARSE - 1)) == 0 and t + COARSE <= end:
            a, z, t = x.low1[t >> 12], x.high1[t >> 12], t + COARSE
        elif (t & (FINE - 1)) == 0 and t + FINE <= end:
            a, z, t = x.low0[t >> 6], x.high0[t >> 6], t + FINE
        else:
            a, z, t = x.low[t], x.high[t], t + 1
        lowest = a if a < lowest else lowest
        highest = z if z > highest else highest
    return lowest, highest


@njit(**OPTIONS)
def book(p, x, trade, side, placed, entry_bar, first, exit_bar, reference, reason, ambiguous):
    """Write the ledger row of a position that closes in `exit_bar` at the raw price `reference`; returns its pnl."""
    entry, units = placed.price, placed.units
    price = reference if reason == k.TARGET else slipped(p, reference, -side)
    exit_fees = commission(p, units, price)
    pnl = ((side * units) * (price - entry) - placed.fees) - exit_fees
    lowest, highest = extremes(x, first, exit_bar, INF, -INF)
    lowest = price if price < lowest else lowest
    highest = price if price > highest else highest
    against, favourable = (lowest, highest) if side > 0 else (highest, lowest)
    mae = side * (against - entry) / entry
    mfe = side * (favourable - entry) / entry
    trade.entry_bar, trade.exit_bar = entry_bar, exit_bar
    trade.entry_price, trade.exit_price = entry, price
    trade.side = k.LONG if side > 0 else k.SHORT
    trade.units = units
    trade.entry_fees, trade.fees = placed.fees, placed.fees + exit_fees
    trade.pnl, trade.pnl_pct = pnl, pnl / (units * entry)
    trade.r_multiple = pnl / (units * placed.risk)
    trade.mae = mae if mae < 0.0 else 0.0
    trade.mfe = mfe if mfe > 0.0 else 0.0
    trade.reason, trade.ambiguous = reason, ambiguous
    return pnl
