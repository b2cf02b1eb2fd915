"""The account in numba: marks, drawdown, return sums, hash. `metrics/reference.py` is its specification.

Between fills equity is `base + q * (close - ref)`, monotone in the close, and rounding keeps order: so a block of bars is decided by its
lowest and highest close. Bars are read only where both a new peak and a new worst drawdown are possible, or where the bar itself is wanted.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gpubt.backends.kernels.bits import OPTIONS
from gpubt.backends.kernels.blocks import COARSE, FINE
from gpubt.simulate import layout as k

LANES = 8
HASH_SEED = np.uint64(0x9E3779B97F4A7C15)
HASH_FACTOR = np.uint64(0xFF51AFD7ED558CCD)

# State of one account while it is marked; `peak_*` name the stretch in which the peak was reached: its bar is looked up only when needed.
STATE = np.dtype(
    [
        ("peak", "f8"),
        ("peak_base", "f8"),
        ("peak_q", "f8"),
        ("peak_ref", "f8"),
        ("deepest", "f8"),
        ("floor", "f8"),  # equity at or above it can't be a new worst
        ("before", "f8"),
        ("risk_free", "f8"),
        ("peak_from", "i8"),
        ("peak_to", "i8"),
        ("start", "i8"),
        ("end", "i8"),
        ("period", "i8"),
    ]
)


@njit(**OPTIONS)
def clear_of_rounding(peak, deepest):
    """Below this equity the exact test `1 - equity / peak > deepest` is made. The margin is several times its rounding error, so that no
    division is needed above."""
    return peak * ((1.0 - deepest) + 4e-15)


@njit(**OPTIONS)
def new_peak(s, peak, start, end, base, q, ref):
    s.peak, s.peak_from, s.peak_to = peak, start, end
    s.peak_base, s.peak_q, s.peak_ref = base, q, ref
    s.floor = clear_of_rounding(peak, s.deepest)


@njit(**OPTIONS)
def new_fall(s, fall, close):
    if fall > s.deepest:
        s.deepest, s.end = fall, -1
        s.start = peak_bar(s, close)
        s.floor = clear_of_rounding(s.peak, fall)


@njit(**OPTIONS)
def see(s, t, equity, base, q, ref, close):
    """One marked bar."""
    if equity > s.peak:
        if s.deepest > 0.0 and s.end < 0:
            s.end = t
        new_peak(s, equity, t, t + 1, base, q, ref)
    elif equity < s.floor:
        new_fall(s, 1.0 - equity / s.peak, close)


@njit(**OPTIONS)
def peak_bar(s, close):
    """The bar of the running peak."""
    t = s.peak_from
    while t + 1 < s.peak_to and s.peak_base + s.peak_q * (close[t] - s.peak_ref) < s.peak:
        t += 1
    s.peak_from, s.peak_to = t, t + 1
    return t


@njit(**OPTIONS)
def see_block(s, t, size, bottom, top, base, q, ref, close):
    """A whole block, when it can be decided by its extremes; False when its bars must be read."""
    low, high = (bottom, top) if q >= 0.0 else (top, bottom)
    low, high = base + q * (low - ref), base + q * (high - ref)
    if high > s.peak:
        if low < clear_of_rounding(high, s.deepest) or (s.deepest > 0.0 and s.end < 0):
            return False  # a new worst may follow the new peak; or the first new peak ends a drawdown: which bar?
        new_peak(s, high, t, t + size, base, q, ref)
    elif low < s.floor:
        new_fall(s, 1.0 - low / s.peak, close)
    return True


@njit(**OPTIONS)
def see_bars(s, x, t, end, base, q, ref, skip):
    """Peak and drawdown over the closes of bars [t, end)."""
    if q == 0.0:
        if t < end:
            see(s, t, base, base, q, ref, x.close)
        return
    while t < end:
        if skip and (t & (COARSE - 1)) == 0 and t + COARSE <= end:
            if see_block(s, t, COARSE, x.bottom1[t >> 12], x.top1[t >> 12], base, q, ref, x.close):
                t += COARSE
                continue
        if skip and (t & (FINE - 1)) == 0 and t + FINE <= end:
            if see_block(s, t, FINE, x.bottom0[t >> 6], x.top0[t >> 6], base, q, ref, x.close):
                t += FINE
                continue
        stop = min(end, (t | (FINE - 1)) + 1)
        peak, floor = s.peak, s.floor
        while t < stop:
            equity = base + q * (x.close[t] - ref)
            if equity > peak or equity < floor:
                see(s, t, equity, base, q, ref, x.close)
                peak, floor = s.peak, s.floor
            t += 1


@njit(**OPTIONS)
def add_returns(s, sums, x, ends, end, base, q, ref, equity_out):
    """The return periods that end before bar `end`."""
    while s.period < len(ends) and ends[s.period] < end:
        i = s.period
        equity = base + q * (x.close[ends[i]] - ref)
        equity_out[i] = equity
        excess = (equity / s.before - 1.0 if s.before > 0.0 else 0.0) - s.risk_free
        square = excess * excess
        lane = i & (LANES - 1)
        sums[0, lane] += excess
        sums[1, lane] += square
        sums[2, lane] += square if excess < 0.0 else 0.0
        s.before = equity
        s.period = i + 1


@njit(**OPTIONS)
def stretch(s, sums, x, ends, t, end, base, q, ref, skip, equity_out):
    """Mark bars [t, end) at `base + q * (close - ref)`."""
    see_bars(s, x, t, end, base, q, ref, skip)
    add_returns(s, sums, x, ends, end, base, q, ref, equity_out)


@njit(**OPTIONS)
def pairwise(v):
    return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]))


@njit(**OPTIONS)
def mix(h, word):
    h = (h ^ word) * HASH_FACTOR
    return h ^ (h >> np.uint64(32))


@njit(**OPTIONS)
def pattern(scratch, value):
    """The bits of a double, -0.0 as 0.0. `scratch` is one float64."""
    scratch[0] = value + 0.0
    return scratch.view(np.uint64)[0]


@njit(**OPTIONS)
def add_trades(ledger, out):
    """Everything in the tally that comes from trades alone, in ledger order."""
    out.best, out.worst = np.nan, np.nan
    h = HASH_SEED
    scratch = np.empty(1)
    for i in range(len(ledger)):
        t = ledger[i]
        if t.pnl > 0.0:
            out.wins += 1
            out.gross_profit += t.pnl
        elif t.pnl < 0.0:
            out.losses += 1
            out.gross_loss += t.pnl
        out.fees += t.fees
        out.notional += t.units * t.entry_price + t.units * t.exit_price
        out.best = t.pnl_pct if i == 0 or t.pnl_pct > out.best else out.best
        out.worst = t.pnl_pct if i == 0 or t.pnl_pct < out.worst else out.worst
        out.bars_held += max(1, t.exit_bar - t.entry_bar)
        out.ambiguous += t.ambiguous
        h = mix(mix(mix(h, np.uint64(t.entry_bar)), np.uint64(t.exit_bar)), np.uint64(t.side * 16 + t.reason))
        h = mix(mix(h, pattern(scratch, t.entry_price)), pattern(scratch, t.exit_price))
        h = mix(mix(h, pattern(scratch, t.units)), pattern(scratch, t.pnl))
    out.trades = len(ledger)
    out.hash = np.int64(h)


@njit(**OPTIONS)
def finish(s, sums, equity, n, out):
    out.final_equity = equity
    out.drawdown = s.deepest
    if s.deepest > 0.0:
        out.drawdown_start = s.start
        out.drawdown_end = s.end if s.end >= 0 else n - 1
    out.sum_return, out.sum_square, out.sum_downside = pairwise(sums[0]), pairwise(sums[1]), pairwise(sums[2])


@njit(**OPTIONS)
def begin(s, capital, risk_free):
    s.peak, s.peak_base, s.before, s.risk_free, s.end = capital, capital, capital, risk_free, -1
    s.peak_to = 1
    s.floor = clear_of_rounding(capital, 0.0)


@njit(**OPTIONS)
def account(x, ledger, ends, capital, risk_free, skip, state, sums, equity_out, out):
    """positions=single: `out` is a zeroed TALLY record, `state` a zeroed STATE record, `sums` float64 (3, 8) zeros."""
    n = len(x.close)
    begin(state, capital, risk_free)
    equity, at = capital, 0
    for i in range(len(ledger)):
        t = ledger[i]
        side = 1 if t.side == k.LONG else -1
        stretch(state, sums, x, ends, at, t.entry_bar, equity, 0.0, 0.0, skip, equity_out)
        stretch(state, sums, x, ends, t.entry_bar, t.exit_bar, equity - t.entry_fees, side * t.units, t.entry_price, skip, equity_out)
        equity += t.pnl
        out.exposed += t.exit_bar - t.entry_bar
        at = t.exit_bar
    stretch(state, sums, x, ends, at, n, equity, 0.0, 0.0, skip, equity_out)
    add_trades(ledger, out)
    finish(state, sums, equity, n, out)


@njit(**OPTIONS)
def account_list(x, ledger, exits, ends, capital, risk_free, skip, state, sums, equity_out, out):
    """positions=list: `exits` orders the ledger's rows by exit bar, then position. Equity is `cash + units * close`."""
    n, m = len(x.close), len(ledger)
    begin(state, capital, risk_free)
    cash, units, held, entered, left, at = capital, 0.0, 0, 0, 0, 0
    while entered < m or left < m:
        bar = ledger[exits[left]].exit_bar if left < m else n
        if entered < m and ledger[entered].entry_bar < bar:
            bar = ledger[entered].entry_bar
        stretch(state, sums, x, ends, at, bar, cash, units, 0.0, skip, equity_out)
        out.exposed += bar - at if held > 0 else 0
        while left < m and ledger[exits[left]].exit_bar == bar:
            t = ledger[exits[left]]
            signed = (1 if t.side == k.LONG else -1) * t.units
            cash = (cash + signed * t.exit_price) - (t.fees - t.entry_fees)
            units -= signed
            held -= 1
            left += 1
        while entered < m and ledger[entered].entry_bar == bar:
            t = ledger[entered]
            signed = (1 if t.side == k.LONG else -1) * t.units
            cash = (cash - signed * t.entry_price) - t.entry_fees
            units += signed
            held += 1
            entered += 1
        if held == 0:
            units = 0.0
        at = bar
    stretch(state, sums, x, ends, at, n, cash, units, 0.0, skip, equity_out)
    add_trades(ledger, out)
    finish(state, sums, cash + units * (x.close[n - 1] - 0.0), n, out)
