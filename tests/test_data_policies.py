"""What becomes of wrong bars: an end, a warning or a gap, by class; nothing is repaired."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpubt.compose import configuration
from gpubt.config import Synthetic, Validation
from gpubt.data.bars import Bars
from gpubt.data.digest import BLOCK, digest
from gpubt.data.faults import CLASSES
from gpubt.data.parquet import ParquetSource
from gpubt.data.synthetic import SyntheticSource
from gpubt.data.validate import survey, validate
from gpubt.errors import ConfigError, DataError

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
N = BLOCK + 3000
BARS = SyntheticSource(Synthetic(bars=N), seed=4).read(0, N, {"volume"})
DROP = Validation(**{name: "drop" for name in CLASSES if name != "gaps"})


def broken(*changes: tuple[str, int, float]) -> Bars:
    columns = {name: column.copy() for name, column in BARS.columns().items()}
    for name, row, value in changes:
        columns[name][row] = value
    return Bars("X", **columns)


def test_every_class_has_a_policy() -> None:
    assert {f.name for f in fields(Validation)} == set(CLASSES)
    assert validate(BARS, 0, N) == (BARS, survey(BARS, 0, N)[0])
    assert validate(BARS, 0, N)[1].findings == ()


@pytest.mark.parametrize("row", [1, 500, BLOCK - 1, BLOCK, N - 2])
@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("nan", "open", np.nan),
        ("nan", "high", np.inf),
        ("non_positive", "low", 0.0),
        ("high_below_low", "high", 1e-3),
        ("outside_range", "open", 1e6),
        ("outliers", "high", 2e4),
        ("outliers", "low", 1e-2),
        ("negative_volume", "volume", -1.0),
        ("duplicates", "time", None),
        ("order", "time", None),
    ],
)
def test_drop_leaves_out_the_bar(name: str, column: str, value: float | None, row: int) -> None:
    if value is None:
        value = int(BARS.time[row - 1]) - (name == "order")
    bars = broken((column, row, value))
    used, report = validate(bars, 100, 100 + N, replace(Validation(), **{name: "drop"}))
    (found,) = [one for one in report.findings if one.name != "gaps"]
    assert (found.name, found.count, found.first_row, found.first_time) == (name, 1, 100 + row, int(bars.time[row]))
    assert (used.n, report.rows, report.dropped) == (N - 1, N - 1, 1)
    np.testing.assert_array_equal(used.time, np.delete(BARS.time, row))
    assert report.digest == digest(used, 100, 100 + N)
    assert any(line.startswith(f"bars were left out: {CLASSES[name]} (1, the first in row {100 + row} at 20") for line in report.warnings())
    assert survey(used, 0, used.n, DROP)[1] is None  # what is left is sound


def test_warn_uses_the_bar_and_error_ends() -> None:
    bars = broken(("high", 700, 2e4), ("volume", 800, -1.0))
    used, report = validate(bars, 0, N)
    assert used is bars
    assert [line.partition(" (")[0] for line in report.warnings()] == ["the bars have outlier prints", "the bars have negative volumes"]
    with pytest.raises(DataError, match=r"have outlier prints \(1, the first in row 700 at .*data\.validation\.outliers=drop"):
        validate(bars, 0, N, Validation(outliers="error"))
    with pytest.raises(DataError, match=r"no bar of X is left: data\.validation drops all"):
        validate(replace(bars, close=np.full(N, np.nan)), 0, N, DROP)


def test_gaps() -> None:
    time = BARS.time.copy()
    time[5000:] += 10**12
    report = validate(replace(BARS, time=time), 0, N)[1]
    assert (report.gaps, report.findings[0].first_row) == (1, 5000)
    assert report.warnings() == [
        "the bars, 1m apart, have gaps beyond the usual spacing (1, the first in row 5000 at 2020-01-04T11:36:40Z)"
    ]
    with pytest.raises(DataError, match="have gaps"):
        validate(replace(BARS, time=time), 0, N, Validation(gaps="error"))
    nights = BARS.time + (np.arange(N) // 100) * 10**13
    report = validate(replace(BARS, time=nights), 0, N)[1]
    assert (report.gaps, report.warnings()) == ((N - 1) // 100, [])


@pytest.mark.parametrize(
    ("override", "accepted"),
    [("outside_range=warn", "error, drop"), ("nan=warn", "error, drop"), ("gaps=drop", "error, warn"), ("order=nope", "error, drop")],
)
def test_what_a_policy_may_be(override: str, accepted: str) -> None:
    with pytest.raises(ConfigError, match=rf"data\.validation\.{override.partition('=')[0]} must be one of {accepted}, got"):
        configuration([f"data.validation.{override}"])
    assert configuration(["data.validation.nan=drop"]).data.validation == Validation(nan="drop")


value = st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0, 1e300, np.nan, np.inf, -np.inf])


@settings(max_examples=500)
@given(st.lists(st.tuples(st.integers(0, 6), value, value, value, value, value), min_size=1, max_size=8))
def test_what_drop_leaves_is_sound(rows: Any) -> None:
    columns = list(zip(*rows, strict=True))
    bars = Bars("x", np.array(columns[0], np.int64), *(np.array(column, float) for column in columns[1:]))
    latest, keep = -1, []
    for row, (time, o, h, low, c, v) in enumerate(rows):  # the classes again, one bar at a time
        fine = all(np.isfinite(price) and price > 0 for price in (o, h, low, c)) and low <= min(o, c) and max(o, c) <= h and not v < 0
        keep += [row] if fine and time > latest else []
        latest = max(latest, time)
    policies = replace(DROP, outliers="warn")
    if not keep:
        with pytest.raises(DataError, match="no bar of x is left"):
            validate(bars, 0, bars.n, policies)
        return
    used, report = validate(bars, 0, bars.n, policies)
    np.testing.assert_array_equal(used.close, bars.close[keep])
    assert report.dropped == len(rows) - len(keep)
    assert not [one for one in survey(used, 0, used.n)[0].errors()]


FILES = {"btcusdt_binance_1m_2017-2025": 1, "nflx_15m_2017-2023": 0, "gbpusd_fxcm_1m_bid_2012-02": 0}


@pytest.mark.skipif(not SHARED.is_dir(), reason="no real bars in ../shared/data")
@pytest.mark.parametrize("name", FILES)
def test_real_moves_are_not_outliers(name: str) -> None:
    """4.35 million minutes with flash crashes: one print that nothing around it comes near."""
    source = ParquetSource(SHARED / f"{name}.parquet")
    report = validate(source.read(0, source.rows_available), 0, source.rows_available)[1]
    assert sum(one.count for one in report.findings if one.name == "outliers") == FILES[name]
