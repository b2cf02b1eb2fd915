"""The account in numba: marks, drawdown, return sums, hash. `metrics/reference.py` is its specification.

Between fills equity is a line, `base + q * (close - ref)` less what has accrued. Without carry it is monotone in the close, and rounding
keeps order: so a block of bars is decided by its lowest and highest close. Bars are read only where both a new peak and a new worst
drawdown are possible, or where the bar itself is wanted. With carry a block is skipped when bounds show that it has neither.

`x` is the market's record of addresses, `s` the account being marked.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gpubt.backends.kernels.bits import INNER, OPTIONS, bit_pattern, read, read_word, write
from gpubt.backends.kernels.position import trade_at
from gpubt.simulate import layout as k

COARSE, FINE = 4096, 64
LANES = 8
HASH_SEED = np.uint64(0x9E3779B97F4A7C15)
HASH_FACTOR = np.uint64(0xFF51AFD7ED558CCD)

# `peak_from` and `peak_to` name the stretch in which the peak was reached, and `peak_*` its line: its bar is looked up only when needed.
STATE = np.dtype(
    [
        *((name, "f8") for name in ("base", "q", "ref", "slope", "late")),  # the line now
        *((name, "f8") for name in ("peak", "peak_base", "peak_q", "peak_ref", "deepest")),
        ("floor", "f8"),  # equity at or above it can't be a new worst
        ("before", "f8"),
        ("risk_free", "f8"),
        *((name, "i8") for name in ("since", "peak_from", "peak_to", "start", "end", "period", "periods", "next_end", "skip")),
        *((name, "u8") for name in ("ends", "equity", "sums")),  # addresses: (periods,) int64, (periods,), (3, LANES)
    ]
)


@njit(**INNER)
def mark(s, price, t):
    """Equity with the close `price` of bar `t`."""
    equity = s.base + s.q * (price - s.ref)
    return equity if s.slope == 0.0 else equity - (s.slope * (t - s.since) - s.late)


@njit(**INNER)
def set_line(s, base, q, ref):
    s.base, s.q, s.ref, s.slope, s.late = base, q, ref, 0.0, 0.0


@njit(**INNER)
def clear_of_rounding(peak, deepest):
    """Below this equity the exact test `1 - equity / peak > deepest` is made. The margin is several times its rounding error, so that no
    division is needed above."""
    return peak * ((1.0 - deepest) + 4e-15)


@njit(**INNER)
def new_peak(s, peak, start, end):
    s.peak, s.peak_from, s.peak_to = peak, start, end
    s.peak_base, s.peak_q, s.peak_ref = s.base, s.q, s.ref
    s.floor = clear_of_rounding(peak, s.deepest)


@njit(**INNER)
def new_fall(x, s, fall):
    if fall > s.deepest:
        s.deepest, s.end = fall, -1
        s.start = peak_bar(x, s)
        s.floor = clear_of_rounding(s.peak, fall)


@njit(**INNER)
def see(x, s, t, equity):
    """One marked bar."""
    if equity > s.peak:
        if s.deepest > 0.0 and s.end < 0:
            s.end = t
        new_peak(s, equity, t, t + 1)
    elif equity < s.floor:
        new_fall(x, s, 1.0 - equity / s.peak)


@njit(**INNER)
def peak_bar(x, s):
    """The bar of the running peak. A stretch of several bars has no carry."""
    t = s.peak_from
    while t + 1 < s.peak_to and s.peak_base + s.peak_q * (read(x.close, t) - s.peak_ref) < s.peak:
        t += 1
    s.peak_from, s.peak_to = t, t + 1
    return t


@njit(**INNER)
def see_block(x, s, t, size, bottom, top):
    """A whole block, when it can be decided by its extremes; False when its bars must be read."""
    low, high = (bottom, top) if s.q >= 0.0 else (top, bottom)
    low, high = s.base + s.q * (low - s.ref), s.base + s.q * (high - s.ref)
    if s.slope != 0.0:
        early, last = s.slope * (t - s.since) - s.late, s.slope * (t + size - 1 - s.since) - s.late
        most, least = (last, early) if last > early else (early, last)
        return high - least <= s.peak and low - most >= s.floor
    if high > s.peak:
        if low < clear_of_rounding(high, s.deepest) or (s.deepest > 0.0 and s.end < 0):
            return False  # a new worst may follow the new peak; or the first new peak ends a drawdown: which bar?
        new_peak(s, high, t, t + size)
    elif low < s.floor:
        new_fall(x, s, 1.0 - low / s.peak)
    return True


@njit(**INNER)
def see_bars(x, s, t, end):
    """Peak and drawdown over the closes of bars [t, end)."""
    if s.q == 0.0:
        if t < end:
            see(x, s, t, s.base)
        return
    while t < end:
        if s.skip != 0 and (t & (FINE - 1)) == 0:
            if (t & (COARSE - 1)) == 0 and t + COARSE <= end:
                if see_block(x, s, t, COARSE, read(x.bottom1, t >> 12), read(x.top1, t >> 12)):
                    t += COARSE
                    continue
            if t + FINE <= end and see_block(x, s, t, FINE, read(x.bottom0, t >> 6), read(x.top0, t >> 6)):
                t += FINE
                continue
        stop = min(end, (t | (FINE - 1)) + 1)
        peak, floor, base, q, ref, slope = s.peak, s.floor, s.base, s.q, s.ref, s.slope
        while t < stop:
            equity = base + q * (read(x.close, t) - ref)
            if slope != 0.0:
                equity = equity - (slope * (t - s.since) - s.late)
            if equity > peak or equity < floor:
                see(x, s, t, equity)
                peak, floor = s.peak, s.floor
            t += 1


@njit(**INNER)
def add_returns(x, s, end):
    """The return periods that end before bar `end`."""
    while s.next_end < end:
        i, t = s.period, s.next_end
        equity = mark(s, read(x.close, t), t)
        write(s.equity, i, equity)
        excess = (equity / s.before - 1.0 if s.before > 0.0 else 0.0) - s.risk_free
        square = excess * excess
        lane = i & (LANES - 1)
        write(s.sums, lane, read(s.sums, lane) + excess)
        write(s.sums, LANES + lane, read(s.sums, LANES + lane) + square)
        if excess < 0.0:
            write(s.sums, 2 * LANES + lane, read(s.sums, 2 * LANES + lane) + square)
        s.before = equity
        next_period(s, i + 1)


@njit(**INNER)
def next_period(s, i):
    s.period = i
    s.next_end = np.int64(read_word(s.ends, i)) if i < s.periods else np.int64(2**62)


@njit(**INNER)
def stretch(x, s, t, end):
    """Mark bars [t, end) by the line."""
    see_bars(x, s, t, end)
    if s.next_end < end:
        add_returns(x, s, end)


@njit(**INNER)
def pairwise(s, i):
    v = s.sums
    left = (read(v, i) + read(v, i + 1)) + (read(v, i + 2) + read(v, i + 3))
    return left + ((read(v, i + 4) + read(v, i + 5)) + (read(v, i + 6) + read(v, i + 7)))


@njit(**INNER)
def mix(h, word):
    h = (h ^ word) * HASH_FACTOR
    return h ^ (h >> np.uint64(32))


@njit(**INNER)
def pattern(value):
    """The bits of a double, -0.0 as 0.0."""
    return bit_pattern(value + 0.0)


@njit(**INNER)
def add_row(out, h, t):
    """A ledger row's share of the tally; the hash with it."""
    out.fees += t.fees
    out.accrued += t.accrued
    out.shortfall += t.shortfall
    out.notional += t.units * t.entry_price + t.units * t.exit_price
    h = mix(mix(mix(h, np.uint64(t.entry_bar)), np.uint64(t.exit_bar)), np.uint64(t.side * 16 + t.reason))
    h = mix(mix(h, pattern(t.entry_price)), pattern(t.exit_price))
    return mix(mix(h, pattern(t.units)), pattern(t.pnl))


