"""The account of a run in plain Python: equity at each bar's close from the ledger, and `layout.TALLY` from both. The specification.

Trades are dictionaries of `layout.TRADE` fields in ledger order; rows of one position follow each other.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from gpubt.simulate.layout import LONG

WORD = 0xFFFFFFFFFFFFFFFF
HASH_SEED = 0x9E3779B97F4A7C15
HASH_FACTOR = 0xFF51AFD7ED558CCD
LANES = 8


def marks(trades: Sequence[dict[str, Any]], close: Sequence[float], p: Any, positions: str) -> list[float]:
    """Equity at every close. `p` has `capital`, `carry_long`, `carry_short` of `layout.PARAMS`; `positions` as in the configuration."""
    return _marks_single(trades, close, p) if positions == "single" else _marks_list(trades, close, p["capital"])


def _marks_single(trades: Sequence[dict[str, Any]], close: Sequence[float], p: Any) -> list[float]:
    """One position at a time: the rows that are open are neighbours, and leave in their order."""
    realised, left, entered, equity = p["capital"], 0, 0, []
    for t, price in enumerate(close):
        while entered < len(trades) and trades[entered]["entry_bar"] <= t:
            entered += 1
        while left < entered and trades[left]["exit_bar"] <= t:
            realised += trades[left]["pnl"]
            left += 1
        equity.append(mark(trades[left:entered], realised, price, t, p) if left < entered else realised)
    return equity


def mark(rows: Sequence[dict[str, Any]], realised: float, price: float, t: int, p: Any) -> float:
    """Equity with `rows` open, if the last price of bar `t` is `price`. Prices and bars are measured from those of the first row."""
    ref, since = rows[0]["entry_price"], rows[0]["entry_bar"]
    fees = q = shift = slope = late = 0.0
    for row in rows:
        side, rate = (1, p["carry_long"]) if row["side"] == LONG else (-1, p["carry_short"])
        fees += row["entry_fees"]
        q += side * row["units"]
        shift += (side * row["units"]) * (row["entry_price"] - ref)
        slope += (rate * row["units"]) * row["entry_price"]
        late += ((rate * row["units"]) * row["entry_price"]) * (row["entry_bar"] - since)
    accrued = slope * (t - since) - late
    return float((((realised - fees) - shift) + q * (price - ref)) - accrued)


def _marks_list(trades: Sequence[dict[str, Any]], close: Sequence[float], capital: float) -> list[float]:
    """`cash + units * close`, both updated fill by fill: by bar, exits before entries, then ledger order; flat means exactly no units."""
    fills = sorted([(t["exit_bar"], 0, i) for i, t in enumerate(trades)] + [(t["entry_bar"], 1, i) for i, t in enumerate(trades)])
    cash, units, held, at, equity = capital, 0.0, 0, 0, []
    for bar, price in enumerate(close):
        while at < len(fills) and fills[at][0] == bar:
            _, entering, i = fills[at]
            trade = trades[i]
            signed = (1 if trade["side"] == LONG else -1) * trade["units"]
            if entering:
                cash, units, held = (cash - signed * trade["entry_price"]) - trade["entry_fees"], units + signed, held + 1
            else:
                cash = ((cash + signed * trade["exit_price"]) - (trade["fees"] - trade["entry_fees"])) - trade["accrued"]
                units, held = units - signed, held - 1
            at += 1
        if held == 0:
            units = 0.0
        equity.append(cash + units * price)
    return equity


def tally(
    trades: Sequence[dict[str, Any]], equity: Sequence[float], ends: Sequence[int], capital: float, risk_free: float
) -> dict[str, Any]:
    """`trades` are ledger rows, those of one position together. `ends` are the last bars of the return periods, `risk_free` the rate of one
    period; `equity` is marked at every close."""
    positions = by_position(trades)
    pnl = [in_order(t["pnl"] for t in rows) for rows in positions]
    share = [profit / in_order(t["units"] * t["entry_price"] for t in rows) for profit, rows in zip(pnl, positions, strict=True)]
    open_at_close = {bar for t in trades for bar in range(t["entry_bar"], t["exit_bar"])}
    out: dict[str, Any] = {
        "final_equity": equity[-1],
        "gross_profit": in_order(x for x in pnl if x > 0.0),
        "gross_loss": in_order(x for x in pnl if x < 0.0),
        "fees": in_order(t["fees"] for t in trades),
        "accrued": in_order(t["accrued"] for t in trades),
        "shortfall": in_order(t["shortfall"] for t in trades),
        "notional": in_order(t["units"] * t["entry_price"] + t["units"] * t["exit_price"] for t in trades),
        "best": max(share, default=float("nan")),
        "worst": min(share, default=float("nan")),
        "trades": len(positions),
        "wins": sum(x > 0.0 for x in pnl),
        "losses": sum(x < 0.0 for x in pnl),
        "bars_held": sum(max(1, max(t["exit_bar"] for t in rows) - rows[0]["entry_bar"]) for rows in positions),
        "exposed": len(open_at_close),
        "ambiguous": sum(any(t["ambiguous"] for t in rows) for rows in positions),
        "hash": signed(ledger_hash(trades)),
    }
    return out | drawdown(equity, capital) | returns([equity[end] for end in ends], capital, risk_free)


def by_position(trades: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The rows of each position."""
    positions: dict[int, list[dict[str, Any]]] = {}
    for trade in trades:
        positions.setdefault(trade["position"], []).append(trade)
    return list(positions.values())


