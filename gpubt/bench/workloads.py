"""The seeded inputs of the benchmarks: every machine times the same work."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.bench.baseline import REFERENCE_ROWS, REFERENCE_TRADES

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


def walk(n: int = REFERENCE_ROWS, sigma: float = 1e-4) -> dict[str, Floats]:
    """The reference walk of `docs/semantics.md` (conventions, quantpipe): 6.9 million one-minute bars of 0.01 % unless told."""
    rng = np.random.default_rng(20251105)
    returns, up, down = rng.normal(0, sigma, n), rng.normal(0, 0.5 * sigma, n), rng.normal(0, 0.5 * sigma, n)
    close = 1.10 * np.exp(np.cumsum(returns))
    open_ = np.append(1.10, close[:-1])
    high, low = np.maximum(open_, close) * (1 + np.abs(up)), np.minimum(open_, close) * (1 - np.abs(down))
    return {"open": open_, "high": high, "low": low, "close": close}


def origin(n: int = REFERENCE_ROWS, trades: int = REFERENCE_TRADES) -> Brackets:
    """The origin's own measure of itself (quantpipe): stops of 0.2 %, targets of 0.4 %, about 800 bars long."""
    rng = np.random.default_rng(7)
    bar = np.sort(rng.choice(n - 2, trades, replace=False)).astype(np.int64)
    side = np.where(rng.integers(0, 2, trades) == 1, 1, -1).astype(np.int64)
    return Brackets(walk(n), bar, side, np.full(trades, 0.002), np.full(trades, 0.004), 14_400)


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
