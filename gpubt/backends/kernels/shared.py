"""Exits shared by the sets of one signal: what ends a trade is searched once for each entry and each distinct level, and a set takes the
earliest of its own. `simulate.walk` does the same search again for every set.

A moment is one integer, `bar * 16 + phase`, with the phases of `simulate.step` in their order. It depends on the entry, not on the account,
as long as a position is one market order without further ones, and is not liquidated. Where an account could be, its set is left to the
walk (`left`). Fills, sizes and bookings are those of `position.py`, the account is that of `account.py`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gpubt.backends.kernels.account import add_position, flat, one_row, renew
from gpubt.backends.kernels.ahead import block_range
from gpubt.backends.kernels.bits import INNER, next_bit_at, read, record_reader
from gpubt.backends.kernels.inside import look
from gpubt.backends.kernels.levels import LEVEL, STOPS, TARGETS, TIMES, TRAILS
from gpubt.backends.kernels.market import INF, TABLE, bit, extremes, optional
from gpubt.backends.kernels.marks import STATE, finish, stretch
from gpubt.backends.kernels.orders import refusal
from gpubt.backends.kernels.position import close, fill, level, slipped
from gpubt.simulate import layout as k

NEVER = np.int64(2**62)
OPEN_SIGNAL, OPEN_TIME, STOP_GAP, TARGET_GAP, STOP_INSIDE, TARGET_INSIDE, CLOSE_SIGNAL, CLOSE_TIME, CLOSE_SESSION, CLOSE_END = range(10)
REVERSED, CONSUMED = 1, 2  # an exit whose own signal enters the other side; whose own signal is used up

# An entry signal: its side (+1, -1), the bar of its fill, the moment and kind of its exit by signal, session or end; the worst price until
# then (NaN: not known yet). `known`: whether its levels were searched.
CANDIDATE = np.dtype([(name, "i8") for name in ("signal", "side", "bar", "base", "how", "known")] + [("worst", "f8")])
# The first touch of a level: when, and where the level was.
TOUCH = np.dtype([("moment", "i8"), ("level", "f8")])
# A set: addresses of its parameters, its ENTRY record, its account and its tally; the numbers of its levels (-1: none); the first bar whose
# signal it may take; whether it is left to the walk.
SET = np.dtype(
    [(name, "u8") for name in ("params", "entry", "account", "tally")]
    + [(name, "i8") for name in ("stop", "trail", "target", "time", "free", "left")]
)

# Sets [first, last) with the signals of one TABLE, which agree in how they enter; their `width` LEVEL records; whether they
# are played side by side (`lanes.py`); extreme prices of all bars.
GROUP = np.dtype(
    [
        *((name, "u8") for name in ("table", "levels")),
        *((name, "i8") for name in ("first", "last", "width", "lanes")),
        *((name, "f8") for name in ("lowest", "highest")),
    ]
)

level_at, candidate_at, touch_at, set_at = record_reader(LEVEL), record_reader(CANDIDATE), record_reader(TOUCH), record_reader(SET)
params_at, entry_at, tally_at, account_at = record_reader(k.PARAMS), record_reader(k.ENTRY), record_reader(k.TALLY), record_reader(STATE)
table_at, group_at = record_reader(TABLE), record_reader(GROUP)


@njit(**INNER)
def first_exit(x, n, p, side, t):
    """Moment and kind of the first exit by a signal, the session or the end of data, for a position that sees the close of bar `t`."""
    long = side > 0
    found, how = (n - 1) * 16 + CLOSE_END, 0
    session = next_bit_at(x.session, t, n)
    if session < n:
        found = min(found, session * 16 + CLOSE_SESSION)
    signal = next_bit_at(x.long_exit if long else x.short_exit, t, n)
    if signal < n:
        found = min(found, signal * 16 + CLOSE_SIGNAL if p.exit_at == k.AT_CLOSE else (signal + 1) * 16 + OPEN_SIGNAL)
    if p.on_opposite != k.IGNORE:
        other = opposite(x, n, side, t)
        if other < n - 1:
            at = p.exit_at if p.on_opposite == k.CLOSE else p.entry_at
            moment = other * 16 + CLOSE_SIGNAL if at == k.AT_CLOSE else (other + 1) * 16 + OPEN_SIGNAL
            if moment <= found:
                found = moment
                if p.on_opposite == k.CLOSE:
                    how = CONSUMED if at == k.AT_CLOSE else 0
                elif at == k.AT_OPEN and p.cooldown == 0:
                    how = REVERSED
    return found, how


@njit(**INNER)
def opposite(x, n, side, t):
    """The first bar from `t` on that wants the other side; where both are wanted it is the long one."""
    if side < 0:
        return next_bit_at(x.long_entry, t, n)
    while t < n:
        t = next_bit_at(x.short_entry, t, n)
        if t < n and not bit(x.long_entry, t):
            return t
        t += 1
    return n


@njit(**INNER)
def collect(x, n, p, t, room, candidates):
    """Entry signals from bar `t` on that nothing refuses, up to `room`; how many, and the bar to go on from."""
    count = 0
    long, short = next_bit_at(x.long_entry, t, n), next_bit_at(x.short_entry, t, n)
    while count < room and (long < n or short < n):
        signal = min(long, short)
        side = 1 if long == signal else -1
        if long == signal:
            long = next_bit_at(x.long_entry, signal + 1, n)
        if short == signal:
            short = next_bit_at(x.short_entry, signal + 1, n)
        t = signal + 1
        if refusal(x, n, p, signal) >= 0:
            continue
        c = candidate_at(candidates, count)
        c.signal, c.side, c.known = signal, side, 0
        c.bar = signal if p.entry_at == k.AT_CLOSE else signal + 1
        count += 1
    return count, t if count == room else n


@njit(**INNER)
def entry_price(x, p, c):
    return slipped(x, p, read(x.close if p.entry_at == k.AT_CLOSE else x.open, c.bar), c.side, c.bar)


@njit(**INNER)
def know(x, n, p, c, levels, count, touches):
    """Search what ends a trade of candidate `c`: its exit by signal, and the first touch of each level before that."""
    c.known, c.worst = 1, np.nan
    exposed = c.bar if p.entry_at == k.AT_OPEN and p.exposed_later == 0 else c.bar + 1
    c.base, c.how = first_exit(x, n, p, c.side, c.bar if p.entry_at == k.AT_OPEN else c.bar + 1)
    for i in range(count):
        touch_at(touches, i).moment = NEVER
    if count == 0:
        return
    price = entry_price(x, p, c)
    atr = optional(x.atr, c.signal)
    anchor = price if p.anchor == k.ANCHOR_FILL else read(x.close, c.signal)
    place(x, p, c, levels, count, touches, price, anchor, atr)
    end = (c.base >> 4) + (1 if c.base & 15 >= CLOSE_SIGNAL else 0)
    search(x, p, c, levels, count, touches, price, atr, exposed, end)


@njit(**INNER)
def place(x, p, c, levels, count, touches, price, anchor, atr):
    """Where the levels of this entry are; of trailing stops the distance, of time exits the moment."""
    side, long = c.side, c.side > 0
    for i in range(count):
        v, touch = level_at(levels, i), touch_at(touches, i)
        if v.family == STOPS:
            rule = optional(x.long_stop if long else x.short_stop, c.signal) if v.kind == k.RULE else np.nan
            touch.level = level(v.kind, v.value, anchor, -side, atr, 0.0, rule)
        elif v.family == TIMES:
            touch.level, t = 0.0, c.bar + np.int64(v.value)
            touch.moment = t * 16 + (OPEN_TIME if p.time_at == k.AT_OPEN else CLOSE_TIME)
        elif v.family == TARGETS:
            rule = optional(x.long_target if long else x.short_target, c.signal) if v.kind == k.RULE else np.nan
            distance = side * (anchor - touch_at(touches, v.of).level) if v.kind == k.R_MULTIPLE else 0.0
            touch.level = level(v.kind, v.value, anchor, side, atr, distance, rule)
        else:
            touch.level = v.value * atr if v.kind == k.ATR else v.value


@njit(**INNER)
def trailing(v, touch, side, extreme):
    """The trailing stop at a best price; its distance is in `touch.level` until it is touched."""
    return extreme * (1.0 - side * touch.level) if v.kind == k.PCT else extreme - side * touch.level


@njit(**INNER)
def nearest(levels, count, touches, side):
    """Of the levels not touched yet: the nearest stop and target, and the smallest share and distance of a trailing stop; and how many."""
    stop, target, share, distance, left = -side * INF, side * INF, INF, INF, 0
    for i in range(count):
        v, touch = level_at(levels, i), touch_at(touches, i)
        if touch.moment != NEVER or np.isnan(touch.level):
            continue
        left += 1
        if v.family == STOPS:
            stop = touch.level if side * (touch.level - stop) > 0.0 else stop
        elif v.family == TARGETS:
            target = touch.level if side * (target - touch.level) > 0.0 else target
        elif v.kind == k.PCT:
            share = min(share, touch.level)
        else:
            distance = min(distance, touch.level)
    return stop, target, share, distance, left


@njit(**INNER)
def bound(side, stop, share, distance, extreme):
    """A price that no untouched stop is nearer than, at a best price."""
    followed = extreme * (1.0 - side * share)
    stop = followed if share < INF and side * (followed - stop) > 0.0 else stop
    followed = extreme - side * distance
    return followed if distance < INF and side * (followed - stop) > 0.0 else stop


@njit(**INNER)
def search(x, p, c, levels, count, touches, price, atr, t, end):
    """The first touches in bars [t, end). A block is skipped when its range stays clear of the nearest levels, wherever in it the best
    price is."""
    side = c.side
    long = side > 0
    extreme, top = price, price
    stop, target, share, distance, left = nearest(levels, count, touches, side)
    while t < end and left > 0:
        size = 4096
        while size > 1:
            if t & (size - 1) == 0 and t + size <= end:
                low, high = block_range(x, t, size)
                against, best = (low, high) if long else (high, low)
                top = best if side * (best - extreme) > 0.0 else extreme
                if side * (against - bound(side, stop, share, distance, top)) > 0.0 and side * (best - target) < 0.0:
                    break
            size >>= 3
        if size > 1:
            extreme = top
            t += size
            continue
        stops = min(end, (t | 7) + 1)
        while t < stops:
            low, high = read(x.low, t), read(x.high, t)
            against, best = (low, high) if long else (high, low)
            if side * (against - bound(side, stop, share, distance, extreme)) <= 0.0 or side * (best - target) >= 0.0:
                touch(x, p, levels, count, touches, side, t, price, atr, extreme, against, best)
                stop, target, share, distance, left = nearest(levels, count, touches, side)
                if left == 0:
                    return
            extreme = best if side * (best - extreme) > 0.0 else extreme
            t += 1


@njit(**INNER)
def touch(x, p, levels, count, touches, side, t, price, atr, extreme, against, best):
    """The levels that bar `t` touches. At its open, a target is reached only if no stop is (of the same set: `earliest` sees to it)."""
    o = read(x.open, t)
    for i in range(count):
        v, touch = level_at(levels, i), touch_at(touches, i)
        if touch.moment != NEVER:
            continue
        if v.family == TARGETS:
            if side * (best - touch.level) >= 0.0:
                touch.moment = t * 16 + (TARGET_GAP if side * (o - touch.level) >= 0.0 else TARGET_INSIDE)
            continue
        at = touch.level
        if v.family == TRAILS:
            from_ = level(v.kind, v.activation, price, side, atr, 0.0, np.nan)
            if not side * (extreme - from_) >= 0.0:
                continue
            at = trailing(v, touch, side, extreme)
        if side * (against - at) <= 0.0:
            touch.moment = t * 16 + (STOP_GAP if side * (o - at) <= 0.0 else STOP_INSIDE)
            touch.level = at


@njit(**INNER)
def earliest(x, p, c, s, e, touches):
    """Moment, raw price and reason of a set's exit, and whether the order within its bar mattered."""
    side = c.side
    moment, price, reason, ambiguous = c.base, 0.0, k.SIGNAL, 0
    if p.max_bars > 0:
        by_time = (c.bar + p.max_bars) * 16 + (OPEN_TIME if p.time_at == k.AT_OPEN else CLOSE_TIME)
        moment = min(moment, by_time)
    stopped, at, why = NEVER, 0.0, k.STOP
    if e.stop >= 0:
        stopped, at = touch_at(touches, e.stop).moment, touch_at(touches, e.stop).level
    if e.trail >= 0:
        trail = touch_at(touches, e.trail)
        if trail.moment < stopped or (trail.moment == stopped and trail.moment != NEVER and side * (trail.level - at) > 0.0):
            stopped, at, why = trail.moment, trail.level, k.TRAILING
    reached = touch_at(touches, e.target).moment if e.target >= 0 else NEVER
    if (
        stopped >> 4 == reached >> 4
        and stopped != NEVER
        and stopped & 15 == STOP_INSIDE
        and reached & 15 == TARGET_INSIDE
        and stopped < moment
    ):
        t = stopped >> 4
        ambiguous = 1
        o, h, low, z = read(x.open, t), read(x.high, t), read(x.low, t), read(x.close, t)
        stop_first, _, _ = look(p.same_bar, k.MARKET, side, o, h, low, z, at)
        if stop_first:
            reached = NEVER
        else:
            stopped = NEVER
    if stopped < reached:
        if stopped < moment:
            moment, reason = stopped, why
            price = read(x.open, moment >> 4) if moment & 15 == STOP_GAP and p.gap_at_level == 0 else at
            return moment, price, reason, ambiguous
    elif reached < moment:
        moment = reached
        price = read(x.open, moment >> 4) if moment & 15 == TARGET_GAP and p.gap_at_level == 0 else s.target
        return moment, price, k.TARGET, ambiguous
    phase = moment & 15
    price = read(x.open if phase < STOP_GAP else x.close, moment >> 4)
    if phase in (OPEN_TIME, CLOSE_TIME):
        reason = k.TIME
    elif phase == CLOSE_SESSION:
        reason = k.SESSION
    elif phase == CLOSE_END:
        reason = k.END_OF_DATA
    return moment, price, reason, 0


