"""Averages made of averages, and what is measured from them."""

from __future__ import annotations

from math import isqrt

from gpubt.indicators.algebra import change, lag, line, minus, over, plus, ratio, size, times
from gpubt.indicators.compounds import FAST, SLOW, WARM_LINE, Inputs, Params, ordered
from gpubt.indicators.definition import BEFORE_LAST, ONE_LENGTH, TALIB, Definition, Warmup, length
from gpubt.indicators.series import Series

_MULLOY = "Patrick G. Mulloy, Smoothing data with faster moving averages (1994)"
_HULL = "Alan Hull, Hull moving average (2005)"
_BLAU = "William Blau, Momentum, Direction and Divergence (1995)"
_FIRST = length(name="slow", about="length of the first smoothing")
_SECOND = length(name="fast", about="length of the second smoothing")
_WARM_TWICE = Warmup("2 * (length - 1)", lambda params: 2 * (int(params[0]) - 1))
_WARM_THRICE = Warmup("3 * (length - 1)", lambda params: 3 * (int(params[0]) - 1))
_WARM_TRIX = Warmup("3 * (length - 1) + 1", lambda params: 3 * int(params[0]) - 2)
_WARM_HULL = Warmup("length + floor(sqrt(length)) - 2", lambda params: int(params[0]) + isqrt(int(params[0])) - 2)
_WARM_TSI = Warmup("slow + fast - 1", lambda params: int(params[0] + params[1]) - 1)


def _emas(x: Series, n: float) -> tuple[Series, Series, Series]:
    once = over("ema", x, n)
    twice = over("ema", once, n)
    return once, twice, over("ema", twice, n)


def _dema(inputs: Inputs, params: Params) -> Series:
    once, twice, _ = _emas(inputs[0], params[0])
    return minus(line(once, 2), twice)


def _tema(inputs: Inputs, params: Params) -> Series:
    once, twice, thrice = _emas(inputs[0], params[0])
    return plus(minus(line(once, 3), line(twice, 3)), thrice)


def _trix(inputs: Inputs, params: Params) -> Series:
    return over("roc", _emas(inputs[0], params[0])[2], 1)


def _hma(inputs: Inputs, params: Params) -> Series:
    n = int(params[0])
    fast, slow = over("wma", inputs[0], max(1, n // 2)), over("wma", inputs[0], n)
    return over("wma", minus(line(fast, 2), slow), isqrt(n))


def _vwma(inputs: Inputs, params: Params) -> Series:
    volume = Series("volume")
    return ratio(over("sma", times(inputs[0], volume), *params), over("sma", volume, *params))


def _mom(inputs: Inputs, params: Params) -> Series:
    return minus(inputs[0], lag(inputs[0], int(params[0])))


def _ppo(inputs: Inputs, params: Params) -> Series:
    fast, slow = (over("ema", inputs[0], n) for n in ordered(params))
    return line(ratio(minus(fast, slow), slow), 100)


def _tsi(inputs: Inputs, params: Params) -> Series:
    def smoothed(x: Series) -> Series:
        return over("ema", over("ema", x, params[0]), params[1])

    step = change(inputs[0])
    return line(ratio(smoothed(step), smoothed(size(step))), 100)


ALL = (
    Definition(
        "dema", 1, (length(),), _WARM_TWICE, "double exponential moving average", "2 * ema - ema(ema)", f"{_MULLOY}; {TALIB} DEMA", _dema
    ),
    Definition(
        "tema", 1, (length(),), _WARM_THRICE, "triple exponential moving average", "3 * ema - 3 * ema(ema) + ema(ema(ema))",
        f"{_MULLOY}; {TALIB} TEMA", _tema,
    ),
    Definition(
        "trix", 1, (length(),), _WARM_TRIX, "rate of change of a triple smoothed average, in percent", "roc(ema(ema(ema(x))), 1)",
        f"Jack Hutson, Good TRIX (1983); {TALIB} TRIX", _trix,
    ),
    Definition(
        "hma", 1, (length(),), _WARM_HULL, "Hull moving average",
        "wma(2 * wma(x, floor(length / 2)) - wma(x, length), floor(sqrt(length)))", _HULL, _hma,
    ),
    Definition(
        "vwma", 1, (length(),), BEFORE_LAST, "moving average weighted by volume", "sma(x * volume) / sma(volume); 0 where none was traded",
        "as pandas-ta VWMA", _vwma,
    ),
    Definition("mom", 1, (length(),), ONE_LENGTH, "momentum", "x - x[length bars ago]", f"{TALIB} MOM", _mom),
    Definition(
        "ppo", 1, (FAST, SLOW), WARM_LINE, "percentage price oscillator, of exponential averages",
        "100 * (ema(x, fast) - ema(x, slow)) / ema(x, slow); 0 where that is 0", f"{TALIB} PPO with matype = 1", _ppo,
    ),
    Definition(
        "tsi", 1, (_FIRST, _SECOND), _WARM_TSI, "true strength index, -100 to 100",
        "100 * ema(ema(change, slow), fast) / ema(ema(|change|, slow), fast); 0 where still",
        _BLAU, _tsi,
    ),
)  # fmt: skip
