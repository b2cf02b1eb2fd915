"""Trends and volumes that are followed from bar to bar."""

from __future__ import annotations

from functools import partial

from gpubt.indicators.algebra import change, lag, line, minus, over, plus, ratio, size, times
from gpubt.indicators.compounds import Inputs, Params
from gpubt.indicators.definition import BEFORE_LAST, ONE_LENGTH, TALIB, Definition, Parameter, Warmup, length
from gpubt.indicators.elements import NO_BARS
from gpubt.indicators.series import SESSION_DAY, Series

_WILDER = "J. Welles Wilder, New Concepts in Technical Trading Systems (1978)"
_BARS = ("high", "low", "close")
_DAY = (*_BARS, "volume", "day", "month")
_ONE = Warmup("1", lambda params: 1)
_WARM_ADX = Warmup("2 * length - 1", lambda params: 2 * int(params[0]) - 1)
_PIVOT = (length(name="left", about="bars before it that it stands out from"), length(name="right", about="bars after it"))
_WARM_PIVOT = Warmup("left + right", lambda params: int(sum(params)))
_WIDTH = Parameter("k", 0, "average true ranges", whole=False)
_STEP, _MOST = Parameter("step", 0, "of the acceleration", whole=False), Parameter("most", 0, "acceleration at most", whole=False)
_KAUFMAN = f"Perry J. Kaufman, Smarter Trading (1995); {TALIB} KAMA"
_SEBAN = f"Olivier Seban; {TALIB} SUPERTREND"
FAST, SLOW = 2.0, 30.0  # lengths between which the adaptive average moves


def _number(name: str) -> Parameter:
    return Parameter(name, 0, name, whole=False)


ELEMENTS = (
    Definition("cumulated", 1, (), NO_BARS, "running sum", "y = y' + x", "arithmetic"),
    Definition(
        "wilder", 1, (length(),), BEFORE_LAST, "Wilder's sum", "y = y' - y' / length + x, from the sum of the first length - 1", _WILDER
    ),
    Definition("on_balance", 2, (), NO_BARS, "y added where x rose, taken away where it fell", "from the first y", "TA-Lib OBV"),
    Definition("anchored", 3, (), NO_BARS, "mean of x by y since z changed", "sum of x * y / sum of y; x where that is 0", "definition"),
    Definition("adaptive", 3, (_number("fast"), _number("slow")), NO_BARS, "average from y on, as fast as z", "see kama", _KAUFMAN),
    Definition("parabolic", 2, (_STEP, _MOST), _ONE, "stop that closes in on x and y", "see psar", _WILDER),
    Definition("trend", 3, (_number("direction"),), NO_BARS, "band that follows x, or its direction", "see supertrend", _SEBAN),
    Definition("held", 2, (), NO_BARS, "x where it is y, else the value held before", "at first y", "definition"),
)  # fmt: skip


def _moves(high: Series, low: Series, up: bool) -> Series:
    """How far the high rose, where that is more than the low fell; or the other way round."""
    rise, fall = change(high), line(change(low), -1)
    own, other = (rise, fall) if up else (fall, rise)
    more = minus(own, other)
    sign = ratio(more, size(more))
    return times(line(plus(sign, size(sign)), 0.5), line(plus(own, size(own)), 0.5))


def _range(high: Series, low: Series, close: Series) -> Series:
    before = lag(close, 1)
    return minus(Series("larger", (high, before)), Series("smaller", (low, before)))


def _di(up: bool, inputs: Inputs, params: Params) -> Series:
    high, low, close = inputs
    return line(ratio(over("wilder", _moves(high, low, up), *params), over("wilder", _range(high, low, close), *params)), 100)


def _dx(inputs: Inputs, params: Params) -> Series:
    plus_di, minus_di = _di(True, inputs, params), _di(False, inputs, params)
    return line(ratio(size(minus(plus_di, minus_di)), plus(plus_di, minus_di)), 100)


def _adx(inputs: Inputs, params: Params) -> Series:
    return over("rma", _dx(inputs, params), *params)


def _kama(inputs: Inputs, params: Params) -> Series:
    x, n = inputs[0], int(params[0])
    moved, moves = size(minus(x, lag(x, n))), line(over("sma", size(change(x)), n), n)
    return Series("adaptive", (x, lag(x, 1), Series("efficiency", (moved, moves))), (FAST, SLOW))


def _psar(inputs: Inputs, params: Params) -> Series:
    return Series("parabolic", inputs, params)


def _supertrend(direction: float, inputs: Inputs, params: Params) -> Series:
    high, low, close = inputs
    middle, width = line(plus(high, low), 0.5), Series("atr", inputs, params[:1])
    return Series("trend", (close, plus(middle, width, params[1]), plus(middle, width, -params[1])), (direction,))


def _obv(inputs: Inputs, params: Params) -> Series:
    return Series("on_balance", inputs)


def _adl(inputs: Inputs, params: Params) -> Series:
    high, low, close, volume = inputs
    share = ratio(minus(minus(close, low), minus(high, close)), minus(high, low))
    return over("cumulated", times(share, volume))


