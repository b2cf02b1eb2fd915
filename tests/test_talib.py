"""Indicators against TA-Lib, another author's: the same warm-up, values within 1e-9 relative."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpubt.backends.kernels import indicators

talib = pytest.importorskip("talib", reason="TA-Lib is not installed: indicators were not compared with it")

BARS = Path(__file__).resolve().parents[2] / "shared" / "data" / "btcusdt_binance_1m_2017-2025.parquet"
FUNCTIONS = {"sma": "SMA", "ema": "EMA", "rsi": "RSI", "atr": "ATR", "stddev": "STDDEV", "highest": "MAX", "lowest": "MIN", "roc": "ROC"}
Columns = dict[str, NDArray[np.float64]]


def synthetic() -> Columns:
    rng = np.random.default_rng(20)
    close = 100.0 * np.exp(np.cumsum(rng.standard_normal(50_000) * 1e-3))
    return {"high": close * (1 + rng.random(50_000) * 1e-3), "low": close * (1 - rng.random(50_000) * 1e-3), "close": close}


def real() -> Columns:
    if not BARS.exists():
        pytest.skip(f"{BARS.name} is not beside the checkout: TA-Lib was not compared on real bars")
    import pyarrow.parquet as pq

    file = pq.ParquetFile(BARS)
    table = file.read_row_group(file.num_row_groups - 2, columns=["high", "low", "close"])
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
