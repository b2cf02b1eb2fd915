"""The account of a ledger in numba: what its rows add up to, and the line that equity is on between fills, which `marks.py` follows.
`metrics/reference.py` is the specification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gpubt.backends.kernels.bits import INNER, OPTIONS, bit_pattern, read, read_word, record_reader
from gpubt.backends.kernels.marks import LANE, LANES, STATE, begin, finish, lane_at, mark, stretch
from gpubt.simulate import layout as k

HASH_SEED = 0x9E3779B97F4A7C15
HASH_FACTOR = np.uint64(0xFF51AFD7ED558CCD)

trade_at = record_reader(k.TRADE)


def measure(
    prices: Any, rows: NDArray[Any], positions: str, ends: NDArray[np.int64], params: Any, risk_free: float, skip: bool
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The `layout.TALLY` record of `rows` and equity at `ends`, as `Backend.account` gives them; `skip` allows whole blocks."""
    out, lanes, equity = k.record(k.TALLY, best=np.nan, worst=np.nan), np.zeros(LANES, LANE), np.empty(len(ends))
    exits = np.argsort(rows["exit_bar"], kind="stable") if positions != "single" else np.zeros(0, np.int64)
    arrays = {"ledger": rows, "exits": exits, "ends": ends, "marks": equity, "lanes": lanes}
    carry = {name: params[name] for name in ("carry_long", "carry_short")}
    state = account_state(prices, arrays, risk_free, skip, rows=len(rows), **carry)
    (single if positions == "single" else side_by_side)(state[0], params["capital"], out[0])
    out["hash"] = state["hash"].view(np.int64)
    return out, equity


def account_state(prices: Any, arrays: Mapping[str, NDArray[Any]], risk_free: float, skip: bool, **fields: Any) -> NDArray[Any]:
    """One STATE record with the addresses of these arrays, which must outlive it: ledger, ends, marks, lanes and, for trades side by side,
    exits."""
    arrays = {**arrays, **{name: getattr(prices, name) for name in ("close", "bottom0", "top0", "bottom1", "top1")}}
    addresses = {name: array.ctypes.data for name, array in arrays.items()}
    sizes = {"n": len(prices.close), "periods": len(arrays["ends"]), "skip": skip}
    return k.record(STATE, **sizes, **fields, **addresses, risk_free=risk_free, hash=HASH_SEED)


@njit(**INNER)
def renew(s, p):
    """An account of the starting capital, whatever it was before; addresses and sizes stay."""
    s.carry_long, s.carry_short, s.equity = p.carry_long, p.carry_short, p.capital
    s.base, s.q, s.ref, s.slope, s.late, s.fees, s.shift, s.deepest = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    s.peak_q, s.peak_ref, s.peak_from, s.start, s.at, s.since, s.period, s.block = 0.0, 0.0, 0, 0, 0, 0, 0, 0
    s.hash = np.uint64(HASH_SEED)
    for i in range(LANES):
        lane = lane_at(s.lanes, i)
        lane.sum, lane.square, lane.downside = 0.0, 0.0, 0.0
    begin(s, p.capital)


@njit(**INNER)
def flat(s):
    s.base, s.q, s.ref, s.slope = s.equity, 0.0, 0.0, 0.0


@njit(**INNER)
def no_rows(s):
    s.fees, s.q, s.shift, s.slope, s.late = 0.0, 0.0, 0.0, 0.0, 0.0


@njit(**INNER)
def add_row(s, i, first):
    """Row `i` opens, or still is open; `first` is the first open row."""
    t, anchor = trade_at(s.ledger, i), trade_at(s.ledger, first)
    side, rate = (1, s.carry_long) if t.side == k.LONG else (-1, s.carry_short)
    s.ref, s.since = anchor.entry_price, anchor.entry_bar
    s.fees += t.entry_fees
    s.q += side * t.units
    s.shift += (side * t.units) * (t.entry_price - s.ref)
    s.slope += (rate * t.units) * t.entry_price
    s.late += ((rate * t.units) * t.entry_price) * (t.entry_bar - s.since)


@njit(**INNER)
def one_row(s, i, out):
    """A position of one row, from its entry to its exit."""
    t = trade_at(s.ledger, i)
    no_rows(s)
    add_row(s, i, i)
    s.base = s.equity - t.entry_fees
    out.exposed += t.exit_bar - t.entry_bar
    stretch(s, t.exit_bar)
    s.equity += t.pnl


@njit(**INNER)
def rows_together(s, i, stop, out):
    """The position of rows [i, stop), which enter in order and leave in order: [left, entered) are open."""
    left, entered = i, i
    no_rows(s)
    while left < stop:
        if entered == left:
            bar = trade_at(s.ledger, entered).entry_bar
            flat(s)
        else:
            bar = trade_at(s.ledger, left).exit_bar
            if entered < stop:
                bar = min(bar, trade_at(s.ledger, entered).entry_bar)
            s.base = (s.equity - s.fees) - s.shift
            out.exposed += bar - s.at
        stretch(s, bar)
        while entered < stop and trade_at(s.ledger, entered).entry_bar == bar:
            add_row(s, entered, left)
            entered += 1
        before = left
        while left < entered and trade_at(s.ledger, left).exit_bar == bar:
            s.equity += trade_at(s.ledger, left).pnl
            left += 1
        if left > before:
            no_rows(s)
            for j in range(left, entered):
                add_row(s, j, left)


