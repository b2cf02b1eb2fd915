"""Candle patterns: texts of the rule language over the bars' own columns. The ratios are names in them.

They look at shapes alone; a trend before the pattern, which books ask for, is a rule of its own: `hammer() and close < sma(close, 50)`.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpubt.strategy.expr import Rule, number


@dataclass(frozen=True)
class Pattern:
    """`text` is the rule; `ratios` are names in it with their defaults; `about` says it in words."""

    name: str
    ratios: tuple[tuple[str, float], ...]
    text: str
    about: str

    def rule(self, *values: float) -> Rule:
        """The rule with these ratios."""
        from gpubt.strategy.grammar import parse_rule  # which knows the patterns

        names = {name: number(value) for (name, _), value in zip(self.ratios, values, strict=True)}
        return parse_rule(self.text, names, self.name)


_BODY = (("body", 0.1),)
_SHADOWS = (("shadow", 2), ("rest", 0.1))
_STAR = (("body", 0.3),)

_ALL = (
    Pattern("doji", _BODY, "abs(close - open) <= body * (high - low)", "the body is at most `body` of the range"),
    Pattern(
        "hammer", _SHADOWS,
        "high > low and min(open, close) - low >= shadow * abs(close - open) and high - max(open, close) <= rest * (high - low)",
        "the lower shadow is at least `shadow` bodies, the upper one at most `rest` of the range",
    ),
    Pattern(
        "shooting_star", _SHADOWS,
        "high > low and high - max(open, close) >= shadow * abs(close - open) and min(open, close) - low <= rest * (high - low)",
        "the upper shadow is at least `shadow` bodies, the lower one at most `rest` of the range",
    ),
    Pattern("inside_bar", (), "high < shift(high, 1) and low > shift(low, 1)", "inside the range of the bar before"),
    Pattern("outside_bar", (), "high > shift(high, 1) and low < shift(low, 1)", "the range of the bar before is inside"),
    Pattern(
        "engulfing_bullish", (),
        "shift(close < open, 1) and close > open and open <= shift(close, 1) and close >= shift(open, 1) "
        "and (open < shift(close, 1) or close > shift(open, 1))",
        "a rising body around the falling one before, and beyond it at one end at least (TA-Lib CDLENGULFING)",
    ),
    Pattern(
        "engulfing_bearish", (),
        "shift(close > open, 1) and close < open and open >= shift(close, 1) and close <= shift(open, 1) "
        "and (open > shift(close, 1) or close < shift(open, 1))",
        "a falling body around the rising one before, and beyond it at one end at least (TA-Lib CDLENGULFING)",
    ),
    Pattern(
        "harami_bullish", (),
        "shift(close < open, 1) and close > open and open >= shift(close, 1) and close <= shift(open, 1) "
        "and (open > shift(close, 1) or close < shift(open, 1))",
        "a rising body within the falling one before, and shorter",
    ),
    Pattern(
        "harami_bearish", (),
        "shift(close > open, 1) and close < open and open <= shift(close, 1) and close >= shift(open, 1) "
        "and (open < shift(close, 1) or close > shift(open, 1))",
        "a falling body within the rising one before, and shorter",
    ),
    Pattern(
        "morning_star", _STAR,
        "shift(close < open, 2) and shift(abs(close - open), 1) <= body * shift(open - close, 2) and close > open "
        "and shift(max(open, close), 1) < shift((open + close) / 2, 2) and close > shift((open + close) / 2, 2)",
        "a falling body, one of at most `body` of it below its middle, a rise that closes above its middle; gaps are not asked for",
    ),
    Pattern(
        "evening_star", _STAR,
        "shift(close > open, 2) and shift(abs(close - open), 1) <= body * shift(close - open, 2) and close < open "
        "and shift(min(open, close), 1) > shift((open + close) / 2, 2) and close < shift((open + close) / 2, 2)",
        "a rising body, one of at most `body` of it above its middle, a fall that closes below its middle; gaps are not asked for",
    ),
    Pattern(
        "three_white_soldiers", (),
        "close > open and shift(close > open, 1) and shift(close > open, 2) and rising(close, 2) "
        "and between(open, shift(open, 1), shift(close, 1)) and shift(between(open, shift(open, 1), shift(close, 1)), 1)",
        "three rising bodies, each closing higher and opening within the one before",
    ),
    Pattern(
        "three_black_crows", (),
        "close < open and shift(close < open, 1) and shift(close < open, 2) and falling(close, 2) "
        "and between(open, shift(close, 1), shift(open, 1)) and shift(between(open, shift(close, 1), shift(open, 1)), 1)",
        "three falling bodies, each closing lower and opening within the one before",
    ),
)  # fmt: skip

PATTERNS: dict[str, Pattern] = {pattern.name: pattern for pattern in _ALL}
