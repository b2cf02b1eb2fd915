"""The named inputs of the benchmarks: seeded, so that every machine times the same work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Brackets:
    """Trades entered at a bar's close, out at a stop or a target of their own, or at a trailing stop, else after `window` bars (0: never).

    The trailing stop of a long trade is `best * (1 - trail) - trail_atr * atr[bar]`, of the best high of the bars before.
    """

    columns: dict[str, Floats]
    bar: NDArray[np.int64]
    side: NDArray[np.int64]  # +1 long, -1 short
    stop: Floats  # fractions of the entry price; infinite: none
    target: Floats
    window: int = 0
    trail: float = 0.0
    trail_atr: float = 0.0

    @cached_property
    def atr(self) -> Floats:
        """Mean range of the last 14 bars, NaN before: as good as any for a distance."""
        ranges = np.cumsum(self.columns["high"] - self.columns["low"])
        return np.concatenate([np.full(14, np.nan), (ranges[14:] - ranges[:-14]) / 14.0])

    @property
    def levels(self) -> dict[str, Floats]:
        """What the simulation reads besides prices."""
        return {"atr": self.atr} if self.trail_atr else {}


def walk(n: int = 6_900_000, sigma: float = 1e-4) -> dict[str, Floats]:
    """The reference walk of `docs/semantics.md` (conventions, quantpipe): 6.9 million one-minute bars of 0.01 % unless told."""
    rng = np.random.default_rng(20251105)
    returns, up, down = rng.normal(0, sigma, n), rng.normal(0, 0.5 * sigma, n), rng.normal(0, 0.5 * sigma, n)
    close = 1.10 * np.exp(np.cumsum(returns))
    open_ = np.append(1.10, close[:-1])
    high, low = np.maximum(open_, close) * (1 + np.abs(up)), np.minimum(open_, close) * (1 - np.abs(down))
    return {"open": open_, "high": high, "low": low, "close": close}


def origin(n: int = 6_900_000, trades: int = 17_700) -> Brackets:
    """The origin's own measure of itself (quantpipe): stops of 0.2 %, targets of 0.4 %, about 800 bars long."""
    rng = np.random.default_rng(7)
    bar = np.sort(rng.choice(n - 2, trades, replace=False)).astype(np.int64)
    side = np.where(rng.integers(0, 2, trades) == 1, 1, -1).astype(np.int64)
    return Brackets(walk(n), bar, side, np.full(trades, 0.002), np.full(trades, 0.004), 14_400)


def drawn(low: float, high: float, n: int = 6_900_000, trades: int = 17_700, **trailing: float) -> Brackets:
    """Stops and targets drawn between two fractions, on minutes of 0.06 %. A trailing stop takes the place of the stop."""
    rng = np.random.default_rng(3)
    bar = np.sort(rng.choice(n - max(2, n // 30), trades, replace=False)).astype(np.int64)
    side = np.where(rng.random(trades) < 0.5, 1, -1).astype(np.int64)
    stop, target = rng.uniform(low, high, trades), rng.uniform(low, high, trades)
    return Brackets(walk(n, 6e-4), bar, side, np.full(trades, np.inf) if trailing else stop, target, **trailing)


BRACKETS: dict[str, Callable[..., Brackets]] = {
    "origin": origin,
    "narrow": partial(drawn, 0.002, 0.010),  # about 100 bars long
    "wide": partial(drawn, 0.02, 0.10),  # about 10,000
    "trailing": partial(drawn, 0.002, 0.010, trail=0.005),
    "trailing-wide": partial(drawn, 0.02, 0.10, trail=0.05),
    "trailing-atr": partial(drawn, 0.002, 0.010, trail_atr=5.0),
}


def entry_records(work: Brackets) -> NDArray[Any]:
    """The same trades as rows of positions=list."""
    from gpubt.simulate import layout as k

    rows = np.zeros(len(work.bar), k.ENTRY)
    rows["bar"], rows["side"], rows["size"] = work.bar, np.where(work.side > 0, k.LONG, k.SHORT), np.nan
    for name, values in (("stop", work.stop), ("target", work.target)):
        given = np.isfinite(values)
        rows[f"{name}_kind"], rows[f"{name}_value"] = np.where(given, k.PCT, k.NONE), np.where(given, values, 0.0)
    return rows


def bracket_parameters(work: Brackets) -> NDArray[Any]:
    """Fills at the close, out after `window` bars at the close, no costs."""
    from gpubt.simulate import layout as k

    fields: dict[str, Any] = {name: k.AT_CLOSE for name in ("entry_at", "exit_at", "time_at")}
    fields |= {"capital": 100_000.0, "size_value": 1.0, "max_leverage": 1.0, "pyramiding": 1, "reentry": 1, "max_bars": work.window}
    if work.trail or work.trail_atr:
        fields |= {"trail_kind": k.PCT if work.trail else k.ATR, "trail_value": work.trail or work.trail_atr}
    return k.record(k.PARAMS, **fields)