def _typical(inputs: Inputs) -> Series:
    high, low, close = inputs[:3]
    return over("over", plus(plus(high, low), close), 3.0)


def _vwap(inputs: Inputs, params: Params) -> Series:
    volume, day, month = inputs[3:]
    return Series("anchored", (_typical(inputs), volume, plus(day, month, 100.0)))


def _session_vwap(inputs: Inputs, params: Params) -> Series:
    return Series("anchored", (_typical(inputs), *inputs[3:]))


def _rolling_vwap(inputs: Inputs, params: Params) -> Series:
    volume = inputs[3]
    return ratio(over("sma", times(_typical(inputs), volume), *params), over("sma", volume, *params))


def _pivot(extreme: str, inputs: Inputs, params: Params) -> Series:
    left, right = params
    return Series("held", (lag(inputs[0], int(right)), over(extreme, inputs[0], left + right + 1)))


ALL = (
    Definition(
        "kama", 1, (length(2),), ONE_LENGTH, "Kaufman's adaptive moving average",
        "y = y' + (e * (2 / 3 - 2 / 31) + 2 / 31)^2 * (x - y'), e = |x - x[length bars ago]| / sum of |changes|", _KAUFMAN, _kama,
    ),
    Definition(
        "plus_di", _BARS, (length(2),), ONE_LENGTH, "plus directional indicator, 0 to 100",
        "100 * wilder(how far the high rose, where that is more than the low fell) / wilder(true range)", f"{_WILDER}; {TALIB} PLUS_DI",
        partial(_di, True),
    ),
    Definition(
        "minus_di", _BARS, (length(2),), ONE_LENGTH, "minus directional indicator, 0 to 100",
        "100 * wilder(how far the low fell, where that is more than the high rose) / wilder(true range)", f"{_WILDER}; {TALIB} MINUS_DI",
        partial(_di, False),
    ),
    Definition(
        "dx", _BARS, (length(2),), ONE_LENGTH, "directional movement index, 0 to 100", "100 * |plus_di - minus_di| / (plus_di + minus_di)",
        f"{_WILDER}; {TALIB} DX (which keeps the value before where both are 0; here it is 0)", _dx,
    ),
    Definition(
        "adx", _BARS, (length(2),), _WARM_ADX, "average directional index, 0 to 100", "rma(dx(length), length)",
        f"{_WILDER}; {TALIB} ADX", _adx
    ),
    Definition(
        "supertrend", _BARS, (length(), _WIDTH), ONE_LENGTH, "supertrend, in price",
        "of (high + low) / 2 -+ k * atr(length) the lower until a close is below it, then the upper until one is above; neither moves away "
        "from the price unless the close before was beyond it", _SEBAN,
        partial(_supertrend, 0.0),
    ),
    Definition(
        "supertrend_direction", _BARS, (length(), _WIDTH), ONE_LENGTH, "direction of the supertrend",
        "1 on the lower band, -1 on the upper", _SEBAN, partial(_supertrend, 1.0),
    ),
    Definition(
        "psar", ("high", "low"), (_STEP, _MOST), _ONE, "parabolic stop and reverse, in price",
        "y = y' + a * (best price - y'), a from step by step to most; it turns when it is touched", f"{_WILDER}; {TALIB} SAR", _psar,
    ),
    Definition("obv", ("close", "volume"), (), NO_BARS, "on-balance volume",
        "y' + volume where the close rose, y' - volume where it fell", f"Joseph Granville (1963); {TALIB} OBV", _obv,
    ),
    Definition(
        "adl", (*_BARS, "volume"), (), NO_BARS, "accumulation and distribution line",
        "running sum of ((close - low) - (high - close)) / (high - low) * volume", f"Marc Chaikin; {TALIB} AD", _adl,
    ),
    Definition(
        "vwap", _DAY, (), NO_BARS, "volume-weighted average price of the day so far",
        "sum of p * volume / sum of volume since midnight in data.timezone, p = (high + low + close) / 3; p where nothing was traded",
        "definition", _vwap,
    ),
    Definition(
        "session_vwap", (*_BARS, "volume", SESSION_DAY), (), NO_BARS, "volume-weighted average price of the session so far",
        "as vwap, since the last session (session.hours, session.days) began; after its end it goes on until the next one begins",
        "definition", _session_vwap,
    ),
    Definition(
        "pivot_high", ("high",), _PIVOT, _WARM_PIVOT, "last high that stands out, known `right` bars later",
        "high[right bars ago] where it is highest(high, left + right + 1), held from then on; before the first that highest", "definition",
        partial(_pivot, "highest"),
    ),
    Definition(
        "pivot_low", ("low",), _PIVOT, _WARM_PIVOT, "last low that stands out, known `right` bars later",
        "low[right bars ago] where it is lowest(low, left + right + 1), held from then on; before the first that lowest", "definition",
        partial(_pivot, "lowest"),
    ),
    Definition(
        "rolling_vwap", (*_BARS, "volume"), (length(),), BEFORE_LAST, "volume-weighted average price of a window",
        "sma(p * volume) / sma(volume), p = (high + low + close) / 3; 0 where nothing was traded", "definition", _rolling_vwap,
    ),
)  # fmt: skip
