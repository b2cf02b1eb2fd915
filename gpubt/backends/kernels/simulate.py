"""The simulation in numba. `step` plays one bar in the order of the contract; in event mode `next_bar` names the next bar on which anything
can happen, and the bars between are skipped. One `step` for both modes: they can't differ but by a wrong skip.

Arguments everywhere, all records: `x` the market's addresses, `n` its bars, `p` the parameters, `entry` the levels of an entry, `s` the
account, with the addresses of its ledger rows, of the counts by `layout.SKIPS` and of the target ladder.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gpubt.backends.kernels.bits import INNER, OPTIONS, next_bit_at, prefetch, read
from gpubt.backends.kernels.inside import disagree, in_detail, look
from gpubt.backends.kernels.market import INF, bit, first_touch, optional
from gpubt.backends.kernels.position import (
    better,
    close,
    effective_stop,
    entry_at,
    fill,
    fill_targets,
    level,
    skip,
    trailed_stop,
)
from gpubt.simulate import layout as k

NEVER = np.int64(2**62)
AHEAD = 6  # entries of a list whose bars are asked for before their turn


@njit(**INNER)
def begin(s, p, alone):
    """An account of the starting capital without a position."""
    s.equity, s.alone = p.capital, alone
    s.side, s.order_side, s.entering, s.leaving, s.flat_until, s.row, s.positions = 0, 0, 0, 0, 0, 0, 0
    s.next_long_entry = s.next_long_exit = s.next_short_entry = s.next_short_exit = s.next_session = -1


@njit(**INNER)
def step(x, n, p, entry, s, t):
    """Everything that happens in bar `t`, in order."""
    exits_at_open(x, p, s, t)
    entries_at_open(x, p, entry, s, t)
    inside(x, p, entry, s, t)
    at_close(x, n, p, entry, s, t)


@njit(**INNER)
def exits_at_open(x, p, s, t):
    """What was decided on the bar before, time, gaps."""
    if s.side != 0:
        if s.leaving != 0:
            close(x, p, s, t, read(x.open, t), k.SIGNAL, True)
        elif p.time_at == k.AT_OPEN and p.max_bars > 0 and t == s.entry_bar + p.max_bars:
            close(x, p, s, t, read(x.open, t), k.TIME, True)
        else:
            gap(x, p, s, t)
    s.leaving = 0


@njit(**INNER)
def gap(x, p, s, t):
    """An open at or beyond a level; of two levels the stop."""
    if s.side == 0 or s.first > t:
        return
    price = read(x.open, t)
    stop, reason = effective_stop(p, s, s.extreme)
    if s.side * (price - stop) <= 0.0:
        close(x, p, s, t, stop if p.gap_at_level != 0 else price, reason, True)
    elif s.side * (price - s.target) >= 0.0:
        fill_targets(x, p, s, t, price, p.gap_at_level != 0, price, True)


@njit(**INNER)
def falls_to(p, s, price):
    """Whether a limit order (or a stop-limit order that is armed) fills at `price` or better."""
    if p.order == k.LIMIT:
        return s.order_side * (price - s.order_level) <= 0.0
    return s.armed != 0 and s.order_side * (price - s.order_limit) <= 0.0


@njit(**INNER)
def entries_at_open(x, p, entry, s, t):
    """A market order, or a resting one that the open is beyond; then a gap through the new position's own levels."""
    side, adds = s.entering, s.adds != 0
    s.entering = 0
    if side != 0 and not (adds and s.side == 0):
        fill(x, p, entry, s, t, s.entering_signal, side, read(x.open, t), k.MARKET, 0)
        gap(x, p, s, t)
    elif s.order_side != 0 and s.order_signal < t and s.side == 0:
        side, price = s.order_side, read(x.open, t)
        if p.order == k.STOP_LIMIT and side * (price - s.order_level) >= 0.0:
            s.armed = 1
        if side * (price - s.order_level) >= 0.0 if p.order == k.STOP_ORDER else falls_to(p, s, price):
            s.order_side = 0
            fill(x, p, entry, s, t, s.order_signal, side, price, p.order, 0)
            gap(x, p, s, t)


