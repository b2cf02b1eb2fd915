"""Finer bars: every row to its bar, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpubt.config import Config, Data, Finer, Sim, Synthetic, Validation
from gpubt.data.bars import Bars
from gpubt.data.detail import Detail, load_detail
from gpubt.data.resample import resample
from gpubt.data.source import open_source
from gpubt.data.validate import validate
from gpubt.errors import ConfigError, DataError

MINUTE = 60 * 10**9
PRICES = ("open", "high", "low", "close")


def minutes(n: int = 600, start: str = "2020-01-01T00:07:00") -> Bars:
    return open_source(Data(source="synthetic", synthetic=Synthetic(bars=n, start=start)), seed=3).read(0, n)


def rows(bars: Bars, keep: Any) -> Bars:
    return Bars(bars.symbol, **{name: column[keep] for name, column in bars.columns().items()})


def stored(path: Path, bars: Bars, **more: Any) -> Config:
    """The configuration whose finer bars are `bars`."""
    columns = bars.columns()
    table = pa.table({"time": pa.array(columns.pop("time"), pa.timestamp("ns")), **columns, **more})
    (csv.write_csv if path.suffix == ".csv" else pq.write_table)(table, path)
    return Config(sim=Sim(detail=Finer(str(path))))


def naive(finer: Bars, bars: Bars, t: int) -> list[int]:
    """The finer rows of bar t, one at a time."""
    end = bars.time[t + 1] if t + 1 < bars.n else bars.time[t] + bars.spacing
    return [i for i in range(finer.n) if bars.time[t] <= finer.time[i] < end]


def check(detail: Detail, finer: Bars, bars: Bars) -> None:
    """Each bar's range holds the rows that lie in it, found by their opens, which are all different."""
    assert detail.first.dtype == np.int64
    assert detail.first.shape == (bars.n + 1,)
    assert (detail.first[0], detail.first[-1]) == (0, len(detail.close))
    for t in range(bars.n):
        inside = slice(detail.first[t], detail.first[t + 1])
        for name in PRICES:
            np.testing.assert_array_equal(getattr(detail, name)[inside], getattr(finer, name)[naive(finer, bars, t)])


@pytest.mark.parametrize("name", ["fine.parquet", "fine.csv"])
def test_finer_bars_reproduce_the_bars(tmp_path: Path, name: str) -> None:
    finer = minutes()
    bars = resample(finer, 60 * MINUTE)
    detail = load_detail(stored(tmp_path / name, finer), bars)
    check(detail, finer, bars)
    assert (detail.covered, detail.warnings) == (bars.n, ())
    first, last = detail.first[:-1], detail.first[1:] - 1
    np.testing.assert_array_equal(detail.open[first], bars.open)
    np.testing.assert_array_equal(detail.close[last], bars.close)
    np.testing.assert_array_equal(np.maximum.reduceat(detail.high, first), bars.high)
    np.testing.assert_array_equal(np.minimum.reduceat(detail.low, first), bars.low)
    assert detail.digest == validate(finer, 0, finer.n)[1].digest


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_rows_of_any_bars(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Finer rows and bars missing anywhere, finer rows before the first bar and after the last."""
    finer = minutes(200)
    whole = resample(finer, 10 * MINUTE)
    first = data.draw(st.integers(0, whole.n - 3))
    last = data.draw(st.integers(first + 2, whole.n))
    middle = [t for t in range(first + 2, last) if data.draw(st.booleans())]
    bars = rows(whole, [first, first + 1, *middle])  # the first two tell the spacing
    gone = data.draw(st.sets(st.integers(0, 19), max_size=18))
    kept = rows(finer, [i for i in range(finer.n) if i // 10 not in gone])
    if not any(naive(kept, bars, t) for t in range(bars.n)):
        return
    detail = load_detail(stored(tmp_path_factory.mktemp("detail") / "fine.parquet", kept), bars)
    check(detail, kept, bars)
    assert detail.covered == sum(bool(naive(kept, bars, t)) for t in range(bars.n))


def test_what_is_doubtful_is_told(tmp_path: Path) -> None:
    finer = minutes(start="2020-01-01T00:00:00")
    bars = resample(finer, 60 * MINUTE)
    path = tmp_path / "fine.parquet"
    gap = rows(finer, np.r_[0:120, 180:600])
    steps, covered = load_detail(stored(path, gap), bars).warnings
    assert steps.startswith(f"sim.detail.path={path}: the bars, 1m apart, have gaps")
    assert covered == f"sim.detail.path={path} has no rows for 1 of 10 bars (90.0% are covered)"
    other = finer.high.copy()
    other[130] *= 2.0
    moved = Bars(finer.symbol, finer.time, finer.open, other, finer.low, finer.close)
    *_, last = load_detail(stored(path, moved), bars).warnings
    assert last == f"sim.detail.path={path} has another high or low than the bar in 1 of 10 bars, the first in row 2"
    finer.close[5] = np.nan
    config = stored(path, finer)
    config.data.validation = Validation(nan="drop")
    detail = load_detail(config, bars)
    assert detail.first[1] == 59
    assert detail.warnings[0].startswith(f"sim.detail.path={path}: bars were left out: NaN")


def test_the_rows_of_the_symbol(tmp_path: Path) -> None:
    finer = minutes(120)
    bars = resample(finer, 30 * MINUTE)
    symbols = np.repeat(["AAA", bars.symbol], 60)
    config = stored(tmp_path / "fine.parquet", finer, symbol=pa.array(symbols))
    detail = load_detail(config, bars)
    check(detail, rows(finer, slice(60, None)), bars)
    with pytest.raises(ConfigError, match=r"data\.symbol=BBB is not in .*fine\.parquet; it has AAA"):
        load_detail(config, Bars("BBB", *list(bars.columns().values())))


def test_what_is_refused(tmp_path: Path) -> None:
    finer = minutes(120)
    bars = resample(finer, 30 * MINUTE)
    path = tmp_path / "fine.parquet"
    with pytest.raises(ConfigError, match=r"sim\.detail\.path must be a Parquet or CSV file"):
        load_detail(Config(), bars)
    with pytest.raises(DataError, match=r"sim\.detail\.path=.*fine\.parquet does not exist"):
        load_detail(Config(sim=Sim(detail=Finer(str(path)))), bars)
    for spacing, text in ((30, "30m"), (60, "1h"), (20, "20m")):
        with pytest.raises(DataError, match=f"whose spacing divides the bars' 30m, got bars {text} apart"):
            load_detail(stored(path, resample(finer, spacing * MINUTE)), bars)
    with pytest.raises(DataError, match=r"sim\.detail\.path=.* has no row within the bars"):
        load_detail(stored(path, minutes(50, "2030-01-01T00:00:00")), bars)
    with pytest.raises(DataError, match="needs two bars or more"):
        load_detail(stored(path, finer), rows(bars, slice(0, 1)))
    finer.high[7] = 0.1
    with pytest.raises(DataError, match="highs below lows"):
        load_detail(stored(path, finer), bars)
