"""`shared.py` for many sets of one signal: each entry is played for 64 sets at a time, in loops that the compiler turns into vector code.

What a set carries from trade to trade stands in columns of 64 numbers, all in one array for each type: so the compiler sees that they don't
overlap. A trade that is not plain sailing (a new peak of equity, a stop and a target in one bar, a liquidation that can't be ruled out) is
played by `shared.play`, for which the columns are written back to the set's account and tally, and read again.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gpubt.backends.kernels.account import flat, mix, renew
from gpubt.backends.kernels.bits import INNER, OPTIONS, UNCOUNTED, bit_pattern, read, read_word
from gpubt.backends.kernels.blocks import highest8, larger, lesser, lowest8
from gpubt.backends.kernels.levels import STOPS, TARGETS, TIMES, TRAILS
from gpubt.backends.kernels.market import INF, extremes
from gpubt.backends.kernels.marks import LANES, clear_of_rounding, finish, lane_at, mark_at, peak_bar, stretch
from gpubt.backends.kernels.position import slipped
from gpubt.backends.kernels.shared import (
    CLOSE_END,
    CLOSE_SESSION,
    NEVER,
    OPEN_TIME,
    STOP_GAP,
    STOP_INSIDE,
    TARGET_GAP,
    account_at,
    candidate_at,
    collect,
    entry_at,
    entry_price,
    group_at,
    know,
    level_at,
    next_free,
    params_at,
    play,
    run_group,
    set_at,
    table_at,
    tally_at,
    touch_at,
)
from gpubt.simulate import layout as k

WIDE = 64  # sets that are played together
SKIP = np.int64(-1)  # the moment of a level with which there is no entry
PRICED = 2  # what is known of a candidate, beyond its touches
CLEAR = 1e-12  # a liquidation is ruled out with more than the rounding of its price

# Columns of numbers: the account; the tally; the line that equity was last on; what trading takes from the parameters; a trade's exit
EQUITY, PEAK, FLOOR, DEEPEST, BEFORE = range(5)
PROFIT, LOSS, FEES, NOTIONAL, BEST, WORST = range(5, 11)
BASE, SLOPE, REF = range(11, 14)
SIZE, LEVERAGE, RATE, PER_UNIT, FIXED, MINIMUM, KEEP = range(14, 21)
PRICE, LOW, HIGH, UNITS, PNL, PROTECTED = range(21, 27)
SUM, SQUARE = 27, 28  # of the block of periods
REALS = 29
# Columns of whole numbers: the account; the tally; the numbers of the levels; a trade's exit and what becomes of it
FREE, AT, STALE, LEFT = range(4)
TRADES, WINS, LOSSES, HELD, EXPOSED = range(4, 9)
STOP, TRAIL, TARGET, TIME = range(9, 13)
MOMENT, CHOSEN, NEXT, REASON, ODD, DONE = range(13, 19)
WHOLES = 19
OUT, LOWEST, HIGHEST, WHERE = range(4)  # of an exit at a level: its price, the closes until then; where the level is


@njit(**INNER, **UNCOUNTED)
def price_exits(x, n, p, c, levels, count, touches, moments, nexts, reasons, prices, order, at):
    """What an exit at each level of a candidate comes to, then by signal, session or end, in rows from `at` on; the last row is of sets
    without a level."""
    side, price = c.side, entry_price(x, p, c)
    for i in range(count):
        m, raw, reason = exit_at(x, p, c, level_at(levels, i), touch_at(touches, i), price)
        moments[at + i], reasons[at + i], prices[WHERE, at + i] = m, reason, touch_at(touches, i).level
        if 0 <= m < NEVER:
            prices[OUT, at + i] = raw if reason == k.TARGET else slipped(x, p, raw, -side, m >> 4)
            nexts[at + i] = next_free(p, c, m, reason)
    base, m = at + count, c.base
    reasons[base] = k.SESSION if m & 15 == CLOSE_SESSION else k.END_OF_DATA if m & 15 == CLOSE_END else k.SIGNAL
    raw = read(x.open if m & 15 < STOP_GAP else x.close, m >> 4)
    moments[base], prices[OUT, base], nexts[base] = m, slipped(x, p, raw, -side, m >> 4), next_free(p, c, m, reasons[base])
    if np.isnan(price):
        for i in range(count + 1):
            moments[at + i] = SKIP
    moments[base + 1], prices[WHERE, base + 1] = NEVER, -side * INF
    closes(x, c.bar, moments, prices, order, at, count + 1)
    low, high = extremes(x, c.bar, min(n, (c.base >> 4) + 1), INF, -INF)
    c.worst, c.known = low if side > 0 else high, PRICED


@njit(**INNER, **UNCOUNTED)
def exit_at(x, p, c, v, touch, price):
    """Moment, raw price and reason of an exit at one level; `SKIP` where the level forbids the entry."""
    side, m = c.side, touch.moment
    t, phase = m >> 4, m & 15
    if v.family == TIMES:
        if t > c.base >> 4:  # beyond the data, or never its turn
            return NEVER, 0.0, k.TIME
        return m, read(x.open if phase == OPEN_TIME else x.close, t), k.TIME
    if np.isnan(touch.level):
        return SKIP, 0.0, k.STOP
    if v.family == STOPS and p.beyond_stop == 0 and not side * (price - touch.level) > 0.0:
        return SKIP, 0.0, k.STOP
    reason = k.TARGET if v.family == TARGETS else k.TRAILING if v.family == TRAILS else k.STOP
    if m == NEVER:
        return m, 0.0, reason
    gap = phase in (STOP_GAP, TARGET_GAP) and p.gap_at_level == 0
    return m, read(x.open, t) if gap else touch.level, reason


@njit(**INNER, **UNCOUNTED)
def closes(x, t, moments, prices, order, at, count):
    """Lowest and highest close from bar `t` until each exit, one exit after the other."""
    for i in range(count):
        order[i] = i
        j = i
        while j > 0 and moments[at + order[j - 1]] > moments[at + i]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = i
    low, high = INF, -INF
    for i in range(count):
        row = at + order[i]
        if moments[row] >= NEVER:
            return
        end = moments[row] >> 4
        while t < end:
            if t & 63 == 0 and t + 64 <= end:
                low, high, t = lesser(low, read(x.bottom0, t >> 6)), larger(high, read(x.top0, t >> 6)), t + 64
            elif t + 8 <= end and t & 63 <= 56:
                low, high, t = lesser(low, lowest8(x.close, t)), larger(high, highest8(x.close, t)), t + 8
            else:
                low, high, t = lesser(low, read(x.close, t)), larger(high, read(x.close, t)), t + 1
        prices[LOWEST, row], prices[HIGHEST, row] = low, high


@njit(**INNER, **UNCOUNTED)
def choose(side, at, base, moments, where, w, f):
    """The exit of each set: the earliest of signal, time, stop, trailing stop and target."""
    for j in range(WIDE):
        stop, trail = moments[at + w[STOP * WIDE + j]], moments[at + w[TRAIL * WIDE + j]]
        target, time = moments[at + w[TARGET * WIDE + j]], moments[at + w[TIME * WIDE + j]]
        initial, followed = where[at + w[STOP * WIDE + j]], where[at + w[TRAIL * WIDE + j]]
        nearer = (trail < stop) | ((trail == stop) & (side * (followed - initial) > 0.0))
        stopped = trail if nearer else stop
        own = w[TRAIL * WIDE + j] if nearer else w[STOP * WIDE + j]
        first = moments[at + base]
        timed = time < first
        first = time if timed else first
        chosen = w[TIME * WIDE + j] if timed else base
        cut = stopped < first
        both = cut & (stopped & 15 == STOP_INSIDE) & (target == stopped + 1)
        first = stopped if cut else first
        chosen = own if cut else chosen
        reached = target < first
        w[MOMENT * WIDE + j] = target if reached else first
        w[CHOSEN * WIDE + j] = w[TARGET * WIDE + j] if reached else chosen
        w[ODD * WIDE + j] = 1 if both else 0
        w[DONE * WIDE + j] = 1 if (stop < 0) | (trail < 0) | (target < 0) | (moments[at + base] < 0) else 0
        f[PROTECTED * WIDE + j] = initial


@njit(**INNER, **UNCOUNTED)
def gather(at, nexts, reasons, prices, w, f):
    """Price, closes and what follows of each set's exit."""
    for j in range(WIDE):
        row = at + w[CHOSEN * WIDE + j]
        w[NEXT * WIDE + j], w[REASON * WIDE + j] = nexts[row], reasons[row]
        f[PRICE * WIDE + j] = prices[OUT, row]
        f[LOW * WIDE + j], f[HIGH * WIDE + j] = prices[LOWEST, row], prices[HIGHEST, row]


