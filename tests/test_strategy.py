"""Strategies as text: what the grammar takes, what it refuses and how it says so, and the shipped strategies."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from gpubt.config import Rules, Strategy
from gpubt.errors import ConfigError
from gpubt.indicators.series import Series
from gpubt.resources import folder
from gpubt.strategy.compile import Signals, compile_strategy
from gpubt.strategy.expr import Compare, Constant, Load, Number, Rule, reads
from gpubt.strategy.functions import FUNCTIONS
from gpubt.strategy.grammar import parse_number, parse_rule

CLOSE = Series("close")
NAMES = {"fast": Number(3.0), "slow": Number(8.0), "trend": Load(Series("ema", (CLOSE,), (50,)))}


def rule(text: str) -> Rule:
    return parse_rule(text, NAMES, "strategy.long.entry")


def compiled(entry: str | None, **fields: object) -> Signals:
    return compile_strategy(Strategy(name="mine", long=Rules(entry=entry), **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("close > ema(close, fast + slow * 2)", "close > ema(close, 19)"),
        ("close > ema(close, length=fast)", "(close) > ema(close, 6 / 2)"),
        ("low < close < high", "low < close and close < high"),
        ("crosses_above(close, trend)", "close > trend and shift(close <= trend, 1)"),
        ("crosses_below(a=close, b=3)", "close < 3 and shift(close >= 3, 1)"),
        ("crosses_above(close, trend, default)", "close > trend and shift(close <= trend, 1)"),
        ("crosses_above(close, trend, strict)", "close > trend and shift(close < trend, 1)"),
        ("crosses_below(close, trend, reading=strict)", "close < trend and shift(close > trend, 1)"),
        ("crosses_below(close, trend, latched)", "crosses_above(trend, close, latched)"),
        ("crosses_above(3, 2, latched)", "False"),
        ("rising(close)", "close > shift(close, 1)"),
        ("between(close, low=1, high=2)", "close >= 1 and close <= 2"),
        ("shift(close + open, 2) > 1", "shift(close, 2) + shift(shift(open, 1), 1) > 1"),
        ("shift(shift(close > 1, 2), 3)", "shift(close > 1, 5)"),
        ("not not close > 1", "close > 1"),
        ("within(close > 1, 1)", "close > 1"),
        ("close > -0.0", "close > 0"),
        ("close > abs(-3)", "close > +3"),
        ("close > max(2, 3) + min(2, 3)", "close > 5"),
        ("hour >= 9 and doji()", "hour >= 9 and abs(close - open) <= 0.1 * (high - low)"),
        ("doji(body=0.2)", "abs(close - open) <= 0.2 * (high - low)"),
        ("within(3 > 2, 9) and not False", "True"),
        ("\n  close\n  > 1\n", "close > 1"),
    ],
)
def test_says_the_same(text: str, same: str) -> None:
    assert rule(text) == rule(same)


def test_the_key_reads_what_the_rule_leaves_open() -> None:
    strategy = Strategy(long=Rules("crosses_above(close, open)"), short=Rules("crosses_below(close, open, default)"))
    signals = compile_strategy(strategy, "latched")
    assert signals.long_entry == rule("crosses_above(close, open, latched)")
    assert signals.short_entry == rule("crosses_below(close, open)")
    params = Strategy(params={"strict": 5}, long=Rules("crosses_above(close, strict, strict)"))
    assert compile_strategy(params).long_entry == rule("crosses_above(close, 5, strict)")


def test_operators_bind_as_in_python() -> None:
    assert rule("close > 1 or close > 2 and not close > 3") == rule("(close > 1) or ((close > 2) and (not (close > 3)))")
    assert rule("close - open - low * 2 > 1") == rule("((close - open) - (low * 2)) > 1")
    assert rule("1 + 2 * 3 == 7") == Constant(True)
    assert rule("close != 1") == Compare("!=", Load(CLOSE), Number(1.0))


OTHERS = "( ) , + - * / ** < > <= == != and or not True False None 0 1 3.5 1e400 close session hour = . [ ] { } lambda if"
WORDS = [*NAMES, *FUNCTIONS, *OTHERS.split()]


@settings(deadline=None, derandomize=True, max_examples=400)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join), st.binary(max_size=40).map(repr)))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    for parse in (parse_rule, parse_number):
        try:
            parse(text, NAMES)
        except ConfigError as error:
            *_, line, caret = str(error).splitlines() if "\n" in str(error) else (f"  {text}", "  ^")
            assert line.startswith("  ")
            assert caret.strip() == "^"


def test_nested_indicators_are_one_series() -> None:
    nested = Series("sma", (Series("rsi", (CLOSE,), (14,)),), (3,))
    assert parse_number("sma(rsi(close, 14), 3)", {}) == Load(nested)
    larger, three = Series("larger", (CLOSE, Series("linear", (CLOSE,), (0.0, 3.0)))), Series("linear", (CLOSE,), (0.0, 3.0))
    assert parse_number("sma(max(close, 3), 3)", {}) == Load(Series("sma", (larger,), (3,)))
    assert parse_number("sma(min(3, close), 3)", {}) == Load(Series("sma", (Series("smaller", (three, CLOSE)),), (3,)))
    assert parse_number("atr(14)", {}) == Load(Series("atr", (Series("high"), Series("low"), CLOSE), (14,)))


def test_reads_shifts_as_bits() -> None:
    assert reads(rule("within(crosses_above(close, open), 3) and shift(volume, 70) > 1")) == {
        CLOSE: 0b1111,
        Series("open"): 0b1111,
        Series("volume"): 1 << 70,
    }
    assert reads(rule("rising(close, 1000)")) == {CLOSE: (1 << 1001) - 1}


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("close > emaa(close, 20)", "unknown function 'emaa' at column 9 (did you mean ema?)", 9),
        ("close > openn", "unknown name 'openn' at column 9 (did you mean open?)", 9),
        ("close > xyzzy", "accepted: open, high, low, close, volume, hour, minute, weekday, day, month, session, fast, slow, trend", 9),
        ("close > hours", "unknown name 'hours' at column 9 (did you mean hour?)", 9),
        ("seszion", "unknown name 'seszion' at column 1 (did you mean session?)", 1),
        ("session > 1", "a rule (true or false) where a number is needed", 1),
        ("hour() > 1", "not a function, 'hour' at column 1; it is a value", 1),
        ("hamer()", "unknown function 'hamer' at column 1 (did you mean hammer?)", 1),
        ("doji", "'doji' is a function at column 1; call it: doji(body=0.1)", 1),
        ("doji(-0.1)", "needs a constant number of at least 0 as 'body', found -0.1", 6),
        ("doji(close)", "found a series", 6),
        ("max(close, open, low) > 1", "max(a, b) takes 2 arguments, got 3", 18),
        ("é > 1", "unknown name 'é'", 1),
        ("1 > 0 and é > é", "unknown name 'é'", 11),
        ("rsi > 70", "'rsi' is a function at column 1; call it: rsi(x, length)", 1),
        ("close(3) > 1", "not a function, 'close' at column 1", 1),
        ("close", "a number where a rule (true or false) is needed", 1),
        ("fast and close > 1", "a number where a rule", 1),
        ("1 + (close > 2) > 1", "a rule (true or false) where a number is needed", 6),
        ("(close > 1) == (open > 1)", "a rule (true or false) where a number is needed", 2),
        ("within(close, 3)", "needs a rule as 'rule', found a series", 8),
        ("within(close > 1, 0)", "a constant whole number from 1", 19),
        ("within(close > 1, 2.5)", "found 2.5", 19),
        ("within(close > 1, open)", "found a series", 19),
        ("shift(close, -1) > 1", "a rule can't see the future", 14),
        ("shift(close, 1e9) > 1", "found 1e+09", 14),
        ("within(shift(close, 1000000) > 1, 2)", "reaches 1000001 bars back", 1),
        ("close > 1 / (2 - 2)", "division by zero", 14),
        ("1e400 > close", "a number too large", 1),
        ("1e300 * 1e300 > close", "a number too large", 1),
        ("9" * 1500 + " > close", "a number too large", 1),
        ("ema(close, 2.5) > 1", "length must be an integer of at least 1, got 2.5", 1),
        ("ema(close) > 1", "takes 'length', which is missing", 1),
        ("ema(close, 3, 4) > 1", "takes 2 arguments, got 3", 15),
        ("ema(close, lenght=3) > 1", "takes no argument 'lenght'", 12),
        ("ema(close, 3, length=3) > 1", "takes 'length' once", 15),
        ("ema(3, 3) > 1", "needs a column, an indicator or arithmetic on them as 'x', found a constant", 5),
        ("ema(close > 1, 3) > 1", "found a rule", 5),
        ("ema(close / open, 3) > 1", "can't be computed over a division by a series, which may be 0; divide by a constant", 1),
        ("macd_line(close, 26, 12) > 1", "macd_line(close, 26, 12): slow must be above fast, got fast 26, slow 12", 1),
        ("bbands_upper(close, 20, -1) > 1", "k must be a number of at least 0, got -1", 1),
        ("crosses_above(close, open, 2)", "needs default, strict or latched as 'reading', found 2", 28),
        ("crosses_above(close, open, strikt)", "found strikt", 28),
        ("ema(*close) > 1", "*arguments is not part of the rule language", 5),
        ("ema(**close) > 1", "takes no argument '**'", 5),
        ("close.mean() > 1", "only functions are called", 1),
        ("close.x > 1", "a dot after a name is not part of the rule language", 1),
        ("close[1] > 1", "write shift(x, n)", 1),
        ("close > 1 & open > 2", "& (write and)", 13),
        ("~(close > 1)", "~ (write not)", 1),
        ("close ** 2 > 1", "** is not part of the rule language", 10),
        ("(x := close) > 1", ":= is not part", 2),
        ("lambda: close > 1", "Lambda is not part", 1),
        ("[c for c in close]", "ListComp is not part", 1),
        ("close > 1 if True else False", "if ... else is not part", 1),
        ("'close' > 1", "'close' is not part", 1),
        ("1j > close", "1j is not part", 1),
        ("close in open", "only > >= < <= == != compare", 10),
        ("close = 3", "(== compares)", 7),
        ("(close > 3", "never closed", 1),
        ("close > 1 # high", "a comment inside the text", 11),
        ("close > 1 and", "invalid syntax", 14),
        ("__import__('os').system('x')", "only functions are called", 1),
    ],
)
def test_refuses_with_a_caret(text: str, message: str, column: int) -> None:
    with pytest.raises(ConfigError) as error:
        rule(text)
    first, line, caret = str(error.value).split("\n")
    assert first.startswith("strategy.long.entry: ")
    assert message in first
    assert f"at column {column}" in first
    if len(text) < 60:
        assert line == "  " + text
    assert caret == " " * (column + 1) + "^"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text is empty"),
        ("+".join(["close"] * 70) + " > 3", "nested deeper than 64 levels"),
        ("-" * 1500 + "close > 3", "nested deeper than 64 levels"),
        ("not " * 400 + "close > 3", "nested deeper than 64 levels"),
        ("(" * 900 + "close" + ")" * 900 + " > 3", "too many nested parentheses"),
        ("close - (" * 8 + "close" + ")" * 8 + " > 3", "open operands"),
        (" or ".join(["close > 1"] * 60), None),
        (" or ".join(["crosses_above(close, open)"] * 60), "parts"),
        ("close > 1 or " * 200, "characters"),
        ("close > 1\x00", "null"),
    ],
)
def test_refuses_what_is_too_much(text: str, message: str | None) -> None:
    if message is None:
        rule(text)
        return
    with pytest.raises(ConfigError, match=message):
        rule(text)


def test_names_can_not_grow_without_bound() -> None:
    doubling = {"x0": "close + open", **{f"x{i}": f"x{i - 1} + x{i - 1}" for i in range(1, 60)}}
    with pytest.raises(ConfigError, match=r"strategy\.indicators\.x7: too complex"):
        compiled("x59 > 1", indicators=doubling)


def test_parameters_and_indicators_stand_for_what_they_say() -> None:
    indicators = {"ratio": "middle / average", "average": "ema(middle_ema, n)", "middle": "(high + low) / k", "middle_ema": "ema(close, n)"}
    signals = compiled("ratio > k", params={"n": 5, "k": 2.0}, indicators=indicators)
    assert signals.long_entry == rule("(high + low) / 2 / ema(ema(close, 5), 5) > 2")
    assert list(map(str, signals.series())) == ["high", "low", "ema(ema(close,5),5)"]


def test_a_side_that_is_off_is_checked_and_dropped() -> None:
    both = Strategy(long=Rules("close > 1", "close < 1"), short=Rules("open < 1", None))
    signals = compile_strategy(both)
    assert signals.short_entry is not None
    both.side = "long"
    assert compile_strategy(both) == Signals(signals.long_entry, signals.long_exit, None, None)
    both.short.exit = "open >"
    with pytest.raises(ConfigError, match=r"strategy\.short\.exit"):
        compile_strategy(both)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"entry": None}, r"no entry rule: strategy\.long\.entry or strategy\.short\.entry"),
        ({"entry": "close > 1", "side": "short"}, r"strategy\.short\.entry must be a rule when strategy\.side=short"),
        ({"entry": "close > 1", "params": {"fats": 3}}, r"strategy\.params\.fats is read by no rule"),
        ({"entry": "close > fast", "params": {"fast": 1, "fats": 3}}, r"strategy\.params\.fats .*accepted: fast \(did you mean fast\?\)"),
        ({"entry": "close > k", "params": {"k": "3"}}, r"strategy\.params\.k must be a number .*got '3'"),
        ({"entry": "close > k", "params": {"k": True}}, r"got True"),
        ({"entry": "close > k", "params": {"k": float("nan")}}, r"got nan"),
        ({"entry": "close > k", "params": {"k": 10**400}}, r"must be a number"),
        ({"entry": "close > 1", "params": {"and": 1}}, r"strategy\.params\.and: a name must be"),
        ({"entry": "close > 1", "indicators": {"rsi": "rsi(close, 3)"}}, r"strategy\.indicators\.rsi: rsi is a function already; .*rsi_1"),
        ({"entry": "close > 1", "indicators": {"close": "open"}}, "close is a column already"),
        ({"entry": "k > 1", "indicators": {"k": "open"}, "params": {"k": 1}}, "k is a parameter already"),
        ({"entry": "a > 1", "indicators": {"a": "b + 1", "b": "ema(a, 3)"}}, "a is defined by itself: a -> b -> a"),
        ({"entry": "close > 1", "indicators": {"a": "close > 1"}}, r"strategy\.indicators\.a: a rule .* where a number"),
    ],
)
def test_refuses_strategies(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compiled(**fields)  # type: ignore[arg-type]


def loaded(content: object) -> Strategy:
    strategy = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Strategy), content))
    assert isinstance(strategy, Strategy)
    return strategy


def test_the_documented_strategy_compiles() -> None:
    page = Path(__file__).parent.parent / "docs" / "strategies.md"
    text = page.read_text().split("```yaml\n")[1].split("```")[0]
    signals = compile_strategy(loaded(OmegaConf.create(text)))
    assert list(map(str, signals.series())) == ["ema(close,50)", "ema(close,200)", "rsi(close,14)", "close"]


@pytest.mark.parametrize("path", sorted((folder("conf") / "strategy").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_strategies_compile(path: Path) -> None:
    strategy = loaded(OmegaConf.load(path))
    assert strategy.name == path.stem
    assert strategy.about
    signals = compile_strategy(strategy)
    assert signals.long_entry is not None
    assert (signals.short_entry is None) == (strategy.side == "long")
