"""Statistics of a window, and indicators made of them."""

from __future__ import annotations

from gpubt.indicators.algebra import line, minus, over, plus, ratio, times
from gpubt.indicators.compounds import Inputs, Params
from gpubt.indicators.definition import BEFORE_LAST, ONE_LENGTH, TALIB, Definition, Warmup, length
from gpubt.indicators.series import Series

_LAMBERT = f"Donald R. Lambert, Commodity Channel Index (1980); {TALIB} CCI"
_CHANDE = "Tushar Chande, Aroon (1995)"
_BEFORE = length(about="bars before this one")

BASIC = (
    Definition(
        "mean_deviation", 1, (length(2),), BEFORE_LAST, "mean distance from the mean", "mean of |x - mean| of the last `length` values",
        "definition",
    ),
    Definition(
        "covariance", 2, (length(2),), BEFORE_LAST, "covariance of the population", "mean of (x - its mean) * (y - its mean)", "definition"
    ),
    Definition(
        "percent_rank", 1, (_BEFORE,), ONE_LENGTH, "share of the values before it that are below x, 0 to 100",
        "100 * (how many of the `length` values before are below x) / length", f"{TALIB} PERCENTRANK",
    ),
    Definition(
        "argmax", 1, (length(),), BEFORE_LAST, "bars since the highest value",
        "bars since the largest of the last `length`, the latest of equals",
        f"{TALIB} MAXINDEX, counted back from the bar, and of equals as its AROON",
    ),
    Definition(
        "argmin", 1, (length(),), BEFORE_LAST, "bars since the lowest value",
        "bars since the smallest of the last `length`, the latest of equals",
        f"{TALIB} MININDEX, counted back from the bar, and of equals as its AROON",
    ),
)  # fmt: skip


def _cci(inputs: Inputs, params: Params) -> Series:
    high, low, close = inputs
    typical = over("over", plus(plus(high, low), close), 3.0)
    return ratio(minus(typical, over("sma", typical, *params)), line(over("mean_deviation", typical, *params), 0.015))


def _correlation(inputs: Inputs, params: Params) -> Series:
    x, y = inputs
    return ratio(Series("covariance", (x, y), params), times(over("stddev", x, *params), over("stddev", y, *params)))


def _beta(inputs: Inputs, params: Params) -> Series:
    x, y = (over("roc", one, 1) for one in inputs)
    return ratio(Series("covariance", (x, y), params), Series("covariance", (x, x), params))


def _share(name: str, x: Series, n: float) -> Series:
    return line(over(name, x, n + 1), -100 / n, 100)


def _aroon_up(inputs: Inputs, params: Params) -> Series:
    return _share("argmax", inputs[0], params[0])


def _aroon_down(inputs: Inputs, params: Params) -> Series:
    return _share("argmin", inputs[0], params[0])


def _aroon_osc(inputs: Inputs, params: Params) -> Series:
    return minus(_aroon_up(inputs[:1], params), _aroon_down(inputs[1:], params))


_WARM_BETA = Warmup("length", lambda params: int(params[0]))

ALL = (
    Definition(
        "cci", ("high", "low", "close"), (length(2),), BEFORE_LAST, "commodity channel index",
        "(p - sma(p)) / (0.015 * mean_deviation(p)), p = (high + low + close) / 3; 0 where that is 0", _LAMBERT, _cci,
    ),
    Definition(
        "correlation", 2, (length(2),), BEFORE_LAST, "correlation of two series, -1 to 1",
        "covariance(x, y) / (stddev(x) * stddev(y)); 0 where that is 0", f"Pearson; {TALIB} CORREL", _correlation,
    ),
    Definition(
        "beta", 2, (length(2),), _WARM_BETA, "how much y moves with x",
        "covariance(roc(x, 1), roc(y, 1)) / variance(roc(x, 1)); 0 where that is 0", f"least squares; {TALIB} BETA", _beta,
    ),
    Definition(
        "aroon_up", ("high",), (length(),), ONE_LENGTH, "Aroon up, 0 to 100", "100 * (length - argmax(high, length + 1)) / length",
        f"{_CHANDE}; {TALIB} AROON", _aroon_up,
    ),
    Definition(
        "aroon_down", ("low",), (length(),), ONE_LENGTH, "Aroon down, 0 to 100", "100 * (length - argmin(low, length + 1)) / length",
        f"{_CHANDE}; {TALIB} AROON", _aroon_down,
    ),
    Definition(
        "aroon_osc", ("high", "low"), (length(),), ONE_LENGTH, "Aroon oscillator, -100 to 100", "aroon_up - aroon_down",
        f"{_CHANDE}; {TALIB} AROONOSC", _aroon_osc,
    ),
)  # fmt: skip