@njit(**INNER, **UNCOUNTED)
def trade_lanes(side, signal, bar, price, worst, kind, liquidate, w, f):
    """A trade of each set that is free, unless it is odd. DONE: 1 where there was one; ODD: 1 where `shared.play` has to see to it."""
    for j in range(WIDE):
        equity, peak, floor = f[EQUITY * WIDE + j], f[PEAK * WIDE + j], f[FLOOR * WIDE + j]
        free = (w[FREE * WIDE + j] <= signal) & (w[LEFT * WIDE + j] == 0) & (w[DONE * WIDE + j] == 0) & (equity > 0.0)
        size, rate, per_unit = f[SIZE * WIDE + j], f[RATE * WIDE + j], f[PER_UNIT * WIDE + j]
        fixed, minimum = f[FIXED * WIDE + j], f[MINIMUM * WIDE + j]
        if kind == k.PERCENT_EQUITY:
            units = (size * equity - fixed) / (price * (1.0 + rate) + per_unit)
        else:
            units = size if kind == k.FIXED_UNITS else size / price
        cap = (f[LEVERAGE * WIDE + j] * equity) / price - 0.0
        units = cap if units > cap else units
        free &= units > 0.0
        entry_fees = (rate * (units * price) + per_unit * units) + fixed
        entry_fees = minimum if entry_fees < minimum else entry_fees
        out = f[PRICE * WIDE + j]
        exit_fees = (rate * (units * out) + per_unit * units) + fixed
        exit_fees = minimum if exit_fees < minimum else exit_fees
        pnl = ((side * units) * (out - price) - entry_fees) - exit_fees
        # no liquidation before the exit: the price is never there, or the stop is nearer
        cost, own = units * price, equity - entry_fees
        edge = f[PROTECTED * WIDE + j]
        edge = worst if side * (worst - edge) > 0.0 else edge
        need = (cost - own if side > 0 else cost + own) - edge * (units * (1.0 - side * f[KEEP * WIDE + j]))
        safe = (side * need < -CLEAR * (cost + own)) | (liquidate == 0)
        safe &= (pnl >= -equity) | (liquidate == 0)
        # the account's marks: flat until the entry, then on the line between the lowest and the highest close
        base, slope, t = equity - entry_fees, 0.0 + side * units, w[MOMENT * WIDE + j] >> 4
        a, z = base + slope * (f[LOW * WIDE + j] - price), base + slope * (f[HIGH * WIDE + j] - price)
        low, high = (a, z) if side > 0 else (z, a)
        low, high = (INF, -INF) if t == bar else (low, high)
        seen = w[AT * WIDE + j] < bar
        low = equity if seen & (equity < low) else low
        high = equity if seen & (equity > high) else high
        odd = free & ((w[ODD * WIDE + j] != 0) | (high > peak) | (not safe))
        done = free & (not odd)
        w[ODD * WIDE + j], w[DONE * WIDE + j] = 1 if odd else 0, 1 if done else 0
        fall = 1.0 - low / peak
        deeper = done & (low < floor) & (fall > f[DEEPEST * WIDE + j])
        f[DEEPEST * WIDE + j] = fall if deeper else f[DEEPEST * WIDE + j]
        f[FLOOR * WIDE + j] = clear_of_rounding(peak, fall) if deeper else floor
        w[STALE * WIDE + j] = 1 if deeper else w[STALE * WIDE + j]
        f[BASE * WIDE + j] = base if done else f[BASE * WIDE + j]
        f[SLOPE * WIDE + j] = slope if done else f[SLOPE * WIDE + j]
        f[REF * WIDE + j] = price if done else f[REF * WIDE + j]
        f[EQUITY * WIDE + j] = equity + pnl if done else equity
        f[UNITS * WIDE + j], f[PNL * WIDE + j] = units, pnl
        f[FEES * WIDE + j] += entry_fees + exit_fees if done else 0.0
        w[AT * WIDE + j] = t if done else w[AT * WIDE + j]
        w[FREE * WIDE + j] = w[NEXT * WIDE + j] if done else w[FREE * WIDE + j]


