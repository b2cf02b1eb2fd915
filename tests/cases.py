"""Generated bars, signals and parameters for the property tests: ties, gaps, flat stretches, rare and dense signals."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from gpubt.backends.base import Backend, Ledger, Market
from gpubt.data.detail import Detail
from gpubt.simulate import layout as k
from gpubt.simulate import reference
from gpubt.simulate.reference_orders import Bars


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
    """Boolean arrays by `layout.MASKS`. Entries are effective: never with the other side's, never with their own exit."""
    calendars = {name: rng.random(n) < rng.choice([0.0, 0.0, 0.05]) for name in ("session", "blackout")}
    raw = {name: rng.random(n) < rng.choice([0.0, 0.01, 0.1, 0.5]) for name in ("long_entry", "long_exit", "short_entry", "short_exit")}
    long = raw["long_entry"] & ~raw["long_exit"] & ~raw["short_entry"]
    short = raw["short_entry"] & ~raw["short_exit"] & ~raw["long_entry"]
    return raw | {"long_entry": long, "short_entry": short} | calendars


def pack(mask: np.ndarray) -> np.ndarray:
    """64 bars a word, with a spare bit past the end."""
    padded = np.zeros((len(mask) // 64 + 1) * 64, bool)
    padded[: len(mask)] = mask
    return np.packbits(padded, bitorder="little").view(np.uint64)


def pick(rng: np.random.Generator, *values: Any) -> Any:
    """One of `values`, as it is."""
    return values[int(rng.integers(len(values)))]


def some_level(rng: np.random.Generator, *kinds: int) -> tuple[int, float]:
    """A kind of level and a value of its size."""
    kind = pick(rng, *kinds)
    return kind, {k.NONE: 0.0, k.RULE: 0.0, k.PCT: pick(rng, 0.001, 0.01, 0.05), k.OFFSET: pick(rng, 0.5, 2.0)}.get(
        kind, pick(rng, 0.5, 1.0, 3.0)
    )


def params(rng: np.random.Generator, positions: str = "single") -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A parameter record as a dictionary of Python numbers, and the rungs of its ladder. Only what the configuration accepts together."""
    stop_kind, stop_value = some_level(rng, k.NONE, k.PCT, k.OFFSET, k.ATR, k.RULE)
    multiples = [k.R_MULTIPLE] if stop_kind else []
    target_kind, target_value = some_level(rng, k.NONE, k.PCT, k.OFFSET, k.ATR, k.RULE, *multiples)
    trail_kind, trail_value = some_level(rng, k.NONE, k.NONE, k.PCT, k.OFFSET, k.ATR)
    even_kind, even_value = some_level(rng, k.NONE, k.NONE, k.PCT, k.OFFSET, k.ATR, *multiples)
    size_kind = pick(rng, k.PERCENT_EQUITY, k.PERCENT_EQUITY, k.FIXED_UNITS, k.FIXED_CASH, *([k.RISK_PERCENT] if stop_kind else []))
    sizes = {k.PERCENT_EQUITY: (1.0, 0.5, 1.7), k.FIXED_UNITS: (1.0, 25.0, 1e6), k.FIXED_CASH: (500.0, 1e5), k.RISK_PERCENT: (0.01, 0.1)}
    order = pick(rng, k.MARKET, k.MARKET, k.LIMIT, k.STOP_ORDER, k.STOP_LIMIT)
    order_kind, order_value = some_level(rng, k.PCT, k.OFFSET, k.ATR, k.RULE)
    limit_kind, limit_value = some_level(rng, k.PCT, k.OFFSET, k.ATR, k.RULE)
    single, market = positions == "single", order == k.MARKET
    p = {
        "capital": pick(rng, 100_000.0, 1000.0, 50.0),
        "size_kind": size_kind,
        "size_value": pick(rng, *sizes[size_kind]),
        "max_leverage": pick(rng, 1.0, 1.0, 3.0, 20.0),
        "lot": pick(rng, 0.0, 0.0, 0.1, 1.0),
        "commission_rate": pick(rng, 0.0, 0.0005, 0.01),
        "commission_per_unit": pick(rng, 0.0, 0.0, 0.01),
        "commission_fixed": pick(rng, 0.0, 0.0, 1.0),
        "commission_minimum": pick(rng, 0.0, 0.0, 5.0),
        "slippage_rate": pick(rng, 0.0, 0.0, 0.0002, 0.02),
        "slippage_points": pick(rng, 0.0, 0.0, 0.02),
        "slippage_atr": pick(rng, 0.0, 0.0, 0.1),
        "carry_long": pick(rng, 0.0, 0.0, 1e-3, -1e-4),
        "carry_short": pick(rng, 0.0, 0.0, 1e-3, -1e-4),
        "maintenance": pick(rng, 0.0, 0.0, 0.05),
        "liquidate": pick(rng, 0, 1),
        "stop_kind": stop_kind,
        "stop_value": stop_value,
        "target_kind": target_kind,
        "target_value": target_value,
        "trail_kind": trail_kind,
        "trail_value": trail_value,
        "trail_activation": {k.NONE: 0.0, k.PCT: pick(rng, 0.0, 0.01)}.get(trail_kind, pick(rng, 0.0, 0.5, 1.0)),
        "trail_same_bar": pick(rng, 0, 0, 1),
        "even_kind": even_kind,
        "even_value": even_value,
        "even_plus": pick(rng, 0.0, 0.0, 0.001, -0.001),
        "cooldown": pick(rng, 0, 0, 0, 1, 10) if single else 0,
        "beyond_stop": pick(rng, 0, 0, 1),
        "reentry": pick(rng, 1, 1, 0),
        "max_open": pick(rng, 0, 1, 2, 5) if positions == "overlapping" and market else 0,
        "pyramiding": pick(rng, 1, 2, 3) if single and market else 1,
        "order": order,
        "order_kind": order_kind,
        "order_value": order_value * pick(rng, 0.1, 1.0, -0.1),
        "limit_kind": limit_kind,
        "limit_value": limit_value * pick(rng, 0.1, -0.1),
        "valid_bars": pick(rng, 0, 0, 1, 2, 10),
        "anchor": pick(rng, k.ANCHOR_FILL, k.ANCHOR_SIGNAL_CLOSE),
        "gap_at_level": pick(rng, 0, 0, 1),
        "exposed_later": pick(rng, 0, 0, 1),
        "end_free": pick(rng, 0, 0, 1),
        "max_bars": pick(rng, 0, 0, 1, 2, 5, 70),
        "entry_at": pick(rng, k.AT_OPEN, k.AT_CLOSE),
        "exit_at": pick(rng, k.AT_OPEN, k.AT_CLOSE),
        "time_at": pick(rng, k.AT_OPEN, k.AT_CLOSE),
        "same_bar": pick(rng, k.STOP_FIRST, k.TARGET_FIRST, k.OHLC, k.OLHC, k.ADAPTIVE),
        "on_opposite": pick(rng, k.IGNORE, k.REVERSE, *([k.CLOSE] if single else [])),
    }
    rungs = ladder(rng, *multiples) if p["pyramiding"] == 1 and rng.random() < 0.4 else []
    return p | ({"target_kind": k.NONE, "target_value": 0.0} if rungs else {}) | {"rungs": len(rungs)}, rungs


def ladder(rng: np.random.Generator, *multiples: int) -> list[dict[str, Any]]:
    """Rungs of a target ladder, further and further away."""
    count, kind = int(rng.integers(1, 5)), pick(rng, k.PCT, k.OFFSET, k.ATR, *multiples)
    share, step = pick(rng, 1.0 / count, 0.25, 0.1), 0.002 if kind == k.PCT else 0.3
    last = int(share * count >= 1.0 - 1e-9)
    return [{"kind": kind, "value": step * (i + 1), "share": share, "rest": last if i == count - 1 else 0} for i in range(count)]


def levels(rng: np.random.Generator, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All of `layout.LEVELS`, with a warm-up, and holes in expressions."""
    close, n = columns["close"], len(columns["close"])
    away = np.abs(rng.standard_normal((8, n))) * rng.choice([0.1, 1.0])
    signs = {"stop": (-1, 1), "target": (1, -1), "order": tuple(rng.choice([-1, 1], 2)), "limit": tuple(rng.choice([-1, 1], 2))}
    found = {"atr": np.abs(rng.standard_normal(n)) + 0.1}
    for i, (name, (long, short)) in enumerate(signs.items()):
        found |= {f"long_{name}": close + long * away[2 * i], f"short_{name}": close + short * away[2 * i + 1]}
    for name, series in found.items():
        series[: int(rng.integers(0, min(n, 10) + 1))] = np.nan
        series[rng.random(n) < (0.0 if name == "atr" else 0.02)] = np.nan  # ATR has no hole after its warm-up
    return found


def finer(rng: np.random.Generator, columns: dict[str, np.ndarray]) -> Detail | None:
    """None, or up to three finer bars in each bar, which sometimes show less than its range."""
    if rng.random() < 0.5:
        return None
    n = len(columns["close"])
    counts = rng.integers(0, 4, n)
    rows = []
    for t in range(n):
        o, h, low, c = (columns[name][t] for name in ("open", "high", "low", "close"))
        path = [o, *rng.uniform(low, h, max(0, counts[t] - 1)), c]
        for a, b in pairwise(path[: counts[t] + 1]):
            top, bottom = (h if rng.random() < 0.4 else max(a, b)), (low if rng.random() < 0.4 else min(a, b))
            rows.append((a, top, bottom, b))
    table = np.array(rows).reshape(-1, 4)
    return Detail(np.append(0, np.cumsum(counts)).astype(np.int64), *(np.ascontiguousarray(table[:, i]) for i in range(4)))


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


def reference_bars(columns: dict[str, np.ndarray], detail: Detail | None = None) -> Bars:
    def lists(source: Any) -> list[list[float]]:
        return [source[name].tolist() for name in ("open", "high", "low", "close")]

    return Bars(*lists(columns)) if detail is None else Bars(*lists(columns), Bars(*lists(vars(detail))), detail.first.tolist())


@dataclass
class Case:
    """One generated simulation, for the reference and for a backend."""

    positions: str
    columns: dict[str, np.ndarray]
    signals: dict[str, np.ndarray]
    levels: dict[str, np.ndarray]
    rungs: list[dict[str, Any]]
    params: dict[str, Any]
    finer: Detail | None
    entries: list[dict[str, Any]]

    def reference(self) -> reference.Outcome:
        """What the specification makes of it."""
        bars, p = reference_bars(self.columns, self.finer), self.params
        levels = {name: series.tolist() for name, series in self.levels.items()}
        signals = {name: mask.tolist() for name, mask in self.signals.items()}
        if self.positions == "list":
            signals |= {name: [False] * len(bars) for name in k.MASKS[:4]}
            return reference.simulate_list(bars, reference.Signals(**signals), self.entries, levels, self.rungs, p)
        run = reference.simulate if self.positions == "single" else reference.simulate_overlapping
        return run(bars, reference.Signals(**signals), levels, self.rungs, p)

    def on(self, backend: Backend, mode: str) -> tuple[Market, Ledger]:
        """The market and the ledger there."""
        market = backend.upload(self.columns, self.finer)
        masks = {name: backend.mask(mask) for name, mask in self.signals.items()}
        levels = {name: backend.place(series) for name, series in self.levels.items()}
        rungs, record = as_record(k.RUNG, self.rungs), as_record(k.PARAMS, [self.params])
        table = as_record(k.ENTRY, self.entries) if self.positions == "list" else None
        return market, backend.run(market, masks, table, levels, rungs, record, mode=mode, positions=self.positions)


def case(rng: np.random.Generator, n: int, positions: str) -> Case:
    """Bars, signals, calendars, levels, orders and finer bars of one simulation."""
    columns, flags = bars(rng, n), signals(rng, n)
    p, rungs = params(rng, positions)
    return Case(positions, columns, flags, levels(rng, columns), rungs, p, finer(rng, columns), entries(rng, n, columns["close"], p))


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
