"""Trades for the page: which are shown bar by bar, the bars around them, and all of them in figures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.errors import GpubtError
from gpubt.report.explain import sentence
from gpubt.report.html.levels import candles, histogram
from gpubt.report.html.page import listed, milliseconds
from gpubt.simulate.layout import REASONS

if TYPE_CHECKING:
    from gpubt.data.bars import Bars
    from gpubt.explain import Reopened
    from gpubt.records.saved import SavedRun

EXTREMES = 10  # best trades, and as many worst
AROUND = 40  # bars before an entry and after an exit
LONGEST = 300  # bars of a trade that are all shown; of longer ones those around its entry and its exit
POINTS = 3_000  # of the excursions' scatter


def chosen(saved: SavedRun, symbol: str, most: int) -> NDArray[np.int64]:
    """Rows of `saved.positions`, ascending: of `symbol` the best and worst by pnl over notional, and evenly between first and last."""
    own = np.flatnonzero(saved.positions["symbol"] == saved.symbols.index(symbol))
    if len(own) <= most:
        return own
    ranked = own[np.argsort(result(saved)[own], kind="stable")]
    extremes = min(EXTREMES, most // 4)
    picked = np.concatenate([ranked[:extremes], ranked[len(ranked) - extremes :]])
    rest = np.setdiff1d(own, picked)
    return np.union1d(picked, rest[np.linspace(0, len(rest) - 1, most - len(picked)).astype(np.int64)])


def result(saved: SavedRun) -> NDArray[np.float64]:
    """Pnl over notional of each position, a fraction."""
    found = saved.positions
    with np.errstate(invalid="ignore", divide="ignore"):
        share: NDArray[np.float64] = found["pnl"] / found["notional"]
    return share


def trades_data(saved: SavedRun, run: Reopened, rows: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Each of the positions `rows` with its bars, levels and events."""
    found, share = saved.positions, result(saved)
    names = ("position", "entry_bar", "exit_bar", "bars_held")
    out = []
    for row in rows.tolist():
        around = window(run.bars, int(found["entry_bar"][row]), int(found["exit_bar"][row]))
        out.append(
            {name: int(found[name][row]) for name in names}
            | {"side": "long" if found["side"][row] == 0 else "short", "reason": REASONS[int(found["exit_reason"][row])]}
            | {
                "pnl": float(found["pnl"][row]),
                "share": float(share[row]),
                "mae": float(found["mae"][row]),
                "mfe": float(found["mfe"][row]),
            }
            | {"window": around}
            | story(run, int(found["position"][row]), around["bar"])
        )
    return out


def window(bars: Bars, entry: int, leave: int) -> dict[str, Any]:
    """All bars around a trade by number; of a long one, all around its entry and its exit."""
    first, last = max(0, entry - AROUND), min(bars.n - 1, leave + AROUND)
    shown = np.arange(first, last + 1)
    if leave - entry > LONGEST:
        half = LONGEST // 2
        shown = shown[(shown <= entry + half) | (shown >= leave - half)]
    prices = {name[0]: listed(getattr(bars, name)[shown]) for name in ("open", "high", "low", "close")}
    return {"bar": listed(shown), "time": milliseconds(bars.time[shown]), **prices}


def story(run: Reopened, position: int, shown: list[int]) -> dict[str, Any]:
    """What `gpubt explain` tells: fills by leg, where the stop was in each of the bars that are `shown`, the targets, and the events in
    words; where it can't be replayed, why."""
    try:
        told = run.explain(position)
    except GpubtError as error:
        return {"fills": [], "stops": [], "targets": [], "events": [{"bar": None, "text": str(error), "rule": ""}]}
    first = next(event.numbers for event in told.events if event.name == "entry")
    entries = {(event.bar, event.numbers["price"]): None for event in told.events if event.name == "entry"}
    exits = [(row["exit_bar"], row["exit_price"], row["exit_reason"]) for row in told.rows]
    events = [(event.bar, *sentence(event)) for event in told.events]
    return {
        "fills": [{"bar": bar, "price": price, "what": "entry"} for bar, price in entries]
        + [{"bar": bar, "price": price, "what": reason} for bar, price, reason in exits],
        "stops": listed(np.array([told.stops.get(bar, math.nan) for bar in shown])) if told.stops else [],
        "targets": [level for level in first["targets"] if math.isfinite(level)],
        "events": [{"bar": bar, "text": text, "rule": rule} for bar, text, rule in events if text],
    }


def overview(bars: Bars) -> dict[str, Any]:
    """The bars of the whole run in at most 20,000 candles."""
    size, level = candles(bars)
    prices = {name[0]: listed(level[name], 7) for name in ("open", "high", "low", "close")}
    return {"bars": bars.n, "size": size, "time": milliseconds(level["time"]), **prices}


def excursions(saved: SavedRun) -> dict[str, Any]:
    """MAE, MFE and result (fractions) of at most POINTS positions: evenly chosen, with those that went furthest."""
    found, share = saved.positions, result(saved)
    rows = np.arange(len(share))
    if len(rows) > POINTS:
        far = np.argsort(np.maximum(found["mfe"], -found["mae"]), kind="stable")[-POINTS // 10 :]
        rows = np.union1d(far, np.linspace(0, len(share) - 1, POINTS - len(far)).astype(np.int64))
    names = {"mae": found["mae"], "mfe": found["mfe"], "share": share}
    points = {name: listed(values[rows], 4) for name, values in names.items()}
    return {"of": len(share), "position": listed(found["position"][rows]), **points}


def reasons(saved: SavedRun) -> list[dict[str, Any]]:
    """Positions and pnl by the reason of their last exit, the most frequent first."""
    codes, pnl = saved.positions["exit_reason"].astype(np.int64), saved.positions["pnl"]
    counts, sums = np.bincount(codes), np.bincount(codes, pnl)
    wins = np.bincount(codes, pnl > 0.0)
    return [
        {"reason": REASONS[code], "count": int(counts[code]), "pnl": float(sums[code]), "wins": float(wins[code] / counts[code])}
        for code in np.argsort(-counts, kind="stable").tolist()
        if counts[code]
    ]


def exposure(saved: SavedRun, bars: Bars, symbol: str) -> dict[str, Any]:
    """By month (UTC), the share of the bars at whose close a long, and a short, position is open."""
    months = bars.time.astype("datetime64[ns]").astype("datetime64[M]")
    starts = np.flatnonzero(np.append(True, months[1:] != months[:-1]))
    counts = np.diff(np.append(starts, bars.n))
    found = saved.positions
    out: dict[str, Any] = {"time": milliseconds(months[starts].astype("datetime64[ns]").astype(np.int64))}
    for code, side in enumerate(("long", "short")):
        mine = (found["symbol"] == saved.symbols.index(symbol)) & (found["side"] == code)
        change = np.bincount(found["entry_bar"][mine], minlength=bars.n + 1) - np.bincount(found["exit_bar"][mine], minlength=bars.n + 1)
        out[side] = listed(np.add.reduceat((np.cumsum(change)[: bars.n] > 0).astype(np.float64), starts) / counts, 4)
    return out


def trades_histogram(saved: SavedRun) -> dict[str, Any]:
    """The distribution of the trades' results."""
    return histogram(result(saved))
