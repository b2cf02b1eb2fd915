"""Synthetic bars: consistent, clustered, and any slice is that slice of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpubt.config import Synthetic
from gpubt.data.synthetic import CHUNK, SyntheticSource
from gpubt.data.validate import validate
from gpubt.errors import ConfigError

N = 2 * CHUNK + 1000
WHOLE = SyntheticSource(Synthetic(bars=N), seed=5).read(0, N, {"volume"})


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_slices(data: st.DataObject) -> None:
    near = st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, N]) | st.integers(0, N)
    lo, hi = sorted((data.draw(near), data.draw(near)))
    more = data.draw(st.sampled_from([0, 1, CHUNK]))  # bars after these do not matter
    part = SyntheticSource(Synthetic(bars=N + more), seed=5).read(lo, hi, {"volume"})
    for name, column in part.columns().items():
        np.testing.assert_array_equal(column, WHOLE.columns()[name][lo:hi], strict=True)


def test_consistent() -> None:
    validate(WHOLE, 0, N)
    np.testing.assert_array_equal(WHOLE.open[1:], WHOLE.close[:-1])
    assert WHOLE.open[0] == 100.0
    assert (WHOLE.high >= np.maximum(WHOLE.open, WHOLE.close)).all()
    assert WHOLE.volume is not None
    assert WHOLE.volume.min() >= 1
    assert WHOLE.spacing == 60 * 10**9
    assert WHOLE.time[0] == 1_577_836_800 * 10**9


def test_volatility_clusters() -> None:
    def returns(clustering: float) -> np.ndarray:
        bars = SyntheticSource(Synthetic(bars=1_000_000, clustering=clustering), seed=1).read(0, 1_000_000)
        return np.log(bars.close / bars.open)

    for clustering in (0.0, 0.9):
        assert returns(clustering).std() == pytest.approx(0.0006, rel=0.03)
    size = np.abs(returns(0.97))
    assert np.corrcoef(size[1:], size[:-1])[0, 1] > 0.15
    size = np.abs(returns(0.0))
    assert abs(np.corrcoef(size[1:], size[:-1])[0, 1]) < 0.01


def test_seed_and_parameters_matter() -> None:
    bars = SyntheticSource(Synthetic(bars=100), seed=6).read(0, 100)
    assert (bars.close != WHOLE.close[:100]).all()
    flat = SyntheticSource(Synthetic(bars=100, volatility=0.0, start_price=7.0, spacing="1d"), seed=6).read(0, 100)
    assert (flat.high == 7.0).all()
    assert (flat.low == 7.0).all()
    assert flat.spacing == 86_400 * 10**9


def test_row_at() -> None:
    source = SyntheticSource(Synthetic(bars=10, spacing="5m"), seed=0)
    first, last = source.span()
    assert [source.row_at(t) for t in (first - 1, first, first + 1, last, last + 1, 2**62, -(2**62))] == [0, 0, 1, 9, 10, 10, 0]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"spacing": "1x"}, "data.synthetic.spacing must be a whole number with s, m, h or d"),
        ({"start": "soon"}, "data.synthetic.start must be an ISO time"),
        ({"bars": 10**6, "spacing": "1d"}, "data.synthetic.bars must lie between"),
    ],
)
def test_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SyntheticSource(Synthetic(**keys), seed=0)  # type: ignore[arg-type]
