"""Generated bars, signals and parameters for the property tests: ties, gaps, flat stretches, rare and dense signals."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpubt.simulate import layout as k
from gpubt.simulate import reference


def bars(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """OHLC columns with open inside [low, high]; often on a coarse grid, so that prices tie with levels."""
    sigma = rng.choice([1e-4, 1e-3, 1e-2, 5e-2])
    tick = rng.choice([0.0, 0.01, 0.5])

    def snap(x: np.ndarray) -> np.ndarray:
        return np.maximum(np.round(x / tick) * tick, tick) if tick else x

    moves = rng.standard_normal(n) * sigma * (rng.random(n) < rng.choice([1.0, 0.3]))
    close = snap(100.0 * np.exp(np.cumsum(moves)))
    gaps = np.exp(rng.standard_normal(n) * sigma * 3 * (rng.random(n) < rng.choice([0.0, 0.1, 1.0])))
    open_ = snap(np.append(100.0, close[:-1]) * gaps)
    high = np.maximum(snap(np.maximum(open_, close) * (1 + np.abs(rng.standard_normal(n)) * sigma)), np.maximum(open_, close))
    low = np.minimum(snap(np.minimum(open_, close) * (1 - np.abs(rng.standard_normal(n)) * sigma)), np.minimum(open_, close))
    return {"open": open_, "high": high, "low": low, "close": close}


def signals(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Four boolean arrays whose entries are effective: never with the other side's, never with their own exit."""
    raw = {name: rng.random(n) < rng.choice([0.0, 0.01, 0.1, 0.5]) for name in ("long_entry", "long_exit", "short_entry", "short_exit")}
    long = raw["long_entry"] & ~raw["long_exit"] & ~raw["short_entry"]
    short = raw["short_entry"] & ~raw["short_exit"] & ~raw["long_entry"]
    return raw | {"long_entry": long, "short_entry": short}


