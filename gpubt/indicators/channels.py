"""Ranges, channels about a price, and how far it is from what is usual."""

from __future__ import annotations

from functools import partial
from math import sqrt

from gpubt.indicators.algebra import lag, line, minus, over, plus, ratio
from gpubt.indicators.compounds import Inputs, Params
from gpubt.indicators.definition import BEFORE_LAST, ONE_LENGTH, TALIB, Definition, Parameter, Warmup, length
from gpubt.indicators.series import Series

_BARS = ("high", "low", "close")
_WIDTH = Parameter("k", 0, "average true ranges", whole=False)
_PERIODS = Parameter("periods", 0, "bars in the span that it is scaled to, such as a year", whole=False)
_ONE = Warmup("1", lambda params: 1)
_KELTNER = "Chester W. Keltner, How to make money in commodities (1960), with Linda Raschke's averages"
_DONCHIAN = "Richard Donchian"


def _true_range(inputs: Inputs, params: Params) -> Series:
    high, low, close = inputs
    before = lag(close, 1)
    return minus(Series("larger", (high, before)), Series("smaller", (low, before)))


def _natr(inputs: Inputs, params: Params) -> Series:
    return line(ratio(Series("atr", inputs, params), inputs[2]), 100)


def _keltner(sign: float, inputs: Inputs, params: Params) -> Series:
    return plus(over("ema", inputs[2], params[0]), Series("atr", inputs, params[:1]), sign * params[1])


def _keltner_middle(inputs: Inputs, params: Params) -> Series:
    return over("ema", inputs[0], *params)


def _upper(inputs: Inputs, params: Params) -> Series:
    return over("highest", inputs[0], *params)


def _lower(inputs: Inputs, params: Params) -> Series:
    return over("lowest", inputs[0], *params)


def _donchian_middle(inputs: Inputs, params: Params) -> Series:
    return line(plus(over("highest", inputs[0], *params), over("lowest", inputs[1], *params)), 0.5)


def _zscore(inputs: Inputs, params: Params) -> Series:
    return ratio(minus(inputs[0], over("sma", inputs[0], *params)), over("stddev", inputs[0], *params))


def _linreg(inputs: Inputs, params: Params) -> Series:
    return minus(line(over("wma", inputs[0], *params), 3), line(over("sma", inputs[0], *params), 2))


def _linreg_slope(inputs: Inputs, params: Params) -> Series:
    return line(minus(over("wma", inputs[0], *params), over("sma", inputs[0], *params)), 6 / (params[0] - 1))


def _gap(inputs: Inputs, params: Params) -> Series:
    return line(ratio(inputs[0], lag(inputs[1], 1)), 100, -100)


def _volatility(inputs: Inputs, params: Params) -> Series:
    return line(over("stddev", over("roc", inputs[0], 1), params[0]), sqrt(params[1]))


ALL = (
    Definition(
        "true_range", _BARS, (), _ONE, "true range, in price", "max(high, close') - min(low, close')",
        f"J. Welles Wilder, New Concepts in Technical Trading Systems (1978); {TALIB} TRANGE", _true_range,
    ),
    Definition(
        "natr", _BARS, (length(),), ONE_LENGTH, "average true range in percent of the close", "100 * atr / close", f"{TALIB} NATR", _natr
    ),
    Definition(
        "keltner_upper", _BARS, (length(), _WIDTH), ONE_LENGTH, "upper Keltner channel", "ema(close, length) + k * atr(length)", _KELTNER,
        partial(_keltner, 1.0),
    ),
    Definition(
        "keltner_middle", ("close",), (length(),), BEFORE_LAST, "middle of the Keltner channel", "ema(close, length)", _KELTNER,
        _keltner_middle,
    ),
    Definition(
        "keltner_lower", _BARS, (length(), _WIDTH), ONE_LENGTH, "lower Keltner channel", "ema(close, length) - k * atr(length)", _KELTNER,
        partial(_keltner, -1.0),
    ),
    Definition("donchian_upper", ("high",), (length(),), BEFORE_LAST, "upper Donchian channel", "highest(high, length)", _DONCHIAN, _upper),
    Definition(
        "donchian_middle", ("high", "low"), (length(),), BEFORE_LAST, "middle of the Donchian channel",
        "(highest(high, length) + lowest(low, length)) / 2", f"{_DONCHIAN}; {TALIB} MIDPRICE", _donchian_middle,
    ),
    Definition("donchian_lower", ("low",), (length(),), BEFORE_LAST, "lower Donchian channel", "lowest(low, length)", _DONCHIAN, _lower),
    Definition(
        "zscore", 1, (length(2),), BEFORE_LAST, "distance from the mean, in standard deviations of the population",
        "(x - sma(x, length)) / stddev(x, length); 0 where that is 0", "definition", _zscore,
    ),
    Definition(
        "linreg", 1, (length(2),), BEFORE_LAST, "end of the line through the last values", "3 * wma(x, length) - 2 * sma(x, length)",
        f"least squares; {TALIB} LINEARREG", _linreg,
    ),
    Definition(
        "linreg_slope", 1, (length(2),), BEFORE_LAST, "slope of the line through the last values, a bar",
        "6 * (wma(x, length) - sma(x, length)) / (length - 1)", f"least squares; {TALIB} LINEARREG_SLOPE", _linreg_slope,
    ),
    Definition(
        "gap", ("open", "close"), (), _ONE, "open from the close before it, in percent", "100 * open / close' - 100", "definition", _gap
    ),
    Definition(
        "realised_volatility", 1, (length(2), _PERIODS), ONE_LENGTH, "standard deviation of changes from bar to bar, in percent, scaled",
        "stddev(roc(x, 1), length) * sqrt(periods); of changes in percent, not of logarithms, which differ from compiler to compiler",
        "definition", _volatility,
    ),
)  # fmt: skip
