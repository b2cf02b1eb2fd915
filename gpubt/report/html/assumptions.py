"""What a run took for granted, in words: fills, levels, costs, sizes, and what they leave open. Rules: docs/semantics.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gpubt.report.html.page import esc
from gpubt.report.numbers import NONE, number, percent

if TYPE_CHECKING:
    from gpubt.records.saved import SavedRun

AT = {"next_open": "at the next bar's open", "close": "at the close of the bar", "open": "at the open of the bar"}
ORDERS = {"limit": "limit orders", "stop": "stop orders", "stop_limit": "stop-limit orders"}
SAME_BAR = {
    "stop_first": "the stop counts as first",
    "target_first": "the target counts as first",
    "ohlc": "the high counts as before the low",
    "olhc": "the low counts as before the high",
    "adaptive": "the extreme nearer to the open counts as first",
    "band": "both orders are run: the stop first (shown), and the target first",
}


def assumptions(saved: SavedRun) -> Iterator[tuple[str, str]]:
    """(what, sentence), as HTML."""
    config = saved.config
    entry, exits, sim = config["entry"], config["exits"], config["sim"]
    orders = f"market orders, {AT[entry['at']]}" if entry["order"] == "market" else f"{ORDERS[entry['order']]}, at their level"
    yield "Signals", "known at the close of their bar; indicators see that bar and earlier ones"
    yield "Entries", esc(f"{orders}{_given({name: entry[name] for name in ('limit', 'stop')}, ': ')}")
    yield "Exits by rule", esc(f"{AT[config['exit']['at']]}; by time {AT[config['time']['at']]}")
    for name in ("stop", "target", "trailing", "break_even"):
        yield name.replace("_", " ").capitalize(), esc(_given(exits[name]) or "none")
    gap = "at the open" if exits["gap"] == "open" else "at the level"
    yield "Gaps", f"an open beyond a level fills {gap}"
    yield "Stop and target in one bar", esc(f"{SAME_BAR.get(sim['same_bar'], '')} (sim.same_bar={sim['same_bar']})")
    yield "Ambiguous trades", _ambiguous(saved)
    yield from _band(saved)
    yield "Costs", esc(_given(config["costs"]) or "none")
    yield "Size", esc(_given(config["sizing"]) or "all of the equity")
    yield "Positions", esc(f"{config['positions']}, pyramiding {config['pyramiding']}, opposite signals: {config['on_opposite']}")
    yield "Capital", esc(number(float(config["capital"])) + (" for each symbol" if len(saved.symbols) > 1 else ""))
    yield "End of data", esc("open positions are closed at the last close, " + _end(config["end_of_data"]))
    per_year = saved.summary.get("annualisation")
    a_year = f"{number(per_year)} a year" if per_year else "too few to annualise"
    yield "Returns", esc(f"{saved.summary.get('returns')}, {a_year}; days in {config['data']['timezone']}")
    if saved.summary.get("drawdown_basis") == "returns":
        yield "Max drawdown", "of the sum of the accounts, at the ends of return periods, not at every bar"
    yield "Buy and hold", "all of the capital, from the first open to the last close, without costs"


def _end(how: str) -> str:
    return "without costs" if how == "close_free" else "with costs"


def _ambiguous(saved: SavedRun) -> str:
    count, trades = int(saved.summary.get("ambiguous_exits") or 0), int(saved.summary.get("n_trades") or 0)
    share = percent(count / trades, sign=False) if trades else NONE
    return esc(f"{count:,} of {trades:,} trades ({share}) depend on the order of prices within a bar")


def _band(saved: SavedRun) -> Iterator[tuple[str, str]]:
    band = saved.summary.get("band")
    if band:
        parts = (
            f"{name.replace('_', ' ')}: total return {percent(one.get('total_return'))}, Sharpe ratio {number(one.get('sharpe_ratio'))}, "
            f"max drawdown {percent(one.get('max_drawdown'))}"
            for name, one in band.items()
        )
        yield "Band", "<br>".join(map(esc, parts))


def _given(values: Mapping[str, Any], lead: str = "") -> str:
    """`atr 2, activation 0.01`: what is set and is no zero."""
    text = ", ".join(_leaves(values))
    return f"{lead}{text}" if text else ""


def _leaves(values: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{name} ")
        elif value not in (None, 0, 0.0, False):
            yield f"{path}{name} {value}".replace("_", " ")
