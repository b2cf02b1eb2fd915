"""The named inputs of the benchmarks: seeded, so that every machine times the same work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Brackets:
    """Trades of the origin's engine (quantpipe): entered at a bar's close, out at a stop or target, else after `window` bars."""

    columns: dict[str, Floats]
    bar: NDArray[np.int64]
    side: NDArray[np.int64]  # +1 long, -1 short
    stop: float
    target: float
    window: int


def walk(n: int = 6_900_000) -> dict[str, Floats]:
    """The reference walk of `docs/semantics.md` (conventions, quantpipe): 6.9 million one-minute bars unless told."""
    rng = np.random.default_rng(20251105)
    returns, up, down = rng.normal(0, 1e-4, n), rng.normal(0, 0.5e-4, n), rng.normal(0, 0.5e-4, n)
    close = 1.10 * np.exp(np.cumsum(returns))
    open_ = np.append(1.10, close[:-1])
    high, low = np.maximum(open_, close) * (1 + np.abs(up)), np.minimum(open_, close) * (1 - np.abs(down))
    return {"open": open_, "high": high, "low": low, "close": close}


def brackets(n: int = 6_900_000, trades: int = 17_700, stop: float = 0.002, target: float = 0.004) -> Brackets:
    """`trades` random entries on the walk. The default is the origin's own measure of itself."""
    rng = np.random.default_rng(7)
    bar = np.sort(rng.choice(n - 2, trades, replace=False)).astype(np.int64)
    side = np.where(rng.integers(0, 2, trades) == 1, 1, -1).astype(np.int64)
    return Brackets(walk(n), bar, side, stop, target, 14_400)


def entry_records(work: Brackets) -> NDArray[Any]:
    """The same trades as rows of positions=list."""
    from gpubt.simulate import layout as k

    rows = np.zeros(len(work.bar), k.ENTRY)
    rows["bar"], rows["side"] = work.bar, np.where(work.side > 0, k.LONG, k.SHORT)
    rows["stop_kind"] = rows["target_kind"] = k.PCT
    rows["stop_value"], rows["target_value"], rows["size"] = work.stop, work.target, np.nan
    return rows


def bracket_parameters(work: Brackets) -> NDArray[Any]:
    """Fills at the close, out after `window` bars at the close, no costs."""
    from gpubt.simulate import layout as k

    at_close = {name: k.AT_CLOSE for name in ("entry_at", "exit_at", "time_at")}
    return k.record(
        k.PARAMS, capital=100_000.0, size_value=1.0, max_leverage=1.0, pyramiding=1, reentry=1, max_bars=work.window, **at_close
    )
