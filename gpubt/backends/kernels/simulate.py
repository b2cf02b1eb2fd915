"""The simulation in numba. `step` plays one bar in the order of the contract; in event mode `next_bar` names the next bar on which anything
can happen, and the bars between are skipped. One `step` for both modes: they can't differ but by a wrong skip.

Arguments everywhere, all records: `x` the market's addresses, `n` its bars, `p` the parameters, `entry` the levels of an entry, `s` the
account, with the addresses of its ledger rows, of the counts by `layout.SKIPS` and of the target ladder.
"""

from __future__ import annotations

from numba import njit

from gpubt.backends.kernels.ahead import next_bar, refresh
from gpubt.backends.kernels.bits import INNER, OPTIONS, prefetch, read
from gpubt.backends.kernels.inside import disagree, in_detail, look
from gpubt.backends.kernels.market import bit
from gpubt.backends.kernels.orders import falls_to, fill_inside, place, refusal, tend, wants
from gpubt.backends.kernels.position import better, close, effective_stop, entry_at, fill, fill_targets, skip, take, trailed_stop
from gpubt.simulate import layout as k

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
