"""The report of a run folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gpubt.metrics.definitions import CASH, DEFINITIONS, FRACTION
from gpubt.records.folder import CONFIG
from gpubt.records.saved import SavedRun, read_run
from gpubt.report.html import trades
from gpubt.report.html.account import Curve, by_month, curve_data, read_curve, returns_data, rolling_sharpe
from gpubt.report.html.again import again
from gpubt.report.html.assumptions import assumptions
from gpubt.report.html.market import Market, read_market
from gpubt.report.html.page import COPY, chart, esc, page, section, table
from gpubt.report.numbers import NONE, milliseconds, moment, number, percent, size

SHOWN = ("total_return", "annual_return", "sharpe_ratio", "max_drawdown", "volatility", "n_trades", "win_rate", "exposure")
UNSIGNED = ("volatility", "exposure", "win_rate")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MOST = 100  # trades that are shown bar by bar


def run_page(folder: Path, *, symbol: str | None = None, most: int = MOST) -> str:
    """The page of the run in `folder`, with at most `most` trades of `symbol` (None: the first that traded) bar by bar.

    Raises InputError for a folder that is none of a finished run and for a symbol that it does not have, DataError for broken files. Where
    the bars can't be read again, or have changed, the page is made without them and says so.
    """
    saved = read_run(folder)
    symbol = _symbol(saved, symbol)
    curve = read_curve(saved)
    market = read_market(saved, symbol, curve.time)
    title = f"{saved.summary.get('strategy')} on {saved.summary['symbol']}"
    span = f"{moment(saved.summary.get('first_timestamp'))} to {moment(saved.summary.get('last_timestamp'))} UTC"
    about = esc(f"{saved.summary['rows']:,} bars, {span}")
    data, shown = _data(saved, curve, market, symbol, most)
    return page(title, about, list(_sections(saved, curve, market, symbol, shown)), data, ["run.js", "candles.js"], _lead(saved))


def _symbol(saved: SavedRun, symbol: str | None) -> str:
    from gpubt.errors import InputError, accepted

    if symbol is not None and symbol not in saved.symbols:
        raise InputError(f"--symbol must be one of the run, got {symbol!r}; {accepted(saved.symbols, symbol)}")
    return symbol or saved.symbols[int(saved.ledger["symbol"][0]) if saved.rows else 0]


def _data(saved: SavedRun, curve: Curve, market: Market | str, symbol: str, most: int) -> tuple[dict[str, Any], int]:
    """What the scripts read, and how many trades are embedded."""
    data: dict[str, Any] = {
        "account": curve_data(curve, market.held if isinstance(market, Market) else None),
        "returns": returns_data(curve),
        "rolling": rolling_sharpe(curve),
        "results": trades.trades_histogram(saved),
        "excursions": trades.excursions(saved),
        "reasons": trades.reasons(saved),
        "bars": None,
        "trades": [],
    }
    if isinstance(market, Market):
        rows = trades.chosen(saved, symbol, most)
        data |= {
            "bars": trades.overview(market.run.bars),
            "exposure": trades.exposure(saved, market.run.bars, symbol),
            "trades": trades.trades_data(saved, market.run, rows),
        }
    return data, len(data["trades"])


def _lead(saved: SavedRun) -> str:
    """Warnings, and the main figures beside those of buying and holding."""
    notes = "".join(f'<p class="note">{esc(text)}</p>' for text in saved.summary.get("warnings") or ())
    held = saved.summary.get("buy_and_hold") or {}
    cards = "".join(
        f'<div class="card"><dt>{defined(name)}</dt><dd class="{_sign(name, value)}">{written(name, value)}</dd>'
        + (f"<dd>{written(name, held[name])} held</dd>" if name in held else "<dd>&nbsp;</dd>")
        + "</div>"
        for name in SHOWN
        for value in [saved.summary["metrics"].get(name)]
    )
    return f'<dl class="cards">{cards}</dl>{notes}'


def _sign(name: str, value: float | None) -> str:
    return ("up" if value > 0.0 else "down") if value and name in ("total_return", "annual_return") else ""


def written(name: str, value: float | None) -> str:
    """A figure in its unit."""
    unit = DEFINITIONS[name].unit if name in DEFINITIONS else ""
    return percent(value, sign=name not in UNSIGNED) if unit == FRACTION else number(value)


def defined(name: str) -> str:
    """The label of a figure, whose definition shows on hover, focus and touch."""
    if name not in DEFINITIONS:
        return esc(name)
    label = esc(DEFINITIONS[name].label)
    return f'<span class="term" tabindex="0">{label}<span role="tooltip">{_definition(name)}</span></span>'


def _definition(name: str) -> str:
    one = DEFINITIONS[name]
    source = f" ({one.source})" if one.source else ""
    return esc(one.text + ("; cash" if one.unit == CASH else "") + source)


def _words(name: str) -> str:
    """The definition in plain sight, where there is room."""
    return f'<span class="words">{_definition(name)}</span>' if name in DEFINITIONS else ""


def _sections(saved: SavedRun, curve: Curve, market: Market | str, symbol: str, shown: int) -> Iterator[tuple[str, str, str]]:
    for name, title, body, about in (
        ("equity", "Equity", _equity(curve, market), _equity_about(saved, curve)),
        ("months", "Months and years", _months(curve), "Returns by month and year; the first from the capital."),
        ("returns", "Returns", _returns(), ""),
        ("trades", "Trades", *_trades(saved, market, symbol, shown)),
        ("figures", "All figures", _figures(saved), "Point at a name, or tab to it, for its definition."),
        ("assumptions", "Assumptions", table(("What", "In this run"), assumptions(saved), "pairs"), ""),
        ("machine", "Time and memory", _machine(saved), ""),
        ("again", "Make it again", _again(saved), ""),
    ):
        yield name, title, section(name, title, body, about)


def _equity(curve: Curve, market: Market | str) -> str:
    scale = '<div class="bar"><button type="button" id="scale" aria-pressed="false">Log scale</button></div>'
    missing = "" if isinstance(market, Market) else f'<p class="note">Without buy and hold: {esc(market)}</p>'
    return (
        scale
        + chart("equity-chart", "Equity and buy and hold over time, and the drawdown from the highest equity so far", "tall")
        + missing
    )


def _equity_about(saved: SavedRun, curve: Curve) -> str:
    unit = "bar" if saved.config["equity"] == "bar" or saved.summary.get("returns") == "bar" else "day"
    points = f"{len(curve.equity):,} points, one a {unit}"
    fewer = "; the page holds 20,000 of them at most, with the extremes of each stretch" if len(curve.equity) > 20_000 else ""
    deeper = "; within days equity may have been lower, which max drawdown below counts" if unit == "day" else ""
    return esc(f"{points}{fewer}{deeper}.")


def _months(curve: Curve) -> str:
    """A table whose cells are shaded: it reads without colour and without scripts."""

    def cell(value: float | None) -> str:
        if value is None:
            return ""
        shade = min(85, round(abs(value) * 500))
        return f'<span class="heat {"up" if value >= 0.0 else "down"}" style="--shade:{shade}%">{value * 100:.1f}</span>'

    rows = ([str(year), *map(cell, months), f"<b>{cell(own)}</b>"] for year, months, own in by_month(curve))
    return table(("%", *MONTHS, "Year"), rows, "heatmap") + chart("years-chart", "Returns by year", "short")


def _returns() -> str:
    charts = chart("returns-chart", "How often which return occurs"), chart("rolling-chart", "Sharpe ratio of the last half year")
    return f'<div class="pair">{"".join(charts)}</div>'


def _trades(saved: SavedRun, market: Market | str, symbol: str, shown: int) -> tuple[str, str]:
    """HTML and the line above it."""
    if not saved.rows:
        return '<p class="note">The run has no trades.</p>', ""
    pairs = [
        ("results-chart", "How often which result of a trade occurs"),
        ("excursions-chart", "Worst and best excursion of trades"),
        ("reasons-chart", "Exit reasons"),
    ]
    if isinstance(market, Market):
        pairs.append(("exposure-chart", "Exposure by month"))
    charts = f'<div class="pair">{"".join(chart(name, label) for name, label in pairs)}</div>'
    if not isinstance(market, Market):
        return f'{charts}<p class="note">Without candles and exposure: {esc(market)}</p>', ""
    total = int((saved.positions["symbol"] == saved.symbols.index(symbol)).sum())
    which = "all" if shown == total else "the best and worst by pnl over notional, the others evenly spread in time"
    about = f"{shown:,} of {total:,} trades of {symbol} can be looked at bar by bar: {which}. Charts below count all trades."
    return CANDLES + charts, esc(about)


CANDLES = f"""{chart("bars-chart", "Prices of the whole run with the trades that can be looked at", "tall")}
<p class="level" id="level" aria-live="polite"></p>
<div class="trade"><div class="scroll list"><table id="trade-list"><thead><tr><th>Trade</th><th>Side</th><th>Entry (UTC)</th><th>Bars</th>
<th>Result</th><th>Exit</th></tr></thead><tbody></tbody></table></div>
<div class="detail"><div class="bar"><button type="button" id="previous">&larr; Previous</button>
<button type="button" id="next">Next &rarr;</button><span id="trade-title" aria-live="polite"></span></div>
{chart("trade-chart", "Bars around the chosen trade with its fills, stop and targets")}
<p class="level" id="trade-level"></p><ol id="events"></ol></div></div>"""


def _figures(saved: SavedRun) -> str:
    held = saved.summary.get("buy_and_hold") or {}
    rows = (
        [defined(name), written(name, value), written(name, held[name]) if name in held else "", _words(name)]
        for name, value in saved.summary["metrics"].items()
    )
    return table(("Figure", "Strategy", "Buy and hold", ""), rows, "figures") + _by_symbol(saved)


def _by_symbol(saved: SavedRun) -> str:
    import pyarrow.parquet as pq

    from gpubt.records.folder import SYMBOLS

    path = saved.folder / SYMBOLS
    if len(saved.symbols) < 2 or not path.is_file():
        return ""
    names = ("total_return", "sharpe_ratio", "max_drawdown", "n_trades", "win_rate")
    with pq.ParquetFile(path) as file:
        found = file.read(["symbol", *names]).to_pylist()
    rows = ([esc(row["symbol"]), *(written(name, row[name]) for name in names)] for row in found)
    return "<h3>By symbol</h3>" + table(("Symbol", *(defined(name) for name in names)), rows, "figures wide")


def _machine(saved: SavedRun) -> str:
    record = saved.benchmark
    if not record:
        return '<p class="note">The run folder has no benchmark record.</p>'
    phases = record.get("phases") or {}
    longest = max((phase["seconds"] for phase in phases.values()), default=0.0) or 1.0
    rows = [
        [esc(name), milliseconds(phase["seconds"]), size(phase.get("host_peak_bytes")), _meter(phase["seconds"] / longest)]
        for name, phase in phases.items()
    ]
    memory, hardware = record.get("memory") or {}, record.get("hardware") or {}
    facts = [
        ("In all", milliseconds(record.get("wall_clock_s"))),
        ("Host memory, peak", size(memory.get("host_peak_bytes"))),
        ("Device memory, peak", size(memory.get("device_peak_bytes"))),
        ("Bars in memory", size(memory.get("raw_bytes"))),
        ("Backend", f"{record.get('backend')}: {record.get('backend_reason')}"),
        ("Device", record.get("device")),
        ("Processor", f"{hardware.get('cpu')}, {hardware.get('cores')} cores usable"),
    ]
    return table(("Phase", "Time", "Peak memory", ""), rows, "phases") + table(
        ("What", "Value"), ((what, esc(NONE if value is None else value)) for what, value in facts), "pairs"
    )


def _meter(share: float) -> str:
    return f'<span class="meter" style="--share:{share * 100:.1f}%"></span>'


def _again(saved: SavedRun) -> str:
    digests = saved.benchmark.get("digests") or {}
    facts = [("ledger", saved.summary["ledger_digest"]), ("data", saved.summary["data_digest"])]
    facts += [(name, digests[name]) for name in ("config", "kernels") if name in digests]
    versions = ", ".join(f"{name} {version}" for name, version in (saved.benchmark.get("versions") or {}).items())
    command = again(saved.config, str(saved.folder / CONFIG))
    config = (saved.folder / CONFIG).read_text(encoding="utf-8")
    return (
        f'<div class="command"><code>{esc(command)}</code>{COPY}</div>'
        "<p class=about>The same bars give the ledger digest below, on any backend.</p>"
        + table(("SHA-256", "of"), ((f"<code>{esc(value)}</code>", esc(name)) for name, value in facts), "digests")
        + f'<p class="about">{esc(versions)}</p>'
        + f"<details><summary>The whole configuration ({CONFIG})</summary><pre>{esc(config)}</pre></details>"
    )
