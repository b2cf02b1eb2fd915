"""`gpubt check`: rules as trees, when they can first hold, what a run takes; what sees the future is caught."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Cli, own
from hypothesis import given
from hypothesis import strategies as st
from test_scan import compiled, generated, rules

import gpubt
from gpubt.backends.cpu import CpuBackend
from gpubt.compose import configuration
from gpubt.config import Config, Rules, Strategy
from gpubt.data.bars import Bars
from gpubt.data.load import load, select
from gpubt.lookahead import CUT_OFF, differences, signals_of
from gpubt.report.check import text, tree
from gpubt.strategy.outline import first_bar, outline
from gpubt.strategy.plan import plan

pytest_plugins = ["cli_fixtures"]
DATA = ["data=synthetic", "data.synthetic.bars=3000"]
HERE = f"strategy._target_={__name__}:"


def loaded(config: Config) -> Bars:
    return load(config, select(config), plan(config).columns).bars


def cheats(bars: Any, indicators: Any, params: Any, xp: Any) -> dict[str, Any]:
    """buys before a rise"""
    return {"long_entry": xp.append(bars.close[1:] > bars.close[:-1] * 1.0005, False), "long_exit": bars.close < bars.open}


def looks_at_all(bars: Any, indicators: Any, params: Any, xp: Any) -> dict[str, Any]:
    """buys below the mean of the whole series"""
    low = bars.close < xp.mean(bars.close)
    return {"long_entry": low, "long_exit": ~low}


def honest(bars: Any, indicators: Any, params: Any, xp: Any) -> dict[str, Any]:
    """buys after a fall"""
    fell = xp.diff(bars.close, prepend=bars.close[0]) < 0
    return {"long_entry": fell, "long_exit": ~fell}


def test_the_tree_of_a_rule() -> None:
    rule = compiled(
        ("within(close > 1 and not rising(open, 3), 5) and (shift(low > 2, 1) or close < 3 or high > 4) and close > 0", *[None] * 3)
    )
    assert rule.long_entry is not None
    drawn = [line.rstrip() for line in text(iter([tree("long entry", rule.long_entry)])).splitlines()]
    assert drawn == [
        "long entry",
        "└── and",
        "    ├── on any of the last 5 bars",
        "    │   └── and",
        "    │       ├── close > 1",
        "    │       └── not",
        "    │           └── rising(open, 3)",
        "    ├── or",
        "    │   ├── 1 bar ago",
        "    │   │   └── low > 2",
        "    │   ├── close < 3",
        "    │   └── high > 4",
        "    └── close > 0",
    ]


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        ("close > 1", 0),
        ("True", 0),
        ("rising(close, 3)", 3),
        ("close > sma(close, 20)", 19),
        ("within(rsi(close, 14) < 30, 5) and close > shift(close, 2)", 18),
        ("count(close > sma(close, 20), 5) > 1", 23),
        ("since(shift(close, 2) > sma(close, 20)) > 1", 19),
    ],
)
def test_when_a_rule_can_first_hold(rule: str, first: int) -> None:
    config = Config(strategy=Strategy(name="mine", long=Rules(entry=rule)))
    found = outline(config, plan(config))
    assert found.entry == found.first["long_entry"] == first


@generated
@given(rules, st.integers(0, 2**32))
def test_no_rule_holds_before_its_first_bar(rule: str, seed: int) -> None:
    signals = compiled((rule, None, None, None))
    assert signals.long_entry is not None
    config = Config(strategy=Strategy(name="mine", long=Rules(entry=rule)))
    held = signals_of(config, walk(300, seed)).masks["long_entry"]
    assert not held[: first_bar(signals.long_entry)].any()


def walk(n: int, seed: int) -> Bars:
    rng = np.random.default_rng(seed)
    close = 100 + np.cumsum(rng.integers(-1, 2, n)) * 0.5
    opened = np.append(100.0, close[:-1])
    return Bars("TEST", np.arange(n) * 60 * 10**9, opened, np.maximum(opened, close) + 1, np.minimum(opened, close) - 1, close)


def test_signals_of_are_those_of_a_run() -> None:
    config = configuration([*DATA, "strategy=trend_pullback", "data.frac=0.5", "data.portion=2"])
    found = signals_of(config, loaded(config))
    result = gpubt.run([*DATA, "strategy=trend_pullback", "data.frac=0.5", "data.portion=2"])
    entered = result.trades["entry_bar"].to_pylist()
    assert entered
    either = found.masks["long_entry"] | found.masks["short_entry"]
    assert all(either[bar - 1] for bar in entered)
    assert list(found.levels) == ["atr"]


@pytest.mark.parametrize("strategy", ["trend_pullback", "turtle", "volatility_breakout", "inside_bar"])
def test_shipped_strategies_see_no_future(strategy: str) -> None:
    config = configuration([*DATA, f"strategy={strategy}"])
    tried, found = differences(config, loaded(config))
    assert len(tried) > 4
    assert found == []


@pytest.mark.parametrize(
    "rule", ["since(rsi(close, 5) < 40) == 3", "count(rising(close), 9) > 4 and hour < 20", "crosses_above(close, open, latched)"]
)
def test_numbers_of_rules_see_no_future(rule: str) -> None:
    config = Config(strategy=Strategy(name="mine", long=Rules(entry=rule)))
    tried, found = differences(config, walk(1500, 4))
    assert len(tried) > 6
    assert found == []


def cheating(monkeypatch: pytest.MonkeyPatch, name: str, ahead: int) -> None:
    """The indicator `name` from now on gives the values of some bars later."""
    honest_one = CpuBackend._indicator

    def indicator(self: CpuBackend, what: str, *given: Any) -> Any:
        values = honest_one(self, what, *given)
        return np.append(values[ahead:], values[-1:].repeat(ahead)) if what == name else values

    monkeypatch.setattr(CpuBackend, "_indicator", indicator)


@pytest.mark.parametrize("ahead", [1, 40])
def test_an_indicator_that_cheats_is_caught(monkeypatch: pytest.MonkeyPatch, ahead: int) -> None:
    config = configuration([*DATA, "strategy=ema_cross"])
    bars = loaded(config)
    assert differences(config, bars)[1] == []
    cheating(monkeypatch, "ema", ahead)
    tried, found = differences(config, bars)
    assert found[0].what.startswith("ema(close,")
    assert found[0].how == CUT_OFF
    assert found[0].bar >= tried[0] - ahead
    assert "long_entry" in [one.what for one in found]
    entry = next(one for one in found if one.what == "long_entry")
    assert entry.cut - ahead <= entry.bar < entry.cut
    cheating(monkeypatch, "atr", ahead)
    only_levels = configuration([*DATA, "strategy=rsi_reversion", "exits.stop.atr=2"])
    assert [one.what for one in differences(only_levels, bars)[1]][-1] == "level atr"


@pytest.mark.parametrize(("name", "caught"), [("cheats", True), ("looks_at_all", True), ("honest", False)])
def test_functions_that_cheat_are_caught(name: str, caught: bool) -> None:
    config = configuration([*DATA, HERE + name])
    assert bool(differences(config, loaded(config))[1]) == caught


def test_the_command(cli: Cli) -> None:
    status, out, err = cli("check", *DATA, "strategy=ema_cross")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "long entry"
    assert "can hold from bar 50 on" in lines
    assert next(line for line in lines if line.startswith("first entry")).startswith("first entry    bar 50 at the earliest, 20")
    assert any("ema(close,20)  from bar 19 on" in line for line in lines)
    assert any(line.startswith("memory         about") and "for 3,000 bars" in line for line in lines)
    assert lines[-1].startswith("look-ahead     none: on 3,000 bars")
    status, out, _ = cli("check", "lookahead", *DATA, "strategy=ema_cross")
    assert (status, len(out.splitlines())) == (0, 1)


def test_the_command_tells_of_a_cheat(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cheating(monkeypatch, "ema", 1)
    status, out, _ = cli("check", "lookahead", *DATA, "strategy=ema_cross")
    lines = out.splitlines()
    assert status == 1
    assert lines[0] == "look-ahead     found: on 3,000 bars from 2020-01-01 00:00, what comes later changes what came before"
    assert lines[1].strip().startswith("ema(close,")
    assert "on cut off" in lines[1]
    status, out, _ = cli("check", *DATA, HERE + "cheats")
    assert status == 1
    assert "long_entry on bar" in out


def test_the_command_refuses(cli: Cli, tmp_path: Path) -> None:
    assert cli("check", "strategy=nothing")[0] == 2
    status, _, err = cli("check", "data.source=parquet", "data.path=x", "data.symbols=all")
    assert (status, "gpubt check takes one symbol: give data.symbol" in err) == (2, True)
    broken = own(tmp_path, "name: mine\nlong: {entry: 'close > emaa(close, 3)'}\n")
    status, _, err = cli("check", "strategy=mine", "--config-dir", str(broken))
    assert (status, "did you mean ema?" in err) == (2, True)
    never = own(tmp_path, "name: mine\nlong: {entry: 'close > sma(close, 5000)'}\n")
    status, out, _ = cli("check", *DATA, "strategy=mine", "--config-dir", str(never))
    assert (status, "bar 4,999 at the earliest, and there are 3,000" in out) == (0, True)
    status, out, _ = cli("check", *DATA[:1], "data.synthetic.bars=20", "strategy=ema_cross")
    assert (status, "not tested: 20 bars" in out) == (0, True)
