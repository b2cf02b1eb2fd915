"""Indicators that stand for arithmetic on others: bands, MACD, stochastic. Backends compute the parts, each once for all that share it."""

from __future__ import annotations

from gpubt.errors import ConfigError
from gpubt.indicators.definition import BEFORE_LAST, TALIB, Definition, Parameter, Warmup, length
from gpubt.indicators.series import Series

Inputs = tuple[Series, ...]
Params = tuple[float, ...]

_BANDS = (length(2), Parameter("k", 0, "standard deviations", whole=False))
FAST, SLOW = length(name="fast", about="length of the fast average"), length(2, "slow", "length of the slow average, above fast")
_SIGNAL = length(name="signal", about="length of the average of the line")
_STOCHASTIC = (length(), length(name="smooth", about="bars that %K is averaged over"))
_SMOOTHED = length(name="d", about="bars that %D averages %K over")
_COLUMNS = ("high", "low", "close")
_BOLLINGER = f"John Bollinger, Bollinger on Bollinger Bands (2001); {TALIB} BBANDS"
_APPEL = f"Gerald Appel (1979); {TALIB} MACD"
_LANE = f"George C. Lane, Lane's Stochastics (1984); {TALIB} STOCH with simple averages"

WARM_LINE = Warmup("slow - 1", lambda params: int(params[1]) - 1)
_WARM_SIGNAL = Warmup("slow + signal - 2", lambda params: int(params[1] + params[2]) - 2)
_WARM_K = Warmup("length + smooth - 2", lambda params: int(sum(params)) - 2)
_WARM_D = Warmup("length + smooth + d - 3", lambda params: int(sum(params)) - 3)


def _middle(inputs: Inputs, params: Params) -> Series:
    return Series("sma", inputs, params[:1])


def _upper(inputs: Inputs, params: Params) -> Series:
    return Series("plus", (_middle(inputs, params), Series("stddev", inputs, params[:1])), params[1:])


def _lower(inputs: Inputs, params: Params) -> Series:
    return _upper(inputs, (params[0], 0.0 - params[1]))


def ordered(params: Params) -> tuple[float, float]:
    """The lengths of a fast and a slow average. Raises ConfigError unless slow is above fast."""
    fast, slow = params[:2]
    if fast >= slow:
        raise ConfigError(f"slow must be above fast, got fast {fast:g}, slow {slow:g}")
    return fast, slow


def _line(inputs: Inputs, params: Params) -> Series:
    fast, slow = ordered(params)
    return Series("plus", (Series("late_ema", inputs, (fast, slow - fast)), Series("ema", inputs, (slow,))), (-1.0,))


def _signal(inputs: Inputs, params: Params) -> Series:
    return Series("ema", (_line(inputs, params),), params[2:])


def _histogram(inputs: Inputs, params: Params) -> Series:
    return Series("plus", (_line(inputs, params), _signal(inputs, params)), (-1.0,))


def _k(inputs: Inputs, params: Params) -> Series:
    high, low, close = inputs
    lowest, highest = Series("lowest", (low,), params[:1]), Series("highest", (high,), params[:1])
    return Series("sma", (Series("stochastic", (close, lowest, highest)),), params[1:2])


def _d(inputs: Inputs, params: Params) -> Series:
    return Series("sma", (_k(inputs, params),), params[2:])


ALL = (
    Definition(
        "bbands_upper", 1, _BANDS, BEFORE_LAST, "upper Bollinger band", "sma(x, length) + k * stddev(x, length)", _BOLLINGER, _upper
    ),
    Definition("bbands_middle", 1, _BANDS[:1], BEFORE_LAST, "middle Bollinger band", "sma(x, length)", _BOLLINGER, _middle),
    Definition(
        "bbands_lower", 1, _BANDS, BEFORE_LAST, "lower Bollinger band", "sma(x, length) - k * stddev(x, length)", _BOLLINGER, _lower
    ),
    Definition(
        "macd_line", 1, (FAST, SLOW), WARM_LINE, "moving average convergence-divergence, the line",
        "ema(x, fast) - ema(x, slow), the fast one without the first slow - fast values: both averages begin on one bar", _APPEL, _line,
    ),
    Definition(
        "macd_signal", 1, (FAST, SLOW, _SIGNAL), _WARM_SIGNAL, "moving average convergence-divergence, the signal",
        "ema(macd_line(x, fast, slow), signal)", _APPEL, _signal,
    ),
    Definition(
        "macd_hist", 1, (FAST, SLOW, _SIGNAL), _WARM_SIGNAL, "moving average convergence-divergence, the histogram",
        "macd_line(x, fast, slow) - macd_signal(x, fast, slow, signal)", _APPEL, _histogram,
    ),
    Definition(
        "stoch_k", _COLUMNS, _STOCHASTIC, _WARM_K, "slow stochastic %K, 0 to 100",
        "sma(100 * (close - lowest(low, length)) / (highest(high, length) - lowest(low, length)), smooth); 0 where the range is 0",
        _LANE, _k,
    ),
    Definition(
        "stoch_d", _COLUMNS, (*_STOCHASTIC, _SMOOTHED), _WARM_D, "slow stochastic %D, 0 to 100",
        "sma(stoch_k(length, smooth), d)", _LANE, _d,
    ),
)  # fmt: skip
