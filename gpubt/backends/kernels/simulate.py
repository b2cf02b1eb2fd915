"""The simulation in numba: `walk` goes from event to event, `dense` visits each bar, `walk_list` runs a table of entries, `overlap` gives
every signal its own trade.

A run's events are ordered by one integer, `bar * 8 + phase`, in the order in which a bar is played: 0 decided exit at the open, 1 time exit
at the open, 2 gap at the open, 3 stop or target inside, 4 signal at the close, 5 time at the close, 7 end of data. The smallest one is the
exit.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np
from numba import njit

from gpubt.backends.kernels.bits import OPTIONS, next_bit
from gpubt.backends.kernels.fills import Levels, better, book, first_moving_touch, first_touch, levels_of, order_after, refused, touch_at
from gpubt.simulate import layout as k

Masks = namedtuple("Masks", "long_entry long_exit short_entry short_exit")
NEVER = np.int64(2**62)


@njit(**OPTIONS)
def deadline(p, entry_bar, n):
    """The event of the time exit."""
    bar = entry_bar + p.max_bars
    if p.max_bars == 0 or bar >= n:
        return NEVER
    return bar * 8 + (1 if p.time_at == k.AT_OPEN else 5)


@njit(**OPTIONS)
def decided(at, bar, n):
    """The event of an exit that was decided at the close of `bar` (n: never)."""
    if at == k.AT_CLOSE:
        return bar * 8 + 4 if bar < n else NEVER
    return (bar + 1) * 8 if bar + 1 < n else NEVER


@njit(**OPTIONS)
def signal_event(p, exits, against, first, n):
    """The event of the first exit signal or opposite entry at or after bar `first`. An entry on the last bar does nothing."""
    signal = next_bit(exits, first, n)
    event = decided(p.exit_at, signal, n)
    if p.on_opposite != k.IGNORE:
        opposite = next_bit(against, first, n - 1)
        if opposite < n - 1:
            other = decided(p.exit_at if p.on_opposite == k.CLOSE else p.entry_at, opposite, n)
            event = other if other < event else event
    return event


@njit(**OPTIONS)
def bit(mask, t):
    return (mask[t >> 6] >> np.uint64(t & 63)) & np.uint64(1) != np.uint64(0)


@njit(**OPTIONS)
def resume(p, masks, side, event, n):
    """The first signal bar that may act after the exit `event` of a position on `side`."""
    bar, phase = event >> 3, event & 7
    against = masks.short_entry if side > 0 else masks.long_entry
    if p.cooldown > 0:
        return bar + p.cooldown
    if phase == 0 and p.on_opposite == k.REVERSE and p.entry_at == k.AT_OPEN and bit(against, bar - 1):
        return bar - 1  # a reversal: its signal is the one that decided the exit
    if phase == 4 and p.on_opposite == k.CLOSE and bar < n - 1 and bit(against, bar):
        return bar + 1  # that signal was used up by the close
    return bar


@njit(**OPTIONS)
def leave(p, x, trade, side, placed, entry_bar, first, event):
    """Close a position at the earlier of `event` and its first touch; returns the event and the pnl."""
    bar, phase = event >> 3, event & 7
    limit = bar if phase < 2 else bar + 1
    down, up = (placed.stop, placed.target) if side > 0 else (placed.target, placed.stop)
    touched, extreme = limit, placed.price
    if placed.moving:
        touched, extreme = first_moving_touch(p, x, placed, side, first, limit, extreme)
    elif down > -np.inf or up < np.inf:
        touched = first_touch(x, first, limit, down, up)
    if touched < limit:
        hit = touch_at(p, x, placed, side, touched, extreme)
        pnl = book(p, x, trade, side, placed, entry_bar, first, touched, hit.price, hit.reason, hit.ambiguous)
        return touched * 8 + (2 if hit.gap else 3), pnl
    reference = x.open[bar] if phase < 2 else x.close[bar]
    reason = k.SIGNAL if phase == 0 or phase == 4 else k.TIME if phase == 1 or phase == 5 else k.END_OF_DATA
    pnl = book(p, x, trade, side, placed, entry_bar, first, bar, reference, reason, 0)
    return event, pnl


@njit(**OPTIONS)
def leave_dense(p, x, trade, side, placed, entry_bar, first, event):
    """`leave`, with every bar visited."""
    bar, phase = event >> 3, event & 7
    extreme = placed.price
    for t in range(first, bar if phase < 2 else bar + 1):
        hit = touch_at(p, x, placed, side, t, extreme)
        if hit.reason != 0:
            pnl = book(p, x, trade, side, placed, entry_bar, first, t, hit.price, hit.reason, hit.ambiguous)
            return t * 8 + (2 if hit.gap else 3), pnl
        extreme = better(x, side, t, extreme)
    reference = x.open[bar] if phase < 2 else x.close[bar]
    reason = k.SIGNAL if phase == 0 or phase == 4 else k.TIME if phase == 1 or phase == 5 else k.END_OF_DATA
    return event, book(p, x, trade, side, placed, entry_bar, first, bar, reference, reason, 0)


@njit(**OPTIONS)
def walk(x, masks, atr, p, ledger, skipped):
    """positions=single from event to event. Fills `ledger` and `skipped`; returns the number of trades."""
    n = len(x.close)
    equity, m, at = p.capital, 0, 0
    at_open, levels = p.entry_at == k.AT_OPEN, levels_of(p)
    long, short = next_bit(masks.long_entry, 0, n), next_bit(masks.short_entry, 0, n)
    while True:
        if long < at:
            long = next_bit(masks.long_entry, at, n)
        if short < at:
            short = next_bit(masks.short_entry, at, n)
        signal = min(long, short)
        if signal >= n - 1:
            skipped[k.AT_END] += 1 if signal < n else 0
            return m
        side = 1 if long < short else -1
        entry_bar = signal + 1 if at_open else signal
        placed = order_after(p, x, levels, True, side, signal, atr, equity)
        if placed.skip >= 0:
            skipped[placed.skip] += 1
            at = signal + 1
            continue
        first = entry_bar if at_open else entry_bar + 1
        exits, against = (masks.long_exit, masks.short_entry) if side > 0 else (masks.short_exit, masks.long_entry)
        event = min(signal_event(p, exits, against, first, n), min(deadline(p, entry_bar, n), (n - 1) * 8 + 7))
        event, pnl = leave(p, x, ledger[m], side, placed, entry_bar, first, event)
        equity += pnl
        m += 1
        at = resume(p, masks, side, event, n)


@njit(**OPTIONS)
def dense(x, masks, atr, p, ledger, skipped):
    """positions=single, every bar visited in the order of the reference. Fills `ledger` and `skipped`; returns the number of trades."""
    n = len(x.close)
    equity, m = p.capital, 0
    at_open, levels = p.entry_at == k.AT_OPEN, levels_of(p)
    placed = refused(k.NO_EQUITY)
    side, entry_bar, leaving, entering, extreme, flat_until = 0, 0, False, 0, 0.0, 0
    for t in range(n):
        reason, price, ambiguous = 0, 0.0, 0
        if side != 0:
            if leaving:
                reason, price = k.SIGNAL, x.open[t]
            elif p.time_at == k.AT_OPEN and p.max_bars > 0 and t == entry_bar + p.max_bars:
                reason, price = k.TIME, x.open[t]
        if reason != 0:
            equity += book(p, x, ledger[m], side, placed, entry_bar, entry_bar if at_open else entry_bar + 1, t, price, reason, 0)
            m += 1
            side, reason, flat_until = 0, 0, t + p.cooldown
        if entering != 0:
            placed = order_after(p, x, levels, True, entering, t - 1, atr, equity)
            if placed.skip >= 0:
                skipped[placed.skip] += 1
            else:
                side, entry_bar, extreme = entering, t, placed.price
        leaving, entering = False, 0
        long, short, last = bit(masks.long_entry, t), bit(masks.short_entry, t), t == n - 1
        consumed = False
        if side != 0:
            hit = touch_at(p, x, placed, side, t, extreme)
            reason, price, ambiguous = hit.reason, hit.price, hit.ambiguous
            if reason == 0:
                opposite = (short if side > 0 else long) and not last
                exits = bit(masks.long_exit, t) if side > 0 else bit(masks.short_exit, t)
                closes = opposite and p.on_opposite == k.CLOSE
                reverses = opposite and p.on_opposite == k.REVERSE
                if ((exits or closes) and p.exit_at == k.AT_CLOSE) or (reverses and not at_open):
                    reason, price, consumed = k.SIGNAL, x.close[t], closes
                elif p.time_at == k.AT_CLOSE and p.max_bars > 0 and t == entry_bar + p.max_bars:
                    reason, price = k.TIME, x.close[t]
                elif last:
                    reason, price = k.END_OF_DATA, x.close[t]
                else:
                    leaving = exits or closes or reverses
                    entering = -side if reverses and p.cooldown == 0 else 0
                    extreme = better(x, side, t, extreme)
        if reason != 0:
            equity += book(p, x, ledger[m], side, placed, entry_bar, entry_bar if at_open else entry_bar + 1, t, price, reason, ambiguous)
            m += 1
            side, flat_until = 0, t + p.cooldown
        if side == 0 and (long or short) and not consumed and t >= flat_until:
            wanted = 1 if long else -1
            if last:
                skipped[k.AT_END] += 1
            elif at_open:
                entering = wanted
            else:
                placed = order_after(p, x, levels, True, wanted, t, atr, equity)
                if placed.skip >= 0:
                    skipped[placed.skip] += 1
                else:
                    side, entry_bar, extreme = wanted, t, placed.price
    return m


@njit(**OPTIONS)
def run_entry(x, entry, atr, p, bar_by_bar, trade):
    """One row of a table of entries: -1 with its trade written, or the skip code."""
    n = len(x.close)
    signal, side = entry.bar, 1 if entry.side == k.LONG else -1
    if signal >= n - 1:
        return k.AT_END
    at_open = p.entry_at == k.AT_OPEN
    entry_bar = signal + 1 if at_open else signal
    levels = Levels(entry.stop_kind, entry.stop_value, entry.target_kind, entry.target_value, entry.size)
    placed = order_after(p, x, levels, False, side, signal, atr, p.capital)
    if placed.skip >= 0:
        return placed.skip
    first = entry_bar if at_open else entry_bar + 1
    event = min(deadline(p, entry_bar, n), (n - 1) * 8 + 7)
    if bar_by_bar:
        leave_dense(p, x, trade, side, placed, entry_bar, first, event)
    else:
        leave(p, x, trade, side, placed, entry_bar, first, event)
    return -1


@njit(**OPTIONS)
def walk_list(x, entries, atr, p, bar_by_bar, ledger, codes, start, end):
    """positions=list, entries [start, end): row i of `ledger` is entry i's trade where `codes[i]` is -1. Threads share the entries."""
    for i in range(start, end):
        codes[i] = run_entry(x, entries[i], atr, p, bar_by_bar, ledger[i])


