"""What is wrong with bars is named, nothing is repaired; and the digest knows every value."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpubt.config import Data, Synthetic
from gpubt.data.bars import Bars, spacing
from gpubt.data.digest import BLOCK
from gpubt.data.parquet import ParquetSource
from gpubt.data.source import open_source
from gpubt.data.synthetic import SyntheticSource
from gpubt.data.validate import validate
from gpubt.errors import DataError

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
N = BLOCK + 5000
BARS = SyntheticSource(Synthetic(bars=N), seed=9).read(0, N, {"volume"})


def changed(column: str, row: int, value: float) -> Bars:
    copy = BARS.columns()[column].copy()
    copy[row] = value
    return with_column(column, copy)


def with_column(name: str, values: NDArray[Any]) -> Bars:
    columns: dict[str, Any] = BARS.columns() | {name: values}
    return Bars(BARS.symbol, **columns)


@pytest.mark.parametrize("row", [0, 1, 4321, BLOCK - 1, BLOCK, N - 1])
@pytest.mark.parametrize(
    ("column", "value", "name"),
    [
        ("open", np.nan, "NaN or infinite prices"),
        ("high", np.inf, "NaN or infinite prices"),
        ("low", -np.inf, "NaN or infinite prices"),
        ("low", 0.0, "prices that are not positive"),
        ("close", -1.0, "prices that are not positive"),
        ("high", 1e-3, "highs below lows"),
        ("open", 1e6, r"opens or closes outside \[low, high\]"),
        ("close", 1e-3, r"opens or closes outside \[low, high\]"),
    ],
)
def test_price_faults(column: str, value: float, name: str, row: int) -> None:
    with pytest.raises(DataError, match=rf"SYNTHETIC have {name} \(1, the first in row {100 + row} at 20\d\d-.*Z\);"):
        validate(changed(column, row, value), 100, 100 + N)


@pytest.mark.parametrize("row", [1, 777, BLOCK - 1, BLOCK, N - 1])
def test_time_faults(row: int) -> None:
    before = int(BARS.time[row - 1])
    with pytest.raises(DataError, match=rf"duplicate timestamps \(1, the first in row {row} at"):
        validate(changed("time", row, before), 0, N)
    with pytest.raises(DataError, match=rf"timestamps out of order \(1, the first in row {row} at"):
        validate(changed("time", row, before - 1), 0, N)


def test_classes_are_counted_apart() -> None:
    high, close = BARS.high.copy(), BARS.close.copy()
    high[[5, 6, N - 2]] = 1e-3
    close[100] = np.nan
    with pytest.raises(DataError, match=r"have highs below lows \(3, the first in row 5 at .*\), also NaN or infinite prices \(1\);"):
        validate(replace(BARS, high=high, close=close), 0, N)


def test_volume_may_be_missing() -> None:
    assert validate(changed("volume", 3, np.nan), 0, N)[1].rows == N


@settings(max_examples=60, deadline=None)
@given(column=st.sampled_from(["open", "high", "low", "close", "volume"]), row=st.integers(0, N - 1), bit=st.integers(0, 51))
def test_digest_knows_every_bit(column: str, row: int, bit: int) -> None:
    copy = BARS.columns()[column].copy()
    copy.view(np.uint64)[row] ^= np.uint64(1 << bit)
    with suppress(DataError):  # a bit that breaks the bar
        assert validate(with_column(column, copy), 0, N)[1].digest != REPORT.digest


REPORT = validate(BARS, 0, N)[1]


def test_digest_is_of_values_range_and_columns() -> None:
    again = SyntheticSource(Synthetic(bars=N), seed=9).read(0, N, {"volume"})
    assert validate(again, 0, N)[1] == REPORT
    digests = {
        REPORT.digest,
        validate(BARS, 1, N + 1)[1].digest,
        validate(replace(BARS, volume=None), 0, N)[1].digest,
        validate(changed("time", N - 1, float(BARS.time[-1]) + 1e9), 0, N)[1].digest,
        validate(Bars("x", *(column[:-1] for column in BARS.columns().values())), 0, N - 1)[1].digest,
    }
    assert len(digests) == 5
    assert validate(replace(BARS, symbol="other"), 0, N)[1] == REPORT  # what the rows are called is no part of them


def test_digest_is_fixed() -> None:
    """The definition may not drift: records of different versions are compared by it."""
    time = np.arange(3, dtype=np.int64)
    price = np.array([1.0, 2.0, 3.0])
    assert validate(Bars("x", time, price, price, price, price), 0, 3)[1].digest[:16] == "7529c647d030c6c8"


def test_gaps_and_spacing() -> None:
    assert REPORT.gaps == 0
    time = BARS.time.copy()
    time[500:] += 1
    time[BLOCK:] += 1
    assert validate(replace(BARS, time=time), 0, N)[1].gaps == 2
    assert spacing(np.array([5], np.int64)) == 0
    assert spacing(np.array([0, 10, 15, 20, 30], np.int64)) == 5
    assert spacing(np.arange(0, 10**6, 5, dtype=np.int64)) == 5


def test_from_arrow() -> None:
    columns = BARS.columns()
    rows = pa.table({"Time": pa.array(columns.pop("time")), **columns})
    bars = Bars.from_arrow(pa.concat_tables([rows.slice(0, 10), rows.slice(10)]), "SYNTHETIC")
    assert (bars.symbol, len(bars), bars.n) == ("SYNTHETIC", N, N)
    assert validate(bars, 0, N)[1] == REPORT
    stream = pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches())
    assert validate(Bars.from_arrow(stream), 0, N)[1] == REPORT
    assert Bars.from_arrow(rows.drop_columns(["volume"])).volume is None
    with pytest.raises(DataError, match="the table has no column low"):
        Bars.from_arrow(rows.drop_columns(["low"]))


def test_sample_is_sound() -> None:
    source = open_source(Data(), seed=0)
    report = validate(source.read(0, source.rows_available), 0, source.rows_available)[1]
    assert report.rows == 150_434
    assert report.gaps > 3000  # lunch breaks and nights


FILES = {"btcusdt_binance_1m_2017-2025": 35, "nflx_15m_2017-2023": 1662, "gbpusd_fxcm_1m_ask_2012-02": 111}


@pytest.mark.skipif(not SHARED.is_dir(), reason="no real bars in ../shared/data")
@pytest.mark.parametrize("name", FILES)
def test_real_files_are_sound(name: str) -> None:
    source = ParquetSource(SHARED / f"{name}.parquet")
    assert validate(source.read(0, source.rows_available), 0, source.rows_available)[1].gaps == FILES[name]


def test_only_bars_that_nobody_can_change_are_looked_at_once() -> None:
    table = pa.table({("timestamp" if name == "time" else name): column[:100] for name, column in BARS.columns().items()})
    kept = Bars.from_arrow(table)
    part = open_source(Data(), 0, kept).read(10, 90)
    assert kept.read_only and part.read_only and validate(part, 10, 90) is validate(open_source(Data(), 0, kept).read(10, 90), 10, 90)
    own = Bars("OWN", **{name: column.copy() for name, column in kept.columns().items()})  # type: ignore[arg-type]
    before = validate(own, 0, 100)[1]
    own.high[7] += 1.0
    assert validate(own, 0, 100)[1].digest != before.digest == validate(kept, 0, 100)[1].digest