@njit(**INNER, **UNCOUNTED)
def tally_lanes(bar, price, w, f):
    """What the trades that were done add to the tallies."""
    for j in range(WIDE):
        done, units, pnl = w[DONE * WIDE + j] != 0, f[UNITS * WIDE + j], f[PNL * WIDE + j]
        held = (w[MOMENT * WIDE + j] >> 4) - bar
        share = (0.0 + pnl) / (0.0 + units * price)
        new = w[TRADES * WIDE + j] == 0
        f[NOTIONAL * WIDE + j] += units * price + units * f[PRICE * WIDE + j] if done else 0.0
        f[PROFIT * WIDE + j] += pnl if done & (pnl > 0.0) else 0.0
        f[LOSS * WIDE + j] += pnl if done & (pnl < 0.0) else 0.0
        f[BEST * WIDE + j] = share if done & (new | (share > f[BEST * WIDE + j])) else f[BEST * WIDE + j]
        f[WORST * WIDE + j] = share if done & (new | (share < f[WORST * WIDE + j])) else f[WORST * WIDE + j]
        w[WINS * WIDE + j] += 1 if done & (pnl > 0.0) else 0
        w[LOSSES * WIDE + j] += 1 if done & (pnl < 0.0) else 0
        w[TRADES * WIDE + j] += 1 if done else 0
        w[HELD * WIDE + j] += max(1, held) if done else 0
        w[EXPOSED * WIDE + j] += held if done else 0


