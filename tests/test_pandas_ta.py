"""Indicators against pandas-ta-classic and pandas: those that TA-Lib has not, or has by another definition, and some that all have.

Known differences of definition are undone here: `zscore` is of the population, pandas-ta's of the sample; pandas-ta's Keltner channel is
about an average of ranges like the one of closes, gpubt's width is Wilder's `atr`; where pandas-ta divides by 0, gpubt says 0. Its
supertrend begins its band anew on every close beyond either band; gpubt's is TA-Lib's, and not compared here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench.talib import generated
from bench.talib_pairs import PAIRS, cached
from gpubt.indicators.definitions import DEFINITIONS, series
from gpubt.indicators.series import Series

pd = pytest.importorskip("pandas", reason="pandas is not installed: indicators were not compared with it")
ta = pytest.importorskip("pandas_ta_classic", reason="pandas-ta-classic is not installed: indicators were not compared with it")

ROWS = 20_000
SAMPLE = Path(__file__).parents[1] / "sample"


class Peer(NamedTuple):
    """`name(*params)` over `x`, the function that gives the same from a frame of bars, and what rounding leaves of it near 0. `moving`:
    rows are compared whose last values each had a move in their window; elsewhere the other shows roundings over roundings."""

    name: str
    params: tuple[float, ...]
    other: Callable[[Any], Any]
    near_0: float = 0.0
    x: tuple[str, ...] = ("close",)
    moving: tuple[int, int] = (0, 0)


def bands(f: Any, n: int, k: float) -> Any:
    """Lower, middle, upper Keltner: about the average, as far as Wilder's average of the range."""
    ranges = ta.kc(f.high, f.low, f.close, n, k, mamode="rma").to_numpy()
    return ta.kc(f.high, f.low, f.close, n, k).to_numpy()[:, [1]] + ranges - ranges[:, [1]]


PEERS = (
    *(Peer("hma", (n,), lambda f, n=n: ta.hma(f.close, n)) for n in (2, 20, 21)),
    Peer("rma", (14,), lambda f: ta.rma(f.close, 14)),
    Peer("vwma", (20,), lambda f: ta.vwma(f.close, f.volume, 20)),
    Peer("rolling_vwap", (20,), lambda f: ta.vwma(ta.hlc3(f.high, f.low, f.close), f.volume, 20)),
    *(  # of sessions that are whole days
        Peer(name, (), lambda f: ta.vwap(f.high, f.low, f.close, f.volume).fillna(ta.hlc3(f.high, f.low, f.close)))
        for name in ("vwap", "session_vwap")
    ),
    Peer("tsi", (25, 13), lambda f: ta.tsi(f.close, 13, 25, 13).iloc[:, 0], 1e-10),
    Peer("stochrsi_k", (14, 10), lambda f: ta.stochrsi(f.close, 10, 14, 1, 3).iloc[:, 0], 1e-8, moving=(1, 10)),
    Peer("stochrsi_d", (14, 10, 3), lambda f: ta.stochrsi(f.close, 10, 14, 1, 3).iloc[:, 1], 1e-8, moving=(3, 10)),
    Peer("cmf", (20,), lambda f: ta.cmf(f.high, f.low, f.close, f.volume, length=20), 1e-9),
    Peer("donchian_lower", (20,), lambda f: ta.donchian(f.high, f.low, 20, 20).iloc[:, 0]),
    Peer("donchian_middle", (20,), lambda f: ta.donchian(f.high, f.low, 20, 20).iloc[:, 1]),
    Peer("donchian_upper", (20,), lambda f: ta.donchian(f.high, f.low, 20, 20).iloc[:, 2]),
    Peer("keltner_lower", (20, 1.5), lambda f: bands(f, 20, 1.5)[:, 0]),
    Peer("keltner_middle", (20,), lambda f: ta.kc(f.high, f.low, f.close, 20).iloc[:, 1]),
    Peer("keltner_upper", (20, 1.5), lambda f: bands(f, 20, 1.5)[:, 2]),
    Peer("zscore", (20,), lambda f: ta.zscore(f.close, 20) * np.sqrt(20 / 19), 1e-11, moving=(1, 20)),
    Peer("mean_deviation", (14,), lambda f: ta.mad(f.close, 14), 1e-11),
    Peer("percent_rank", (20,), lambda f: f.close.rolling(21).apply(lambda w: 100 * np.mean(w[:-1] < w[-1]), raw=True)),
    Peer("covariance", (20,), lambda f: f.close.rolling(20).cov(f.high, ddof=0), 1e-9, ("close", "high")),
    Peer("realised_volatility", (20, 252.0), lambda f: 100 * f.close.pct_change().rolling(20).std(ddof=0) * np.sqrt(252), 1e-9),
    Peer("gap", (), lambda f: 100 * (f.open / f.close.shift(1) - 1), 1e-12),
)  # fmt: skip


def walk() -> Any:
    """Generated minutes with a trade on each."""
    frame = pd.DataFrame(generated(ROWS), index=pd.date_range("2024-01-01", periods=ROWS, freq="min"))
    return frame.assign(open=frame.close.shift(1, fill_value=100.0) * 1.0001, volume=frame.volume + 1.0)


def shipped() -> Any:
    """Real bars: prices that tie, and some on which nothing was traded."""
    table = pq.read_table(next(SAMPLE.glob("*.parquet"))).slice(0, ROWS)
    times = pd.DatetimeIndex(table["timestamp"].to_numpy())
    return pd.DataFrame({name: table[name].to_numpy() for name in ("open", "high", "low", "close", "volume")}, index=times)


@pytest.fixture(scope="module", params=[walk, shipped])
def frame(request: pytest.FixtureRequest) -> Any:
    made = request.param()
    days = made.index.normalize().factorize()[0].astype(float)
    return made.assign(day=made.index.day.astype(float), month=made.index.month.astype(float), session_day=days)


def ours(frame: Any, name: str, params: tuple[float, ...], x: tuple[str, ...] = ("close",)) -> Any:
    given = [] if isinstance(DEFINITIONS[name].inputs, tuple) else [Series(one) for one in x]
    return cached({column: frame[column].to_numpy(np.float64) for column in frame}, 2).get(series(name, given, params))


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: f"{peer.name}{peer.params}")
def test_as_pandas_ta(frame: Any, peer: Peer) -> None:
    got, expected = ours(frame, peer.name, peer.params, peer.x), np.asarray(peer.other(frame), np.float64)
    warm = int(np.argmax(~np.isnan(got)))
    assert np.isnan(expected[:warm]).all() and np.isfinite(expected[warm]) and np.isfinite(got[warm:]).all()
    defined = np.isfinite(expected)
    defined[:warm] = True
    assert not got[~defined].any()
    if peer.moving[0]:
        values, window = peer.moving
        defined &= (frame.close.diff().ne(0).rolling(window - 1).max().rolling(values).min() > 0).to_numpy()
    assert np.count_nonzero(defined) > ROWS // 2
    np.testing.assert_allclose(got[defined], expected[defined], rtol=1e-9, atol=peer.near_0)


def test_every_indicator_is_anothers_too() -> None:
    """But the pivots, which `test_compounds.py` has by hand."""
    compared = {pair.name for pair in PAIRS} | {peer.name for peer in PEERS}
    assert set(DEFINITIONS) - compared == {"pivot_high", "pivot_low"}
