"""What a bar's range does to a position in numba: the policies of `sim.same_bar`, and the finer bars that settle what they disagree on.

An answer is a tuple: is the stop before the targets, is it touched, and the best price that counts for the targets.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gpubt.backends.kernels.bits import INNER, read, read_word
from gpubt.backends.kernels.market import INF
from gpubt.backends.kernels.position import target_units, touched
from gpubt.simulate import layout as k


@njit(**INNER)
def look(policy, entered, side, o, h, low, c, stop):
    """One policy on one bar; `entered` is MARKET for a position from before, else how it was filled inside this bar (the table OWN_BAR of
    the reference)."""
    if policy == k.ADAPTIVE:
        up, down = h - o, o - low
        policy = k.STOP_FIRST if up == down else k.OHLC if up < down else k.OLHC
    if side < 0:
        policy = k.OLHC if policy == k.OHLC else k.OHLC if policy == k.OLHC else policy
    stop_first, by_close, reach_close = policy == k.STOP_FIRST or policy == k.OLHC, False, False
    if entered == k.STOP_ORDER:
        stop_first = policy == k.STOP_FIRST
        by_close = policy == k.TARGET_FIRST or policy == k.OLHC
    elif entered == k.LIMIT:
        stop_first = policy != k.TARGET_FIRST
        reach_close = policy == k.STOP_FIRST or policy == k.OHLC
    against, favourable = (low, h) if side > 0 else (h, low)
    return stop_first, side * ((c if by_close else against) - stop) <= 0.0, c if reach_close else favourable


@njit(**INNER)
def outcome(p, s, stop_first, stop_hit, reach):
    """Targets filled, times two, plus whether the stop then takes the rest."""
    if stop_first and stop_hit:
        return 1
    filled, left = 0, s.units
    for i in range(s.rung, s.rung + touched(s, reach)):
        units = target_units(p, s, i)
        filled += 1
        left = left - units if units < left else 0.0
        if left == 0.0:
            return filled * 2
    return filled * 2 + (1 if stop_hit else 0)


@njit(**INNER)
def disagree(p, s, entered, o, h, low, c, stop):
    """Whether the four fixed policies differ on this bar."""
    side = s.side
    if entered == k.MARKET:  # they differ only in the order of what is touched
        against, favourable = (low, h) if side > 0 else (h, low)
        return side * (against - stop) <= 0.0 and side * (favourable - s.target) >= 0.0
    first, hit, reach = look(k.STOP_FIRST, entered, side, o, h, low, c, stop)
    common = outcome(p, s, first, hit, reach)
    for policy in (k.TARGET_FIRST, k.OHLC, k.OLHC):
        first, hit, reach = look(policy, entered, side, o, h, low, c, stop)
        if outcome(p, s, first, hit, reach) != common:
            return True
    return False


@njit(**INNER)
def in_detail(x, p, s, t, entered, price, stop):
    """What the finer bars of bar `t` say about the order of its levels: known, stop first, stop touched, reach."""
    side, reach = s.side, -s.side * INF
    unknown = (False, False, False, reach)
    if x.finer_first == np.uint64(0) or (entered != k.MARKET and p.order == k.STOP_LIMIT):
        return unknown
    start, end = int(read_word(x.finer_first, t)), int(read_word(x.finer_first, t + 1))
    worst, best = (x.finer_low, x.finer_high) if side > 0 else (x.finer_high, x.finer_low)
    if entered != k.MARKET:
        falls = side if entered == k.LIMIT else -side
        edge = worst if entered == k.LIMIT else best
        while start < end and not falls * (read(edge, start) - price) <= 0.0:
            start += 1
        if start >= end:
            return unknown
        o, h, low, c = read(x.finer_open, start), read(x.finer_high, start), read(x.finer_low, start), read(x.finer_close, start)
        if falls * (o - price) > 0.0:  # filled inside this finer bar
            if disagree(p, s, entered, o, h, low, c, stop):
                return unknown
            _, hit, reach = look(k.STOP_FIRST, entered, side, o, h, low, c, stop)
            if hit:
                return True, True, True, -side * INF
            start += 1
    for f in range(start, end):
        further = read(best, f)
        further = further if side * (further - reach) > 0.0 else reach
        if side * (read(worst, f) - stop) <= 0.0:
            if touched(s, further) > touched(s, reach):
                return unknown
            return True, touched(s, reach) == 0, True, reach
        reach = further
    return (False, False, False, reach) if entered == k.MARKET else (True, False, False, reach)
