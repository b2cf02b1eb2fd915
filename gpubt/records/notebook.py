"""A result in a notebook: a small table with a sparkline, and a figure to look into."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from gpubt.metrics.definitions import DEFINITIONS, FRACTION
from gpubt.records.tables import values_of
from gpubt.report.html.levels import kept
from gpubt.report.numbers import moment, number, percent

if TYPE_CHECKING:
    from gpubt.records.result import RunResult

FIGURES = ("total_return", "annual_return", "sharpe_ratio", "max_drawdown", "n_trades", "win_rate")
WIDTH, HEIGHT, POINTS = 240, 48, 240  # of the sparkline, in pixels
MARKED = 5_000  # trades in the figure


def as_html(result: RunResult) -> str:
    """What it was, the equity as a sparkline, and the main figures beside buying and holding."""
    summary = result.summary
    what = f"{summary['strategy']} on {summary['symbol']}, {summary['rows']:,} bars"
    span = f"{moment(summary['first_timestamp'])} to {moment(summary['last_timestamp'])} UTC"
    held = summary.get("buy_and_hold") or {}
    rows = "".join(
        f"<tr><th style='text-align:left'>{DEFINITIONS[name].label}</th><td>{_written(name, result.metrics.get(name))}</td>"
        f"<td>{_written(name, held[name]) if name in held else ''}</td></tr>"
        for name in FIGURES
    )
    head = "<thead><tr><th></th><th>strategy</th><th>held</th></tr></thead>"
    return f"<div><b>{escape(what)}</b><br>{escape(span)}<br>{_sparkline(result)}<table>{head}<tbody>{rows}</tbody></table></div>"


def _written(name: str, value: float | None) -> str:
    return percent(value, sign=name != "win_rate") if DEFINITIONS[name].unit == FRACTION else number(value)


def _sparkline(result: RunResult) -> str:
    equity = values_of(result.equity["equity"])
    if len(equity) < 2:
        return ""
    rows = kept(equity, POINTS)
    low, high = float(equity.min()), float(equity.max())
    x = rows / (len(equity) - 1) * (WIDTH - 2) + 1.0
    y = HEIGHT - 1.0 - (equity[rows] - low) / ((high - low) or 1.0) * (HEIGHT - 2)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    line = f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.2"/>'
    return f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="equity">{line}</svg>'


def figure(result: RunResult) -> Any:
    """A `plotly.graph_objects.Figure` with the equity, the drawdown from its highest so far, and the result of each trade at its exit. Of
    long curves at most 20,000 points with the extremes, of many trades MARKED of them, evenly chosen."""
    import pyarrow as pa
    from plotly import graph_objects as go
    from plotly.subplots import make_subplots

    times, equity = values_of(result.equity["time"].cast(pa.int64())), values_of(result.equity["equity"])
    capital = result.config.capital * len(result.summary.get("symbols") or [0])
    drawdown = equity / np.maximum.accumulate(np.maximum(equity, capital)) - 1.0
    found = make_subplots(rows=3, cols=1, shared_xaxes=True, row_heights=[0.55, 0.2, 0.25], vertical_spacing=0.03)
    for row, name, values in ((1, "equity", equity), (2, "drawdown", drawdown)):
        at = kept(values)
        found.add_trace(go.Scatter(x=times[at].view("datetime64[ns]"), y=values[at], name=name, mode="lines"), row, 1)
    trades = result.trades
    at = np.unique(np.linspace(0, max(0, len(trades) - 1), MARKED).astype(np.int64))[: len(trades)]
    exits, share = values_of(trades["exit_time"].cast(pa.int64())), values_of(trades["pnl_pct"])
    marks = {"size": 4, "color": np.where(share[at] > 0.0, "#2b8a68", "#c0503a")}
    found.add_trace(go.Scatter(x=exits[at].view("datetime64[ns]"), y=share[at], name="trades", mode="markers", marker=marks), row=3, col=1)
    found.update_yaxes(tickformat=".0%", row=2, col=1).update_yaxes(tickformat=".1%", row=3, col=1)
    title = f"{result.summary['strategy']} on {result.summary['symbol']}"
    return found.update_layout(title={"text": escape(title)}, hovermode="x unified", height=600, template="plotly_white")
