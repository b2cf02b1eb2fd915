"""A row of a sweep is a run: the same hash and figures to the bit, whatever is swept, and on every backend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from host_runtime import HostRuntime, compiler

import gpubt
from gpubt.backends.base import Backend
from gpubt.backends.cpu import CpuBackend
from gpubt.backends.cuda import CudaBackend
from gpubt.phases import Phases
from gpubt.sweep.definition import define
from gpubt.sweep.run import Sweep

DATA = ("data=synthetic", "data.synthetic.bars=3000", "backend=cpu", "progress=false")
SMA = ("strategy.indicators.fast_ema='sma(close, fast)'", "strategy.indicators.slow_ema='sma(close, slow)'")

SWEEPS: dict[str, Sequence[str]] = {
    "crossovers": ["strategy.params.fast=range(3,9)", "strategy.params.slow=10,20,40", "costs.commission.rate=0.0005"],
    "exits": [
        "strategy.params.fast=5,10",
        "exits.stop.pct=0.002,0.01,null",
        "exits.target.pct=0.004,0.02",
        "exits.trailing.pct=null,0.003",
    ],
    "same bar": ["exits.stop.pct=0.001,0.002", "exits.target.pct=0.001,0.002", "sim.same_bar=stop_first,target_first,ohlc,olhc,adaptive"],
    "atr and r": [
        "exits.stop.atr=1,2",
        "exits.target.r=1,3",
        "exits.atr_length=5,14",
        "exits.max_bars=null,20",
        "entry.at=next_open,close",
    ],
    "money": [
        "sizing.percent_equity=0.5,2",
        "sizing.max_leverage=1,2",
        "costs.commission.rate=0,0.001",
        "costs.spread=0,0.01",
        "capital=1e3,1e5",
    ],
    "risk": ["exits.stop.pct=0.005,0.02", "sizing.risk_percent=0.01,0.05", "sizing.lot=null,1", "costs.borrow.annual=0,0.1"],
    "calendars": [
        "session.hours='09:00-17:00'",
        "session.exit=true",
        "blackout.hours='10:00-11:00'",
        "exits.stop.pct=0.01,0.02",
        "strategy.params.fast=5,8",
    ],
    "blackout axis": ["blackout.days=null,[mon],[tue]", "strategy.params.fast=5,8"],
    "ladder": ["exits.target.ladder=[{pct: 0.002, share: 0.5}, {pct: 0.004, share: 0.5}]", "exits.stop.pct=0.002,0.004", "pyramiding=1"],
    "pyramiding": ["pyramiding=1,3", "exits.stop.pct=0.004,0.01", "sizing.percent_equity=0.3"],
    "limit orders": ["entry.order=limit", "entry.limit.pct=0.0005,0.002", "entry.valid_bars=null,3", "exits.stop.pct=0.004"],
    "sides": ["strategy.side=long,short,both", "on_opposite=reverse,close,ignore", "strategy.params.fast=5,8"],
    "levels of expressions": [
        "strategy.params.fast=5,8",
        "exits.stop.long='lowest(low, 5)'",
        "exits.stop.short='highest(high, 5)'",
        "capital=1,1e4",
    ],
    "rules": ["strategy=rsi_reversion", "strategy.params.length=5,14", "strategy.params.oversold=20,30", "cross=default,strict,latched"],
    "shifts": ["strategy.long.entry='within(close > sma(close, fast), 70)'", "strategy.params.fast=3,9,20,30,40", "strategy.side=long"],
    "overlapping": ["positions=overlapping", "max_open=3", "exits.stop.pct=0.002,0.01", "exits.max_bars=10,30", "strategy.side=long"],
    "bar mode": ["sim.mode=bar", "exits.stop.pct=0.002,0.01", "exits.target.pct=0.004,0.02"],
    "random": ["sweep=random", "sweep.sets=12", "strategy.params.fast=interval(3,30)", "exits.stop.pct=interval(0.001,0.02)"],
}


def run_of(row: dict[str, Any], overrides: Sequence[str]) -> gpubt.RunResult:
    from gpubt.pipeline import run_backtest

    definition = define(overrides)
    return run_backtest(definition.variants.config(definition.space().values(row["set"])))


def same_as_run(row: dict[str, Any], result: gpubt.RunResult) -> None:
    assert row["ledger_hash"] == result.summary["ledger_hash"]
    for name, value in result.metrics.items():
        missing = value is None or math.isnan(value)
        assert row[name] == (None if missing else value), name


@pytest.mark.parametrize("name", SWEEPS)
def test_a_row_is_a_run(name: str) -> None:
    overrides = [*DATA, *SWEEPS[name]]
    table = gpubt.run_sweep(overrides)
    rows = table.to_pylist()
    assert [row["set"] for row in rows] == list(range(len(rows)))
    rng = np.random.default_rng(len(name))
    for i in rng.choice(len(rows), min(8, len(rows)), replace=False):
        same_as_run(rows[i], run_of(rows[i], overrides))
    assert sum(row["n_trades"] for row in rows) > 0


def test_a_list_of_entries_is_swept(tmp_path: Any) -> None:
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"bar": [10, 500, 900, 2000], "side": ["long", "short", "long", "long"]}), tmp_path / "entries.parquet")
    overrides = [
        *DATA,
        "positions=list",
        f"entries.path={tmp_path / 'entries.parquet'}",
        "exits.stop.pct=0.002,0.01",
        "exits.max_bars=50,90",
    ]
    table = gpubt.run_sweep(overrides)
    for row in table.to_pylist():
        same_as_run(row, run_of(row, overrides))


def test_symbols_times_sets(tmp_path: Any) -> None:
    import pyarrow.parquet as pq

    tables = []
    for seed, symbol in enumerate(("AAA", "BBB", "CCC")):
        result = gpubt.run([*DATA, f"seed={seed}", "equity=bar"])
        close = np.asarray(result.equity["equity"]) / 1000.0
        columns = {name: close for name in ("open", "high", "low", "close")}
        tables.append(pa.table({"symbol": [symbol] * len(close), "timestamp": result.equity["time"], **columns}))
    pq.write_table(pa.concat_tables(tables), tmp_path / "three.parquet")
    overrides = [
        "data=parquet",
        f"data.path={tmp_path / 'three.parquet'}",
        "data.symbols=[CCC,AAA]",
        "strategy.params.fast=3,5,8",
        *DATA[2:],
    ]
    rows = gpubt.run_sweep(overrides).to_pylist()
    assert [(row["data.symbol"], row["strategy.params.fast"]) for row in rows] == [(s, f) for s in ("CCC", "AAA") for f in (3, 5, 8)]
    for row in rows:
        same_as_run(row, run_of(row, overrides))


@pytest.mark.parametrize("name", [name for name in SWEEPS if name not in ("crossovers", "same bar", "money", "risk")])
def test_the_cuda_sources_give_the_same_sets(name: str) -> None:
    if compiler() is None:
        pytest.skip("no host C++ compiler")
    overrides = [*DATA, *SWEEPS[name], "data.synthetic.bars=700", "memory.device=1000"]
    definition = define(overrides)
    space = definition.space()

    def table(backend: Backend) -> pa.Table:
        return pa.concat_tables(table for table, _ in Sweep(definition.variants, space, backend, Phases()).tables(np.arange(space.n)))

    assert table(CudaBackend(HostRuntime())).equals(table(CpuBackend()))


def test_a_device_takes_more_sets_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    if compiler() is None:
        pytest.skip("no host C++ compiler")
    from gpubt.sweep import engine

    monkeypatch.setattr(engine, "SETS", 1)
    definition = define([*DATA, "data.synthetic.bars=300", "memory.device=1000", "strategy.params.fast=range(3,23)"])
    backend = CudaBackend(HostRuntime())
    chunks = [table.num_rows for table, _ in Sweep(definition.variants, definition.space(), backend, Phases()).tables(np.arange(20))]
    assert chunks == [backend.breadth, 20 - backend.breadth]
    launches = backend.launches()
    assert launches["play_candidates"]["calls"] == launches["scan_compare"]["calls"] == 2 and "simulate" not in launches


def test_auto_is_the_cpu_and_says_why() -> None:
    from gpubt.sweep.run import backend_of

    backend, reason = backend_of(define(["backend=auto"]).config)
    assert backend.name == "cpu" and "has not been measured" in reason


def test_block_sums_are_those_of_the_returns() -> None:
    overrides = [*DATA, "strategy.params.fast=5,8", "sweep.blocks=7", "metrics.risk_free=0.02"]
    rows = gpubt.run_sweep(overrides).to_pylist()
    for row in rows:
        result = run_of(row, overrides)
        equity = np.append(result.config.capital, np.asarray(result.equity["equity"]))
        excess = equity[1:] / equity[:-1] - 1.0 - 0.02 / result.summary["annualisation"]
        bounds = [len(excess) * i // 7 for i in range(8)]
        for i in range(7):
            assert row["block_return"][i] == pytest.approx(excess[bounds[i] : bounds[i + 1]].sum(), abs=1e-12)
            assert row["block_square"][i] == pytest.approx((excess[bounds[i] : bounds[i + 1]] ** 2).sum(), abs=1e-12)


def test_sets_don_t_depend_on_chunks_or_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    from gpubt.sweep import engine

    overrides = [*DATA, *SWEEPS["exits"], "strategy.params.slow=20,30,50", *SMA]
    whole = gpubt.run_sweep(overrides)
    assert gpubt.run_sweep([*overrides, "backend.threads=1"]).equals(whole)
    assert gpubt.run_sweep([*overrides, "cache.budget_mib=0"]).equals(whole)
    for sets in (1, 5):
        monkeypatch.setattr(engine, "SETS", sets)
        assert gpubt.run_sweep(overrides).equals(whole)


def test_programs_of_a_grid_are_those_compiled_alone() -> None:
    from gpubt.sweep.signals import Signals
    from gpubt.sweep.variants import Groups

    definition = define([*DATA, *SWEEPS["rules"], "strategy.params.overbought=60,70,80"])
    space = definition.space()
    groups = Groups.of(space)
    signals = Signals(definition.variants, space, groups)
    grid = signals._grid
    assert grid is None  # the reading of a crossing is no number
    definition = define([*DATA, "strategy=rsi_reversion", "strategy.params.length=5,14", "strategy.params.oversold=20,30,40"])
    space = definition.space()
    groups = Groups.of(space)
    grid = Signals(definition.variants, space, groups)._grid
    assert grid is not None
    from gpubt.strategy.grid import atoms

    for member, first in enumerate(groups.signals):
        alone = definition.variants.plan(space.values(int(first))).program
        assert alone is not None
        assert atoms(grid.program(member)) == atoms(alone) and grid.outputs == alone.outputs and grid.combines == alone.combines
