"""Agreement before any time: the modes, the backends and the specification give one ledger, on the same bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.bench.workloads import bracket_parameters, entry_records, origin
from gpubt.errors import GpubtError
from gpubt.records.criteria import CRITERIA, judged
from gpubt.simulate import layout
from gpubt.simulate.ledger import ledger_digest

WIN_RATE, DURATION = 0.001, 1.0  # SC-006's other limits: 0.1 percentage points, 1 bar
SLICE = 20_000  # bars that plain Python walks in a second


def list_ledgers(backends: Mapping[str, Any], bars: int) -> dict[str, NDArray[Any]]:
    """The ledgers (`layout.TRADE` records) of the origin's workload on up to `SLICE` bars, a trade each 100: of both modes of each backend,
    and of the reference."""
    from gpubt.simulate.reference import Signals, simulate_list
    from gpubt.simulate.reference_orders import Bars

    n = min(bars, SLICE)
    work = origin(n, max(1, n // 100))
    entries, params, rungs = entry_records(work), bracket_parameters(work), np.zeros(0, layout.RUNG)
    ledgers = {}
    for name, backend in backends.items():
        market = backend.upload(work.columns)
        for mode in ("event", "bar"):
            ledgers[f"{name}, {mode} mode"] = backend.trades(backend.simulate_list(market, {}, entries, {}, rungs, params, mode))
    lists = Bars(*(work.columns[name].tolist() for name in ("open", "high", "low", "close")))
    outcome = simulate_list(lists, Signals(*[[False] * n] * 4), _rows(entries), {}, [], _rows(params)[0])
    ledgers["reference"] = np.array([tuple(row[name] for name in layout.TRADE.names or ()) for row in outcome.trades], layout.TRADE)
    return ledgers


def _rows(records: NDArray[Any]) -> list[dict[str, Any]]:
    return [{name: row[name].item() for name in records.dtype.names or ()} for row in records]


def same_digest(what: str, digests: Mapping[str, str]) -> None:
    """Raise GpubtError, naming the first that differs, unless all are equal: of what differs no times are recorded."""
    first = next(iter(digests))
    for name, digest in digests.items():
        if digest != digests[first]:
            raise GpubtError(f"{what}: {name} gives ledger {digest[:16]}, {first} gives {digests[first][:16]}; no times are recorded")


def agreed(ledgers: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """SC-006 over ledgers of the same trades, each against the first. Raises GpubtError where they are not equal to the bit."""
    same_digest("the list of brackets", {name: ledger_digest([trades]) for name, trades in ledgers.items()})
    first, *others = ledgers.values()
    return fidelity([_figures(first), *map(_figures, others)], f"{len(first):,} trades, {', '.join(ledgers)}: equal to the bit")


def _figures(trades: NDArray[Any]) -> tuple[float, float, float]:
    """PnL, win rate, mean duration in bars."""
    return float(trades["pnl"].sum()), float((trades["pnl"] > 0).mean()), float((trades["exit_bar"] - trades["entry_bar"]).mean())


def fidelity(figures: Sequence[tuple[float, float, float]], note: str) -> dict[str, Any]:
    """SC-006: the largest difference from the first, of PnL, win rate or duration, each over its own limit, as a difference of PnL."""
    pnl, wins, hold = figures[0]
    limit = CRITERIA["SC-006"].limit
    worst = 0.0
    for other, other_wins, other_hold in figures[1:]:
        shares = (abs(other - pnl) / (limit * abs(pnl) or 1.0), abs(other_wins - wins) / WIN_RATE, abs(other_hold - hold) / DURATION)
        worst = max(worst, *shares)
    return judged("SC-006", worst * limit, note)