def in_order(values: Any) -> float:
    """A plain running sum (Python's own `sum` compensates from 3.12 on)."""
    total = 0.0
    for value in values:
        total += value
    return total


def drawdown(equity: Sequence[float], capital: float) -> dict[str, Any]:
    """The deepest fall from a peak, from the peak's bar to the next new peak (or the last bar)."""
    peak, peak_bar, deepest, start, end = capital, 0, 0.0, 0, -1
    for t, value in enumerate(equity):
        if value > peak:
            if deepest > 0.0 and end < 0:
                end = t
            peak, peak_bar = value, t
        elif 1.0 - value / peak > deepest:
            deepest, start, end = 1.0 - value / peak, peak_bar, -1
    if deepest == 0.0:
        return {"drawdown": 0.0, "drawdown_start": 0, "drawdown_end": 0}
    return {"drawdown": deepest, "drawdown_start": start, "drawdown_end": end if end >= 0 else len(equity) - 1}


def returns(equity: Sequence[float], capital: float, risk_free: float) -> dict[str, float]:
    """Sums of excess returns in eight lanes by period number, combined pairwise. After ruin (equity <= 0) returns are 0."""
    sums = [[0.0] * LANES for _ in range(3)]
    before = capital
    for i, value in enumerate(equity):
        excess = (value / before - 1.0 if before > 0.0 else 0.0) - risk_free
        square = excess * excess
        sums[0][i % LANES] += excess
        sums[1][i % LANES] += square
        sums[2][i % LANES] += square if excess < 0.0 else 0.0
        before = value
    one, two, down = (((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7])) for s in sums)
    return {"sum_return": one, "sum_square": two, "sum_downside": down}


def ledger_hash(trades: Sequence[dict[str, Any]]) -> int:
    """64-bit, order-dependent, over the bit patterns of what a trade is."""
    h = HASH_SEED
    for t in trades:
        words = (
            t["entry_bar"],
            t["exit_bar"],
            t["side"] * 16 + t["reason"],
            *(bits(t[name]) for name in ("entry_price", "exit_price", "units", "pnl")),
        )
        for word in words:
            h = mix(h, word)
    return h


def mix(h: int, word: int) -> int:
    """One step of the hash."""
    h = ((h ^ word) * HASH_FACTOR) & WORD
    return h ^ (h >> 32)


def bits(x: float) -> int:
    """The pattern of a double, -0.0 as 0.0."""
    return int(struct.unpack("<Q", struct.pack("<d", x + 0.0))[0])


def signed(word: int) -> int:
    """The same 64 bits as a signed number."""
    return word - (1 << 64) if word >> 63 else word
