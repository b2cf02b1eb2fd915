"""Signals from a user's function of arrays: the ledger of the same rules, called once per distinct parameters, errors in one sentence."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

import gpubt
from gpubt.backends.cpu import CpuBackend
from gpubt.compose import configuration
from gpubt.data.load import load, select
from gpubt.errors import ConfigError
from gpubt.indicators.cache import IndicatorCache
from gpubt.pipeline import run_backtest
from gpubt.rules import close, ema
from gpubt.strategy.vector import vectors_of
from gpubt.sweep.definition import define

DATA = ["data=synthetic", "data.synthetic.bars=3000", "backend=cpu", "progress=false"]
HERE = f"strategy._target_={__name__}:"
calls: list[dict[str, Any]] = []


@gpubt.params(fast=gpubt.Param(20, int, low=2), slow=gpubt.Param(50, int, low=2))
def crossing(bars: Any, indicators: Any, params: Any, xp: Any) -> dict[str, Any]:
    """ema_cross with arrays"""
    calls.append(dict(params))
    fast, slow = indicators("ema(close, fast)"), indicators(ema(close, params["slow"]))
    with np.errstate(invalid="ignore"):
        above, below = fast > slow, fast < slow
    known = ~xp.isnan(fast) & ~xp.isnan(slow)
    before = lambda flags: xp.concatenate([xp.zeros(1, bool), flags[:-1]])  # noqa: E731
    up, down = above & before(~above & known), below & before(~below & known)
    return {"long_entry": up, "long_exit": down, "short_entry": down, "short_exit": up}


class Method(gpubt.Strategy):
    """Closes above the close of some bars ago, with a stop."""

    lag = gpubt.Param(5, low=1)
    exits: ClassVar[dict[str, Any]] = {"stop": {"pct": 0.02}}
    device = True  # no CuPy on the host: it gets NumPy

    def signals(self, bars: Any, indicators: Any, params: Any, xp: Any) -> dict[str, Any]:
        assert self.lag == params["lag"] and bars.n == len(bars.close) == len(bars.time) and bars.time.dtype == np.int64
        entry = xp.zeros(bars.n, bool)
        entry[self.lag :] = bars.close[self.lag :] > bars.close[: -self.lag]
        return {"long_entry": entry, "long_exit": ~entry, "short_entry": bars.volume < 0.0}


def test_arrays_trade_as_the_rules_do(backend: Any) -> None:
    ran = run_backtest(configuration([*DATA, HERE + "crossing", "strategy.params.fast=9"]), backend=backend)
    wanted = gpubt.run([*DATA, "strategy=ema_cross", "strategy.params.fast=9"])
    assert ran.summary["ledger_digest"] == wanted.summary["ledger_digest"] and ran.summary["n_trades"] > 0
    assert (ran.summary["strategy"], ran.summary["params"]) == ("crossing", {"fast": 9, "slow": 50})
    assert ran.benchmark["cache"]["misses"] == 2
    assert not [text for text in ran.summary["warnings"] if "CuPy" in text]


TEXTS = [
    "~strategy",
    "strategy.long.entry='close > shift(close, 3)'",
    "strategy.long.exit='not close > shift(close, 3)'",
    "strategy.side=long",
    "exits.stop.pct=0.02",
]


def test_a_method_with_exits_and_levels(backend: Any) -> None:
    overrides = [*DATA, HERE + "Method", "strategy.params.lag=3", "exits.target.long='close + lag'", "strategy.side=long"]
    wanted = gpubt.run([*DATA, *TEXTS, "exits.target.long='close + 3'"])
    ran = run_backtest(configuration(overrides), backend=backend)
    assert ran.summary["ledger_digest"] == wanted.summary["ledger_digest"] and ran.summary["n_trades"] > 0


def test_entries_that_contradict_cancel() -> None:
    ran = gpubt.run([*DATA, HERE + "contradictory"])
    assert ran.summary["n_trades"] == 1 and ran.trades["entry_bar"].to_pylist() == [31]


def contradictory(bars: Any, indicators: Any, params: Any, xp: Any) -> dict[str, Any]:
    at = xp.arange(bars.n)
    return {"long_entry": (at == 10) | (at == 20) | (at == 30), "long_exit": at == 10, "short_entry": at == 20}


def test_a_sweep_calls_it_once_per_parameters_and_rows_are_runs() -> None:
    overrides = [*DATA, HERE + "crossing", "strategy.params.fast=5,9,14", "cross=default,strict", "exits.stop.pct=0.01,0.02"]
    calls.clear()
    rows = gpubt.run_sweep(overrides)
    assert [one["fast"] for one in calls] == [5, 9, 14]
    definition = define(overrides)
    for row in rows.to_pylist()[::5]:
        config = definition.variants.config(definition.space().values(row["set"]))
        assert gpubt.run(config).summary["ledger_hash"] == row["ledger_hash"]


def test_several_symbols(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    bars = gpubt.run([*DATA, "data.synthetic.bars=500"])
    assert bars.summary["rows"] == 500
    random = np.random.default_rng(3)
    tables = []
    for symbol in "AB":
        price = 100 * np.exp(np.cumsum(random.normal(0, 0.01, 400)))
        time = np.datetime64("2020-01-01", "ns") + np.arange(400) * np.timedelta64(3600, "s")
        columns = dict.fromkeys(("open", "high", "low", "close"), price)
        tables.append(pa.table({"symbol": [symbol] * 400, "time": time, **columns, "volume": np.ones(400)}))
    pq.write_table(pa.concat_tables(tables), tmp_path / "two.parquet")
    data = ["data=parquet", f"data.path={tmp_path / 'two.parquet'}", "data.symbols=all", "backend=cpu"]
    ran, wanted = gpubt.run([*data, HERE + "crossing"]), gpubt.run([*data, "strategy=ema_cross"])
    assert ran.summary["ledger_digest"] == wanted.summary["ledger_digest"] and ran.summary["n_trades"] > 0


RETURNS = {
    "[]": "signals must return a mapping from long_entry, long_exit, short_entry, short_exit to boolean arrays, got list",
    "{}": "signals must return long_entry or short_entry, got nothing",
    "{'long_exit': bars.close > 1}": "signals must return long_entry or short_entry, got long_exit",
    "{'long_enter': bars.close > 1}": "signals must return signals by name, got 'long_enter'; accepted: .*did you mean long_entry",
    "{'long_entry': bars.close}": r"long_entry as a boolean array of shape \(300,\), got float64 of shape \(300,\)",
    "{'long_entry': (bars.close > 1)[1:]}": r"long_entry as a boolean array of shape \(300,\), got bool of shape \(299,\)",
    "{'long_entry': [True]}": r"long_entry as a boolean array of shape \(300,\), got list of shape None",
    "bars.close.fill(0)": r"signals raised ValueError: .*read-only \(own.py, line 3\)",
    "indicators('ema(close, 5)').fill(0)": r"signals raised ValueError: .*read-only",
    "indicators('emma(close, 5)')": r"\(own.py, line 3\): indicators: unknown function 'emma' at column 1 .did you mean ema",
    "indicators('close > 5')": "indicators: a rule .* where a number is needed",
    "indicators(5)": "an indicator needs a series, found a constant",
    "params['length']": "signals raised KeyError: 'length'",
}


@pytest.mark.parametrize("returned", RETURNS)
def test_what_a_function_may_not_do(returned: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        dedent(f"""
        def own(bars, indicators, params, xp):
            return {returned}
    """)
    )
    target = f"strategy._target_={tmp_path / 'own.py'}:own"
    with pytest.raises(ConfigError, match=RETURNS[returned]):
        gpubt.run(["data=synthetic", "data.synthetic.bars=300", "backend=cpu", target])
    with pytest.raises(ConfigError, match=r"unknown key strategy\.params\.length"):
        configuration([target, "strategy.params.length=5"])


class DeviceArray(np.ndarray):
    """Stands in for CuPy's."""

    __module__ = "cupy._core.core"


def test_on_a_device_it_gets_the_devices_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = ModuleType("cupy")
    vars(cupy).update(
        asarray=lambda a: np.asarray(a).view(DeviceArray), zeros=lambda *a: np.zeros(*a).view(DeviceArray), asnumpy=np.asarray
    )
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    config = configuration([*DATA, HERE + "Method"])
    bars = load(config, select(config), {"volume"}).bars
    columns = {name: column.view(DeviceArray) for name, column in bars.columns().items() if name != "time"}
    cache = IndicatorCache(lambda *_: None, columns, "digest", "device", 0)
    vectors = vectors_of(config)
    assert vectors is not None and vectors.library(cache) is cupy
    assert vectors.warnings(cache)[0].startswith("the signals of Method were computed with CuPy")
    flags = vectors.flags(bars, cache, CpuBackend(1))
    assert list(flags) == ["long_entry", "long_exit", "short_entry"]
    assert flags["long_entry"].tolist() == [False] * 5 + (bars.close[5:] > bars.close[:-5]).tolist()
    assert vectors_of(configuration([HERE + "crossing"])).library(cache) is np  # type: ignore[union-attr]
