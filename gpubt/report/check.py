"""`gpubt check` on the screen: the trees of the rules, what they read and take, and whether they see the future."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.text import Text
from rich.tree import Tree

from gpubt.data.clock import time_text
from gpubt.report.numbers import moment, size
from gpubt.strategy import expr as e
from gpubt.strategy.text import written

if TYPE_CHECKING:
    from gpubt.data.bars import Bars
    from gpubt.lookahead import Difference
    from gpubt.strategy.outline import Outline

LABEL = 15  # columns before the values
WIDTH = 140  # where it is piped
SHOWN = 5  # differences


def tree(name: str, rule: e.Rule) -> Tree:
    """The rule with its logic as branches; comparisons are leaves."""
    top = Tree(Text(name, "bold"), guide_style="dim")
    _grow(top, rule)
    return top


def _grow(branch: Tree, rule: e.Rule) -> None:
    match rule:
        case e.And() | e.Or():
            own = branch.add("and" if isinstance(rule, e.And) else "or")
            for part in _joined(type(rule), rule):
                _grow(own, part)
        case e.Not():
            _grow(branch.add("not"), rule.rule)
        case e.Shifted():
            _grow(branch.add(f"{rule.k} bar{'s' if rule.k > 1 else ''} ago"), rule.rule)
        case e.Within():
            _grow(branch.add(f"on any of the last {rule.n} bars"), rule.rule)
        case _:
            branch.add(Text(written(rule)))


def _joined(kind: type[e.And] | type[e.Or], rule: e.Rule) -> Iterator[e.Rule]:
    """`a and b and c` as its three parts."""
    if isinstance(rule, kind):
        yield from _joined(kind, rule.a)
        yield from _joined(kind, rule.b)
    else:
        yield rule


def about(found: Outline, n: int, when: str | None) -> Iterator[RenderableType]:
    """What was understood, for `n` bars; `when` the first on which an entry can happen opens (None: it is not there)."""
    for name, rule in found.rules.items():
        yield tree(name.replace("_", " "), rule)
        yield Text(f"can hold from bar {found.first[name]:,} on", "dim")
        yield Text()
    width = max((len(str(one)) for one in found.series), default=0)
    for i, (one, first) in enumerate(found.series.items()):
        yield _row("" if i else "series", f"{one!s:<{width}}  from bar {first:,} on")
    program = found.planned.program
    if program:
        compared = sum(len(step.targets) for step in program.compares)
        yield _row(
            "passes", f"{len(program.compares)} over the bars for {compared} comparisons, then {len(program.combines)} operations on masks"
        )
    taken = found.bytes_of(n)
    parts = ", ".join(f"{name} {size(count)}" for name, count in taken.items())
    yield _row(
        "memory", f"about {size(sum(taken.values()))} for {n:,} bars: {parts}; the index of the simulation about as much as one column"
    )
    if found.entry is not None:
        yield _row("first entry", f"bar {found.entry:,} at the earliest, " + (when or f"and there are {n:,}"), "" if when else "yellow")


def verdict(bars: Bars, cuts: Sequence[int], differences: Sequence[Difference]) -> Iterator[RenderableType]:
    """Whether the future was seen, and where first."""
    span = f"{bars.n:,} bars from {opens(int(bars.time[0]))}"
    if not cuts:
        yield _row("look-ahead", f"not tested: {span} are too few", "yellow")
    elif not differences:
        yield _row("look-ahead", f"none: on {span}, cut off and scrambled at {len(cuts)} places, all signals before them stayed", "green")
    else:
        yield _row("look-ahead", f"found: on {span}, what comes later changes what came before", "red")
    for found in differences[:SHOWN]:
        when = f"bar {found.bar:,} ({opens(int(bars.time[found.bar]))})"
        yield _row(
            "", f"{found.what} on {when} is {found.known:g}, and {found.found:g} with the bars from {found.cut:,} on {found.how}", "red"
        )
    if len(differences) > SHOWN:
        yield _row("", f"and {len(differences) - SHOWN} more", "red")


def opens(time: int) -> str:
    """A time in ns UTC, for people."""
    return moment(time_text(time))


def text(parts: Iterator[RenderableType]) -> str:
    """As on the terminal; plain where it is piped."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    # captured: rich would end the process by itself when the reader of a pipe has left
    with console.capture() as captured:
        for part in parts:
            console.print(part, soft_wrap=isinstance(part, Text))
    return captured.get()


def _row(label: str, value: str, style: str = "") -> Text:
    return Text.assemble((label.ljust(LABEL), "dim"), (value, style))
