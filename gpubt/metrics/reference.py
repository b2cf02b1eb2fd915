"""The account of a run in plain Python: `layout.TALLY` from the trades and the equity at each bar's close. The specification."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

WORD = 0xFFFFFFFFFFFFFFFF
HASH_SEED = 0x9E3779B97F4A7C15
HASH_FACTOR = 0xFF51AFD7ED558CCD
LANES = 8


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