@njit(**INNER, **UNCOUNTED)
def hash_lanes(side, bar, price, w, f, hashes):
    """The ledger's hash of each set whose trade was done, with its row."""
    which = np.uint64((k.LONG if side > 0 else k.SHORT) * 16)
    entry = bit_pattern(price + 0.0)
    for j in range(WIDE):
        h = mix(mix(hashes[j], np.uint64(bar)), np.uint64(w[MOMENT * WIDE + j] >> 4))
        h = mix(mix(h, which + np.uint64(w[REASON * WIDE + j])), entry)
        h = mix(mix(h, bit_pattern(f[PRICE * WIDE + j] + 0.0)), bit_pattern(f[UNITS * WIDE + j] + 0.0))
        h = mix(h, bit_pattern(f[PNL * WIDE + j] + 0.0))
        hashes[j] = h if w[DONE * WIDE + j] != 0 else hashes[j]


@njit(**INNER, **UNCOUNTED)
def mark_period(close, t, risk_free, lane, w, f, sums):
    """The return of the period that ends with bar `t`: equity on the line of the last trade, or what it left."""
    for j in range(WIDE):
        line = f[BASE * WIDE + j] + f[SLOPE * WIDE + j] * (close - f[REF * WIDE + j])
        equity = line if w[AT * WIDE + j] > t else f[EQUITY * WIDE + j]
        before = f[BEFORE * WIDE + j]
        excess = (equity / before - 1.0 if before > 0.0 else 0.0) - risk_free
        square = excess * excess
        sums[lane * WIDE + j] += excess
        sums[(LANES + lane) * WIDE + j] += square
        sums[(2 * LANES + lane) * WIDE + j] += square if excess < 0.0 else 0.0
        f[SUM * WIDE + j] += excess
        f[SQUARE * WIDE + j] += square
        f[BEFORE * WIDE + j] = equity


@njit(**INNER, **UNCOUNTED)
def mark_periods(x, a, until, i, sets, first, count, w, f, sums):
    """The periods from number `i` on that end before bar `until`; the number of the next one. `a` is the account of any of the sets."""
    while i < a.periods:
        t = np.int64(read_word(a.ends, i))
        if t >= until:
            break
        mark_period(read(x.close, t), t, a.risk_free, i & (LANES - 1), w, f, sums)
        i += 1
        b = ((i - 1) * a.blocks) // a.periods
        while (i - 1) >= a.periods * (b + 1) // a.blocks:
            b += 1
        if i == a.periods * (b + 1) // a.blocks:
            for j in range(count):
                own = account_at(set_at(sets, first + j).account, 0)
                mark_at(own.sums, b).equity, mark_at(own.squares, b).equity = f[SUM * WIDE + j], f[SQUARE * WIDE + j]
            for j in range(WIDE):
                f[SUM * WIDE + j], f[SQUARE * WIDE + j] = 0.0, 0.0
    return i


