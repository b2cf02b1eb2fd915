"""The best sets of a sweep by one figure, with what tells luck from a region that works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.records.tables import taken
from gpubt.sweep.importance import first_order
from gpubt.sweep.neighbours import Stability, stability
from gpubt.sweep.ranking import BEST, HIGH, figure, left, ranked

if TYPE_CHECKING:
    from gpubt.sweep.reading import Results


@dataclass(frozen=True)
class Top:
    """What `gpubt top` shows. `rows`: set, axes and figures by name, ledger_hash, neighbours; `spread` is over the sets that `where`
    leaves, of which `lacking` have no such figure; `importance` is a share by axis."""

    folder: Path
    symbol: str
    bars: int | None
    partial: bool
    sampled: bool
    of: int
    sets: int
    where: str | None
    left: int
    by: str
    better: str
    spread: dict[str, float | None]
    lacking: int
    short: dict[str, str]
    rows: list[dict[str, Any]]
    importance: dict[str, float]
    exported: Path | None = None


def best(results: Results, by: str, n: int, where: str | None, *, ascending: bool = False) -> tuple[Top, NDArray[np.int64]]:
    """The first `n` sets by `by`, the best first (`ascending`: the smallest first), and all rows that `where` leaves in that order.

    Raises ConfigError for an unknown figure, and a condition that is none or leaves nothing.
    """
    by = figure(results, by)
    high = BEST[by] == HIGH
    kept, values = left(results, where), results.numbers(by)
    order = ranked(values, kept, ascending=ascending or not high)
    shown = order[:n]
    near = stability(results.axes, values, shown, high=high)
    among = values[kept][~np.isnan(values[kept])]
    top = Top(
        folder=results.folder,
        symbol=results.symbol,
        bars=results.bars,
        partial=results.partial,
        sampled=results.sampled,
        of=results.of,
        sets=results.n,
        where=where,
        left=len(kept),
        by=by,
        better="higher" if high else "lower",
        spread=_spread(among, high),
        lacking=len(kept) - len(among),
        short=results.short(),
        rows=_rows(results, shown, near),
        importance=first_order(values, results.axes, kept, sampled=results.sampled),
    )
    return top, order


def _spread(values: NDArray[np.float64], high: bool) -> dict[str, float | None]:
    if not len(values):
        return {"best": None, "median": None, "worst": None}
    low, middle, top = float(values.min()), float(np.median(values)), float(values.max())
    return {"best": top if high else low, "median": middle, "worst": low if high else top}


def _rows(results: Results, shown: NDArray[np.int64], near: Stability) -> list[dict[str, Any]]:
    """The shown rows as they are in the table."""
    more = [name for name in ("ledger_hash",) if name in results.names]
    table = taken(results.columns(["set", *results.keys, *results.figures, *more]), shown)
    return [
        {
            "set": row["set"],
            "axes": {key: row[key] for key in results.keys},
            "figures": {name: row[name] for name in results.figures},
            **{name: row[name] for name in more},
            "neighbours": _neighbours(near, i),
        }
        for i, row in enumerate(table.to_pylist())
    ]


def _neighbours(near: Stability, i: int) -> dict[str, Any]:
    figures = {"mean": near.mean[i], "worst": near.worst[i], "difference": near.difference[i]}
    numbers = {name: None if np.isnan(value) else float(value) for name, value in figures.items()}
    return {"count": int(near.count[i]), "possible": near.possible, **numbers, "shape": near.shape[i]}


def as_json(top: Top) -> Mapping[str, Any]:
    """The screen for programs: figures as fractions, cash and bars; shares by the axes' full keys."""
    from gpubt.report.top import replay

    named = {name: getattr(top, name) for name in ("symbol", "by", "better", "where", "partial")}
    counts = {"sets": top.sets, "of": top.of, "left": top.left, "lacking": top.lacking}
    rest = max(0.0, 1.0 - sum(top.importance.values())) if top.importance else None
    return {
        "folder": str(top.folder),
        **named,
        **counts,
        "spread": top.spread,
        "rows": top.rows,
        "importance": top.importance,
        "interactions": rest,
        "exported": None if top.exported is None else str(top.exported),
        "next": replay(top),
    }
