"""gpubt's indicators and TA-Lib's functions of the same definition: what each is called with, and how far apart the two may be, and why.

The tests compare them over thousands of rows, `python -m bench.talib` over millions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.backends.kernels import indicators
from gpubt.indicators.algebra import change
from gpubt.indicators.cache import IndicatorCache
from gpubt.indicators.definitions import DEFINITIONS, series
from gpubt.indicators.series import Series

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Columns = dict[str, Floats]
Params = tuple[float, ...]
Sure = Callable[[Columns, Params], Flags]

CLOSE, HIGH = Series("close"), Series("high")
RANGE = "a difference of prices: it keeps the rounding of theirs"
SHARE = "near 0 it is what is left of shares of 100"


@dataclass(frozen=True)
class Pair:
    """`name` of gpubt over `x`, and `function` of TA-Lib over the same or over `reads`, with `params` under `keywords`, and `fixed`.

    They may differ by `rtol` of the value, and by `rtol` / 1000 of `scale`, the column or the number that the value is the difference of;
    a root of sums that TA-Lib runs on, by 1e-14 of the largest square. Rows that are not `sure` depend on the last bit of a price.
    """

    name: str
    function: str
    params: tuple[Params, ...]
    keywords: tuple[str, ...] = ("timeperiod",)
    fixed: dict[str, float] = field(default_factory=dict)
    output: int | None = None
    x: tuple[Series, ...] = (CLOSE,)
    reads: tuple[str, ...] | None = None
    scale: str | float = 0.0
    rtol: float = 1e-9
    root: bool = False
    sure: Sure | None = None
    convert: Callable[[Any, Params], Floats] | None = None
    why: str = ""

    def theirs(self, talib: Any, columns: Columns, cache: IndicatorCache, params: Params) -> Callable[[], Floats]:
        """TA-Lib's values: what it reads is there before."""
        own = DEFINITIONS[self.name].inputs
        names = self.reads or (own if isinstance(own, tuple) else None)
        arrays = [columns[name] for name in names] if names else [cache.get(x) for x in self.x]
        keywords = {**self.fixed, **dict(zip(self.keywords, params, strict=True))}

        def call() -> Floats:
            made = getattr(talib, self.function)(*arrays, **keywords)
            values = made if self.output is None else made[self.output]
            return values if self.convert is None else self.convert(values, params)

        return call

    def ours(self, columns: Columns, params: Params, threads: int) -> Callable[[], Floats]:
        """gpubt's values, nothing of them computed before."""
        given = () if isinstance(DEFINITIONS[self.name].inputs, tuple) else self.x
        return lambda: cached(columns, threads).get(series(self.name, given, params))

    def allowed(self, expected: Floats, columns: Columns, read: Floats) -> Floats:
        """How far from `expected` a value may be; `read` is what the two were computed from."""
        if self.root:
            noise = 1e-14 * float(np.nanmax(read * read))
            return self.rtol * expected + noise / np.maximum(expected, np.sqrt(noise))
        scale = float(np.max(columns[self.scale])) if isinstance(self.scale, str) else self.scale
        return self.rtol * np.abs(expected) + self.rtol * 1e-3 * scale

    def call(self, params: Params) -> str:
        """`sma(200)`."""
        return f"{self.name}({', '.join(f'{value:g}' for value in params)})"


def cached(columns: Columns, threads: int) -> IndicatorCache:
    """What computes indicators on the CPU, with nothing in it."""
    return IndicatorCache(partial(indicators.compute, threads=threads), columns, "data", "host", 2**32)


def _rows_back(values: Any, params: Params) -> Floats:
    """TA-Lib names the row of the extreme; gpubt says how many rows ago it was."""
    rows = np.arange(len(values)) - values.astype(np.float64)
    rows[: int(params[0]) - 1] = np.nan
    return rows


def _direction(values: Any, params: Params) -> Floats:
    """TA-Lib gives integers, 0 in the warm-up."""
    return np.where(values == 0, np.nan, values.astype(np.float64))


def _in_window(flags: Flags, n: int) -> NDArray[np.int64]:
    """How many of the last n are set, none before the first."""
    total = np.concatenate([np.zeros(n, np.int64), np.cumsum(flags)])
    return total[n:] - total[:-n]


def _traded(columns: Columns, params: Params) -> Flags:
    return _in_window(columns["volume"] > 0, int(params[0])) > 0


