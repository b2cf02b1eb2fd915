"""Indicators against TA-Lib, another author's: the same warm-up, values within 1e-9 relative."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpubt.backends.kernels import indicators
from gpubt.indicators.cache import IndicatorCache
from gpubt.indicators.definitions import DEFINITIONS, series
from gpubt.indicators.series import Series

talib = pytest.importorskip("talib", reason="TA-Lib is not installed: indicators were not compared with it")

BARS = Path(__file__).resolve().parents[2] / "shared" / "data" / "btcusdt_binance_1m_2017-2025.parquet"
FUNCTIONS = {
    "sma": "SMA",
    "ema": "EMA",
    "wma": "WMA",
    "rsi": "RSI",
    "atr": "ATR",
    "stddev": "STDDEV",
    "highest": "MAX",
    "lowest": "MIN",
    "roc": "ROC",
}
Columns = dict[str, NDArray[np.float64]]


def synthetic() -> Columns:
    rng = np.random.default_rng(20)
    close = 100.0 * np.exp(np.cumsum(rng.standard_normal(50_000) * 1e-3))
    high, low = close * (1 + rng.random(50_000) * 1e-3), close * (1 - rng.random(50_000) * 1e-3)
    return {"high": high, "low": low, "close": close, "volume": rng.integers(0, 1000, 50_000) * 1.0}


def real() -> Columns:
    if not BARS.exists():
        pytest.skip(f"{BARS.name} is not beside the checkout: TA-Lib was not compared on real bars")
    import pyarrow.parquet as pq

    file = pq.ParquetFile(BARS)
    table = file.read_row_group(file.num_row_groups - 2, columns=["high", "low", "close", "volume"])
    return {name: table[name].to_numpy() for name in table.column_names}


SOURCES: dict[str, Any] = {"synthetic": synthetic, "real": real}


@pytest.fixture(scope="module", params=sorted(SOURCES))
def columns(request: pytest.FixtureRequest) -> Columns:
    return SOURCES[request.param]()


@pytest.mark.parametrize("n", [2, 14, 200, 1500])
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_as_talib(columns: Columns, name: str, n: int) -> None:
    inputs = (columns["high"], columns["low"], columns["close"]) if name == "atr" else (columns["close"],)
    if name == "stddev":
        inputs = (np.diff(columns["close"]),)
    got = indicators.compute(name, inputs, 0, (n,), 2)
    expected = getattr(talib, FUNCTIONS[name])(*inputs, timeperiod=n)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    if name == "stddev":  # TA-Lib adds and takes away squares as it goes: the rounding of the largest stays in its variance
        np.testing.assert_allclose(got**2, expected**2, rtol=1e-9, atol=1e-14 * np.max(inputs[0] ** 2))
    else:
        np.testing.assert_allclose(got, expected, rtol=1e-9)


def _length(n: int) -> dict[str, Any]:
    return {"timeperiod": n}


COMPOUNDS: dict[str, tuple[str, Callable[..., dict[str, Any]], int | None]] = {
    "bbands_upper": ("BBANDS", lambda n, k: {"timeperiod": n, "nbdevup": k, "nbdevdn": k}, 0),
    "bbands_middle": ("BBANDS", lambda n, k=2.0: {"timeperiod": n, "nbdevup": k, "nbdevdn": k}, 1),
    "bbands_lower": ("BBANDS", lambda n, k: {"timeperiod": n, "nbdevup": k, "nbdevdn": k}, 2),
    "macd_line": ("MACD", lambda f, s: {"fastperiod": f, "slowperiod": s, "signalperiod": 1}, 0),
    "macd_signal": ("MACD", lambda f, s, g: {"fastperiod": f, "slowperiod": s, "signalperiod": g}, 1),
    "macd_hist": ("MACD", lambda f, s, g: {"fastperiod": f, "slowperiod": s, "signalperiod": g}, 2),
    "stoch_k": ("STOCH", lambda n, k: {"fastk_period": n, "slowk_period": k, "slowd_period": 1}, 0),
    "stoch_d": ("STOCH", lambda n, k, d: {"fastk_period": n, "slowk_period": k, "slowd_period": d}, 1),
    "dema": ("DEMA", _length, None),
    "tema": ("TEMA", _length, None),
    "trix": ("TRIX", _length, None),
    "mom": ("MOM", _length, None),
    "ppo": ("PPO", lambda f, s: {"fastperiod": f, "slowperiod": s, "matype": 1}, None),
    "willr": ("WILLR", _length, None),
    "mfi": ("MFI", _length, None),
    "true_range": ("TRANGE", dict, None),
    "natr": ("NATR", _length, None),
    "donchian_middle": ("MIDPRICE", _length, None),
    "linreg": ("LINEARREG", _length, None),
    "linreg_slope": ("LINEARREG_SLOPE", _length, None),
    "cci": ("CCI", _length, None),
    "kama": ("KAMA", _length, None),
    "plus_di": ("PLUS_DI", _length, None),
    "minus_di": ("MINUS_DI", _length, None),
    "dx": ("DX", _length, None),
    "adx": ("ADX", _length, None),
    "psar": ("SAR", lambda step, most: {"acceleration": step, "maximum": most}, None),
    "obv": ("OBV", dict, None),
    "adl": ("AD", dict, None),
    "beta": ("BETA", _length, None),
    "aroon_up": ("AROON", _length, 1),
    "aroon_down": ("AROON", _length, 0),
    "aroon_osc": ("AROONOSC", _length, None),
}
# What differs by the rounding of what it is the difference of: the scale of that
SCALES = {
    "macd": "close",
    "mom": "close",
    "linreg_slope": "close",
    "stoch": 100.0,
    "willr": 100.0,
    "mfi": 100.0,
    "trix": 100.0,
    "ppo": 100.0,
    "cci": 100.0,
}
PARAMS: list[tuple[str, tuple[float, ...]]] = [
    *((name, (n,)) for name in ("dema", "tema", "trix", "mom", "willr", "mfi", "natr", "donchian_middle") for n in (2, 14, 200)),
    *((name, (n,)) for name in ("cci", "aroon_up", "aroon_down", "aroon_osc", "beta") for n in (14, 200)),
    *((name, (n,)) for name in ("linreg", "linreg_slope") for n in (2, 14, 200)),
    ("ppo", (12, 26)),
    ("ppo", (3, 10)),
    ("true_range", ()),
    *((name, (n,)) for name in ("kama", "plus_di", "minus_di", "dx", "adx") for n in (2, 14, 200)),
    ("psar", (0.02, 0.2)),
    ("psar", (0.1, 0.05)),
    ("obv", ()),
    ("adl", ()),
    ("bbands_upper", (20, 2.0)),
    ("bbands_upper", (200, 1.5)),
    ("bbands_middle", (20,)),
    ("bbands_lower", (20, 2.5)),
    ("macd_line", (12, 26)),
    ("macd_signal", (12, 26, 9)),
    ("macd_signal", (50, 200, 30)),
    ("macd_hist", (12, 26, 9)),
    ("macd_hist", (3, 10, 1)),
    ("stoch_k", (14, 3)),
    ("stoch_k", (1, 1)),
    ("stoch_d", (14, 3, 3)),
    ("stoch_d", (100, 1, 20)),
]


@pytest.mark.parametrize(("name", "params"), PARAMS)
def test_compounds_as_talib(columns: Columns, name: str, params: tuple[float, ...]) -> None:
    takes = DEFINITIONS[name].inputs
    inputs = takes if isinstance(takes, tuple) else ("close", "high")[:takes]
    one = series(name, [Series(column) for column in inputs], params)
    inputs = ("high", "low") if name.startswith("aroon") else inputs
    got = IndicatorCache(partial(indicators.compute, threads=2), columns, "data", "host", 2**30).get(one)
    function, keywords, output = COMPOUNDS[name]
    expected = getattr(talib, function)(*(columns[column] for column in inputs), **keywords(*params))
    expected = expected if output is None else expected[output]
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    # Differences of averages and sums that run on keep the rounding of what they are taken from
    scale = next((of for start, of in SCALES.items() if name.startswith(start)), 0.0)
    scale = np.max(columns[scale]) if isinstance(scale, str) else scale
    if name in ("mfi", "cci"):  # whether a price of three rose by a rounding or stayed is the compiler's opinion
        typical = (columns["high"] + columns["low"] + columns["close"]) / 3
        still = np.abs(np.diff(typical, prepend=0.0)) < 1e-9
        ties = np.convolve(still, np.ones(params[0]))[: len(still)]
        sure = ties < (0.5 if name == "mfi" else params[0] - 1.5)
        got, expected = got[sure], expected[sure]
        assert len(got) > 1000
    if name == "beta":  # TA-Lib takes products of sums from sums of products: what is left where hardly anything moves is its rounding
        moved = np.abs(np.diff(columns["close"], prepend=0.0)) > 1e-6 * columns["close"]
        sure = np.convolve(moved, np.ones(params[0]))[: len(moved)] > params[0] - 0.5
        np.testing.assert_allclose(got[sure], expected[sure], rtol=1e-7, atol=1e-7)
        return
    rtol = 1e-7 if name == "cci" else 1e-9  # a price of 100,000 whose ticks of 0.01 are all its deviation
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol * 1e-3 * scale)
