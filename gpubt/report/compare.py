"""The comparison of two runs in words and a small table, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from shlex import quote
from typing import TYPE_CHECKING, Any

from gpubt.data.clock import time_text
from gpubt.report.numbers import NONE, moment, number, percent

if TYPE_CHECKING:
    from gpubt.compare import Comparison, Difference, Figure
    from gpubt.records.saved import SavedRun

LABEL = 15  # columns before the values
SETTINGS = 12  # shown; JSON has all
NAMES = {
    "n_trades": "trades",
    "rows": "rows of the ledger",
    "pnl": "total pnl",
    "win_rate": "win rate",
    "bars_held": "bars held on average",
    "final_equity": "final equity",
    "total_return": "total return",
    "sharpe_ratio": "Sharpe ratio",
    "max_drawdown": "max drawdown",
}
FRACTIONS = ("win_rate", "total_return", "max_drawdown")
EXIT_CODES = {"identical": 0, "within tolerance": 0, "different": 3}


def verdict(found: Comparison) -> str:
    """A key of EXIT_CODES."""
    return "identical" if found.identical else "within tolerance" if found.agrees else "different"


def lines(found: Comparison) -> Iterator[str]:
    """The text, line by line."""
    for name, run in zip("AB", found.runs, strict=True):
        yield _row(name, f"{run.folder}  {_about(run)}")
    yield from _setup(found)
    yield ""
    yield from _table(found)
    yield ""
    yield from _rows(found)
    yield ""
    yield from _outcome(found)


def _row(label: str, value: str) -> str:
    return f"{label:<{LABEL}}{value}"


def _about(run: SavedRun) -> str:
    told = run.summary
    span = f"{moment(told.get('first_timestamp'))} to {moment(told.get('last_timestamp'))} UTC"
    return f"{told.get('strategy')} on {told['symbol']}, {told['rows']:,} bars, {span}"


def _setup(found: Comparison) -> Iterator[str]:
    """What is not the same before any trade is made."""
    texts = [f"{key}: {_setting(one)} | {_setting(other)}" for key, (one, other) in found.settings.items()]
    if len(texts) > SETTINGS:
        texts[SETTINGS:] = [f"and {len(texts) - SETTINGS} more (--json has all)"]
    for i, text in enumerate(texts or ["the same"]):
        yield _row("" if i else "settings", text)
    digests = [str(run.summary["data_digest"])[:16] for run in found.runs]
    yield _row("data", f"the same: {digests[0]}" if found.same_data else f"different: {digests[0]} | {digests[1]}")
    for label, (one, other) in software(found).items():
        if one != other:
            yield _row(label, f"different: {str(one)[:16]} | {str(other)[:16]}")


def software(found: Comparison) -> dict[str, tuple[Any, Any]]:
    """What computed the two, as their benchmark records say; None where there is none."""
    records = [run.benchmark for run in found.runs]

    def both(outer: str, name: str) -> tuple[Any, Any]:
        a, b = (record.get(outer, {}).get(name) for record in records)
        return a, b

    backends = (records[0].get("backend"), records[1].get("backend"))
    return {"backend": backends, "gpubt": both("versions", "gpubt"), "kernels": both("digests", "kernels")}


def _setting(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _table(found: Comparison) -> Iterator[str]:
    yield f"{'':<22}{'A':>18}{'B':>18}{'difference':>16}  allowed"
    for figure in found.figures:
        cells = f"{_figure(figure.name, figure.a):>18}{_figure(figure.name, figure.b):>18}{_apart(figure):>16}"
        mark = "  <- different" if figure.agrees is False else ""
        yield f"{NAMES.get(figure.name, figure.name):<22}{cells}  {_allowed(figure, found)}{mark}".rstrip()


def _figure(name: str, value: float | int | None) -> str:
    return percent(value, sign=False) if name in FRACTIONS else number(value)


def _apart(figure: Figure) -> str:
    if figure.a is None or figure.b is None:
        return "" if figure.a is figure.b else NONE
    if figure.a == figure.b:
        return "0"
    apart = figure.b - figure.a
    if figure.name in FRACTIONS:
        return f"{apart * 100:+.3g} pp"
    if figure.name == "pnl":
        return f"{apart / max(abs(figure.a), abs(figure.b)) * 100:+.3g} %"
    return f"{apart:+,}" if isinstance(apart, int) else f"{apart:+.3g}"


def _allowed(figure: Figure, found: Comparison) -> str:
    if figure.agrees is None:
        return "(not judged)"
    allowed = found.tolerances.of(figure.name)
    if not allowed:
        return "equal"
    return {"pnl": f"{allowed * 100:g} %", "win_rate": f"{allowed * 100:g} pp"}.get(figure.name, f"{allowed:g}")


def _rows(found: Comparison) -> Iterator[str]:
    within = found.matched - found.different - found.equal
    equal = f"{found.equal:,} the same to the bit"
    yield _row("rows", f"{found.matched:,} in both: {equal}, {max(0, within):,} within tolerance, {found.different:,} different")
    if any(found.only):
        yield _row("", f"{found.only[0]:,} only in A, {found.only[1]:,} only in B")
    if found.same_entries is not None:
        yield _row("", f"{found.same_entries:,} entries are on the same bar and side, at whatever position")
    if found.columns:
        yield _row("different in", ", ".join(f"{name} {count:,}" for name, count in found.columns.items()))
    if found.told:
        yield _row("not judged", "not the same to the bit: " + ", ".join(f"{name} {count:,}" for name, count in found.told.items()))
    if any(found.largest.values()):
        largest = ", ".join(f"{name} {value:.3g}" for name, value in found.largest.items() if value)
        yield _row("at most", f"relative difference of {largest}")


def _outcome(found: Comparison) -> Iterator[str]:
    a, b = found.runs
    if found.identical:
        yield f"the same to the bit: ledger {str(a.summary['ledger_digest'])[:16]}"
    elif found.agrees:
        ledgers = f"the ledgers are {str(a.summary['ledger_digest'])[:16]} and {str(b.summary['ledger_digest'])[:16]}"
        yield f"the same within tolerance; {ledgers}"
    elif found.first is None:
        names = ", ".join(NAMES[figure.name] for figure in found.figures if figure.agrees is False)
        yield f"different: every row is within tolerance, but not {names}"
    else:
        yield from _difference(found, found.first)


def _difference(found: Comparison, first: Difference) -> Iterator[str]:
    several = any(len(run.symbols) > 1 for run in found.runs)
    place = f"{first.symbol} " if several else ""
    place += f"trade {first.position}" + (f", leg {first.leg}" if first.leg else "")
    if first.a is not None and first.b is not None and first.column is not None:
        allowed = found.tolerances.of(first.column)
        limit = f"allowed: {allowed:g}" if allowed else "it must be equal"
        yield f"different, first in {place}: {first.column} {first.a[first.column]} | {first.b[first.column]} ({limit})"
    else:
        yield f"different, first in {place}, which is only in {'B' if first.a is None else 'A'}"
    for name, row in (("A", first.a), ("B", first.b)):
        if row is not None:
            yield f"  {name}  {_trade(row)}"
    run, name = (found.runs[0], "A") if first.a is not None else (found.runs[1], "B")
    symbol = f" --symbol {quote(first.symbol)}" if len(run.symbols) > 1 else ""
    yield f"  gpubt explain {quote(str(run.folder))} --trade {first.position}{symbol}    # why it is so in {name}"


def _trade(row: dict[str, Any]) -> str:
    into = f"in {time_text(row['entry_time'])} (bar {row['entry_bar']}) at {_price(row['entry_price'])}"
    out = f"out {time_text(row['exit_time'])} (bar {row['exit_bar']}) at {_price(row['exit_price'])} by {row['exit_reason']}"
    return f"{row['side']}, {into}, {out}, pnl {number(row['pnl'])}"


def _price(value: float | None) -> str:
    return NONE if value is None else f"{value:.10g}"


def as_json(found: Comparison) -> dict[str, Any]:
    """The same for programs; times in ISO 8601."""
    first = None if found.first is None else asdict(found.first)
    for row in (first["a"], first["b"]) if first else ():
        if row is not None:
            row |= {name: time_text(row[name]) for name in ("entry_time", "exit_time")}
    return {
        "verdict": verdict(found),
        "tolerances": asdict(found.tolerances),
        "runs": [_run(run) for run in found.runs],
        "settings": {key: list(values) for key, values in found.settings.items()},
        "same_data": found.same_data,
        "software": {name: list(values) for name, values in software(found).items()},
        "rows": {
            "matched": found.matched,
            "equal": found.equal,
            "different": found.different,
            "only_a": found.only[0],
            "only_b": found.only[1],
            "same_entries": found.same_entries,
        },
        "columns": found.columns,
        "not_judged": found.told,
        "largest_relative_difference": found.largest,
        "figures": {figure.name: {"a": figure.a, "b": figure.b, "agrees": figure.agrees} for figure in found.figures},
        "first_difference": first,
    }


def _run(run: SavedRun) -> dict[str, Any]:
    names = ("strategy", "symbol", "rows", "first_timestamp", "last_timestamp", "data_digest", "ledger_digest")
    return {"folder": str(run.folder), **{name: run.summary.get(name) for name in names}}
