"""Bars moved to their start, adjusted and resampled, by row as any other source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpubt.config import Data, Synthetic, Validation
from gpubt.data.bars import Bars
from gpubt.data.resample import resample
from gpubt.data.rows import resolve_rows
from gpubt.data.source import open_source
from gpubt.data.validate import validate
from gpubt.errors import ConfigError, DataError

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
HOUR = 3600 * 10**9
MINUTES = Data(source="synthetic", synthetic=Synthetic(bars=1000, start="2020-01-01T00:07:00"))


def naive(bars: Bars, duration: int) -> list[tuple[Any, ...]]:
    """One row at a time."""
    out: list[list[Any]] = []
    for i in range(bars.n):
        start = int(bars.time[i]) // duration * duration
        if not out or out[-1][0] != start:
            out.append([start, bars.open[i], bars.high[i], bars.low[i], bars.close[i], 0.0])
        bar = out[-1]
        bar[2], bar[3], bar[4] = max(bar[2], bars.high[i]), min(bar[3], bars.low[i]), bars.close[i]
        bar[5] += bars.volume[i] if bars.volume is not None else 0.0
    return [tuple(bar) for bar in out]


def rows_of(bars: Bars) -> list[tuple[Any, ...]]:
    return list(zip(*(column.tolist() for column in bars.columns().values()), strict=True))


@settings(max_examples=200)
@given(gaps=st.lists(st.integers(1, 90), min_size=1, max_size=60), minutes=st.sampled_from([1, 5, 60, 1440]), first=st.integers(-500, 500))
def test_resample_is_the_naive_loop(gaps: list[int], minutes: int, first: int) -> None:
    n = len(gaps)
    source = open_source(Data(source="synthetic", synthetic=Synthetic(bars=n)), seed=1).read(0, n, {"volume"})
    bars = Bars("x", (first + np.cumsum(gaps)) * 60 * 10**9, *list(source.columns().values())[1:])
    longer = resample(bars, minutes * 60 * 10**9)
    assert rows_of(longer) == naive(bars, minutes * 60 * 10**9)
    assert validate(longer, 0, longer.n)[1].rows == longer.n


def test_rows_are_counted_in_resampled_bars() -> None:
    data = Data(**{**vars(MINUTES), "resample": "1h"})
    source = open_source(data, seed=5)
    whole = naive(open_source(MINUTES, seed=5).read(0, 1000, {"volume"}), HOUR)
    assert (source.rows_available, len(whole)) == (17, 17)  # 53 minutes, 15 hours, 47 minutes
    assert rows_of(source.read(0, 17, {"volume"})) == whole
    assert rows_of(source.read(3, 9, {"volume"})) == whole[3:9]
    assert source.read(3, 9).volume is None
    assert source.span() == (whole[0][0], whole[-1][0])
    assert [source.row_at(whole[4][0] + d) for d in (-1, 0, 1)] == [4, 4, 5]
    assert resolve_rows(source, Data(frac="1/2", portion=2)) == (8, 17)
    assert source.times(2, 4).tolist() == [whole[2][0], whole[3][0]]


@pytest.mark.parametrize(
    ("resample", "message"), [("90s", "must be a multiple of the bars' 1m, got 90s"), ("1x", "whole number with s, m")]
)
def test_what_resample_refuses(resample: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"data\.resample {message}|data\.resample must be a {message}"):
        _ = open_source(Data(**{**vars(MINUTES), "resample": resample}), seed=5).rows_available


def stored(folder: Path, **changed: Any) -> Data:
    n = 240
    bars = open_source(Data(source="synthetic", synthetic=Synthetic(bars=n)), seed=1).read(0, n, {"volume"})
    columns = {name: column.copy() for name, column in bars.columns().items()} | changed
    pq.write_table(pa.table(columns), folder / "bars.parquet")
    return Data(source="parquet", path=str(folder / "bars.parquet"))


def test_what_is_wrong_with_the_rows_is_not_hidden(tmp_path: Path) -> None:
    low = open_source(Data(source="synthetic", synthetic=Synthetic(bars=240)), seed=1).read(0, 240).low.copy()
    low[70] = np.nan
    data = stored(tmp_path, low=low)
    data.resample = "1h"
    with pytest.raises(DataError, match="NaN or infinite prices \\(1, the first in row 70"):
        open_source(data, seed=0).read(0, 4)
    data.validation = Validation(nan="drop")
    source = open_source(data, seed=0)
    bars, report = validate(source.read(0, 4), 0, 4, data.validation, source.findings)
    assert (bars.n, report.findings[0].name, report.findings[0].first_row) == (4, "nan", 70)
    assert report.warnings()[0].startswith("bars were left out: NaN")


def test_end_stamps(tmp_path: Path) -> None:
    data = stored(tmp_path)
    plain = open_source(data, seed=0)
    data.bar_stamp = "end"
    moved = open_source(data, seed=0)
    minute = 60 * 10**9
    assert moved.span() == tuple(time - minute for time in plain.span())
    assert moved.row_at(plain.span()[0]) == 1
    assert moved.times(3, 4)[0] == moved.read(3, 4).time[0] == plain.times(3, 4)[0] - minute
    pq.write_table(pq.read_table(str(data.path)).slice(0, 1), str(data.path))
    with pytest.raises(DataError, match=r"data\.bar_stamp=end needs at least two bars"):
        open_source(data, seed=0).span()


def test_splits(tmp_path: Path) -> None:
    splits = np.ones(240)
    splits[[0, 100, 200]] = [9.0, 2.0, 1.5]
    splits[[3, 4]] = [0.0, np.nan]
    data = stored(tmp_path, split=splits)
    plain = open_source(data, seed=0).read(0, 240, {"volume"})
    data.adjust = "split"
    source = open_source(data, seed=0)
    bars = source.read(0, 240, {"volume"})
    later = np.repeat([3.0, 1.5, 1.0], [100, 100, 40])
    np.testing.assert_array_equal(bars.close, plain.close / later)
    np.testing.assert_array_equal(bars.volume, plain.volume * later)
    np.testing.assert_array_equal(source.read(90, 110).low, bars.low[90:110])  # a portion is a part of the whole
    with pytest.raises(DataError, match="a split must be more than 0 and finite, got -2 in row 7"):
        splits[7] = -2.0
        open_source(Data(**{**vars(stored(tmp_path, split=splits)), "adjust": "split"}), seed=0).read(0, 1)


def test_adjusted_close(tmp_path: Path) -> None:
    data = stored(tmp_path, adj_close=np.full(240, 50.0))
    plain = open_source(data, seed=0).read(10, 20, {"volume"})
    data.adjust = "adj_close"
    bars = open_source(data, seed=0).read(10, 20, {"volume"})
    np.testing.assert_allclose(bars.close, 50.0, rtol=1e-15)
    np.testing.assert_allclose(bars.high / bars.low, plain.high / plain.low)
    np.testing.assert_array_equal(bars.volume, plain.volume)
    assert validate(bars, 0, 10)[1].findings == ()
    data.adjust = "split"
    with pytest.raises(DataError, match=r"data\.adjust=split needs a column split, .*; use data\.adjust=adj_close"):
        open_source(data, seed=0)
    with pytest.raises(DataError, match=r"needs a column adj_close, .*; use data\.adjust=none, or name it"):
        open_source(Data(**{**vars(stored(tmp_path)), "adjust": "adj_close"}), seed=0)
    with pytest.raises(ConfigError, match=r"data\.adjust must be none with data\.source=synthetic"):
        open_source(Data(source="synthetic", adjust="split"), seed=0)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no real bars in ../shared/data")
def test_no_jump_by_the_factor_remains_at_any_split() -> None:
    path = str(SHARED / "us_equities_daily_1999-2021.parquet")
    table = pq.read_table(path, columns=["symbol", "split"])
    splits = np.array(table["split"])
    symbols = sorted(set(table["symbol"].take(np.flatnonzero(splits != 1)).to_pylist()))
    seen = 0
    for symbol in symbols:
        data = Data(source="parquet", path=path, symbol=symbol)
        plain = open_source(data, seed=0).read(0, open_source(data, seed=0).rows_available)
        data.adjust = "split"
        source: Any = open_source(data, seed=0)
        bars = source.read(0, source.rows_available)
        factors = source.file.fields(0, bars.n, ["split"])["split"]
        for row in np.flatnonzero(factors != 1):
            jump, before = (one.close[row] / one.close[row - 1] for one in (bars, plain))
            assert jump == pytest.approx(before * factors[row], rel=1e-12)
            assert abs(np.log(jump)) < max(0.2, 0.5 * abs(np.log(factors[row]))), (symbol, row)
            seen += 1
        np.testing.assert_array_equal(bars.close[-1], plain.close[-1])
    assert seen == 137