@njit(**INNER)
def may_be_liquidated(x, n, p, c, s, lowest, highest):
    """Whether the price gets where this position would be liquidated before its exit by signal; its own stop may come first."""
    side = s.side
    if side * (s.liquidation - s.stop) <= 0.0:
        return False
    if side * ((lowest if side > 0 else highest) - s.liquidation) > 0.0:
        return False
    if np.isnan(c.worst):
        low, high = extremes(x, c.bar, min(n, (c.base >> 4) + 1), INF, -INF)
        c.worst = low if side > 0 else high
    return side * (c.worst - s.liquidation) <= 0.0


@njit(**INNER)
def next_free(p, c, moment, reason):
    """The first bar whose signal may be taken after an exit."""
    t, phase = moment >> 4, moment & 15
    if reason == k.SIGNAL and moment == c.base:
        if c.how == REVERSED and phase == OPEN_SIGNAL:
            return t - 1
        if c.how == CONSUMED and phase == CLOSE_SIGNAL:
            return t + max(1, p.cooldown)
    until = t + p.cooldown
    if reason != k.SIGNAL and p.reentry == 0 and p.cooldown == 0:
        until = t + 1
    return max(t, until)


@njit(**INNER)
def jump(candidates, i, count, free):
    """The first candidate from `i` on whose signal is at `free` or later."""
    step = 1
    while i + step < count and candidate_at(candidates, i + step).signal < free:
        i += step
        step <<= 1
    while step > 0:
        if i + step < count and candidate_at(candidates, i + step).signal < free:
            i += step
        step >>= 1
    return i if i >= count or candidate_at(candidates, i).signal >= free else i + 1