@njit(**INNER)
def inside(x, p, entry, s, t):
    """Levels within the bar's range; or the fill of a resting order, and what can follow it on that bar."""
    if s.side != 0:
        if s.first <= t:
            exits_inside(x, p, s, t, k.MARKET, 0.0)
    elif s.order_side != 0 and s.order_signal < t:
        side = s.order_side
        price, entered = fill_inside(x, p, s, t)
        if entered != k.MARKET:
            s.order_side = 0
            fill(x, p, entry, s, t, s.order_signal, side, price, p.order, 1)
            if s.side != 0 and p.exposed_later == 0:
                exits_inside(x, p, s, t, entered, price)


@njit(**INNER)
def fill_inside(x, p, s, t):
    """The price within bar `t` at which the resting order fills, and whether as a rising (STOP_ORDER) or falling (LIMIT) price, for a buy;
    MARKET: it does not."""
    side, limit = s.order_side, s.order_level if p.order == k.LIMIT else s.order_limit
    against, favourable = (read(x.low, t), read(x.high, t)) if side > 0 else (read(x.high, t), read(x.low, t))
    if p.order != k.STOP_ORDER and falls_to(p, s, against):
        return limit, k.LIMIT
    if p.order == k.LIMIT or s.armed != 0 or side * (favourable - s.order_level) < 0.0:
        return 0.0, k.MARKET
    if p.order == k.STOP_ORDER:
        return s.order_level, k.STOP_ORDER
    s.armed = 1
    if side * (limit - s.order_level) >= 0.0:
        return s.order_level, k.STOP_ORDER
    return limit, k.LIMIT if side * (read(x.close, t) - limit) <= 0.0 else k.MARKET


@njit(**INNER)
def exits_inside(x, p, s, t, entered, price):
    """Stop and targets within the range of bar `t`; `entered` and `price` are those of a fill inside this bar."""
    o, h, low, c = read(x.open, t), read(x.high, t), read(x.low, t), read(x.close, t)
    extreme = s.extreme
    if p.trail_same_bar != 0 and entered == k.MARKET:
        extreme = better(s, h if s.side > 0 else low)
    stop, reason = trailed_stop(p, s, s.extreme, extreme)
    stop_first, stop_hit, reach = look(p.same_bar, entered, s.side, o, h, low, c, stop)
    if disagree(p, s, entered, o, h, low, c, stop):
        known, first, hit, further = in_detail(x, p, s, t, entered, price, stop)
        if known:
            stop_first, stop_hit, reach = first, hit, further
        else:
            s.ambiguous = 1
    if stop_first and stop_hit:
        close(x, p, s, t, stop, reason, False)
        return
    if s.side * (reach - s.target) >= 0.0:
        fill_targets(x, p, s, t, reach, True, 0.0, False)
    if stop_hit and s.side != 0:
        close(x, p, s, t, stop, reason, False)


@njit(**INNER)
def wants(x, t):
    """The side that wants in at the close of bar `t`, or 0."""
    return 1 if bit(x.long_entry, t) else -1 if bit(x.short_entry, t) else 0


@njit(**INNER)
def at_close(x, n, p, entry, s, t):
    """Signals, time, session and the end of data; then what became of a resting order; then new entries."""
    wanted, consumed = wants(x, t), False
    if s.side != 0:
        side, c = s.side, read(x.close, t)
        opposite = wanted == -side and t < n - 1
        closes = opposite and p.on_opposite == k.CLOSE
        exits = bit(x.long_exit if side > 0 else x.short_exit, t) or closes
        reverses = opposite and p.on_opposite == k.REVERSE
        reverse_at = p.entry_at if p.order == k.MARKET else p.exit_at
        if (exits and p.exit_at == k.AT_CLOSE) or (reverses and reverse_at == k.AT_CLOSE):
            consumed = closes
            close(x, p, s, t, c, k.SIGNAL, False)
        elif p.time_at == k.AT_CLOSE and p.max_bars > 0 and t == s.entry_bar + p.max_bars:
            close(x, p, s, t, c, k.TIME, False)
        elif bit(x.session, t):
            close(x, p, s, t, c, k.SESSION, False)
        elif t == n - 1:
            close(x, p, s, t, c, k.END_OF_DATA, False)
        else:
            see(x, s, t, c)
            s.leaving = 1 if exits or reverses else 0
            if reverses and p.cooldown == 0 and s.alone == 0:
                want(x, n, p, entry, s, t, -side, 0)
            elif s.leaving == 0 and wanted == side and s.alone == 0 and s.legs < p.pyramiding:
                want(x, n, p, entry, s, t, side, 1)
            return
    if s.order_side != 0 and s.order_signal < t:
        tend(x, n, s, t)
    if s.alone == 0 and wanted != 0 and not consumed and t >= s.flat_until:
        want(x, n, p, entry, s, t, wanted, 0)