def _still(columns: Columns) -> Flags:
    """Whether the price of three stayed, or only its last bits moved."""
    typical = (columns["high"] + columns["low"] + columns["close"]) / 3
    return np.abs(np.diff(typical, prepend=0.0)) <= 1e-13 * typical


def _no_ties(columns: Columns, params: Params) -> Flags:
    return _in_window(_still(columns), int(params[0])) == 0


def _moves_twice(columns: Columns, params: Params) -> Flags:
    return _in_window(_still(columns), int(params[0])) < params[0] - 1


def _all_move(columns: Columns, params: Params) -> Flags:
    moved = np.abs(np.diff(columns["close"], prepend=0.0)) > 1e-6 * columns["close"]
    return _in_window(moved, int(params[0])) == params[0]


def _strength_moves(columns: Columns, params: Params) -> Flags:
    """The close moved in the range of each of the values that are averaged."""
    window, averaged = int(params[1]), int(params[2]) if len(params) > 2 else 1
    moved = _in_window(np.diff(columns["close"], prepend=0.0) != 0.0, window - 1) > 0
    return _in_window(moved, averaged) == averaged


def _one_extreme(sign: float, columns: Columns, params: Params) -> Flags:
    """No other of the last values is the extreme too: forwards and backwards it is the same row."""
    n, x = int(params[0]), sign * columns["close"]
    last = indicators.compute("argmax", (x,), 0, (n,), 1)[n - 1 :]
    first = n - 1 - indicators.compute("argmax", (x[::-1],), 0, (n,), 1)[n - 1 :][::-1]
    return np.concatenate([np.zeros(n - 1, np.bool_), last == first])


_LENGTHS = ((2,), (14,), (200,), (1500,))
_SOME = ((2,), (14,), (200,))
_TWO = ((14,), (200,))
_MACD = ("fastperiod", "slowperiod", "signalperiod")
_STOCH = ("fastk_period", "slowk_period", "slowd_period")
_RSI = ("timeperiod", "fastk_period", "fastd_period")
_BANDS = ("timeperiod", "nbdevup")
_SUPER = ("timeperiod", "multiplier")
_EXTREMES = ("high", "low")
_EQUALS = "of equals gpubt takes the latest, TA-Lib the earliest when the extreme before has left the window"
_NONE = "where nothing was traded gpubt says 0, and TA-Lib divides what its running sums have left by 0, or by little"
_SUMS = "TA-Lib takes products of running sums from sums of products: where hardly anything moves its rounding is left"
_TIES = "near 0; and whether a price of three rose by a rounding or stayed is the compiler's opinion"

_TICKS = "ticks of 0.01 are all the deviation of a price of 100,000; and ties"
_STILL: dict[str, Any] = {
    "scale": 1000.0,
    "rtol": 1e-8,
    "sure": _strength_moves,
    "why": "near 0; and where the price stands still the index moves by roundings, whose range this is",
}


def _plain(pairs: dict[str, str], params: tuple[Params, ...], **facts: Any) -> Iterator[Pair]:
    return (Pair(name, function, params, **facts) for name, function in pairs.items())


