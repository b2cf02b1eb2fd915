"""The clock in rules: columns against Python's own calendar, zones, sessions, whole runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpubt
from gpubt.config import Config, Session
from gpubt.data.bars import Bars
from gpubt.data.moments import clock_columns
from gpubt.errors import ConfigError
from gpubt.indicators.series import CLOCK, SESSION


def plain(time: int, zone: str) -> tuple[float, ...]:
    """By Python's calendar: hour, minute, weekday, day, month."""
    at = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time // 1000)).astimezone(ZoneInfo(zone))
    return at.hour, at.minute, at.weekday(), at.day, at.month


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(-(10**18), 4 * 10**18), min_size=1, max_size=20, unique=True),
    st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"]),
)
def test_as_pythons_calendar(times: list[int], zone: str) -> None:
    config = Config()
    config.data.timezone = zone
    around = np.array(sorted(times), np.int64)
    around = around[np.abs(around - around[0]) < 10**17]  # three years: zones are looked up day by day
    found = clock_columns(around, CLOCK, config)
    assert tuple(found) == CLOCK
    for i, time in enumerate(around.tolist()):
        assert tuple(found[name][i] for name in CLOCK) == plain(time, zone)


def test_only_what_is_asked_for() -> None:
    times = np.arange(0, 5 * 3600, 3600) * 10**9
    config = Config(session=Session(hours="01:00-03:00"))
    assert list(clock_columns(times, {"volume"}, config)) == []
    found = clock_columns(times, {"hour", SESSION}, config)
    assert found["hour"].tolist() == [0, 1, 2, 3, 4]
    assert found[SESSION].tolist() == [0, 1, 1, 0, 0]
    assert all(column.dtype == np.float64 for column in found.values())
    config.session.time_zone = "Asia/Shanghai"
    config.session.hours = "08:00-10:00"
    assert clock_columns(times, {SESSION}, config)[SESSION].tolist() == [1, 1, 0, 0, 0]


def bars(n: int = 300) -> Bars:
    rng = np.random.default_rng(5)
    close = 100 + np.cumsum(rng.normal(size=n))
    opened = np.append(100.0, close[:-1])
    time = np.datetime64("2024-03-04T00:00", "ns") + np.arange(n) * np.timedelta64(30, "m")
    high, low = np.maximum(opened, close) + 0.5, np.minimum(opened, close) - 0.5
    return Bars.from_arrow(pa.table({"time": time, "open": opened, "high": high, "low": low, "close": close}))


def entries(entry: str, end: str, **groups: dict[str, str]) -> list[datetime]:
    """Times of the signals' bars."""
    strategy = {"name": "mine", "long": {"entry": entry, "exit": end}}
    table = gpubt.run({"strategy": strategy, **groups}, bars=bars()).trades
    return [time - timedelta(minutes=30) for time in table["entry_time"].to_pylist()]


def test_runs_read_the_clock() -> None:
    found = entries("hour == 9 and minute == 30 and weekday < 5", "hour == 12")
    assert {(time.hour, time.minute) for time in found} == {(9, 30)}
    assert [time.day for time in found] == [4, 5, 6, 7, 8]
    local = entries("hour == 9 and minute == 30 and day < 6", "hour == 12", data={"timezone": "Asia/Shanghai"})
    assert [(time.day, time.hour) for time in local] == [(4, 1), (5, 1)]


def test_runs_ask_for_the_session() -> None:
    found = entries("session and not shift(session, 1)", "not session", session={"hours": "10:00-12:00"})
    assert [time.hour for time in found] == [10] * 6
    with pytest.raises(ConfigError, match=r"a rule asks for the session, and there is none: give session.hours"):
        entries("session", "not session")


def test_sweeps_read_the_clock(tmp_path: Path) -> None:
    (tmp_path / "strategy").mkdir()
    text = "name: mine\nparams: {at: 7}\nlong: {entry: hour == at and session, exit: hour == 20}\n"
    (tmp_path / "strategy" / "mine.yaml").write_text(text)
    fixed = ["strategy=mine", "session.hours=06:00-21:00"]
    table = gpubt.run_sweep([*fixed, "strategy.params.at=range(5,12)"], bars=bars(), config_dir=tmp_path)
    assert table["n_trades"].to_pylist() == [0, *[6] * 6]
    with pytest.raises(ConfigError, match=r"session.hours can't differ between the sets of one sweep whose rules ask for the session"):
        gpubt.run_sweep(["strategy=mine", "session.hours='06:00-21:00','07:00-21:00'"], bars=bars(), config_dir=tmp_path)