@njit(**INNER)
def see(x, s, t, c):
    """A bar at whose close the position is still open: its range counts for excursions and the trailing stop. The own bar of a fill inside
    counts by its close, and for the excursions only."""
    low, high = c, c
    if s.first <= t:
        low, high = read(x.low, t), read(x.high, t)
        s.extreme = better(s, high if s.side > 0 else low)
    elif s.inside == 0:
        return
    take(s, low, high)


@njit(**INNER)
def refusal(x, n, p, t):
    """Why no entry may follow a signal at the close of bar `t`, or -1."""
    at_close = p.order == k.MARKET and p.entry_at == k.AT_CLOSE
    if t == n - 1:
        return k.AT_END
    if bit(x.session, t):
        return k.AT_SESSION_END
    return k.BLACKOUT if bit(x.blackout, t if at_close else t + 1) else -1


@njit(**INNER)
def want(x, n, p, entry, s, t, side, adds):
    """An entry signal at the close of bar `t` that may act."""
    code = refusal(x, n, p, t)
    if code >= 0:
        skip(s, code)
    elif p.order != k.MARKET:
        place(x, p, s, t, side)
    elif p.entry_at == k.AT_CLOSE:
        fill(x, p, entry, s, t, t, side, read(x.close, t), k.MARKET, 0)
    else:
        s.entering, s.entering_signal, s.adds = side, t, adds


@njit(**INNER)
def place(x, p, s, t, side):
    """A resting order from the signal at `t`; it is live from the next row on."""
    atr, long = optional(x.atr, t), side > 0
    direction = -side if p.order == k.LIMIT else side
    rule = optional(x.long_order if long else x.short_order, t)
    price = level(p.order_kind, p.order_value, read(x.close, t), direction, atr, 0.0, rule)
    limit = price
    if p.order == k.STOP_LIMIT:
        limit = level(p.limit_kind, p.limit_value, price, side, atr, 0.0, optional(x.long_limit if long else x.short_limit, t))
    if np.isnan(price) or np.isnan(limit):
        return skip(s, k.NAN_LEVEL)
    s.order_side, s.order_signal, s.armed = side, t, 0
    s.order_level, s.order_limit = price, limit
    s.order_last = t + p.valid_bars if p.valid_bars > 0 else NEVER


@njit(**INNER)
def tend(x, n, s, t):
    """What ends a resting order at the close of bar `t`."""
    side, wanted = s.order_side, wants(x, t)
    if s.alone != 0 and wanted == side:
        wanted = 0
    code = -1
    if t >= s.order_last:
        code = k.EXPIRED
    elif bit(x.session, t) or bit(x.long_exit if side > 0 else x.short_exit, t) or wanted == -side:
        code = k.CANCELLED
    elif wanted != 0:
        code = k.REPLACED
    elif t == n - 1:
        code = k.AT_END
    if code >= 0:
        s.order_side = 0
        skip(s, code)


@njit(**INNER)
def refresh(x, n, s, t):
    """Keep the next set bit at or after `t` of each mask, so that a mask is read through once however many trades there are."""
    if s.next_long_entry < t:
        s.next_long_entry = next_bit_at(x.long_entry, t, n)
    if s.next_short_entry < t:
        s.next_short_entry = next_bit_at(x.short_entry, t, n)
    if s.next_long_exit < t:
        s.next_long_exit = next_bit_at(x.long_exit, t, n)
    if s.next_short_exit < t:
        s.next_short_exit = next_bit_at(x.short_exit, t, n)
    if s.next_session < t:
        s.next_session = next_bit_at(x.session, t, n)


