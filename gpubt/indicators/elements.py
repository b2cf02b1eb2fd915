"""The elements that compounds and arithmetic are made of: computed and kept as indicators are, but no words of the rule language.

They stay finite where their inputs are (short of overflow), so that every indicator can be computed over them; that is why there is no
division of a series by another but `ratio` and `stochastic`, which have a value where the divisor is 0.
"""

from __future__ import annotations

from math import inf

from gpubt.indicators.definition import Definition, Parameter, Warmup, length

NO_BARS = Warmup("0", lambda params: 0)
_LATE = Warmup("length - 1 + skipped", lambda params: int(params[0]) - 1 + int(params[1]))
_LAG = Warmup("bars", lambda params: int(params[0]))


def _number(name: str, about: str) -> Parameter:
    return Parameter(name, -inf, about, whole=False)


_ALL = (
    Definition(
        "late_ema", 1, (length(), length(0, "skipped", "leading values left out")), _LATE, "exponential moving average that begins later",
        "ema of the values but the first `skipped`", "TA-Lib MACD, whose two averages begin on one bar",
    ),
    Definition("plus", 2, (_number("k", "factor of y"),), NO_BARS, "weighted sum", "x + k * y", "arithmetic"),
    Definition("times", 2, (), NO_BARS, "product", "x * y", "arithmetic"),
    Definition("linear", 1, (_number("k", "factor"), _number("c", "added")), NO_BARS, "line", "k * x + c", "arithmetic"),
    Definition("over", 1, (_number("c", "divisor"),), NO_BARS, "quotient", "x / c", "arithmetic"),
    Definition("ratio", 2, (), NO_BARS, "quotient of series", "x / y; 0 where y is 0", "arithmetic"),
    Definition("efficiency", 2, (), NO_BARS, "share of y that x is", "x / y, at most 1; 1 where y is 0", "TA-Lib KAMA"),
    Definition("magnitude", 1, (), NO_BARS, "absolute value", "|x|", "arithmetic"),
    Definition("larger", 2, (), NO_BARS, "the larger", "y where x < y, else x; NaN where either is", "arithmetic"),
    Definition("smaller", 2, (), NO_BARS, "the smaller", "y where y < x, else x; NaN where either is", "arithmetic"),
    Definition("lag", 1, (length(0, "bars", "bars back"),), _LAG, "value of some bars ago", "x[bars ago]", "arithmetic"),
    Definition(
        "stochastic", 3, (), NO_BARS, "where x lies between y and z, 0 to 100", "100 * ((x - y) / (z - y)); 0 where z = y", "TA-Lib STOCH",
    ),
)  # fmt: skip

ELEMENTS: dict[str, Definition] = {definition.name: definition for definition in _ALL}
