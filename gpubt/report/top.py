"""The best sets of a sweep on one screen: their figures, their neighbours, and what each axis explains."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any

from gpubt.report.numbers import NONE, number, percent

if TYPE_CHECKING:
    from gpubt.sweep.top import Top

LABEL, BAR, GAP = 15, 30, "  "  # columns before the values, of a full bar, between columns
LEAST = 3  # figures beside which neighbours stand in the same table; else in one of their own
LONGEST = 24  # characters of a value that is text

SHOWN = ("sharpe_ratio", "total_return", "max_drawdown", "n_trades", "win_rate", "profit_factor")
SIGNED = ("total_return", "annual_return", "max_drawdown", "best_trade", "worst_trade")
FRACTIONS = (*SIGNED, "volatility", "exposure", "win_rate")


@dataclass(frozen=True)
class Column:
    """A heading and what stands under it."""

    head: str
    cells: list[str]

    @property
    def width(self) -> int:
        """Of the widest."""
        return max(map(len, [self.head, *self.cells]))


def written(name: str, value: float | None) -> str:
    """A figure in its unit."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return f"{value:g}"
    if name in FRACTIONS:
        return percent(value, sign=name in SIGNED)
    return number(value)


def setting(value: Any) -> str:
    """A value of an axis."""
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def lines(top: Top, width: int) -> Iterator[str]:
    """The screen, line by line, in `width` columns where that is possible."""
    yield from _header(top)
    yield ""
    yield from _tables(top, width)
    yield ""
    yield from _shapes(top)
    yield ""
    yield from _importance(top)
    if top.exported is not None:
        yield f"{'exported':<{LABEL}}{top.exported}, {top.left:,} rows"
    yield ""
    yield f"{'next':<{LABEL}}{replay(top)}    # the first of these alone, as a run"


def replay(top: Top) -> str:
    """The command that runs the first of the shown sets."""
    return f"gpubt replay {quote(str(top.folder))} --row {top.rows[0]['set']}"


def _header(top: Top) -> Iterator[str]:
    so_far = f" of {top.of:,} so far" if top.partial else ""
    bars = f", {top.bars:,} bars" if top.bars is not None else ""
    yield f"{'sweep':<{LABEL}}{top.sets:,} sets{so_far}, {top.symbol}{bars}"
    if top.where is not None:
        yield f"{'where':<{LABEL}}{top.where}: {top.left:,} sets"
    spread = [f"{name} {written(top.by, value)}" for name, value in top.spread.items()]
    lacking = f"; {top.lacking:,} without it" if top.lacking else ""
    yield f"{top.by:<{max(LABEL, len(top.by) + 1)}}{top.better} is better: {', '.join(spread)}{lacking}"


def _tables(top: Top, width: int) -> Iterator[str]:
    """One table where neighbours fit beside LEAST figures, else two; figures that don't fit are left out from the right."""
    sets = [Column("set", [str(row["set"]) for row in top.rows])]
    axes = [Column(name, [setting(row["axes"][key]) for row in top.rows]) for key, name in top.short.items()]
    names = [top.by, *(name for name in SHOWN if name != top.by and name in top.rows[0]["figures"])]
    figures = [Column(name, [written(name, row["figures"][name]) for row in top.rows]) for name in names]
    near = list(_near(top))
    if _width([*sets, *axes, *figures[:LEAST], *near]) <= width:
        yield from _table([*sets, *axes, *_fitting(figures, width - _width([*sets, *axes, *near]) - len(GAP)), *near])
        return
    yield from _table([*sets, *axes, *_fitting(figures, width - _width([*sets, *axes]) - len(GAP))])
    yield ""
    yield from _table([*sets, figures[0], *near])


def _near(top: Top) -> Iterator[Column]:
    found = [row["neighbours"] for row in top.rows]
    yield Column("neighbours", [f"{one['count']} of {one['possible']}" for one in found])
    for head, name in (("their mean", "mean"), ("their worst", "worst"), ("difference", "difference")):
        sign = "+" if name == "difference" and top.by not in SIGNED else ""
        yield Column(head, [_signed(sign, one[name], written(top.by, one[name])) for one in found])
    yield Column("shape", [one["shape"] or NONE for one in found])


def _signed(sign: str, value: float | None, text: str) -> str:
    return f"{sign}{text}" if value is not None and value >= 0.0 else text


def _fitting(columns: Sequence[Column], room: int) -> list[Column]:
    """As many of the first columns as there is room for; the first always."""
    count = 1
    while count < len(columns) and _width(columns[: count + 1]) <= room:
        count += 1
    return list(columns[:count])


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + len(GAP) * (len(columns) - 1)


def _table(columns: Sequence[Column]) -> Iterator[str]:
    yield GAP.join(f"{column.head:>{column.width}}" for column in columns)
    for cells in zip(*(column.cells for column in columns), strict=True):
        yield GAP.join(f"{cell:>{column.width}}" for cell, column in zip(cells, columns, strict=True))


def _shapes(top: Top) -> Iterator[str]:
    """What the columns of neighbours mean, or why there are none."""
    if not any(row["neighbours"]["count"] for row in top.rows):
        why = "draws seldom lie one step apart" if top.sampled else "no set differs by one step of one numeric axis"
        yield f"{'neighbours':<{LABEL}}none: {why}"
        return
    yield f"{'neighbours':<{LABEL}}sets one step away on one numeric axis, those too that --where leaves out"
    yield f"{'':<{LABEL}}difference: their mean less the set's own figure"
    yield f"{'':<{LABEL}}spike: over a quarter of all sets lie between the two; plateau: nor between it and their worst"


def _importance(top: Top) -> Iterator[str]:
    if not top.importance:
        yield f"{'importance':<{LABEL}}none: {top.by} does not vary over these sets"
        return
    yield f"{'importance':<{LABEL}}share of the variance of {top.by} that an axis explains alone (Sobol 1993, Saltelli 2008)"
    shares = sorted(top.importance.items(), key=lambda item: -item[1])
    width = max(LABEL - len(GAP), *(len(top.short[key]) for key in top.importance))
    for key, share in shares:
        yield f"{top.short[key]:<{width}}{GAP}{percent(share, 1, sign=False):>6}  {'#' * round(share * BAR)}".rstrip()
    rest = 1.0 - sum(top.importance.values())
    if rest >= -1e-9:
        yield f"{'remainder':<{width}}{GAP}{percent(abs(rest), 1, sign=False):>6}  interactions of axes"
    else:
        yield f"{'':<{width}}{GAP}the shares overlap: the sets don't combine every value with every other"
