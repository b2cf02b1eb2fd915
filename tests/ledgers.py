"""Generated ledgers that no simulator made: ladders, pyramids, carry of both signs, overlaps; and their equity by definition."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpubt.simulate import layout as k

Row = dict[str, Any]


def params(rng: np.random.Generator) -> Row:
    """What the account reads of a parameter record."""
    rates = [0.0, 0.0, 1e-3, -1e-3, 1e-5]
    return {
        "capital": float(rng.choice([100_000.0, 1000.0])),
        "carry_long": float(rng.choice(rates)),
        "carry_short": float(rng.choice(rates)),
    }


def single(rng: np.random.Generator, close: np.ndarray, p: Row) -> list[Row]:
    """Positions one after the other, the next from the bar on in which the last ended; of one row, a ladder's or a pyramid's."""
    n, at, rows, number = len(close), 0, [], 0
    scale = int(rng.choice([2, 20, 100, 5000]))
    size = float(rng.choice([0.01, 0.3, 1.0])) * p["capital"] / 100.0
    crowd = int(rng.choice([1, 1, 2, 9]))
    while at < n and len(rows) < 2 * n:
        entry = at + int(rng.integers(0, scale)) * int(rng.integers(0, 2))
        exit_ = entry + int(rng.integers(0, scale))
        if exit_ >= n:
            break
        count, pyramid, side = int(rng.integers(1, crowd + 1)), bool(rng.integers(2)), int(rng.integers(2))
        others = np.sort(rng.integers(entry, exit_ + 1, count - 1)).tolist()
        spans = [(bar, exit_) for bar in [entry, *others]] if pyramid else [(entry, bar) for bar in [*others, exit_]]
        price = None if pyramid else around(rng, close[entry])
        for leg, (first, last) in enumerate(spans):
            rows.append(row(rng, close, p, side, first, last, size, price) | {"position": number, "leg": leg})
        at, number = exit_ + int(rng.integers(0, 2)), number + 1
    return rows


def side_by_side(rng: np.random.Generator, close: np.ndarray, p: Row) -> list[Row]:
    """Positions of one row or a ladder's, in the order of their entries, any number at once."""
    n, rows = len(close), []
    scale, crowd = int(rng.choice([2, 20, 5000])), int(rng.choice([1, 3]))
    size = float(rng.choice([0.01, 0.3, 50.0])) * p["capital"] / 100.0
    for number, entry in enumerate(np.sort(rng.integers(0, n, int(rng.integers(0, min(n, 60) + 1)))).tolist()):
        side, price = int(rng.integers(2)), around(rng, close[entry])
        exits = np.sort(np.minimum(entry + rng.integers(0, scale, int(rng.integers(1, crowd + 1))), n - 1)).tolist()
        for leg, last in enumerate(exits):
            rows.append(row(rng, close, p, side, entry, last, size, price) | {"position": number, "leg": leg})
    return rows


def around(rng: np.random.Generator, price: float) -> float:
    """That price or one near it."""
    return float(price) * float(rng.choice([1.0, 1.0, 1.001, 0.999]))


def row(rng: np.random.Generator, close: np.ndarray, p: Row, side: int, entry: int, exit_: int, size: float, price: float | None) -> Row:
    """A ledger row with what follows from its fills."""
    price, out = around(rng, close[entry]) if price is None else price, around(rng, close[exit_])
    units = float(rng.choice([1.0, 2.0, 0.7])) * size
    entry_fees, exit_fees = (float(rng.choice([0.0, 0.0, 0.0003])) * units * x for x in (price, out))
    direction, rate = (1, p["carry_long"]) if side == k.LONG else (-1, p["carry_short"])
    accrued = ((rate * units) * price) * (exit_ - entry)
    pnl = (((direction * units) * (out - price) - entry_fees) - exit_fees) - accrued
    return {
        "entry_bar": entry,
        "exit_bar": exit_,
        "entry_price": price,
        "exit_price": out,
        "side": side,
        "units": units,
        "entry_fees": entry_fees,
        "fees": entry_fees + exit_fees,
        "accrued": accrued,
        "shortfall": float(rng.choice([0.0, 0.0, 1.5])),
        "pnl": pnl,
        "pnl_pct": pnl / (units * price),
        "r_multiple": float("nan"),
        "mae": 0.0,
        "mfe": 0.0,
        "reason": int(rng.integers(1, 10)),
        "ambiguous": int(rng.integers(2)),
    }


def equity_single(rows: list[Row], close: list[float], p: Row) -> list[float]:
    """At each bar: what has been realised, less the fees of the open rows, plus their gain since the first one's price, less carry."""
    curve = []
    for t, price in enumerate(close):
        equity, fees, units, shift, slope, late = p["capital"], 0.0, 0.0, 0.0, 0.0, 0.0
        for r in rows:
            if r["exit_bar"] <= t:
                equity = equity + r["pnl"]
        held = [r for r in rows if r["entry_bar"] <= t < r["exit_bar"]]
        for r in held:
            signed = r["units"] if r["side"] == k.LONG else -r["units"]
            cost = ((p["carry_long"] if r["side"] == k.LONG else p["carry_short"]) * r["units"]) * r["entry_price"]
            fees, units, slope = fees + r["entry_fees"], units + signed, slope + cost
            shift = shift + signed * (r["entry_price"] - held[0]["entry_price"])
            late = late + cost * (r["entry_bar"] - held[0]["entry_bar"])
        if held:
            gain = units * (price - held[0]["entry_price"])
            equity = (((equity - fees) - shift) + gain) - (slope * (t - held[0]["entry_bar"]) - late)
        curve.append(equity)
    return curve


def equity_list(rows: list[Row], close: list[float], p: Row) -> list[float]:
    """At each bar: cash and units from all fills so far, told again from the beginning."""
    curve = []
    for t, price in enumerate(close):
        cash, units, held = p["capital"], 0.0, 0
        for bar in range(t + 1):
            for r in rows:
                if r["exit_bar"] == bar:
                    signed = r["units"] if r["side"] == k.LONG else -r["units"]
                    cash = ((cash + signed * r["exit_price"]) - (r["fees"] - r["entry_fees"])) - r["accrued"]
                    units, held = units - signed, held - 1
            for r in rows:
                if r["entry_bar"] == bar:
                    signed = r["units"] if r["side"] == k.LONG else -r["units"]
                    cash, units, held = (cash - signed * r["entry_price"]) - r["entry_fees"], units + signed, held + 1
            units = 0.0 if held == 0 else units
        curve.append(cash + units * price)
    return curve
