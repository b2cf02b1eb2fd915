"""Sessions and blackouts: weekdays, hours over midnight, clocks that change, calendar files, and mistakes in them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpubt.config import Blackout, Session
from gpubt.data.calendar import blackouts, session_ends
from gpubt.errors import ConfigError, DataError, InputError

HOUR = 3600 * 10**9


def hours(start: str, count: int) -> np.ndarray:
    """Times of `count` hourly bars, the first at `start` (UTC), in ns."""
    return (np.datetime64(start, "ns").astype(np.int64) + HOUR * np.arange(count)).astype(np.int64)


def named(times: np.ndarray, flags: np.ndarray | None) -> list[str]:
    """The times that are flagged, such as `Mon 09`."""
    assert flags is not None and flags.dtype == bool and flags.shape == times.shape
    epoch = datetime(1970, 1, 1)
    return [(epoch + timedelta(microseconds=int(time) // 1000)).strftime("%a %H") for time in times[flags]]


def ends(times: np.ndarray, zone: str = "UTC", spacing: int = HOUR, **session: Any) -> list[str]:
    return named(times, session_ends(times, spacing, Session(exit=True, **session), zone))


def dark(times: np.ndarray, zone: str = "UTC", session: Session | None = None, **blackout: Any) -> list[str]:
    return named(times, blackouts(times, session or Session(), Blackout(**blackout), zone))


MONDAY = "2024-07-01T00:00"


def test_without_a_session_or_a_blackout_there_is_nothing() -> None:
    times = hours(MONDAY, 5)
    assert session_ends(times, HOUR, Session("09:00-17:00"), "UTC") is None  # positions outlive it
    assert blackouts(times, Session(exit=True), Blackout(), "UTC") is None
    assert session_ends(times[:0], HOUR, Session("09:00-17:00", exit=True), "UTC") is not None


def test_a_session_ends_with_the_last_bar_that_opens_in_it() -> None:
    assert ends(hours(MONDAY, 48), hours="09:00-17:00") == ["Mon 16", "Tue 16"]
    assert ends(hours(MONDAY, 48), hours="09:00-17:30") == ["Mon 17", "Tue 17"]
    # bars are missing: the last one that is there
    times = hours(MONDAY, 48)
    assert ends(np.delete(times, [14, 15, 16]), hours="09:00-17:00") == ["Mon 13", "Tue 16"]


def test_whole_days_are_sessions_where_no_hours_are_given() -> None:
    assert ends(hours(MONDAY, 48)) == ["Mon 23", "Tue 23"]
    assert ends(hours("2024-07-01T10:00", 24), zone="Asia/Tokyo") == ["Mon 14"]  # nine hours ahead: their midnight


def test_the_last_bar_of_all_ends_a_session_only_if_it_reaches_its_end() -> None:
    assert ends(hours(MONDAY, 17), hours="09:00-17:00") == ["Mon 16"]
    assert ends(hours(MONDAY, 16), hours="09:00-17:00") == []
    assert ends(hours(MONDAY, 17), hours="09:00-17:30") == []
    assert ends(hours(MONDAY, 24)) == ["Mon 23"]
    assert ends(hours("2024-07-01T20:00", 8), hours="22:00-04:00") == ["Tue 03"]
    assert ends(hours("2024-07-01T20:00", 7), hours="22:00-04:00") == []


def test_weekdays_are_those_on_which_a_session_began() -> None:
    """From Friday 20:00 on, hourly, into Sunday; the night session of Friday ends on Saturday morning."""
    times = hours("2024-07-05T20:00", 40)
    assert ends(times, hours="22:00-04:00", days=["fri"]) == ["Sat 03"]
    assert ends(times, hours="22:00-04:00", days="sat") == ["Sun 03"]
    assert dark(times, session=Session("22:00-04:00", ["fri"]))[:3] == ["Fri 20", "Fri 21", "Sat 04"]


def test_bars_outside_of_every_session_are_blackout_with_or_without_exit() -> None:
    for exit_ in (False, True):
        found = dark(hours(MONDAY, 24), session=Session("09:00-17:00", exit=exit_))
        assert found == [f"Mon {hour:02}" for hour in (*range(9), *range(17, 24))]


def test_blackout_hours_and_days_must_both_hold() -> None:
    week = hours(MONDAY, 7 * 24)
    assert dark(week, hours="14:00-16:00", days=["mon", "wed"]) == ["Mon 14", "Mon 15", "Wed 14", "Wed 15"]
    assert dark(week, hours=["01:00-02:00", "23:00-24:00"], days="fri") == ["Fri 01", "Fri 23"]
    assert len(dark(week, days=["sat", "sun"])) == 48
    # of a window over midnight each part counts on its own day
    assert dark(week, hours="23:00-01:00", days=["tue"]) == ["Tue 00", "Tue 23"]


def test_a_clock_that_is_put_forward() -> None:
    """New York, Sunday 10 March 2024, 02:00: half past nine is 14:30 UTC before and 13:30 UTC after."""
    times = hours("2024-03-08T00:00", 4 * 24)
    session = {"hours": "09:00-16:00", "time_zone": "America/New_York"}
    assert ends(times, **session) == ["Fri 20", "Sat 20", "Sun 19", "Mon 19"]
    assert dark(times, hours="09:00-10:00", time_zone="America/New_York") == ["Fri 14", "Sat 14", "Sun 13", "Mon 13"]
    # the hour that does not exist there holds no bar; the night session is an hour short
    assert dark(times, hours="02:00-03:00", time_zone="America/New_York") == ["Fri 07", "Sat 07", "Mon 06"]
    assert ends(times, hours="22:00-04:00", time_zone="America/New_York")[:3] == ["Fri 08", "Sat 08", "Sun 07"]


def test_a_clock_that_is_put_back() -> None:
    """Berlin, Sunday 27 October 2024, 03:00: the hour from two to three is there twice."""
    times = hours("2024-10-26T00:00", 3 * 24)
    zone = "Europe/Berlin"
    assert ends(times, hours="09:00-17:00", time_zone=zone) == ["Sat 14", "Sun 15", "Mon 15"]
    assert dark(times, hours="02:00-03:00", time_zone=zone) == ["Sat 00", "Sun 00", "Sun 01", "Mon 01"]
    assert ends(times, zone=zone) == ["Sat 21", "Sun 22", "Mon 22"]  # the zone of data.timezone, whole days


def spans(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_a_calendar_of_times_and_days(tmp_path: Path) -> None:
    times = hours(MONDAY, 72)
    text = "event,start,end\nrates,2024-07-01 13:30,2024-07-01T15:00\nclosed,2024-07-03T21:00+02:00,2024-07-03T20:30:00Z\n"
    # a bar counts by its open: 14:00 is within the first span, 13:00 is not
    assert dark(times, calendar=spans(tmp_path / "c.csv", text)) == ["Mon 14", "Wed 19", "Wed 20"]
    days = spans(tmp_path / "d.csv", "start,end\n2024-07-02,2024-07-02\n")
    assert dark(times, calendar=days) == [f"Tue {hour:02}" for hour in range(24)]
    # of a date all of the local day
    tokyo = dark(times, calendar=days, time_zone="Asia/Tokyo")
    assert (tokyo[0], tokyo[-1], len(tokyo)) == ("Mon 15", "Tue 14", 24)
    # hours and a calendar: either
    assert dark(times, calendar=days, hours="05:00-06:00")[:2] == ["Mon 05", "Tue 00"]


def test_a_calendar_as_parquet(tmp_path: Path) -> None:
    at = [datetime(2024, 7, 1, 3)], [datetime(2024, 7, 1, 5)]
    for kind in (pa.timestamp("us"), pa.timestamp("ms", "UTC")):
        pq.write_table(pa.table({"start": pa.array(at[0], kind), "end": pa.array(at[1], kind)}), tmp_path / "c.parquet")
        assert dark(hours(MONDAY, 24), calendar=str(tmp_path / "c.parquet")) == ["Mon 03", "Mon 04"]
    pq.write_table(pa.table({"start": pa.array([at[0][0].date()]), "end": pa.array([at[0][0].date()])}), tmp_path / "c.parquet")
    assert len(dark(hours(MONDAY, 48), calendar=str(tmp_path / "c.parquet"))) == 24


def test_overlapping_spans_and_none(tmp_path: Path) -> None:
    text = "start,end\n2024-07-01T02:00,2024-07-01T05:00\n2024-07-01T03:00,2024-07-01T04:00\n2031-01-01,2031-01-02\n"
    assert dark(hours(MONDAY, 24), calendar=spans(tmp_path / "c.csv", text)) == ["Mon 02", "Mon 03", "Mon 04"]
    assert dark(hours(MONDAY, 24), calendar=spans(tmp_path / "e.csv", "start,end\n")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("begin,end\n2024-01-01,2024-01-02\n", "needs columns start and end, got begin, end"),
        ("start,end\n2024-01-01,2024-01-02\nsoon,2024-01-02\n", "start and end must be ISO dates or times, got 'soon' in row 1"),
        ("start,end\n,2024-01-02\n", "start and end must be ISO dates or times, got '' in row 0"),
        ("start,end\n2024-01-02,2024-01-01\n", "end must be after start, got 2024-01-02 and 2024-01-01 in row 0"),
        ("start,end\n2024-01-02T10:00,2024-01-02T10:00\n", "end must be after start"),
        ("", "can't be read: Empty CSV file"),
    ],
)
def test_a_bad_calendar_file_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=f"^blackout.calendar.*{message}"):
        dark(hours(MONDAY, 24), calendar=spans(tmp_path / "c.csv", text))


def test_a_calendar_that_is_no_file(tmp_path: Path) -> None:
    names = {str(tmp_path): "which is a folder", str(tmp_path / "no.csv"): "which is not there", "": "got '', which is not there"}
    for name, message in names.items():
        with pytest.raises(DataError, match=f"blackout.calendar must be a CSV or Parquet file with columns start and end.*{message}"):
            dark(hours(MONDAY, 24), calendar=name)
    (tmp_path / "c.parquet").write_text("no")
    with pytest.raises(DataError, match=r"c\.parquet' can't be read: "):
        dark(hours(MONDAY, 24), calendar=str(tmp_path / "c.parquet"))
    pq.write_table(pa.table({"start": [1], "end": [2]}), tmp_path / "n.parquet")
    with pytest.raises(DataError, match="must be ISO dates or times, got 1 in row 0"):
        dark(hours(MONDAY, 24), calendar=str(tmp_path / "n.parquet"))


@pytest.mark.parametrize(
    ("session", "blackout", "message"),
    [
        ({"hours": "9:30-16:00"}, {}, "session.hours must be two different times of a day such as 09:30-16:00.* got '9:30-16:00'"),
        ({"hours": "09:00-09:00"}, {}, "session.hours must be two different times"),
        ({"hours": "24:00-09:00"}, {}, "session.hours must be two different times"),
        ({"hours": ""}, {}, "session.hours must be two different times.* got ''"),
        ({"days": ["mon", "tu"]}, {}, r"session.days must be of mon, tue, wed, thu, fri, sat, sun, got 'tu' \(did you mean tue\?\)"),
        ({"days": []}, {}, r"session.days must be a list of mon, .* got \[\]"),
        ({"time_zone": "Mars"}, {}, "session.time_zone must be a name that this system knows, .* got 'Mars'"),
        ({}, {"hours": 22}, "blackout.hours must be such as 22:00-23:00, or a list of them, got 22"),
        ({}, {"hours": ["22:00-23:60"]}, "blackout.hours must be two different times of a day .* got '22:00-23:60'"),
        ({}, {"days": 5}, "blackout.days must be a list of mon, .* got 5"),
        ({}, {"time_zone": "Mars"}, "blackout.time_zone must be a name that this system knows, .* got 'Mars'"),
    ],
)
def test_mistakes(session: dict[str, Any], blackout: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        dark(hours(MONDAY, 24), session=Session(**session), **blackout)
    assert caught.type is ConfigError