@njit(**INNER)
def play(x, n, p, entry, e, a, out, s, c, touches, lowest, highest):
    """One candidate for one set that is free to take it; False when there was no entry."""
    s.equity, s.side, s.row = a.equity, 0, 0
    at_close = p.entry_at == k.AT_CLOSE
    fill(x, p, entry, s, c.bar, c.signal, c.side, read(x.close if at_close else x.open, c.bar), k.MARKET, 0)
    if s.side == 0:
        return False
    if p.liquidate != 0 and may_be_liquidated(x, n, p, c, s, lowest, highest):
        e.left = 1
        return True
    moment, price, reason, ambiguous = earliest(x, p, c, s, e, touches)
    s.ambiguous, s.positions = ambiguous, 0
    close(x, p, s, moment >> 4, price, reason, moment & 15 < STOP_INSIDE)
    flat(a)
    stretch(a, c.bar)
    one_row(a, 0, out)
    add_position(a, 0, 1, out)
    e.free = next_free(p, c, moment, reason)
    return True


@njit(**INNER)
def trade(x, n, e, s, candidates, count, levels, width, touches, lowest, highest):
    """Play the candidates for one set: its account goes on from where it was."""
    p, entry, a, out = params_at(e.params, 0), entry_at(e.entry, 0), account_at(e.account, 0), tally_at(e.tally, 0)
    i = jump(candidates, 0, count, e.free)
    while i < count:
        c = candidate_at(candidates, i)
        mine = touches + np.uint64(i * width * 16)
        if c.known == 0:
            know(x, n, p, c, levels, width, mine)
        if not play(x, n, p, entry, e, a, out, s, c, mine, lowest, highest):
            i += 1
        elif e.left != 0:
            return
        else:
            i = jump(candidates, i, count, e.free)


@njit(**INNER)
def run_group(group, n, sets, s, candidates, room, touches):
    """The sets of one group."""
    x, first, last = table_at(group.table, 0), group.first, group.last
    p = params_at(set_at(sets, first).params, 0)
    for j in range(first, last):
        e = set_at(sets, j)
        renew(account_at(e.account, 0), params_at(e.params, 0))
        account_at(e.account, 0).ledger = s.ledger
        e.free, e.left = 0, 0
    t = 0
    while t < n:
        count, t = collect(x, n, p, t, room, candidates)
        for j in range(first, last):
            e = set_at(sets, j)
            if e.left == 0:
                trade(x, n, e, s, candidates, count, group.levels, group.width, touches, group.lowest, group.highest)
    for j in range(first, last):
        e = set_at(sets, j)
        a, out = account_at(e.account, 0), tally_at(e.tally, 0)
        if e.left == 0:
            flat(a)
            stretch(a, n)
            finish(a, a.equity, out)
            out.hash = np.int64(a.hash)
