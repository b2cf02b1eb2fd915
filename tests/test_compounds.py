"""Compounds and indicators over arithmetic: what they stand for, the same bits from every implementation, and TA-Lib's values."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
from host_runtime import HostRuntime, compiler

import gpubt
from gpubt.backends import cuda_indicators
from gpubt.backends.base import Backend
from gpubt.backends.kernels import indicators
from gpubt.compose import configuration
from gpubt.errors import ConfigError
from gpubt.indicators import reference
from gpubt.indicators.cache import IndicatorCache
from gpubt.indicators.definitions import COMPOUNDS, first_valid, series
from gpubt.indicators.series import Series
from gpubt.pipeline import run_backtest
from gpubt.strategy.expr import Load
from gpubt.strategy.grammar import parse_number

Floats = NDArray[np.float64]
Columns = dict[str, Floats]
CLOSE = Series("close")
NUMBA = partial(indicators.compute, threads=2)
PARAMS: dict[str, tuple[float, ...]] = {
    "bbands_upper": (20, 2.0),
    "bbands_middle": (20,),
    "bbands_lower": (20, 2.5),
    "macd_line": (12, 26),
    "macd_signal": (12, 26, 9),
    "macd_hist": (3, 10, 1),
    "stoch_k": (14, 3),
    "stoch_d": (5, 1, 4),
    "ppo": (12, 26),
    "tsi": (25, 13),
    "stochrsi_k": (14, 5),
    "stochrsi_d": (14, 5, 3),
    "keltner_upper": (20, 2.0),
    "keltner_lower": (20, 1.5),
    "true_range": (),
    "gap": (),
    "realised_volatility": (20, 252.0),
    "supertrend": (10, 3.0),
    "supertrend_direction": (10, 3.0),
    "psar": (0.02, 0.2),
    "pivot_high": (5, 3),
    "pivot_low": (4, 1),
    "obv": (),
    "adl": (),
    "vwap": (),
    "session_vwap": (),
}
FLAT = {"aroon_up": 100.0, "aroon_down": 100.0, "obv": 8.0, "supertrend_direction": 1.0}
# what gives a price, where others give 0 when nothing moves
PRICES = {
    "dema",
    "tema",
    "hma",
    "vwma",
    "linreg",
    "kama",
    "psar",
    "supertrend",
    "pivot_high",
    "pivot_low",
    "vwap",
    "session_vwap",
    "rolling_vwap",
    *(name for name in COMPOUNDS if name.startswith(("bbands", "keltner", "donchian"))),
}
ARITHMETIC = {
    "(high + low) / 2": lambda c: (c["high"] + c["low"]) / 2,
    "(high + low + close) / 3": lambda c: (c["high"] + c["low"] + c["close"]) / 3,
    "close * 2 - 1": lambda c: c["close"] * 2 - 1,
    "1 - close": lambda c: 1 - c["close"],
    "2 + close": lambda c: 2 + c["close"],
    "-close * open": lambda c: -c["close"] * c["open"],
    "abs(close - open)": lambda c: np.abs(c["close"] - c["open"]),
}


def bars(n: int) -> Columns:
    """Ticks of 0.1, with bars without a range and stretches where nothing moves."""
    rng = np.random.default_rng(n)
    close = np.round(100.0 + np.repeat(np.cumsum(rng.normal(size=n)) * 0.3, rng.choice([1, 1, 1, 30], n))[:n], 1)
    up, down = np.round(rng.exponential(0.2, n), 1), np.round(rng.exponential(0.2, n), 1)
    volume = np.where(rng.random(n) < 0.2, 0.0, rng.integers(1, 1000, n))
    return {"open": np.roll(close, 1), "high": close + up, "low": close - down, "close": close, "volume": volume} | calendar(n)


def calendar(n: int) -> Columns:
    return {"session_day": np.arange(n) // 300 + 19000.0, "day": np.arange(n) // 400 % 28 + 1.0, "month": np.arange(n) // 11200 % 12 + 1.0}


def on_host(shape: tuple[int, int], name: str, inputs: tuple[Floats, ...], first: int, params: tuple[float, ...]) -> Floats:
    return cuda_indicators.compute(HostRuntime(shape), name, inputs, len(inputs[0]), first, params)


def values(one: Series, columns: Columns, compute: Callable[..., Any] = NUMBA) -> Floats:
    array: Floats = IndicatorCache(compute, columns, "data", "here", 2**30).get(one)
    return array


def compound(name: str, params: tuple[float, ...] | None = None) -> Series:
    definition = COMPOUNDS[name]
    count = 0 if isinstance(definition.inputs, tuple) else definition.inputs
    return series(name, [CLOSE, Series("open")][:count], PARAMS.get(name, (20,)) if params is None else params)


@pytest.mark.parametrize("name", sorted(COMPOUNDS))
def test_every_implementation_gives_the_same_bits(name: str) -> None:
    columns = bars(5000)
    expected = values(compound(name), columns, reference.compute)
    warm = COMPOUNDS[name].warmup(PARAMS.get(name, (20,)))
    assert first_valid(compound(name)) == warm
    assert np.isnan(expected[:warm]).all() and np.isfinite(expected[warm:]).all()
    computes = [partial(indicators.compute, threads=threads) for threads in (1, 2, 3)]
    if compiler():
        computes += [partial(on_host, shape) for shape in ((1, 1), (3, 64), (7, 96))]
    for compute in computes:
        np.testing.assert_array_equal(values(compound(name), columns, compute).view(np.uint64), expected.view(np.uint64))


def test_supertrend_by_hand() -> None:
    """The lower band holds while upper and lower widen; the close of 14 lets the upper one go, not the trend; 8.5 turns it; touching
    13.5 does not, 14 does."""
    close = np.array([10.0, 10.0, 14.0, 9.5, 8.5, 8.0, 13.5, 14.0])
    upper = np.array([12.0, 11.0, 13.0, 14.0, 13.5, 15.0, 16.0, 17.0])
    lower = np.array([8.0, 7.0, 9.0, 7.0, 6.0, 5.0, 6.0, 7.0])
    computes = [reference.compute, NUMBA, *([partial(on_host, (1, 1))] if compiler() else [])]
    for compute in computes:
        np.testing.assert_array_equal(compute("trend", (close, upper, lower), 0, (0.0,)), [8, 8, 9, 9, 13.5, 13.5, 13.5, 7])
        np.testing.assert_array_equal(compute("trend", (close, upper, lower), 0, (1.0,)), [1, 1, 1, 1, -1, -1, -1, 1])


@pytest.mark.parametrize("name", sorted(COMPOUNDS))
def test_flat_prices_give_exact_values(name: str) -> None:
    price = 60000.01
    flat = {**dict.fromkeys(("open", "high", "low", "close"), np.full(3000, price)), "volume": np.full(3000, 8.0)} | calendar(3000)
    got = values(compound(name), flat)
    wanted = price if name in PRICES else FLAT.get(name, 0.0)
    steps = 100 if name.endswith("vwap") else 1  # a running sum keeps the rounding of each addition
    assert np.abs(got[~np.isnan(got)] - wanted).max() <= steps * np.spacing(wanted)


def test_parts_are_shared() -> None:
    cache = IndicatorCache(partial(indicators.compute, threads=1), bars(100), "data", "here", 2**30)
    for name in ("bbands_upper", "bbands_lower", "bbands_middle"):
        cache.get(compound(name, (20, 2.0) if name != "bbands_middle" else (20,)))
    stats = cache.stats()["computed"]
    assert stats == [
        "sma(close,20)",
        "stddev(close,20)",
        "plus(sma(close,20),stddev(close,20),2.0)",
        "plus(sma(close,20),stddev(close,20),-2.0)",
    ]


@pytest.mark.parametrize("text", sorted(ARITHMETIC))
def test_indicators_over_arithmetic(text: str) -> None:
    columns = bars(500)
    x = ARITHMETIC[text](columns)
    for shift in (0, 3):
        number = parse_number(f"lowest(shift({text}, {shift}), 1)", {})
        assert isinstance(number, Load)
        np.testing.assert_array_equal(values(number.series, columns)[shift:], x[: len(x) - shift])
        assert first_valid(number.series) == shift


def test_arithmetic_that_repeats_without_bound_is_refused() -> None:
    names = {"a": parse_number("close", {})}
    with pytest.raises(ConfigError, match=r"an indicator of 1... parts with names written out, at most 1000"):
        for _ in range(12):
            names["a"] = parse_number("sma(a + a, 2)", names)


RULES = {
    "macd": "crosses_above(macd_line(close, 12, 26), macd_signal(close, 12, 26, 9)) and stoch_k(14, 3) < 80",
    "bands": "crosses_above(close, bbands_lower(close, 20, 2)) and macd_hist(close, 12, 26, 9) < 0",
    "arithmetic": "crosses_above(wma((high + low) / 2, 9), ema(close - 0.1 * stddev(close, 20), 30)) and stoch_d(14, 3, 3) > 20",
}


@pytest.mark.parametrize("name", sorted(RULES))
def test_rules_give_one_ledger_everywhere(backend: Backend, name: str) -> None:
    overrides = ["strategy=ema_cross", "strategy.params={}", "strategy.indicators={}", "strategy.side=long", "data.frac=0.2"]
    overrides += [f'strategy.long.entry="{RULES[name]}"', 'strategy.long.exit="close > bbands_upper(close, 20, 2)"']
    overrides += ["strategy.short.entry=null", "strategy.short.exit=null"]
    expected = gpubt.run([*overrides, "backend=cpu"])
    got = run_backtest(configuration(overrides), backend=backend)
    assert expected.trades.num_rows > 10
    assert got.summary["ledger_digest"] == expected.summary["ledger_digest"]