@njit(**INNER, **UNCOUNTED)
def give_back(a, out, j, w, f, hashes):
    """Column `j` to its account and tally."""
    a.equity, a.floor, a.deepest = f[EQUITY * WIDE + j], f[FLOOR * WIDE + j], f[DEEPEST * WIDE + j]
    a.at, a.hash = w[AT * WIDE + j], hashes[j]
    a.base, a.q, a.ref = f[BASE * WIDE + j], f[SLOPE * WIDE + j], f[REF * WIDE + j]
    if w[STALE * WIDE + j] != 0:
        w[STALE * WIDE + j] = 0
        a.end, a.start = -1, peak_bar(a)
    out.gross_profit, out.gross_loss = f[PROFIT * WIDE + j], f[LOSS * WIDE + j]
    out.fees, out.notional = f[FEES * WIDE + j], f[NOTIONAL * WIDE + j]
    out.best, out.worst = f[BEST * WIDE + j], f[WORST * WIDE + j]
    out.trades, out.wins, out.losses = w[TRADES * WIDE + j], w[WINS * WIDE + j], w[LOSSES * WIDE + j]
    out.bars_held, out.exposed = w[HELD * WIDE + j], w[EXPOSED * WIDE + j]


@njit(**INNER, **UNCOUNTED)
def take_over(e, a, out, j, w, f, hashes):
    """The account and tally to column `j`."""
    f[EQUITY * WIDE + j], f[PEAK * WIDE + j], f[FLOOR * WIDE + j], f[DEEPEST * WIDE + j] = a.equity, a.peak, a.floor, a.deepest
    f[BASE * WIDE + j], f[SLOPE * WIDE + j], f[REF * WIDE + j] = a.base, a.q, a.ref
    f[PROFIT * WIDE + j], f[LOSS * WIDE + j] = out.gross_profit, out.gross_loss
    f[FEES * WIDE + j], f[NOTIONAL * WIDE + j] = out.fees, out.notional
    f[BEST * WIDE + j], f[WORST * WIDE + j] = out.best, out.worst
    w[AT * WIDE + j], w[FREE * WIDE + j], w[LEFT * WIDE + j], hashes[j] = a.at, e.free, e.left, a.hash
    w[TRADES * WIDE + j], w[WINS * WIDE + j], w[LOSSES * WIDE + j] = out.trades, out.wins, out.losses
    w[HELD * WIDE + j], w[EXPOSED * WIDE + j] = out.bars_held, out.exposed


@njit(**INNER, **UNCOUNTED)
def open_columns(sets, first, count, width, s, w, f, hashes, sums):
    """Columns of sets [first, first + count), whose accounts are new; columns beyond them are of no set."""
    w[:], f[:], sums[:] = 0, 0.0, 0.0
    for j in range(WIDE):
        w[LEFT * WIDE + j] = 1
        for level in (STOP, TRAIL, TARGET, TIME):
            w[level * WIDE + j] = width + 1
    for j in range(count):
        e = set_at(sets, first + j)
        p, a, out = params_at(e.params, 0), account_at(e.account, 0), tally_at(e.tally, 0)
        renew(a, p)
        a.ledger, e.free, e.left = s.ledger, 0, 0
        take_over(e, a, out, j, w, f, hashes)
        f[BEFORE * WIDE + j] = p.capital
        f[SIZE * WIDE + j], f[LEVERAGE * WIDE + j], f[RATE * WIDE + j] = p.size_value, p.max_leverage, p.commission_rate
        f[PER_UNIT * WIDE + j], f[FIXED * WIDE + j], f[MINIMUM * WIDE + j] = p.commission_per_unit, p.commission_fixed, p.commission_minimum
        f[KEEP * WIDE + j] = p.maintenance
        for column, level in ((STOP, e.stop), (TRAIL, e.trail), (TARGET, e.target), (TIME, e.time)):
            w[column * WIDE + j] = level if level >= 0 else width + 1


@njit(**INNER, **UNCOUNTED)
def close_columns(n, sets, first, count, w, f, hashes, sums):
    """The tallies of the sets, once all candidates were played and all periods marked."""
    for j in range(count):
        e = set_at(sets, first + j)
        e.left = w[LEFT * WIDE + j]
        if e.left != 0:
            continue
        a, out = account_at(e.account, 0), tally_at(e.tally, 0)
        give_back(a, out, j, w, f, hashes)
        for i in range(LANES):
            lane = lane_at(a.lanes, i)
            lane.sum, lane.square = sums[i * WIDE + j], sums[(LANES + i) * WIDE + j]
            lane.downside = sums[(2 * LANES + i) * WIDE + j]
        flat(a)
        a.period = a.periods  # marked already
        stretch(a, n)
        finish(a, a.equity, out)
        out.hash = np.int64(a.hash)


