"""Equity marked bar by bar in numba: peak, deepest drawdown, sums of returns. `metrics/reference.py` is the specification.

Between fills equity is `base + q * (close - ref)`, monotone in the close, and rounding keeps order: so a stretch of bars is decided by its
lowest and highest close. Bars are read one by one only where both a new peak and a new worst drawdown are possible, or where the bar
itself is wanted. With carry, `slope * (t - since) - late` is taken off; then a stretch is passed over if its best close at its best bar is
no new peak and its worst close at its worst bar no new worst, else its bars are read.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gpubt.backends.kernels.bits import INNER, read, read_word, record_reader
from gpubt.backends.kernels.blocks import COARSE, FINE, highest8, larger, lesser, lowest8

LANES = 8

# One account while it is marked: realised equity, the line that equity is on, what open rows add up to, the peak (`peak_*` name the
# stretch in which it was reached: its bar is looked up only when needed), and addresses. All in one record: records are bare pointers.
STATE = np.dtype(
    [
        *((name, "f8") for name in ("equity", "base", "q", "ref", "slope", "late", "fees", "shift", "carry_long", "carry_short")),
        *((name, "f8") for name in ("peak", "peak_base", "peak_q", "peak_ref", "deepest", "before", "risk_free")),
        ("floor", "f8"),  # equity at or above it can't be a new worst
        *(
            (name, "u8")
            for name in (
                "close",
                "bottom0",
                "top0",
                "bottom1",
                "top1",
                "ledger",
                "exits",
                "ends",
                "marks",
                "lanes",
                "hash",
                "sums",
                "squares",
            )
        ),
        *(
            (name, "i8")
            for name in ("n", "rows", "periods", "skip", "since", "at", "peak_from", "peak_to", "start", "end", "period", "blocks", "block")
        ),
    ]
)
LANE = np.dtype([("sum", "f8"), ("square", "f8"), ("downside", "f8")])
MARK = np.dtype([("equity", "f8")])

lane_at, mark_at = record_reader(LANE), record_reader(MARK)


@njit(**INNER)
def begin(s, capital):
    """An account that owns `capital`."""
    s.equity, s.peak, s.peak_base, s.before, s.end = capital, capital, capital, capital, -1
    s.peak_to = 1
    s.floor = clear_of_rounding(capital, 0.0)


@njit(**INNER)
def clear_of_rounding(peak, deepest):
    """Below this equity the exact test `1 - equity / peak > deepest` is made. The margin is several times its rounding error, also where
    more than everything was lost, so that no division is needed above."""
    return peak * ((1.0 - deepest) + 4e-15 * (1.0 + deepest))


@njit(**INNER)
def mark(s, close):
    """Equity at `close`, before what has accrued."""
    return s.base + s.q * (close - s.ref)


@njit(**INNER)
def accrued(s, t):
    return s.slope * (t - s.since) - s.late


@njit(**INNER)
def equity_at(s, t):
    equity = mark(s, read(s.close, t))
    return equity - accrued(s, t) if s.slope != 0.0 else equity


@njit(**INNER)
def new_peak(s, peak, start, end):
    s.peak, s.peak_from, s.peak_to = peak, start, end
    s.peak_base, s.peak_q, s.peak_ref = s.base, s.q, s.ref
    s.floor = clear_of_rounding(peak, s.deepest)


@njit(**INNER)
def new_fall(s, fall):
    if fall > s.deepest:
        s.deepest, s.end = fall, -1
        s.start = peak_bar(s)
        s.floor = clear_of_rounding(s.peak, fall)


@njit(**INNER)
def peak_bar(s):
    """The bar of the running peak. (A peak that carry had a part in was seen on its own bar.)"""
    t = s.peak_from
    while t + 1 < s.peak_to and s.peak_base + s.peak_q * (read(s.close, t) - s.peak_ref) < s.peak:
        t += 1
    s.peak_from, s.peak_to = t, t + 1
    return t


@njit(**INNER)
def see(s, t, equity):
    """One marked bar."""
    if equity > s.peak:
        if s.deepest > 0.0 and s.end < 0:
            s.end = t
        new_peak(s, equity, t, t + 1)
    elif equity < s.floor:
        new_fall(s, 1.0 - equity / s.peak)


@njit(**INNER)
def ends_of(s, bottom, top):
    """Worst and best mark between two closes."""
    a, z = mark(s, bottom), mark(s, top)
    return (a, z) if s.q >= 0.0 else (z, a)


@njit(**INNER)
def clear(s, t, end, bottom, top):
    """Whether no bar in [t, end) can be a new peak or a new worst, their closes being within [bottom, top]."""
    low, high = ends_of(s, bottom, top)
    if s.slope != 0.0:
        first, last = accrued(s, t), accrued(s, end - 1)
        low, high = low - larger(first, last), high - lesser(first, last)
    return high <= s.peak and low >= s.floor


@njit(**INNER)
def decide(s, t, end, bottom, top):
    """Bars [t, end) without carry, whose extremes the closes `bottom` and `top` are; False when they must be read one by one."""
    low, high = ends_of(s, bottom, top)
    if high > s.peak:
        if low < clear_of_rounding(high, s.deepest) or (s.deepest > 0.0 and s.end < 0):
            return False  # a new worst may follow the new peak; or the first new peak ends a drawdown: which bar?
        new_peak(s, high, t, end)
    elif low < s.floor:
        new_fall(s, 1.0 - low / s.peak)
    return True


@njit(**INNER)
def block(s, t, end, bottom, top):
    """A whole block by its extremes; False when its bars must be read."""
    return decide(s, t, end, bottom, top) if s.slope == 0.0 else clear(s, t, end, bottom, top)


@njit(**INNER)
def piece(s, t, end):
    """Bars [t, end) of at most two blocks: first by the extremes of the blocks, then by their own."""
    first, last = t >> 6, (end - 1) >> 6
    bottom = lesser(read(s.bottom0, first), read(s.bottom0, last))
    top = larger(read(s.top0, first), read(s.top0, last))
    if clear(s, t, end, bottom, top):
        return True
    if s.slope != 0.0 or end - t < 8:
        return False
    bottom, top = lowest8(s.close, end - 8), highest8(s.close, end - 8)
    for i in range(t, end - 8, 8):
        bottom, top = lesser(bottom, lowest8(s.close, i)), larger(top, highest8(s.close, i))
    return decide(s, t, end, bottom, top)


@njit(**INNER)
def read_bars(s, t, end):
    """Bars [t, end) one by one."""
    while t < end:
        equity = equity_at(s, t)
        if equity > s.peak or equity < s.floor:
            see(s, t, equity)
        t += 1


@njit(**INNER)
def see_bars(s, t, end):
    """Peak and drawdown over the closes of bars [t, end)."""
    while t < end:
        stop = end if end - t <= FINE else (t | (FINE - 1)) + 1
        if s.skip != 0:
            if (t & (COARSE - 1)) == 0 and t + COARSE <= end:
                if block(s, t, t + COARSE, read(s.bottom1, t >> 12), read(s.top1, t >> 12)):
                    t += COARSE
                    continue
            if (t & (FINE - 1)) == 0 and t + FINE <= end:
                done = block(s, t, stop, read(s.bottom0, t >> 6), read(s.top0, t >> 6))
            else:
                done = piece(s, t, stop)
            if done:
                t = stop
                continue
        read_bars(s, t, stop)
        t = stop


@njit(**INNER)
def block_end(s):
    """The period after those of the block that is summed now: of equal numbers of periods, whose sums are kept."""
    return s.periods * (s.block + 1) // s.blocks if s.blocks > 0 else s.periods + 1


@njit(**INNER)
def first_from(s, i, end):
    """The first period from number `i` on that does not end before bar `end`."""
    step = 1
    while i + step < s.periods and np.int64(read_word(s.ends, i + step)) < end:
        i += step
        step <<= 1
    while step > 0:
        if i + step < s.periods and np.int64(read_word(s.ends, i + step)) < end:
            i += step
        step >>= 1
    return i + 1


@njit(**INNER)
def add_returns(s, end):
    """The return periods that end before bar `end`."""
    i, before, risk_free = s.period, s.before, s.risk_free
    if i >= s.periods or np.int64(read_word(s.ends, i)) >= end:
        return
    idle = s.q == 0.0 and s.slope == 0.0 and risk_free == 0.0 and s.base > 0.0 and s.marks == np.uint64(0)
    boundary = block_end(s)
    while i < s.periods:
        t = np.int64(read_word(s.ends, i))
        if t >= end:
            break
        if idle and before == s.base:  # returns of zero
            i = first_from(s, i, end)
            break
        equity = equity_at(s, t)
        if s.marks != np.uint64(0):
            mark_at(s.marks, i).equity = equity
        excess = (equity / before - 1.0 if before > 0.0 else 0.0) - risk_free
        square = excess * excess
        if s.blocks > 0:
            while i >= boundary:
                s.block += 1
                boundary = block_end(s)
            mark_at(s.sums, s.block).equity += excess
            mark_at(s.squares, s.block).equity += square
        lane = lane_at(s.lanes, i & (LANES - 1))
        lane.sum += excess
        lane.square += square
        lane.downside += square if excess < 0.0 else 0.0
        before = equity
        i += 1
    s.before, s.period = before, i


@njit(**INNER)
def stretch(s, end):
    """Mark the bars up to `end` on the line that equity is on."""
    if s.at < end:
        if s.q == 0.0:
            see(s, s.at, s.base)
        else:
            see_bars(s, s.at, end)
        add_returns(s, end)
        s.at = end


@njit(**INNER)
def pairwise(a, b, c, d, e, f, g, h):
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@njit(**INNER)
def finish(s, equity, out):
    """The tally's share of the marks."""
    out.final_equity, out.drawdown = equity, s.deepest
    if s.deepest > 0.0:
        out.drawdown_start = s.start
        out.drawdown_end = s.end if s.end >= 0 else s.n - 1
    a, b, c, d = lane_at(s.lanes, 0), lane_at(s.lanes, 1), lane_at(s.lanes, 2), lane_at(s.lanes, 3)
    e, f, g, h = lane_at(s.lanes, 4), lane_at(s.lanes, 5), lane_at(s.lanes, 6), lane_at(s.lanes, 7)
    out.sum_return = pairwise(a.sum, b.sum, c.sum, d.sum, e.sum, f.sum, g.sum, h.sum)
    out.sum_square = pairwise(a.square, b.square, c.square, d.square, e.square, f.square, g.square, h.square)
    out.sum_downside = pairwise(a.downside, b.downside, c.downside, d.downside, e.downside, f.downside, g.downside, h.downside)