@njit(**INNER)
def add_position(out, pnl, share, bars, ambiguous):
    """A position's share: its pnl, that as a fraction of what was paid, bars held."""
    if pnl > 0.0:
        out.wins += 1
        out.gross_profit += pnl
    elif pnl < 0.0:
        out.losses += 1
        out.gross_loss += pnl
    out.best = share if out.trades == 0 or share > out.best else out.best
    out.worst = share if out.trades == 0 or share < out.worst else out.worst
    out.bars_held += max(1, bars)
    out.ambiguous += ambiguous
    out.trades += 1


@njit(**INNER)
def add_trades(ledger, count, out):
    """Everything in the tally that comes from trades alone, in ledger order. Rows of one position stand together."""
    out.best, out.worst = np.nan, np.nan
    h = HASH_SEED
    i = 0
    while i < count:
        t = trade_at(ledger, i)
        number, first, last = t.position, t.entry_bar, t.exit_bar
        pnl, paid, ambiguous = 0.0, 0.0, 0
        while i < count:
            t = trade_at(ledger, i)
            if t.position != number:
                break
            h = add_row(out, h, t)
            pnl += t.pnl
            paid += t.units * t.entry_price
            ambiguous |= t.ambiguous
            last = max(last, t.exit_bar)
            i += 1
        add_position(out, pnl, pnl / paid, last - first, ambiguous)
    out.hash = np.int64(h)


