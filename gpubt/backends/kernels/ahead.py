"""Event mode: the next bar on which anything can happen. The bars before it are skipped, by blocks where no level is touched.

Arguments as in `simulate.py`.
"""

from __future__ import annotations

from numba import njit

from gpubt.backends.kernels.bits import INNER, next_bit_at, read
from gpubt.backends.kernels.market import INF, first_touch
from gpubt.backends.kernels.position import better, effective_stop, take, trailed_stop
from gpubt.simulate import layout as k


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