@njit(**INNER, **UNCOUNTED)
def play_odd(x, n, sets, first, count, s, c, touches, lowest, highest, w, f, hashes):
    """The trades that were left to `shared.play`."""
    for j in range(count):
        if w[ODD * WIDE + j] == 0:
            continue
        e = set_at(sets, first + j)
        p, a, out = params_at(e.params, 0), account_at(e.account, 0), tally_at(e.tally, 0)
        give_back(a, out, j, w, f, hashes)
        a.period, e.free = a.periods, w[FREE * WIDE + j]
        play(x, n, p, entry_at(e.entry, 0), e, a, out, s, c, touches, lowest, highest)
        take_over(e, a, out, j, w, f, hashes)


@njit(**INNER, **UNCOUNTED)
def any_free(signal, w):
    """Whether a set may take a signal."""
    found = False
    for j in range(WIDE):
        found |= (w[FREE * WIDE + j] <= signal) & (w[LEFT * WIDE + j] == 0)
    return found


@njit(**INNER, **UNCOUNTED)
def run_lanes(group, n, sets, s, candidates, room, touches, moments, nexts, reasons, prices, order, wholes, reals, hashes, sums, period):
    """The sets of a group, 64 by 64, piece by piece of its candidates. Row i of `wholes`, `reals`, `hashes` and `sums` are the columns of
    the sets from `first + 64 i` on, `period[i]` the number of their next period."""
    x, first, last, width = table_at(group.table, 0), group.first, group.last, group.width
    p = params_at(set_at(sets, first).params, 0)
    chunks = (last - first + WIDE - 1) // WIDE
    for i in range(chunks):
        count = min(WIDE, last - first - i * WIDE)
        open_columns(sets, first + i * WIDE, count, width, s, wholes[i], reals[i], hashes[i], sums[i])
        period[i] = 0
    t = 0
    while t < n:
        found, t = collect(x, n, p, t, room, candidates)
        for i in range(chunks):
            count, start = min(WIDE, last - first - i * WIDE), first + i * WIDE
            w, f = wholes[i], reals[i]
            a = account_at(set_at(sets, start).account, 0)
            for number in range(found):
                c = candidate_at(candidates, number)
                period[i] = mark_periods(x, a, c.bar, period[i], sets, start, count, w, f, sums[i])
                if not any_free(c.signal, w):
                    continue
                mine, at = touches + np.uint64(number * width * 16), number * (width + 2)
                if c.known != PRICED:
                    know(x, n, p, c, group.levels, width, mine)
                    price_exits(x, n, p, c, group.levels, width, mine, moments, nexts, reasons, prices, order, at)
                price = entry_price(x, p, c)
                choose(c.side, at, width, moments, prices[WHERE], w, f)
                gather(at, nexts, reasons, prices, w, f)
                trade_lanes(c.side, c.signal, c.bar, price, c.worst, p.size_kind, p.liquidate, w, f)
                tally_lanes(c.bar, price, w, f)
                hash_lanes(c.side, c.bar, price, w, f, hashes[i])
                play_odd(x, n, sets, start, count, s, c, mine, group.lowest, group.highest, w, f, hashes[i])
    for i in range(chunks):
        count, start = min(WIDE, last - first - i * WIDE), first + i * WIDE
        a = account_at(set_at(sets, start).account, 0)
        mark_periods(x, a, n, period[i], sets, start, count, wholes[i], reals[i], sums[i])
        close_columns(n, sets, start, count, wholes[i], reals[i], hashes[i], sums[i])


@njit(**OPTIONS, **UNCOUNTED)
def run_groups(
    groups, start, end, n, sets, s, candidates, room, touches, moments, nexts, reasons, prices, order, wholes, reals, hashes, sums, period
):
    """Groups [start, end) of the GROUP records at `groups`, of the SET records at `sets`. `s` is the state of a position with a ledger of
    one row; at `candidates` are `room` CANDIDATE records, at `touches` as many times the levels of the widest group TOUCH records. The
    other arrays are what `run_lanes` works in."""
    s.alone, s.legs = 0, 0
    for g in range(start, end):
        group = group_at(groups, g)
        if group.lanes != 0:
            buffers = (moments, nexts, reasons, prices, order, wholes, reals, hashes, sums, period)
            run_lanes(group, n, sets, s, candidates, room, touches, *buffers)
        else:
            run_group(group, n, sets, s, candidates, room, touches)