@njit(**INNER)
def next_bar(x, n, p, s, t):
    """The first bar at or after `t` on which anything can happen, or `n`; the position's extreme is carried over the bars before it."""
    if t >= n or s.leaving != 0 or s.entering != 0:
        return t
    if s.side != 0:
        return next_in_position(x, n, p, s, t)
    if s.order_side != 0:
        return next_for_order(x, n, p, s, t)
    if s.alone != 0:
        return n
    start = max(t, s.flat_until)
    if s.next_long_entry < start:
        s.next_long_entry = next_bit_at(x.long_entry, start, n)
    if s.next_short_entry < start:
        s.next_short_entry = next_bit_at(x.short_entry, start, n)
    return min(s.next_long_entry, s.next_short_entry)


@njit(**INNER)
def next_in_position(x, n, p, s, t):
    """With a position: a signal, the time or session exit, the last bar, or the first touch of a level before them."""
    refresh(x, n, s, t)
    long = s.side > 0
    end = min(n - 1, s.next_session)
    end = min(end, s.next_long_exit if long else s.next_short_exit)
    if p.on_opposite != k.IGNORE:
        end = min(end, s.next_short_entry if long else s.next_long_entry)
    if s.alone == 0 and s.legs < p.pyramiding:
        end = min(end, s.next_long_entry if long else s.next_short_entry)
    if p.max_bars > 0:
        end = min(end, max(t, s.entry_bar + p.max_bars))
    if p.trail_kind != k.NONE or p.even_kind != k.NONE:
        return first_moving_touch(x, p, s, t, end)
    stop, _ = effective_stop(p, s, s.extreme)
    down, up = (stop, s.target) if long else (s.target, stop)
    down = down if down > 0.0 else -INF  # prices are positive, so an unlevered account is never liquidated long
    return first_touch(x, s, t, end, down, up)


@njit(**INNER)
def next_for_order(x, n, p, s, t):
    """With a resting order: what may end it, or the first touch of its level before that."""
    refresh(x, n, s, t)
    long = s.order_side > 0
    end = min(min(n - 1, s.next_session), s.order_last)
    end = min(end, s.next_long_exit if long else s.next_short_exit)
    end = min(end, s.next_short_entry if long else s.next_long_entry)
    if s.alone == 0:
        end = min(end, s.next_long_entry if long else s.next_short_entry)
    falls = p.order == k.LIMIT or s.armed != 0
    reach = s.order_limit if s.armed != 0 else s.order_level
    return first_touch(x, s, t, end, reach, INF) if falls == long else first_touch(x, s, t, end, -INF, reach)


@njit(**INNER)
def first_moving_touch(x, p, s, t, end):
    """`first_touch` with a stop that follows the best price of the bars before. A block is skipped when its range stays clear even of the
    stop that its own best price would raise."""
    long = s.side > 0
    while t < end:
        size = 4096
        while size > 1 and not (t & (size - 1) == 0 and t + size <= end and clear(x, p, s, t, size)):
            size >>= 3
        if size > 1:
            low, high = block_range(x, t, size)
            take(s, low, high)
            s.extreme = better(s, high if long else low)
            t += size
            continue
        stop = min(end, (t | 7) + 1)
        while t < stop:
            low, high = read(x.low, t), read(x.high, t)
            against, best = (low, high) if long else (high, low)
            extreme = better(s, best)
            level = trailed_stop(p, s, s.extreme, extreme if p.trail_same_bar != 0 else s.extreme)[0]
            if s.side * (against - level) <= 0.0 or s.side * (best - s.target) >= 0.0:
                return t
            take(s, low, high)
            s.extreme = extreme
            t += 1
    return end


@njit(**INNER)
def block_range(x, t, size):
    """Lowest low and highest high of the block of `size` bars at `t`."""
    if size == 8:
        return read(x.low8, t >> 3), read(x.high8, t >> 3)
    if size == 64:
        return read(x.low0, t >> 6), read(x.high0, t >> 6)
    if size == 512:
        return read(x.low512, t >> 9), read(x.high512, t >> 9)
    return read(x.low1, t >> 12), read(x.high1, t >> 12)


@njit(**INNER)
def clear(x, p, s, t, size):
    """Whether the block of `size` bars at `t` touches neither the target nor the stop, wherever in it the best price is."""
    low, high = block_range(x, t, size)
    against, best = (low, high) if s.side > 0 else (high, low)
    stop, _ = effective_stop(p, s, better(s, best))
    return s.side * (against - stop) > 0.0 and s.side * (best - s.target) < 0.0


