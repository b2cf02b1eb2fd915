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
from gpubt.data.bars import Bars
from gpubt.data.frames import frame_of
from gpubt.errors import ConfigError
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


def slowly(bars: Bars, name: str, zone: str, step: int) -> list[tuple[float, ...] | None]:
    """Of each row the open, high, low, close and volume of the last bar of the frame that has ended."""
    import datetime as dt

    def span(t: int) -> tuple[Any, int]:
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
    for t, o, h, low, c, v in rows:
        key, end = span(t)
        if open_ is None or open_[0] != key:
            open_ = [key, end, [o, h, low, c, v]]
            ended.append((end, open_[2]))
        else:
            own = open_[2]
            own[1], own[2], own[3], own[4] = max(own[1], h), min(own[2], low), c, own[4] + v
        done = [(end, tuple(values)) for end, values in ended if t + step >= end]
        seen.append(done[-1][1] if done else None)
    return seen


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from(["15m", "1h", "4h", "1d"]), st.sampled_from(["UTC", "America/New_York", "Asia/Shanghai"]))
def test_each_row_sees_what_has_ended(seed: int, name: str, zone: str) -> None:
    rng = np.random.default_rng(seed)
    begin = (
        int(rng.choice([1_583_600_000, 1_604_000_000, 1_700_000_000])) * 10**9 // (5 * MINUTE) * 5 * MINUTE
    )  # two of them before a DST change
    steps = rng.choice([1, 1, 1, 1, 1, 1, 1, 40, 300], 400)
    bars = bars_of(begin + np.cumsum(steps) * 5 * MINUTE, seed)
    frame = frame_of(bars, name, zone)
    columns = (frame.bars.open, frame.bars.high, frame.bars.low, frame.bars.close, frame.bars.volume)
    for row, want in zip(frame.seen, slowly(bars, name, zone, 5 * MINUTE), strict=True):
        assert (row < 0) == (want is None)
        assert want is None or tuple(float(column[row]) for column in columns) == pytest.approx(want, rel=1e-12)


RULES = {
    "hour": ('crosses_above(close, ema(close, 5, tf="1h"))', 'close < bar(low, tf="1h")'),
    "day": ('close > bar(high, tf="1d") and rsi(close, 3, tf="4h") < 70', 'close < sma((high + low) / 2, 3, tf="1d")'),
    "over": ('sma(ema(close, 3, tf="1h"), 4) > shift(ema(close, 3, tf="1h"), 2)', 'since(close > bar(shift(high, 1), tf="1d")) > 40'),
}


def strategy(folder: Path, name: str) -> list[str]:
    entry, leave = RULES[name]
    path = folder / "strategy" / "frames.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"name: frames\nside: long\nparams: {{}}\nlong:\n  entry: >-\n    {entry}\n  exit: >-\n    {leave}\n")
    return ["strategy=frames", "data.frac=0.05", "data.timezone=Asia/Shanghai"]


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
        ('close > ema(close, 5, tf="1x")', "tf must be a whole number with s, m, h or d, such as 5m, got '1x' at column 9"),
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


def test_a_timeframe_is_longer_than_the_bars() -> None:
    bars = bars_of(np.arange(100) * HOUR)
    rules = {"name": "x", "long": {"entry": 'close > ema(close, 5, tf="1h")'}}
    with pytest.raises(ConfigError, match='tf="1h" must be longer than the bars, which are 60 minutes apart'):
        gpubt.run({"strategy": rules}, bars=bars)
