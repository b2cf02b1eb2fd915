"""The explanation of a trade in words: bars around it, events in order, and the rule of docs/semantics.md behind each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gpubt.data.clock import time_text
from gpubt.simulate import layout as k

if TYPE_CHECKING:
    from gpubt.explain import Event, Explanation

SIDES = {1: "long", -1: "short"}
MOST = 12  # bars shown in a row before some are left out

RULES = {
    "signal": "Entries: a signal is known at the close of its bar",
    "market_order": "Entries: a market order with entry.at=next_open fills at the next open",
    "order_placed": "Entries: a resting order is live from the next row on",
    "entry": "Entries; Levels: stop and targets are set from the fill; Money: slippage, size",
    "exit_decided": "Exits: a signal at the close leaves at the next open",
    "gap": "Exits 1: an open at or beyond a level fills at the open (exits.gap=level: at the level); of two levels the stop",
    "inside": "Exits 2: a level within the bar's range fills at the level",
    "skipped": "Entries: why a signal gives no entry",
}
WHY = {
    k.SIGNAL: "Exits: the exit that was decided",
    k.TIME: "Exits: max_bars after the entry",
    k.SESSION: "Exits 3: the close of the session's last bar",
    k.LIQUIDATION: "Levels: what is left of the account is the maintenance margin",
    k.END_OF_DATA: "Exits 3: what is open at the end is closed at the last close",
}


def lines(found: Explanation, around: int = 2) -> Iterator[str]:
    """The text, line by line."""
    first, last = found.rows[0], found.rows[-1]
    rows = f", {len(found.rows)} rows" if len(found.rows) > 1 else ""
    units = f"{sum(row['units'] for row in found.rows):g} units"
    yield f"{first['symbol']} position {first['position']}: {first['side']}, {units}, bars {first['entry_bar']} to {last['exit_bar']}{rows}"
    yield f"pnl {sum(row['pnl'] for row in found.rows):,.4f}, out by {last['exit_reason']}" + (", ambiguous" if last["ambiguous"] else "")
    yield ""
    yield from _bars(found, around)
    yield ""
    for event in found.events:
        text, rule = sentence(event)
        if text:
            yield f"{event.bar:>9}  {time_text(int(found.bars.time[event.bar]))}  {text}"
            if rule:
                yield f"{'':>33}{rule}"


def _bars(found: Explanation, around: int) -> Iterator[str]:
    """The bars from the signal to the last exit with some before and after; of many only those near an event."""
    bars, marks = found.bars, {event.bar for event in found.events}
    first, last = max(0, found.signal - around), min(bars.n - 1, found.rows[-1]["exit_bar"] + around)
    shown = [t for t in range(first, last + 1) if last - first < MOST or any(abs(t - mark) <= around for mark in marks)]
    names = {found.signal: "signal"}
    for bar, name in dict.fromkeys(
        pair for row in found.rows for pair in ((row["entry_bar"], "entry"), (row["exit_bar"], row["exit_reason"]))
    ):
        names[bar] = f"{names.get(bar, '')} {name}".strip()
    yield f"{'bar':>9}  {'open time (UTC)':<20}  {'open':>12} {'high':>12} {'low':>12} {'close':>12}"
    before = None
    for t in shown:
        if before is not None and t > before + 1:
            yield f"{'...':>9}  {t - before - 1} bar{'s' if t > before + 2 else ''}"
        prices = " ".join(f"{getattr(bars, name)[t]:>12.8g}" for name in ("open", "high", "low", "close"))
        yield f"{t:>9}  {time_text(int(bars.time[t])):<20}  {prices}  {names.get(t, '')}".rstrip()
        before = t


def sentence(event: Event) -> tuple[str, str]:
    """What happened, and by which rule; empty for what another event tells."""
    n, rule = event.numbers, RULES.get(event.name, "")
    match event.name:
        case "signal":
            return f"{SIDES[n['side']]} signal at the close, {n['close']:.8g}", rule
        case "market_order":
            return f"a market order {'adds' if n['adds'] else 'opens'} {SIDES[n['side']]} at the next open", rule
        case "order_placed":
            limit = f", limit {n['limit']:.8g}" if n["limit"] != n["level"] else ""
            return f"a resting order to go {SIDES[n['side']]} at {n['level']:.8g}{limit}", rule
        case "entry":
            slip = f" (raw {n['reference']:.8g}, moved by costs)" if n["price"] != n["reference"] else ""
            stop = f", stop {n['stop']:.8g}" if abs(n["stop"]) < 1e300 else ", no stop"
            targets = ", targets " + ", ".join(f"{level:.8g}" for level in n["targets"]) if n["targets"] else ""
            return f"filled {SIDES[n['side']]} {n['units']:g} units at {n['price']:.8g}{slip}{stop}{targets}", rule
        case "exit_decided":
            return "an exit is decided" + (" by the opposite signal" if n["reverses"] else ""), rule
        case "gap":
            return f"the open {n['price']:.8g} is at or beyond the {k.REASONS[n['reason']]} at {n['level']:.8g}", rule
        case "inside":
            return _inside(n), rule
        case "closing":
            moved = f" (raw {n['reference']:.8g}, moved by costs)" if n["price"] != n["reference"] else ""
            return f"all that is open closes at {n['price']:.8g}{moved}: {k.REASONS[n['reason']]}", WHY.get(n["reason"], "")
        case "exit":
            return f"{n['units']:g} units out at {n['exit_price']:.8g}, fees {n['fees']:,.4f}, pnl {n['pnl']:,.4f}", ""
        case "skipped":
            return f"no entry: {n['reason']}", rule
    return "", ""


def _inside(n: dict[str, Any]) -> str:
    parts = [f"{k.REASONS[n['reason']]} {n['stop']:.8g}"] if n["stop_hit"] else []
    parts += [f"target {level:.8g}" for level in n["targets"]]
    text = " and ".join(parts) + (" is touched" if len(parts) == 1 else " are touched") + " inside the bar"
    if n["entered"] != k.MARKET:
        text += ", after the fill inside it"
    if len(parts) > 1:
        text += f"; the {'stop' if n['stop_first'] else 'target'} counts as first" + (" (ambiguous)" if n["ambiguous"] else "")
    return text
