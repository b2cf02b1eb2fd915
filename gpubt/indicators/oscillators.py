"""Where a price stands in its range, and money flows."""

from __future__ import annotations

from gpubt.indicators.algebra import change, line, minus, over, plus, ratio, size, times
from gpubt.indicators.compounds import Inputs, Params
from gpubt.indicators.definition import BEFORE_LAST, ONE_LENGTH, TALIB, Definition, Warmup, length
from gpubt.indicators.series import Series

_CHANDE = f"Tushar Chande, Stanley Kroll, The New Technical Trader (1994); {TALIB} STOCHRSI with simple averages"
_WINDOW = length(name="window", about="bars of the range")
_SMOOTH = length(name="d", about="bars that %D averages %K over")
_WARM_K = Warmup("length + window - 1", lambda params: int(sum(params[:2])) - 1)
_WARM_D = Warmup("length + window + d - 2", lambda params: int(sum(params)) - 2)
_BARS = ("high", "low", "close")


def _stochrsi_k(inputs: Inputs, params: Params) -> Series:
    strength = over("rsi", inputs[0], params[0])
    return Series("stochastic", (strength, over("lowest", strength, params[1]), over("highest", strength, params[1])))


def _stochrsi_d(inputs: Inputs, params: Params) -> Series:
    return over("sma", _stochrsi_k(inputs, params), params[2])


def _willr(inputs: Inputs, params: Params) -> Series:
    high, low, close = inputs
    return line(Series("stochastic", (close, over("highest", high, *params), over("lowest", low, *params))), -1)


def _mfi(inputs: Inputs, params: Params) -> Series:
    high, low, close, volume = inputs
    typical = over("over", plus(plus(high, low), close), 3.0)
    step = change(typical)
    flow = times(ratio(step, size(step)), times(typical, volume))  # with the sign of the step
    rising = line(plus(size(flow), flow), 0.5)
    return line(ratio(over("sma", rising, *params), over("sma", size(flow), *params)), 100)


def _cmf(inputs: Inputs, params: Params) -> Series:
    high, low, close, volume = inputs
    share = ratio(minus(minus(close, low), minus(high, close)), minus(high, low))
    return ratio(over("sma", times(share, volume), *params), over("sma", volume, *params))


ALL = (
    Definition(
        "stochrsi_k", 1, (length(), _WINDOW), _WARM_K, "stochastic of the relative strength index, %K, 0 to 100",
        "100 * (rsi - lowest(rsi, window)) / (highest(rsi, window) - lowest(rsi, window)); 0 where the range is 0", _CHANDE, _stochrsi_k,
    ),
    Definition(
        "stochrsi_d", 1, (length(), _WINDOW, _SMOOTH), _WARM_D, "stochastic of the relative strength index, %D, 0 to 100",
        "sma(stochrsi_k(x, length, window), d)", _CHANDE, _stochrsi_d,
    ),
    Definition(
        "willr", _BARS, (length(),), BEFORE_LAST, "Williams %R, -100 to 0",
        "-100 * (highest(high) - close) / (highest(high) - lowest(low)); 0 where the range is 0",
        f"Larry Williams, How I made one million dollars trading commodities (1973); {TALIB} WILLR", _willr,
    ),
    Definition(
        "mfi", (*_BARS, "volume"), (length(),), ONE_LENGTH, "money flow index, 0 to 100",
        "100 * rising / all: sums of (high + low + close) / 3 * volume of bars on which that price rose, and of those on which it moved; "
        "0 where none did",
        f"Gene Quong, Avrum Soudack (1989); {TALIB} MFI (which says 0 also where the sums are below 1)", _mfi,
    ),
    Definition(
        "cmf", (*_BARS, "volume"), (length(),), BEFORE_LAST, "Chaikin money flow, -1 to 1",
        "sum of ((close - low) - (high - close)) / (high - low) * volume over the sum of volume; 0 where that is 0",
        "Marc Chaikin; as pandas-ta CMF", _cmf,
    ),
)  # fmt: skip