def pack(mask: np.ndarray) -> np.ndarray:
    """64 bars a word, with a spare bit past the end."""
    padded = np.zeros((len(mask) // 64 + 1) * 64, bool)
    padded[: len(mask)] = mask
    return np.packbits(padded, bitorder="little").view(np.uint64)


def params(rng: np.random.Generator) -> dict[str, Any]:
    """A parameter record as a dictionary of Python numbers."""

    def pick(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    stop_kind = pick(k.NONE, k.PCT, k.OFFSET, k.ATR)
    target_kind = pick(k.NONE, k.PCT, k.OFFSET, k.ATR, *([k.R_MULTIPLE] if stop_kind else []))
    trail_kind = pick(k.NONE, k.NONE, k.PCT, k.OFFSET, k.ATR)
    even_kind = pick(k.NONE, k.NONE, k.PCT, k.OFFSET, k.ATR, *([k.R_MULTIPLE] if stop_kind else []))
    size_kind = pick(k.PERCENT_EQUITY, k.PERCENT_EQUITY, k.FIXED_UNITS, k.FIXED_CASH)
    return {
        "capital": pick(100_000.0, 1000.0, 50.0),
        "size_kind": size_kind,
        "size_value": {k.PERCENT_EQUITY: pick(1.0, 0.5, 1.7), k.FIXED_UNITS: pick(1.0, 25.0, 1e6), k.FIXED_CASH: pick(500.0, 1e5)}[
            size_kind
        ],
        "max_leverage": pick(1.0, 1.0, 3.0),
        "lot": pick(0.0, 0.0, 0.1, 1.0),
        "commission_rate": pick(0.0, 0.0005, 0.01),
        "commission_per_unit": pick(0.0, 0.0, 0.01),
        "commission_fixed": pick(0.0, 0.0, 1.0),
        "commission_minimum": pick(0.0, 0.0, 5.0),
        "slippage_rate": pick(0.0, 0.0, 0.0002, 0.02),
        "stop_kind": stop_kind,
        "stop_value": {k.NONE: 0.0, k.PCT: pick(0.001, 0.01, 0.05), k.OFFSET: pick(0.5, 2.0), k.ATR: pick(0.5, 2.0)}[stop_kind],
        "target_kind": target_kind,
        "target_value": {k.NONE: 0.0, k.PCT: pick(0.001, 0.01, 0.05), k.OFFSET: pick(0.5, 2.0)}.get(target_kind, pick(0.5, 1.0, 3.0)),
        "trail_kind": trail_kind,
        "trail_value": {k.NONE: 0.0, k.PCT: pick(0.001, 0.01, 0.05), k.OFFSET: pick(0.5, 2.0), k.ATR: pick(0.5, 2.0)}[trail_kind],
        "trail_activation": {k.NONE: 0.0, k.PCT: pick(0.0, 0.01)}.get(trail_kind, pick(0.0, 0.5, 1.0)),
        "even_kind": even_kind,
        "even_value": {k.NONE: 0.0, k.PCT: pick(0.001, 0.01), k.OFFSET: pick(0.5, 2.0)}.get(even_kind, pick(0.5, 1.0)),
        "even_plus": pick(0.0, 0.0, 0.001, -0.001),
        "cooldown": pick(0, 0, 0, 1, 10),
        "max_open": pick(0, 1, 2, 5),
        "anchor": pick(k.ANCHOR_FILL, k.ANCHOR_SIGNAL_CLOSE),
        "max_bars": pick(0, 0, 1, 2, 5, 70),
        "entry_at": pick(k.AT_OPEN, k.AT_CLOSE),
        "exit_at": pick(k.AT_OPEN, k.AT_CLOSE),
        "time_at": pick(k.AT_OPEN, k.AT_CLOSE),
        "same_bar": pick(k.STOP_FIRST, k.TARGET_FIRST, k.OHLC, k.OLHC, k.ADAPTIVE),
        "on_opposite": pick(k.IGNORE, k.CLOSE, k.REVERSE),
    }


def entries(rng: np.random.Generator, n: int, close: np.ndarray, p: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of a table of entries in the order of their bars."""
    rows = []
    for bar in np.sort(rng.integers(0, n, int(rng.integers(0, 2 * n)))):
        side, price = int(rng.integers(2)), float(close[bar])
        direction = 1 if side == k.LONG else -1
        stop_kind = int(rng.choice([k.NONE, k.PRICE, k.PCT, p["stop_kind"]]))
        target_kind = int(rng.choice([k.NONE, k.PRICE, k.PCT]))
        distance = float(rng.choice([0.001, 0.01, 0.05]))
        values = {k.NONE: 0.0, k.PCT: distance}
        rows.append(
            {
                "bar": int(bar),
                "side": side,
                "stop_kind": stop_kind,
                "stop_value": price * (1 - direction * distance) if stop_kind == k.PRICE else values.get(stop_kind, p["stop_value"]),
                "target_kind": target_kind,
                "target_value": price * (1 + direction * distance) if target_kind == k.PRICE else values[target_kind],
                "size": float(rng.choice([np.nan, 1.0, 2.5])),
            }
        )
    return rows


def reference_bars(columns: dict[str, np.ndarray]) -> reference.Bars:
    return reference.Bars(*(columns[name].tolist() for name in ("open", "high", "low", "close")))


def period_ends(rng: np.random.Generator, n: int) -> np.ndarray:
    """Last bars of return periods; the last bar of all is one."""
    every = int(rng.choice([1, 7, 50]))
    return np.unique(np.append(np.arange(every - 1, n, every), n - 1)).astype(np.int64)


def as_record(dtype: np.dtype, rows: list[dict[str, Any]]) -> np.ndarray:
    """Dictionaries as a structured array."""
    out = np.zeros(len(rows), dtype)
    for name in dtype.names or ():
        out[name] = [row[name] for row in rows]
    return out