@njit(**INNER)
def mix(h, word):
    h = (h ^ word) * HASH_FACTOR
    return h ^ (h >> np.uint64(32))


@njit(**INNER)
def add_hash(h, t):
    """The ledger_hash with one more row."""
    h = mix(mix(mix(h, np.uint64(t.entry_bar)), np.uint64(t.exit_bar)), np.uint64(t.side * 16 + t.reason))
    h = mix(mix(h, bit_pattern(t.entry_price + 0.0)), bit_pattern(t.exit_price + 0.0))
    return mix(mix(h, bit_pattern(t.units + 0.0)), bit_pattern(t.pnl + 0.0))


@njit(**INNER)
def add_position(s, i, stop, out):
    """Everything in the tally that comes from the rows alone, for the position of rows [i, stop)."""
    pnl, cost, ambiguous = 0.0, 0.0, 0
    for j in range(i, stop):
        t = trade_at(s.ledger, j)
        pnl += t.pnl
        cost += t.units * t.entry_price
        ambiguous |= t.ambiguous
        out.fees += t.fees
        out.accrued += t.accrued
        out.shortfall += t.shortfall
        out.notional += t.units * t.entry_price + t.units * t.exit_price
        s.hash = add_hash(s.hash, t)
    if pnl > 0.0:
        out.wins += 1
        out.gross_profit += pnl
    elif pnl < 0.0:
        out.losses += 1
        out.gross_loss += pnl
    share = pnl / cost
    out.best = share if out.trades == 0 or share > out.best else out.best
    out.worst = share if out.trades == 0 or share < out.worst else out.worst
    out.bars_held += max(1, trade_at(s.ledger, stop - 1).exit_bar - trade_at(s.ledger, i).entry_bar)
    out.ambiguous += ambiguous
    out.trades += 1


@njit(**INNER)
def end_of_position(s, i):
    """The row after the position that begins with row `i`."""
    position = trade_at(s.ledger, i).position
    stop = i + 1
    while stop < s.rows and trade_at(s.ledger, stop).position == position:
        stop += 1
    return stop


@njit(**OPTIONS)
def single(s, capital, out):
    """positions=single: `s` is a STATE record with its addresses, sizes and rates, `out` a TALLY record of zeros, best and worst NaN."""
    begin(s, capital)
    i = 0
    while i < s.rows:
        flat(s)
        stretch(s, trade_at(s.ledger, i).entry_bar)
        stop = end_of_position(s, i)
        if stop == i + 1:
            one_row(s, i, out)
        else:
            rows_together(s, i, stop, out)
        add_position(s, i, stop, out)
        i = stop
    flat(s)
    stretch(s, s.n)
    finish(s, s.equity, out)


@njit(**INNER)
def signed_units(t):
    return (1 if t.side == k.LONG else -1) * t.units


@njit(**INNER)
def exits_at(s, left, bar):
    """Book the exits of `bar`, from number `left` of the exits on; the number of the next one."""
    while left < s.rows:
        t = trade_at(s.ledger, np.int64(read_word(s.exits, left)))
        if t.exit_bar != bar:
            break
        s.base = ((s.base + signed_units(t) * t.exit_price) - (t.fees - t.entry_fees)) - t.accrued
        s.q -= signed_units(t)
        left += 1
    return left


@njit(**INNER)
def entries_at(s, entered, bar):
    """Book the entries of `bar`, from row `entered` on; the next row."""
    while entered < s.rows and trade_at(s.ledger, entered).entry_bar == bar:
        t = trade_at(s.ledger, entered)
        s.base = (s.base - signed_units(t) * t.entry_price) - t.entry_fees
        s.q += signed_units(t)
        entered += 1
    return entered


@njit(**OPTIONS)
def side_by_side(s, capital, out):
    """positions=overlapping and list: `s.exits` orders the rows by exit bar, then ledger order. Equity is `cash + units * close`: `base`
    and `q` of its line; what accrues is booked at the exit only."""
    begin(s, capital)
    s.base = capital
    entered, left = 0, 0
    while left < s.rows:
        bar = trade_at(s.ledger, np.int64(read_word(s.exits, left))).exit_bar
        if entered < s.rows:
            bar = min(bar, trade_at(s.ledger, entered).entry_bar)
        out.exposed += bar - s.at if entered > left else 0
        stretch(s, bar)
        left = exits_at(s, left, bar)
        entered = entries_at(s, entered, bar)
        if entered == left:
            s.q = 0.0
    stretch(s, s.n)
    i = 0
    while i < s.rows:
        stop = end_of_position(s, i)
        add_position(s, i, stop, out)
        i = stop
    finish(s, mark(s, read(s.close, s.n - 1)), out)
