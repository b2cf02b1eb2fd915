"""Timeframes: what each row sees is what had ended by then; the same on every backend, in sweeps, and never the future."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpubt
from gpubt import cli
from gpubt.backends.base import Backend
from gpubt.compose import configuration
from gpubt.config import Config, Session
from gpubt.data.bars import Bars
from gpubt.data.frames import frame_of
from gpubt.data.moments import clock_columns
from gpubt.errors import ConfigError
from gpubt.indicators import reference
from gpubt.indicators.cache import IndicatorCache
from gpubt.indicators.definitions import series
from gpubt.indicators.series import SESSION_DAY
from gpubt.pipeline import run_backtest
from gpubt.strategy.grammar import parse_rule

MINUTE = 60_000_000_000
HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE


def bars_of(times: np.ndarray[Any, Any], seed: int = 1) -> Bars:
    rng = np.random.default_rng(seed)
    close = 100.0 + np.cumsum(rng.normal(0.0, 0.1, len(times)))
    first = np.concatenate([close[:1], close[:-1]])
    spread = rng.exponential(0.05, (2, len(times)))
    high, low = np.maximum(first, close) + spread[0], np.minimum(first, close) - spread[1]
    return Bars("WALK", times, first, high, low, close, rng.integers(1, 50, len(times)) * 1.0)


SESSION = {"day": Session(hours="09:30-16:00"), "night": Session(hours="18:00-02:30", days=["mon", "wed", "thu"])}


def session_of(t: int, zone: str, session: Session) -> tuple[Any, int] | None:
    """The day on which the session of a bar that opens at `t` began, and when it ends; None outside."""
    import datetime as dt

    local = dt.datetime.fromtimestamp(t / 1e9, ZoneInfo(zone))
    start, end = (dt.time.fromisoformat(text) for text in session.hours.split("-"))
    day, at = local.date(), local.time()
    if end <= start and at < end:
        day -= dt.timedelta(days=1)
    inside = start <= at < end if start < end else at >= start or at < end
    weekday = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[day.weekday()]
    if not inside or (session.days is not None and weekday not in session.days):
        return None
    last = day + dt.timedelta(days=1 if end <= start else 0)
    return day, int(dt.datetime.combine(last, end, ZoneInfo(zone)).timestamp()) * 10**9


def slowly(bars: Bars, name: str, zone: str, step: int) -> list[tuple[float, ...] | None]:
    """Of each row the open, high, low, close and volume of the last bar of the frame that has ended."""
    import datetime as dt

    def span(t: int) -> tuple[Any, int] | None:
        if name in SESSION:
            return session_of(t, zone, SESSION[name])
        if name != "1d":
            length = {"15m": 15 * MINUTE, "1h": HOUR, "4h": 4 * HOUR}[name]
            return t // length, (t // length + 1) * length
        local = dt.datetime.fromtimestamp(t / 1e9, ZoneInfo(zone)).date()
        after = dt.datetime.combine(local + dt.timedelta(days=1), dt.time(), ZoneInfo(zone))
        return local, int(after.timestamp()) * 10**9

    ended: list[tuple[int, tuple[float, ...]]] = []
    open_: Any = None
    seen: list[tuple[float, ...] | None] = []
    rows = list(zip(bars.time.tolist(), bars.open, bars.high, bars.low, bars.close, bars.volume, strict=True))
    before = rows[0][0] - step
    for t, o, h, low, c, v in rows:
        own = span(max(t, before + step))  # a row that opens before the last one has ended counts from that end on
        before, (key, end) = t, own or (None, 0)
        if own is None:
            pass
        elif open_ is None or open_[0] != key:
            open_ = [key, end, [o, h, low, c, v]]
            ended.append((end, open_[2]))
        else:
            values = open_[2]
            values[1], values[2], values[3], values[4] = max(values[1], h), min(values[2], low), c, values[4] + v
        done = [(end, tuple(values)) for end, values in ended if t + step >= end]
        seen.append(done[-1][1] if done else None)
    return seen


@settings(max_examples=40)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["15m", "1h", "4h", "1d", *SESSION]),
    st.sampled_from(["UTC", "America/New_York", "Asia/Shanghai"]),
)
def test_each_row_sees_what_has_ended(seed: int, name: str, zone: str) -> None:
    rng = np.random.default_rng(seed)
    begin = (
        int(rng.choice([1_583_600_000, 1_604_000_000, 1_700_000_000])) * 10**9 // (5 * MINUTE) * 5 * MINUTE
    )  # two of them before a DST change
    steps = rng.choice([1, 1, 1, 1, 1, 1, 1, 40, 300], 400)
    times = begin + np.cumsum(steps) * 5 * MINUTE
    times += rng.choice([0, 0, 0, 0, 0, 2 * MINUTE], 400)  # some rows are closer than the rest
    bars = bars_of(times, seed)
    assert bars.spacing == 5 * MINUTE
    frame = frame_of(bars, "session" if name in SESSION else name, zone, SESSION.get(name))
    columns = (frame.bars.open, frame.bars.high, frame.bars.low, frame.bars.close, frame.bars.volume)
    for row, want in zip(frame.seen, slowly(bars, name, zone, 5 * MINUTE), strict=True):
        assert (row < 0) == (want is None)
        assert want is None or tuple(float(column[row]) for column in columns) == pytest.approx(want, rel=1e-12)


RULES = {
    "hour": ('crosses_above(close, ema(close, 5, tf="1h"))', 'close < bar(low, tf="1h")'),
    "day": ('close > bar(high, tf="1d") and rsi(close, 3, tf="4h") < 70', 'close < sma((high + low) / 2, 3, tf="1d")'),
    "session": ('close > bar(high, tf="session") and close > session_vwap()', 'close < ema(close, 2, tf="session")'),
    "over": ('sma(ema(close, 3, tf="1h"), 4) > shift(ema(close, 3, tf="1h"), 2)', 'since(close > bar(shift(high, 1), tf="1d")) > 40'),
}


def strategy(folder: Path, name: str) -> list[str]:
    entry, leave = RULES[name]
    path = folder / "strategy" / "frames.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"name: frames\nside: long\nparams: {{}}\nlong:\n  entry: >-\n    {entry}\n  exit: >-\n    {leave}\n")
    session = ["session.hours='09:30-16:00'", "session.exit=false"] if name == "session" else []
    return ["strategy=frames", "data.frac=0.05", "data.timezone=Asia/Shanghai", *session]


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_backend_gives_one_ledger(name: str, backend: Backend, tmp_path: Path) -> None:
    config = configuration(strategy(tmp_path, name), str(tmp_path))
    result = run_backtest(config, backend=backend)
    assert result.summary["n_trades"] > 5
    assert result.summary["ledger_hash"] == run_backtest(config).summary["ledger_hash"]


@pytest.mark.parametrize("name", sorted(RULES))
def test_nothing_sees_the_future(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = strategy(tmp_path, name)
    assert cli.main(["check", "lookahead", *words, "--config-dir", str(tmp_path)]) == 0
    assert "none" in capsys.readouterr().out


def test_a_row_of_a_sweep_is_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = strategy(tmp_path, "hour")
    path = tmp_path / "strategy" / "frames.yaml"
    path.write_text(path.read_text().replace("params: {}", "params: {length: 5}").replace("ema(close, 5,", "ema(close, length,"))
    sweep = ["sweep", *words, "--config-dir", str(tmp_path), "strategy.params.length=3,5,8,13,21", "--out", "swept", "progress=false"]
    assert cli.main(sweep) == 0
    assert cli.main(["replay", "swept", "--row", "3"]) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('close > ema(close, 5, tf="1x")', "tf must be a whole number with s, m, h or d, such as 15m, or session, got '1x' at column 9"),
        ("close > ema(close, 5, tf=hour)", 'tf must be a text such as "1h" or "1d" at column 23'),
        ('close > ema(ema(close, 5, tf="1h"), 3, tf="1d")', 'a timeframe inside tf="1d"; write each on its own'),
        ('rising(close, 3, tf="1h")', r"rising\(\) has no timeframe; give it to the indicators inside at column 18"),
        ("close > bar(high)", r'bar\(\) needs a timeframe, such as bar\(high, tf="1d"\) at column 9'),
        ('close > bar(hour, tf="1d")', 'tf="1d" has open, high, low, close, volume, and not hour'),
    ],
)
def test_mistakes_have_a_caret(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_rule(text, {})


def test_the_session_must_be_there() -> None:
    bars = bars_of(np.arange(1000) * HOUR)
    for text in ('close > bar(high, tf="session")', "close > session_vwap()"):
        with pytest.raises(ConfigError, match=r"a rule asks for the session, and there is none: give session.hours, such as 09:30-16:00"):
            gpubt.run({"strategy": {"name": "x", "long": {"entry": text}}}, bars=bars)


def test_sessions_do_not_differ_within_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word for word in strategy(tmp_path, "session") if not word.startswith("session.hours")]
    hours = "session.hours=choice('09:30-16:00','10:00-16:00')"
    assert cli.main(["sweep", *words, "--config-dir", str(tmp_path), hours, "session.exit=false"]) == 2
    assert "session.hours can't differ between the sets of one sweep whose rules ask for the session" in capsys.readouterr().err


def test_a_session_without_bars_is_no_bar() -> None:
    bars = bars_of(np.arange(40) * HOUR)  # a Thursday and a Friday
    frame = frame_of(bars, "session", "UTC", Session(days=["sat"]))
    assert frame.bars.n == 0 and (frame.seen == -1).all()


def test_the_price_of_a_session_begins_anew() -> None:
    bars = bars_of(np.arange(0, 3000) * 5 * MINUTE)
    config = Config(session=Session(hours="09:30-16:00"))
    numbers = clock_columns(bars.time, {SESSION_DAY}, config)[SESSION_DAY]
    columns = {name: column for name, column in bars.columns().items() if name != "time"} | {SESSION_DAY: numbers}
    got = IndicatorCache(reference.compute, columns, "data", "here", 2**30).get(series("session_vwap", [], []))
    typical = (bars.high + bars.low + bars.close) / 3
    for row in (10, 114, 150, 191, 192, 400, 402, 700):
        begun = [t for t in range(row + 1) if bars.time[t] % DAY == 9.5 * HOUR]
        first = begun[-1] if begun else 0
        rows = slice(first, row + 1)
        want = (typical[rows] * bars.volume[rows]).sum() / bars.volume[rows].sum()
        assert got[row] == pytest.approx(want, rel=1e-12), row


def test_a_timeframe_is_longer_than_the_bars() -> None:
    bars = bars_of(np.arange(100) * HOUR)
    rules = {"name": "x", "long": {"entry": 'close > ema(close, 5, tf="1h")'}}
    with pytest.raises(ConfigError, match='tf="1h" must be longer than the bars, which are 60 minutes apart'):
        gpubt.run({"strategy": rules}, bars=bars)
