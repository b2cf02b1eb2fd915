"""Statistics of windows against NumPy's, window by window in extended precision."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gpubt.backends.kernels import indicators
from gpubt.indicators.cache import IndicatorCache
from gpubt.indicators.definitions import series
from gpubt.indicators.series import Series

N = 3000


@pytest.fixture(scope="module")
def columns() -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(5)
    close = 50_000.0 + np.round(np.cumsum(rng.normal(0.0, 5.0, N)), 1)
    return {"close": close, "open": np.round(close * 0.7 + rng.normal(0.0, 20.0, N), 1)}


def found(columns: dict[str, NDArray[np.float64]], name: str, inputs: int, n: int) -> NDArray[np.float64]:
    one = series(name, [Series("close"), Series("open")][:inputs], (n,))
    got: NDArray[np.float64] = IndicatorCache(partial(indicators.compute, threads=2), columns, "data", "host", 2**30).get(one)
    return got


@pytest.mark.parametrize("n", [2, 7, 64, 700])
def test_moments(columns: dict[str, NDArray[np.float64]], n: int) -> None:
    x, y = (sliding_window_view(columns[name].astype(np.longdouble), n) for name in ("close", "open"))
    dx, dy = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    covariance = (dx * dy).mean(axis=1)
    np.testing.assert_allclose(found(columns, "mean_deviation", 1, n)[n - 1 :], np.abs(dx).mean(axis=1).astype(float), rtol=1e-9)
    np.testing.assert_allclose(found(columns, "covariance", 2, n)[n - 1 :], covariance.astype(float), rtol=1e-9, atol=1e-9)
    scale = np.sqrt((dx * dx).mean(axis=1) * (dy * dy).mean(axis=1))
    correlation = np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0)
    np.testing.assert_allclose(found(columns, "correlation", 2, n)[n - 1 :], correlation.astype(float), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("n", [1, 7, 64, 700])
def test_ranks_and_ages(columns: dict[str, NDArray[np.float64]], n: int) -> None:
    x = sliding_window_view(columns["close"], n)
    np.testing.assert_array_equal(found(columns, "argmax", 1, n)[n - 1 :], np.argmax(x[:, ::-1], axis=1))
    np.testing.assert_array_equal(found(columns, "argmin", 1, n)[n - 1 :], np.argmin(x[:, ::-1], axis=1))
    below = (x[:-1] < columns["close"][n:, None]).sum(axis=1)
    np.testing.assert_allclose(found(columns, "percent_rank", 1, n)[n:], 100.0 * below / n, rtol=1e-15)


def test_beta_is_the_slope_of_the_changes(columns: dict[str, NDArray[np.float64]]) -> None:
    close, opening = columns["close"], columns["open"]
    x, y = close[1:] / close[:-1] - 1, opening[1:] / opening[:-1] - 1
    got = found(columns, "beta", 2, 30)
    for t in (30, 1500, N - 1):
        slope = np.polyfit(x[t - 30 : t], y[t - 30 : t], 1)[0]
        assert abs(got[t] - slope) < 1e-8 * max(1.0, abs(slope))


def test_pivots_are_known_later_and_held(columns: dict[str, NDArray[np.float64]]) -> None:
    x, left, right = columns["close"], 6, 3
    one = series("pivot_high", [], (left, right))
    got = IndicatorCache(partial(indicators.compute, threads=2), {**columns, "high": x}, "data", "host", 2**30).get(one)
    held = x[: left + right + 1].max()
    for t in range(left + right, N):
        window = x[t - left - right : t + 1]
        held = window[left] if window[left] == window.max() else held
        assert got[t] == held