@njit(**OPTIONS)
def keep_open(exits, held, fill):
    """Keep the events after `fill`; how many they are."""
    kept = 0
    for i in range(held):
        if exits[i] > fill:
            exits[kept] = exits[i]
            kept += 1
    return kept


@njit(**OPTIONS)
def overlap(x, masks, atr, p, bar_by_bar, ledger, skipped, exits):
    """positions=overlapping: rows of `ledger` in the order of their signals; returns their number.

    Trades meet only in `max_open`: open at a fill are those whose exit comes after it, and exits of that open (or close) come first.
    `exits` (int64, shape (max_open,)) holds the exit events of the trades that may still be open.
    """
    n = len(x.close)
    at_open, levels = p.entry_at == k.AT_OPEN, levels_of(p)
    m, at, held = 0, 0, 0
    while True:
        signal = min(next_bit(masks.long_entry, at, n), next_bit(masks.short_entry, at, n))
        if signal >= n - 1:
            skipped[k.AT_END] += 1 if signal < n else 0
            return m
        at = signal + 1
        side = 1 if bit(masks.long_entry, signal) else -1
        entry_bar = signal + 1 if at_open else signal
        fill = entry_bar * 8 + (2 if at_open else 6)
        if p.max_open > 0:
            held = keep_open(exits, held, fill)
            if held >= p.max_open:
                skipped[k.MAX_OPEN] += 1
                continue
        placed = order_after(p, x, levels, False, side, signal, atr, p.capital)
        if placed.skip >= 0:
            skipped[placed.skip] += 1
            continue
        first = entry_bar if at_open else entry_bar + 1
        own, against = (masks.long_exit, masks.short_entry) if side > 0 else (masks.short_exit, masks.long_entry)
        event = min(signal_event(p, own, against, first, n), min(deadline(p, entry_bar, n), (n - 1) * 8 + 7))
        if bar_by_bar:
            event, _ = leave_dense(p, x, ledger[m], side, placed, entry_bar, first, event)
        else:
            event, _ = leave(p, x, ledger[m], side, placed, entry_bar, first, event)
        if p.max_open > 0:
            exits[held] = event
            held += 1
        m += 1