@njit(**INNER)
def finish(s, equity, n, out):
    out.final_equity = equity
    out.drawdown = s.deepest
    if s.deepest > 0.0:
        out.drawdown_start = s.start
        out.drawdown_end = s.end if s.end >= 0 else n - 1
    out.sum_return, out.sum_square, out.sum_downside = pairwise(s, 0), pairwise(s, LANES), pairwise(s, 2 * LANES)


@njit(**INNER)
def begin(s, capital):
    set_line(s, capital, 0.0, 0.0)
    s.peak, s.peak_base, s.before, s.end = capital, capital, capital, -1
    s.peak_to = 1
    s.floor = clear_of_rounding(capital, 0.0)
    next_period(s, 0)


@njit(**INNER)
def open_line(s, p, equity, ledger, i, end, bar):
    """The line of those of rows [i, end) that are open at the close of `bar`; the next bar on which one of them enters or leaves."""
    fees = q = shift = slope = late = ref = 0.0
    first = next_bar = np.int64(2**62)
    for j in range(i, end):
        t = trade_at(ledger, j)
        if t.exit_bar > bar:
            next_bar = min(next_bar, t.entry_bar if t.entry_bar > bar else t.exit_bar)
            if t.entry_bar <= bar:
                if first == np.int64(2**62):
                    first, ref = t.entry_bar, t.entry_price
                side, rate = (1.0, p.carry_long) if t.side == k.LONG else (-1.0, p.carry_short)
                fees += t.entry_fees
                q += side * t.units
                shift += (side * t.units) * (t.entry_price - ref)
                slope += (rate * t.units) * t.entry_price
                late += ((rate * t.units) * t.entry_price) * (t.entry_bar - first)
    s.base, s.q, s.ref, s.slope, s.late, s.since = (equity - fees) - shift, q, ref, slope, late, first
    return next_bar


@njit(**INNER)
def mark_position(x, s, p, equity, ledger, i, end):
    """Mark the bars of one position, rows [i, end); returns equity after it."""
    bar = trade_at(ledger, i).entry_bar
    while True:
        for j in range(i, end):
            if trade_at(ledger, j).exit_bar == bar:
                equity += trade_at(ledger, j).pnl
        until = open_line(s, p, equity, ledger, i, end, bar)
        if until == np.int64(2**62):
            return equity
        stretch(x, s, bar, until)
        bar = until


@njit(**OPTIONS)
def account(x, n, p, ledger, count, s, out):
    """positions=single: `ledger` is the address of `count` rows, `out` a zeroed TALLY record, `s` a STATE record whose addresses,
    `periods`, `skip` and `risk_free` are set and the rest is zero."""
    begin(s, p.capital)
    equity, at, i = p.capital, 0, 0
    while i < count:
        t = trade_at(ledger, i)
        entry_bar, end, last = t.entry_bar, i + 1, t.exit_bar
        while end < count and trade_at(ledger, end).position == t.position:
            last = max(last, trade_at(ledger, end).exit_bar)
            end += 1
        set_line(s, equity, 0.0, 0.0)
        stretch(x, s, at, entry_bar)
        equity = mark_position(x, s, p, equity, ledger, i, end)
        out.exposed += last - entry_bar
        at, i = last, end
    set_line(s, equity, 0.0, 0.0)
    stretch(x, s, at, n)
    add_trades(ledger, count, out)
    finish(s, equity, n, out)


@njit(**OPTIONS)
def account_list(x, n, p, ledger, count, exits, s, out):
    """positions=list and overlapping: `exits` (address, int64) orders the rows by exit bar, then as the ledger. Equity is `cash + units *
    close`."""
    begin(s, p.capital)
    held, entered, left, at = 0, 0, 0, 0
    while entered < count or left < count:
        bar = trade_at(ledger, np.int64(read_word(exits, left))).exit_bar if left < count else n
        if entered < count and trade_at(ledger, entered).entry_bar < bar:
            bar = trade_at(ledger, entered).entry_bar
        stretch(x, s, at, bar)
        out.exposed += bar - at if held > 0 else 0
        while left < count and trade_at(ledger, np.int64(read_word(exits, left))).exit_bar == bar:
            t = trade_at(ledger, np.int64(read_word(exits, left)))
            signed = (1 if t.side == k.LONG else -1) * t.units
            s.base = ((s.base + signed * t.exit_price) - (t.fees - t.entry_fees)) - t.accrued
            s.q -= signed
            held -= 1
            left += 1
        while entered < count and trade_at(ledger, entered).entry_bar == bar:
            t = trade_at(ledger, entered)
            signed = (1 if t.side == k.LONG else -1) * t.units
            s.base = (s.base - signed * t.entry_price) - t.entry_fees
            s.q += signed
            held += 1
            entered += 1
        if held == 0:
            s.q = 0.0
        at = bar
    stretch(x, s, at, n)
    add_trades(ledger, count, out)
    finish(s, s.base + s.q * (read(x.close, n - 1) - 0.0), n, out)
