"""The registry of indicators: what each takes, how long it warms up, its formula and where the formula comes from.

`docs/design.md` has the exact order of every operation; `reference.py` is that text as code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from numbers import Real

from gpubt.errors import ConfigError, accepted
from gpubt.indicators import averages, channels, compounds, oscillators, statistics, trends
from gpubt.indicators.definition import BEFORE_LAST, ONE_LENGTH, TALIB, Definition, Parameter, Warmup, length
from gpubt.indicators.elements import ELEMENTS, NO_BARS
from gpubt.indicators.series import NAMES, Series

__all__ = ["COMPOUNDS", "COMPUTED", "DEFINITIONS", "MEASURES", "Definition", "Parameter", "Warmup", "first_input", "first_valid", "series"]

# TA-Lib refuses length 1 for all of these but atr and roc; here 1 is accepted wherever the formula still says something.
_ALL = (
    Definition("sma", 1, (length(),), BEFORE_LAST, "simple moving average", "mean of the last `length` values", f"{TALIB} SMA"),
    Definition(
        "ema", 1, (length(),), BEFORE_LAST, "exponential moving average",
        "y = y' + 2 / (length + 1) * (x - y'), seeded with the mean of the first `length` values", f"{TALIB} EMA",
    ),
    Definition(
        "rma", 1, (length(),), BEFORE_LAST, "Wilder's moving average",
        "y = y' + (x - y') / length, seeded with the mean of the first `length`",
        "J. Welles Wilder, New Concepts in Technical Trading Systems (1978)",
    ),
    Definition(
        "wma", 1, (length(),), BEFORE_LAST, "weighted moving average",
        "sum of (1 * oldest + ... + length * newest) / (length * (length + 1) / 2)", f"{TALIB} WMA",
    ),
    Definition(
        "rsi", 1, (length(),), ONE_LENGTH, "relative strength index, 0 to 100",
        "100 * up / (up + down): rises and falls from value to value, smoothed with 1 / length, seeded with means; 0 if both are 0",
        f"J. Welles Wilder, New Concepts in Technical Trading Systems (1978); {TALIB} RSI",
    ),
    Definition(
        "atr", ("high", "low", "close"), (length(),), ONE_LENGTH, "average true range, in price",
        "true range max(high - low, |high - close'|, |low - close'|), smoothed with 1 / length, seeded with the mean of the first `length`",
        f"J. Welles Wilder, New Concepts in Technical Trading Systems (1978); {TALIB} ATR",
    ),
    Definition(
        "stddev", 1, (length(2),), BEFORE_LAST, "standard deviation of the population",
        "sqrt(mean of squares - square of the mean) of the last `length` values, about one of them",
        f"{TALIB} STDDEV with nbdev = 1",
    ),
    Definition("highest", 1, (length(),), BEFORE_LAST, "highest value", "largest of the last `length` values", f"{TALIB} MAX"),
    Definition("lowest", 1, (length(),), BEFORE_LAST, "lowest value", "smallest of the last `length` values", f"{TALIB} MIN"),
    Definition(
        "roc", 1, (length(),), ONE_LENGTH, "rate of change, in percent",
        "(x / x[length bars ago] - 1) * 100; 0 where that value is 0", f"{TALIB} ROC",
    ),
)  # fmt: skip

_BASIC: dict[str, Definition] = {definition.name: definition for definition in (*_ALL, *statistics.BASIC)}
COMPOUNDS: dict[str, Definition] = {
    definition.name: definition for part in (compounds, averages, oscillators, channels, statistics, trends) for definition in part.ALL
}
DEFINITIONS = _BASIC | COMPOUNDS  # what a strategy can name
COMPUTED = _BASIC | ELEMENTS | {definition.name: definition for definition in trends.ELEMENTS}  # what a backend computes
MEASURES = {"since": NO_BARS, "count": BEFORE_LAST}  # the same of series that are made from a rule: their warm-up
_WARMUPS = {name: definition.warmup for name, definition in COMPUTED.items()} | MEASURES


def series(name: str, inputs: Sequence[Series], params: Sequence[float]) -> Series:
    """The series of indicator `name` over `inputs` with `params`; fixed columns (`atr(14)`) are filled in, and may be written out.
    A compound comes back as the series that it stands for.

    Raises ConfigError for an unknown indicator or column, wrong counts, or a parameter that is not accepted.
    """
    definition = DEFINITIONS.get(name)
    if definition is None:
        raise ConfigError(f"unknown indicator {name!r}; {accepted(DEFINITIONS, name)}")
    call = f"{name}({', '.join([*map(str, inputs), *map(str, params)])})"
    chosen = _inputs(definition, tuple(inputs), call)
    if len(params) != len(definition.params):
        raise ConfigError(f"{call}: {definition.signature} takes {_count(len(definition.params), 'number')}, got {len(params)}")
    values = tuple(_value(parameter, value, call) for parameter, value in zip(definition.params, params, strict=True))
    try:
        return Series(name, chosen, values) if definition.expand is None else definition.expand(chosen, values)
    except ConfigError as error:
        raise ConfigError(f"{call}: {error}") from None


def _inputs(definition: Definition, given: tuple[Series, ...], call: str) -> tuple[Series, ...]:
    for one in given:
        if one.is_column and one.name not in NAMES and "." not in one.name:
            raise ConfigError(f"{call}: unknown column {one.name!r}; {accepted(NAMES, one.name)}")
    if isinstance(definition.inputs, tuple):
        fixed = tuple(map(Series, definition.inputs))
        if given and given != fixed:
            raise ConfigError(f"{call}: {definition.name} always reads {', '.join(definition.inputs)}; write {definition.signature}")
        return fixed
    if len(given) != definition.inputs:
        raise ConfigError(f"{call}: {definition.signature} takes {_count(definition.inputs, 'series', 'series')}, got {len(given)}")
    return given


def _value(parameter: Parameter, value: float, call: str) -> float:
    number = isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
    if not number or value < parameter.minimum or (parameter.whole and value != int(value)):
        kind = "an integer" if parameter.whole else "a number"
        raise ConfigError(f"{call}: {parameter.name} must be {kind} of at least {parameter.minimum:g}, got {value}")
    return int(value) if parameter.whole else float(value)


def _count(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def first_valid(series: Series, seen: Callable[[Series], int] | None = None) -> int:
    """The index of the first value that is not warm-up: 0 for a column. `seen` tells it of a series of a timeframe or another symbol,
    whose first value depends on the bars; without, they count as there from the first bar on."""
    if series.is_column and "." not in series.name:
        return 0
    if series.is_column or series.name.startswith("tf:"):
        return 0 if seen is None else seen(series)
    return first_input(series, seen) + _WARMUPS[series.name](series.params)


def first_input(series: Series, seen: Callable[[Series], int] | None = None) -> int:
    """The index of the first bar on which everything that an indicator reads is there."""
    known = partial(first_valid, seen=seen)
    return series.condition.first(known) if series.condition else max(map(known, series.inputs))
