"""The registry of indicators: what each takes, how long it warms up, its formula and where the formula comes from.

`docs/design.md` has the exact order of every operation; `reference.py` is that text as code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Real

from gpubt.errors import ConfigError, accepted
from gpubt.indicators.series import COLUMNS, Series


@dataclass(frozen=True)
class Parameter:
    """A number an indicator takes: at least `minimum`, an integer if `whole`."""

    name: str
    minimum: float
    about: str
    whole: bool = True


@dataclass(frozen=True)
class Definition:
    """One indicator. `inputs` is how many series it takes, or the columns that it always reads.

    `warmup(params)` is how many leading NaN it adds to those of its inputs.
    """

    name: str
    inputs: int | tuple[str, ...]
    params: tuple[Parameter, ...]
    warmup: Callable[[Sequence[float]], int]
    about: str
    formula: str
    source: str

    @property
    def signature(self) -> str:
        """How it is written in a strategy: `sma(x, length)`, `atr(length)`."""
        series = [] if isinstance(self.inputs, tuple) else ["x", "y", "z"][: self.inputs]
        return f"{self.name}({', '.join([*series, *(p.name for p in self.params)])})"


def _before_last(params: Sequence[float]) -> int:
    """A window of `length` values is first full at index length - 1."""
    return int(params[0]) - 1


def _one_length(params: Sequence[float]) -> int:
    """It looks at the value before its window too (a change, a gap)."""
    return int(params[0])


def _length(minimum: int = 1) -> tuple[Parameter, ...]:
    return (Parameter("length", minimum, "bars in the window"),)


# TA-Lib refuses length 1 for all of these but atr and roc; here 1 is accepted wherever the formula still says something.
_TALIB = "warm-up and values as TA-Lib"
_ALL = (
    Definition("sma", 1, _length(), _before_last, "simple moving average", "mean of the last `length` values", f"{_TALIB} SMA"),
    Definition(
        "ema", 1, _length(), _before_last, "exponential moving average",
        "y = y' + 2 / (length + 1) * (x - y'), seeded with the mean of the first `length` values", f"{_TALIB} EMA",
    ),
    Definition(
        "rsi", 1, _length(), _one_length, "relative strength index, 0 to 100",
        "100 * up / (up + down): rises and falls from value to value, smoothed with 1 / length, seeded with means; 0 if both are 0",
        f"J. Welles Wilder, New Concepts in Technical Trading Systems (1978); {_TALIB} RSI",
    ),
    Definition(
        "atr", ("high", "low", "close"), _length(), _one_length, "average true range, in price",
        "true range max(high - low, |high - close'|, |low - close'|), smoothed with 1 / length, seeded with the mean of the first `length`",
        f"J. Welles Wilder, New Concepts in Technical Trading Systems (1978); {_TALIB} ATR",
    ),
    Definition(
        "stddev", 1, _length(2), _before_last, "standard deviation of the population",
        "sqrt(mean of squares - square of the mean) of the last `length` values, about one of them",
        f"{_TALIB} STDDEV with nbdev = 1",
    ),
    Definition("highest", 1, _length(), _before_last, "highest value", "largest of the last `length` values", f"{_TALIB} MAX"),
    Definition("lowest", 1, _length(), _before_last, "lowest value", "smallest of the last `length` values", f"{_TALIB} MIN"),
    Definition(
        "roc", 1, _length(), _one_length, "rate of change, in percent",
        "(x / x[length bars ago] - 1) * 100; 0 where that value is 0", f"{_TALIB} ROC",
    ),
)  # fmt: skip

DEFINITIONS: dict[str, Definition] = {definition.name: definition for definition in _ALL}


def series(name: str, inputs: Sequence[Series], params: Sequence[float]) -> Series:
    """The series of indicator `name` over `inputs` with `params`; fixed columns (`atr(14)`) are filled in, and may be written out.

    Raises ConfigError for an unknown indicator or column, wrong counts, or a parameter that is not accepted.
    """
    definition = DEFINITIONS.get(name)
    if definition is None:
        raise ConfigError(f"unknown indicator {name!r}; {accepted(DEFINITIONS, name)}")
    call = f"{name}({', '.join([*map(str, inputs), *map(str, params)])})"
    chosen = _inputs(definition, tuple(inputs), call)
    if len(params) != len(definition.params):
        raise ConfigError(f"{call}: {definition.signature} takes {_count(len(definition.params), 'number')}, got {len(params)}")
    return Series(name, chosen, tuple(_value(parameter, value, call) for parameter, value in zip(definition.params, params, strict=True)))


def _inputs(definition: Definition, given: tuple[Series, ...], call: str) -> tuple[Series, ...]:
    for one in given:
        if one.is_column and one.name not in COLUMNS:
            raise ConfigError(f"{call}: unknown column {one.name!r}; {accepted(COLUMNS, one.name)}")
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


def first_valid(series: Series) -> int:
    """The index of the first value that is not warm-up: 0 for a column."""
    if series.is_column:
        return 0
    return max(map(first_valid, series.inputs)) + DEFINITIONS[series.name].warmup(series.params)