PAIRS: tuple[Pair, ...] = (
    *_plain({"sma": "SMA", "ema": "EMA", "wma": "WMA", "rsi": "RSI", "roc": "ROC"}, _LENGTHS),
    *_plain({"atr": "ATR", "highest": "MAX", "lowest": "MIN"}, _LENGTHS),
    *_plain({"rma": "RMA", "hma": "HMA", "dema": "DEMA", "tema": "TEMA", "kama": "KAMA", "linreg": "LINEARREG"}, _SOME),
    Pair("vwma", "VWMA", _SOME, reads=("close", "volume"), rtol=1e-8, sure=_traded, why=_NONE),
    Pair(
        "stddev", "STDDEV", _LENGTHS, x=(change(CLOSE),), root=True,
        why="TA-Lib adds and takes away squares as it goes: the rounding of the largest stays in its variance",
    ),
    Pair("mean_deviation", "AVGDEV", _TWO, scale="close", why=RANGE),
    Pair("argmax", "MAXINDEX", _SOME, convert=_rows_back, sure=partial(_one_extreme, 1.0), why=_EQUALS),
    Pair("argmin", "MININDEX", _SOME, convert=_rows_back, sure=partial(_one_extreme, -1.0), why=_EQUALS),
    Pair("percent_rank", "PERCENTRANK", _TWO),
    Pair("correlation", "CORREL", _TWO, x=(CLOSE, HIGH), scale=1000.0, rtol=1e-7, why=_SUMS),
    Pair("beta", "BETA", _TWO, x=(CLOSE, HIGH), scale=1000.0, rtol=1e-7, sure=_all_move, why=_SUMS),
    Pair("bbands_upper", "BBANDS", ((20, 2.0), (200, 1.5)), _BANDS, output=0),
    Pair("bbands_middle", "BBANDS", ((20,),), output=1),
    Pair("bbands_lower", "BBANDS", ((20, 2.5),), ("timeperiod", "nbdevdn"), output=2),
    Pair("macd_line", "MACD", ((12, 26),), _MACD[:2], {"signalperiod": 1}, 0, scale="close", why=RANGE),
    Pair("macd_signal", "MACD", ((12, 26, 9), (50, 200, 30)), _MACD, output=1, scale="close", why=RANGE),
    Pair("macd_hist", "MACD", ((12, 26, 9), (3, 10, 1)), _MACD, output=2, scale="close", why=RANGE),
    Pair("ppo", "PPO", ((12, 26), (3, 10)), _MACD[:2], {"matype": 1}, scale=100.0, why=SHARE),
    Pair("trix", "TRIX", _SOME, scale=100.0, why=SHARE),
    Pair("mom", "MOM", _SOME),
    Pair("linreg_slope", "LINEARREG_SLOPE", _SOME, scale="close", why=RANGE),
    Pair("tsi", "TSI", ((25, 13), (100, 20)), ("firstperiod", "secondperiod"), scale=100.0, why=SHARE),
    Pair("stoch_k", "STOCH", ((14, 3), (1, 1)), _STOCH[:2], {"slowd_period": 1}, 0, scale=100.0, why=SHARE),
    Pair("stoch_d", "STOCH", ((14, 3, 3), (100, 1, 20)), _STOCH, output=1, scale=100.0, why=SHARE),
    Pair("stochrsi_k", "STOCHRSI", ((14, 5), (14, 14)), _RSI[:2], {"fastd_period": 1}, 0, **_STILL),
    Pair("stochrsi_d", "STOCHRSI", ((14, 5, 3), (50, 20, 10)), _RSI, output=1, **_STILL),
    Pair("willr", "WILLR", _SOME),
    Pair("mfi", "MFI", _SOME, scale=1000.0, rtol=1e-8, sure=_no_ties, why=_TIES),
    Pair("cci", "CCI", _TWO, scale=100.0, rtol=1e-7, sure=_moves_twice, why=_TICKS),
    Pair("cmf", "CMF", _TWO, scale=1000.0, sure=_traded, why=f"near 0; and {_NONE}"),
    Pair("true_range", "TRANGE", ((),), ()),
    Pair("natr", "NATR", _SOME),
    *(Pair(f"donchian_{part}", "DONCHIAN", _SOME, output=i, reads=_EXTREMES) for i, part in enumerate(("upper", "middle", "lower"))),
    *_plain({"plus_di": "PLUS_DI", "minus_di": "MINUS_DI", "dx": "DX", "adx": "ADX"}, _SOME),
    Pair("psar", "SAR", ((0.02, 0.2), (0.1, 0.05)), ("acceleration", "maximum")),
    Pair("supertrend", "SUPERTREND", ((10, 3.0), (14, 0.5)), _SUPER, output=0),
    Pair("supertrend_direction", "SUPERTREND", ((10, 3.0), (14, 0.5)), _SUPER, output=1, convert=_direction),
    Pair("obv", "OBV", ((),), ()),
    Pair("adl", "AD", ((),), ()),
    Pair("vwap", "VWAP", ((),), (), reads=("high", "low", "close", "volume")),
    Pair("aroon_up", "AROON", _TWO, output=1, reads=_EXTREMES),
    Pair("aroon_down", "AROON", _TWO, output=0, reads=_EXTREMES),
    Pair("aroon_osc", "AROONOSC", _TWO),
)  # fmt: skip

OTHERWISE = {"keltner": "KC averages (high + low + close) / 3, gpubt the close"}  # the same name, another definition