@njit(**INNER)
def take(s, low, high):
    """A range that the position was open through."""
    s.lowest = low if low < s.lowest else s.lowest
    s.highest = high if high > s.highest else s.highest


@njit(**OPTIONS)
def walk(x, n, p, entry, s, bar_by_bar):
    """positions=single; returns the number of ledger rows."""
    begin(s, p, 0)
    t = 0 if bar_by_bar else next_bar(x, n, p, s, 0)
    while t < n:
        step(x, n, p, entry, s, t)
        t = t + 1 if bar_by_bar else next_bar(x, n, p, s, t + 1)
    return s.row


@njit(**INNER)
def ride(x, n, p, entry, s, bar_by_bar, signal, side):
    """One entry alone, from its signal to its last exit; its rows start at `s.row`."""
    want(x, n, p, entry, s, signal, side, 0)
    t = signal + 1
    while t < n and (s.side != 0 or s.order_side != 0 or s.entering != 0):
        if not bar_by_bar:
            t = next_bar(x, n, p, s, t)
        step(x, n, p, entry, s, t)
        t += 1


@njit(**INNER)
def fetch_entry(x, t):
    """Ask for what a trade that begins at bar `t` reads first."""
    for column in (x.open, x.close, x.low, x.high):
        prefetch(column, t + 1)
    for blocks in (x.low8, x.high8):
        prefetch(blocks, (t + 1) >> 3)
        prefetch(blocks, ((t + 1) >> 3) + 8)
    for blocks in (x.low0, x.high0):
        prefetch(blocks, (t + 1) >> 6)


@njit(**OPTIONS)
def walk_list(x, n, p, entries, s, bar_by_bar, rows, width, start, end):
    """positions=list, entries [start, end): those of entry i are the `rows[i]` rows of the ledger from `i * width`, of position i.
    `entries` is the address of ENTRY records. Threads share them."""
    begin(s, p, 1)
    for i in range(start, end):
        if i + AHEAD < end:
            fetch_entry(x, entry_at(entries, i + AHEAD).bar)
        entry = entry_at(entries, i)
        s.equity, s.row, s.positions, s.next_session = p.capital, i * width, i, -1
        ride(x, n, p, entry, s, bar_by_bar, entry.bar, 1 if entry.side == k.LONG else -1)
        rows[i] = s.row - i * width


@njit(**INNER)
def keep_open(left, held, fill):
    """Keep the trades that left after `fill`; how many they are."""
    kept = 0
    for i in range(held):
        if left[i] > fill:
            left[kept] = left[i]
            kept += 1
    return kept


@njit(**OPTIONS)
def overlap(x, n, p, entry, s, base, bar_by_bar, left):
    """positions=overlapping: ledger rows in the order of their signals; returns their number.

    Trades meet only in `max_open`: open at a fill are those that leave after it, and exits of that open (or close) come first. `left`
    (int64, shape (max_open,)) holds when those that may still be open leave. `base` keeps the next signals at the start of a trade.
    """
    begin(s, p, 1)
    begin(base, p, 1)
    at, held = 0, 0
    while True:
        refresh(x, n, base, at)
        signal = min(base.next_long_entry, base.next_short_entry)
        if signal >= n:
            return s.row
        at = signal + 1
        if p.max_open > 0 and refusal(x, n, p, signal) < 0:
            held = keep_open(left, held, 2 * at if p.entry_at == k.AT_OPEN else 2 * signal + 1)
            if held >= p.max_open:
                skip(s, k.MAX_OPEN)
                continue
        side = 1 if base.next_long_entry == signal else -1
        refresh(x, n, base, at)
        s.next_long_entry, s.next_long_exit, s.next_session = base.next_long_entry, base.next_long_exit, base.next_session
        s.next_short_entry, s.next_short_exit = base.next_short_entry, base.next_short_exit
        s.equity, row = p.capital, s.row
        ride(x, n, p, entry, s, bar_by_bar, signal, side)
        if p.max_open > 0 and s.row > row:
            left[held] = s.left_at
            held += 1
