"""The reference page of the rule language, written from the code: `python -m gpubt.strategy.page > docs/grammar.md`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpubt.indicators.series import CLOCK, COLUMNS
from gpubt.strategy.candles import PATTERNS
from gpubt.strategy.computed import PARTS
from gpubt.strategy.functions import CANDLES, INDICATORS, KINDS, LONGEST, READINGS, RULES, Function
from gpubt.strategy.grammar import LENGTH, LEVELS, NODES, STACK

COLUMN_NAMES, CLOCK_NAMES = (" ".join(f"`{name}`" for name in names) for names in (COLUMNS, CLOCK))
DAYS = "`weekday` is 0 on Monday, 6 on Sunday; `day` is that of the month"
HEAD = f"""# The grammar of rules

Written from the code by `python -m gpubt.strategy.page`. What rules mean on a bar, and the file around them, is in
[strategies.md](strategies.md).

A text is a **rule** (true or false on each bar) where a strategy has `entry` or `exit`, and a **number** where it has an indicator or a
level. The two are never mixed: a rule is no number, and a number becomes a rule by a comparison. Nothing is run as Python.

```
rule        = conjunction {{ "or" conjunction }} ;
conjunction = negation {{ "and" negation }} ;
negation    = "not" negation | condition ;
condition   = number compare number {{ compare number }} | "True" | "False" | "session" | call | "(" rule ")" ;
compare     = ">" | ">=" | "<" | "<=" | "==" | "!=" ;

number      = product {{ ( "+" | "-" ) product }} ;
product     = factor {{ ( "*" | "/" ) factor }} ;
factor      = ( "+" | "-" ) factor | literal | name | call | "(" number ")" ;
literal     = a number as Python writes it: 14, 0.5, 1e-3, 1_000 ;
name        = a column, a word of the clock, a parameter or an indicator of the strategy ;

call        = function "(" [ argument {{ "," argument }} ] ")" ;
argument    = [ word "=" ] ( rule | number | {" | ".join(f'"{reading}"' for reading in READINGS)} ) ;
```

`a < b < c` is `a < b and b < c`. Arithmetic on constants gives a constant: `slow * 2` may be a length. Division by a constant 0 is refused.
Line breaks are spaces. Arguments that have no default come in order or by name.

A text has at most {LENGTH:,} characters and {LEVELS} levels of nesting; with the expressions that its names stand for written out, at
most {NODES} parts, and {STACK} operands open at once. It reaches back at most {LONGEST:,} bars. A series has at most {PARTS} parts.

## Names

| | |
| --- | --- |
| {COLUMN_NAMES} | the bar |
| {CLOCK_NAMES} | when the bar **opens**, in `data.timezone` (UTC unless told); {DAYS} |
| `session` | a rule: the bar opens in the session that the keys `session.hours` and `session.days` give, in `session.time_zone` |
"""

MEASURES = """
`since` and `count` are numbers of a rule, in which the rule is false where a series that it reads is NaN, as everywhere. They are NaN on
the bars on which the rule can't hold yet, because what it reads is in its warm-up, `count` also on the `n - 1` bars after them. Until the
rule has held for the first time, `since` counts as if it had on the bar before the first on which it could; so it depends on where the
data begins, as a latched crossing does. Both can be read by indicators: `sma(count(close > open, 1), 20)` is the share of rising bars.

Readings of a crossing, for `crosses_above` (`crosses_below` mirrors them): `default` asks for `a <= b` one bar ago, `strict` for `a < b`,
`latched` for `a < b` on the last bar before on which the two differed, however long ago. What a rule leaves open, the key `cross` says.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([HEAD, "## Rules and numbers", "", *_table(RULES.values()), MEASURES, *_candles(), "", *_indicators(), ""])


def _table(functions: Iterable[Function]) -> Iterator[str]:
    yield from ("| | | |", "| --- | --- | --- |")
    for function in functions:
        takes = "; ".join(f"`{argument.name}`: {KINDS[argument.kind]}" for argument in function.arguments)
        yield f"| `{function.signature}` | {function.about} | {takes} |"


def _candles() -> Iterator[str]:
    yield from (
        "## Candle patterns",
        "",
        "Rules over the bars' own columns: each stands for the text beside it, in which its arguments are",
    )
    yield from ("names, constant and at least 0. They ask for shapes alone, not for a trend before them.", "")
    yield from ("| | the text | in words |", "| --- | --- | --- |")
    for name, function in CANDLES.items():
        yield f"| `{function.signature}` | `{PATTERNS[name].text}` | {PATTERNS[name].about} |"


def _indicators() -> Iterator[str]:
    yield from ("## Indicators", "", "Numbers; formulas, parameters and warm-up are in [indicators.md](indicators.md). `x` is a column, an")
    yield from ("indicator, or arithmetic on them without a division by a series.", "", "| | |", "| --- | --- |")
    yield from (f"| `{function.signature}` | {function.about} |" for function in INDICATORS.values())


if __name__ == "__main__":
    print(page(), end="")
