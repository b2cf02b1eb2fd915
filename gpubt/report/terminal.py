"""The result of a run on one screen; plain text where it is piped."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.text import Text

from gpubt.records.tables import values_of
from gpubt.report.next_command import next_command
from gpubt.report.numbers import NONE, milliseconds, moment, number, percent, size, sparkline

if TYPE_CHECKING:
    from gpubt.records.result import RunResult

LABEL = 15  # columns before the values
WIDTH = 100  # columns at most, however wide the terminal
CURVE = 60  # columns of the equity curve at most
MANY = 10  # times its least, from which on equity is drawn by its logarithm
WARNINGS = 3  # shown; the summary has all

# label, metric, how it is written
FIGURES = (
    ("total return", "total_return", percent),
    ("annual return", "annual_return", percent),
    ("volatility", "volatility", lambda value: percent(value, sign=False)),
    ("Sharpe ratio", "sharpe_ratio", number),
    ("Sortino ratio", "sortino_ratio", number),
    ("Calmar ratio", "calmar_ratio", number),
    ("max drawdown", "max_drawdown", percent),
    ("final equity", "final_equity", number),
)


def render(result: RunResult, *, arguments: Sequence[str] = ()) -> None:
    """Print the result. `arguments` (what stood after `gpubt run`) lead to the next command that it proposes."""
    console = Console(highlight=False)
    width = min(console.width, WIDTH)
    # captured and written in one piece: rich would end the process by itself when the reader of a pipe has left
    with console.capture() as captured:
        for line in lines(result, width, arguments):
            console.print(line, soft_wrap=True)
    sys.stdout.write(captured.get())
    sys.stdout.flush()


def screen(result: RunResult) -> str:
    """What is printed of a result that a program has: the same, without a next command."""
    return "\n".join(line.plain.rstrip() for line in lines(result, LABEL + CURVE, None))


def line(result: RunResult) -> str:
    """A result in a few words."""
    summary, metrics = result.summary, result.metrics
    figures = [
        f"total return {percent(metrics.get('total_return'))}",
        f"Sharpe {number(metrics.get('sharpe_ratio'))}",
        f"max drawdown {percent(metrics.get('max_drawdown'))}",
        f"{number(metrics.get('n_trades'))} trades",
    ]
    return f"{summary['strategy']} on {summary['symbol']}, {number(summary['rows'])} bars: {', '.join(figures)}"


def lines(result: RunResult, width: int, arguments: Sequence[str] | None) -> Iterator[Text]:
    """The screen, line by line; long values are folded to `width`, except what is meant to be copied. Without `arguments` no next command
    is proposed."""
    summary, benchmark = result.summary, result.benchmark
    yield from _header(summary, width)
    yield Text()
    yield from _figures(result.metrics, summary.get("buy_and_hold") or {}, summary)
    yield from _curve(result, width)
    yield Text()
    yield from _trades(result.metrics, summary, width)
    yield Text()
    if result.symbols is not None:
        yield from _symbols(result.symbols.select(["symbol", "total_return"]).to_pylist(), width)
        yield Text()
    yield from _machine(benchmark, width)
    yield _row("ledger", str(summary["ledger_digest"])[:16])
    if result.folder is not None:
        yield _row("files", f"{result.folder}/")
    warnings = list(summary.get("warnings") or ())
    for warning in warnings[:WARNINGS]:
        yield from _folded("warning", warning, width, "yellow")
    if len(warnings) > WARNINGS:
        yield _row("", f"and {len(warnings) - WARNINGS} more in the summary", "yellow")
    if arguments is not None:
        typed, why = next_command(result.config, summary, arguments)
        yield Text()
        yield _row("next", f"{typed}    # {why}", "bold")


def _symbols(rows: list[dict[str, Any]], width: int) -> Iterator[Text]:
    """How many there are, and the ends of their ranking by total return."""
    ranked = sorted(rows, key=lambda row: -row["total_return"])
    ends = ranked if len(ranked) <= 6 else [*ranked[:3], *ranked[-3:]]
    yield from _listed(f"{len(rows)} symbols", [f"{row['symbol']} {percent(row['total_return'])}" for row in ends], width)


def _row(label: str, value: str, style: str = "") -> Text:
    return Text.assemble((f"{label.ljust(LABEL - 1)} " if value else label, "dim"), (value, style))


def _folded(label: str, value: str, width: int, style: str = "") -> Iterator[Text]:
    for i, part in enumerate(wrap(value, max(20, width - LABEL), break_long_words=False, break_on_hyphens=False) or [""]):
        yield _row("" if i else label, part, style)


def _listed(label: str, items: Sequence[str], width: int) -> Iterator[Text]:
    """`items` with commas between them; no line ends inside one."""
    rows = [""]
    room = max(width - max(LABEL, len(label) + 1), 20)
    for i, item in enumerate(items):
        text = item + ("," if i + 1 < len(items) else "")
        if rows[-1] and len(rows[-1]) + 1 + len(text) > room:
            rows.append(text)
        else:
            rows[-1] = f"{rows[-1]} {text}".lstrip()
    for i, row in enumerate(rows):
        yield _row("" if i else label, row)


def _header(summary: dict[str, Any], width: int) -> Iterator[Text]:
    bars = f"{number(summary['rows'])} of {number(summary['rows_available'])} bars"
    span = f"{moment(summary['first_timestamp'])} to {moment(summary['last_timestamp'])} UTC"
    yield from _listed(str(summary["symbol"]), [bars, span], width)
    yield from _listed(str(summary["strategy"]), [f"{name}={value}" for name, value in (summary.get("params") or {}).items()], width)


def _figures(metrics: dict[str, Any], hold: dict[str, Any], summary: dict[str, Any]) -> Iterator[Text]:
    yield Text(f"{'':<{LABEL}}{'strategy':>16}{'buy and hold':>16}", "dim")
    for label, name, written in FIGURES:
        other = written(hold[name]) if name in hold else ""
        value = metrics.get(name)
        style = "red" if name == "total_return" and value is not None and value < 0 else "bold" if name == "total_return" else ""
        yield Text.assemble((label.ljust(LABEL), "dim"), (f"{written(value):>16}", style), f"{other:>16}" if other else "")
    periods = summary.get("annualisation")
    if periods is not None:
        basis = "; the drawdown is of these" if summary.get("drawdown_basis") == "returns" else ""
        yield _row("", f"{summary.get('returns', '')} returns, {periods:,.6g} a year{basis}", "dim")


def _curve(result: RunResult, width: int) -> Iterator[Text]:
    """Equity from the first period to the last, where the terminal can show it; where it is many times what it was, its logarithm."""
    equity, label = values_of(result.equity["equity"]), "equity"
    if len(equity) and equity.min() > 0.0 and equity.max() > MANY * equity.min():
        equity, label = np.log(equity), "equity (log)"
    drawn = sparkline(equity, min(CURVE, width - LABEL))
    try:
        drawn.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return
    if drawn:
        yield _row(label, drawn)


def _trades(metrics: dict[str, Any], summary: dict[str, Any], width: int) -> Iterator[Text]:
    count = int(metrics.get("n_trades") or 0)
    fills, carry, shortfall = int(summary.get("fills") or count), metrics.get("carry"), metrics.get("shortfall")
    parts = [
        f"{count:,} in {fills:,} fills" if fills != count else f"{count:,}",
        f"win rate {percent(metrics.get('win_rate'), 1, sign=False)}",
        f"profit factor {number(metrics.get('profit_factor'))}",
        f"bars held {number(metrics.get('average_bars_held'), 1)} on average",
        f"best {percent(metrics.get('best_trade'))}",
        f"worst {percent(metrics.get('worst_trade'))}",
        f"fees {number(metrics.get('fees'))}",
        *([f"carry {number(carry)}"] if carry else []),
        *([f"shortfall {number(shortfall)}"] if shortfall else []),
        f"exposure {percent(metrics.get('exposure'), 1, sign=False)}",
    ]
    yield from _listed("trades", parts, width)
    ambiguous = int(summary.get("ambiguous_exits") or 0)
    share = percent(ambiguous / count, sign=False) if count else NONE
    yield from _folded("ambiguous", f"{ambiguous:,} of {count:,} trades ({share}) depend on the order within a bar", width)
    yield from _band(summary.get("band"), width)
    skipped = [f"{reason.replace('_', ' ')} {n:,}" for reason, n in (summary.get("skipped") or {}).items() if n]
    if skipped:
        yield from _listed("skipped", skipped, width)


def _band(band: dict[str, Any] | None, width: int) -> Iterator[Text]:
    """What the account comes to under both orders, where `sim.same_bar=band` ran them."""
    if band is None:
        return
    parts = [
        f"{policy.replace('_', ' ')}: total return {percent(figures['total_return'])}, max drawdown {percent(figures['max_drawdown'])}"
        for policy, figures in band.items()
    ]
    yield from _listed("band", parts, width)


def _machine(benchmark: dict[str, Any], width: int) -> Iterator[Text]:
    phases = [f"{name} {milliseconds(phase['seconds'])}" for name, phase in (benchmark.get("phases") or {}).items()]
    yield from _listed("time", [f"{milliseconds(benchmark.get('wall_clock_s'))} in all", *phases], width)
    memory = benchmark.get("memory") or {}
    ratio = memory.get("host_ratio")
    over = f" ({number(ratio)} x the bars)" if ratio is not None else ""
    yield _row("memory", f"peak {size(memory.get('host_peak_bytes'))}{over}, device {size(memory.get('device_peak_bytes'))}")
    name = benchmark.get("backend")
    reason = str(benchmark.get("backend_reason")).replace(f"backend=auto takes {name}: ", "auto: ", 1)
    yield from _folded("backend", f"{name}, {reason}", width)
