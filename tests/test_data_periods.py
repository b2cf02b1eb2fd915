"""Days begin when the zone's clock says so, also where it changes; and a year has the periods that the market has."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpubt.data.periods import period_ends, periods_per_year, returns_frequency
from gpubt.errors import ConfigError

MINUTE = 60 * 10**9
DAY = 1440 * MINUTE
ZONES = ["UTC", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "Africa/Casablanca"]
MINUTES = st.integers(-5_000_000, 47_000_000)  # 1960 to 2059


def nanoseconds(year: int, month: int = 1, day: int = 1) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 10**9


def ends_by_the_clock(time: NDArray[np.int64], timezone: str) -> list[int]:
    """A row ends a day if the next one's date is later than any before (a day does not begin twice)."""
    days = [datetime.fromtimestamp(t / 1e9, ZoneInfo(timezone)).toordinal() for t in time.tolist()]
    latest = np.maximum.accumulate(days)
    return [*np.flatnonzero(latest[1:] > latest[:-1]).tolist(), len(time) - 1]


@pytest.mark.parametrize("timezone", ZONES)
def test_days_by_the_clock(timezone: str) -> None:
    time = np.arange(nanoseconds(2010, 12, 20), nanoseconds(2012, 1, 10), 30 * MINUTE, dtype=np.int64)
    assert period_ends(time, "daily", timezone).tolist() == ends_by_the_clock(time, timezone)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES), st.lists(MINUTES, min_size=1, max_size=50, unique=True))
def test_days_of_sparse_bars(timezone: str, minutes: list[int]) -> None:
    time = np.array(sorted(minutes), np.int64) * MINUTE
    ends = period_ends(time, "daily", timezone)
    assert ends.dtype == np.int64
    assert ends.tolist() == ends_by_the_clock(time, timezone)


def test_day_lengths_across_daylight_saving() -> None:
    time = np.arange(nanoseconds(2021, 3, 12), nanoseconds(2021, 3, 18), 60 * MINUTE, dtype=np.int64)
    lengths = np.diff(period_ends(time, "daily", "America/New_York"))
    assert lengths.tolist() == [24, 24, 23, 24, 24, 20]


def test_bar_periods_and_few_bars() -> None:
    time = np.arange(5, dtype=np.int64) * MINUTE
    assert period_ends(time, "bar", "UTC").tolist() == [0, 1, 2, 3, 4]
    assert period_ends(time, "daily", "UTC").tolist() == [4]
    assert period_ends(time[:1], "daily", "Asia/Shanghai").tolist() == [0]
    assert np.isnan(periods_per_year(time, np.array([4]))[0])
    with pytest.raises(ConfigError, match=r"data\.timezone must be a name .* got 'Mars/Olympus'"):
        period_ends(time, "daily", "Mars/Olympus")


def test_returns_frequency() -> None:
    assert returns_frequency(np.arange(50, dtype=np.int64) * MINUTE) == "daily"
    assert returns_frequency(np.arange(50, dtype=np.int64) * DAY) == "bar"
    assert returns_frequency(np.arange(50, dtype=np.int64) * DAY, "daily") == "daily"


def yearly(time: NDArray[np.int64]) -> tuple[float, bool]:
    return periods_per_year(time, period_ends(time, returns_frequency(time), "UTC"))


def test_periods_per_year() -> None:
    always = np.arange(nanoseconds(2020), nanoseconds(2023), 60 * MINUTE, dtype=np.int64)
    assert yearly(always) == (365.0, True)
    assert yearly(always[4 : 24 * 10]) == (365.0, True)  # ten days, the first cut
    weekdays = np.array([t for t in range(nanoseconds(2018), nanoseconds(2023), DAY) if (t // DAY + 3) % 7 < 5], np.int64)
    assert yearly(weekdays) == (260.0, True)
    assert yearly(np.delete(weekdays, np.s_[::30])) == (252.0, True)  # with holidays
    weekly, snapped = yearly(weekdays[::5])
    assert weekly == pytest.approx(365.25 / 7)
    assert not snapped
    by_bar, snapped = periods_per_year(always, period_ends(always, "bar", "UTC"))
    assert by_bar == pytest.approx(8766)
    assert not snapped
