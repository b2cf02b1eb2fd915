"""The main job end to end: the same ledger on every backend and in both modes, exact rows, honest records, nothing half-written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gpubt
from gpubt.backends.base import Backend
from gpubt.compose import configuration
from gpubt.errors import ConfigError, DataError
from gpubt.pipeline import run_backtest

STRATEGIES = ("donchian_breakout", "ema_cross", "rsi_reversion", "trend_pullback")
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BTC = DATA / "btcusdt_binance_1m_2017-2025.parquet"
COSTS = ("costs.commission.rate=0.0005", "costs.slippage.rate=0.0001")


def figures(result: gpubt.RunResult) -> tuple[Any, ...]:
    """All that must be equal between two runs of one configuration."""
    summary = result.summary
    return summary["ledger_digest"], summary["ledger_hash"], summary["metrics"], summary["buy_and_hold"], summary["skipped"], result.equity


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_ledger_on_every_backend_and_in_both_modes(backend: Backend, strategy: str) -> None:
    overrides = [f"strategy={strategy}", "data.frac=0.3", *COSTS]
    want = gpubt.run([*overrides, "backend=cpu"])
    assert want.trades.num_rows > 100
    for mode in ("event", "bar"):
        got = run_backtest(configuration([*overrides, f"sim.mode={mode}"]), backend=backend)
        assert figures(got) == figures(want)


@pytest.mark.skipif(not BTC.exists(), reason="the real bars beside the checkout are absent")
def test_real_bitcoin_minutes_have_one_digest(host_backend: Any) -> None:
    config = configuration(["strategy=trend_pullback", "data=parquet", f"data.path={BTC}", "data.frac=1/8", "data.portion=5", *COSTS])
    event, host = run_backtest(config), run_backtest(config, backend=host_backend())
    bar = run_backtest(configuration(["sim.mode=bar"]) if config is None else _with_mode(config, "bar"))
    assert figures(event) == figures(bar) == figures(host)
    assert event.trades.num_rows > 1000


def _with_mode(config: Any, mode: str) -> Any:
    from dataclasses import replace

    return replace(config, sim=replace(config.sim, mode=mode))


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_never_change_a_bit(threads: int) -> None:
    overrides = ["strategy=trend_pullback", "data=synthetic", "data.synthetic.bars=300000", *COSTS]
    assert figures(gpubt.run([*overrides, f"backend.threads={threads}"])) == figures(gpubt.run(overrides))


@pytest.mark.parametrize(
    ("frac", "portion", "rows"), [("0.25", 1, 25_000), ("0.5", 2, 50_000), ("1", 1, 100_000), ("1/3", 3, 33_334), ("0.3", 2, 30_000)]
)
def test_a_fraction_is_sliced_before_anything_is_transferred(host_backend: Any, frac: str, portion: int, rows: int) -> None:
    config = configuration(["data=synthetic", f"data.frac={frac}", f"data.portion={portion}"])
    backend = host_backend()
    record = run_backtest(config, backend=backend).benchmark
    assert (record["rows"], record["rows_available"], record["frac"], record["portion"]) == (rows, 100_000, frac, portion)
    columns = 4 * 8 * rows
    assert columns <= record["bytes_transferred"] < columns + 8 * rows // 2  # bars, then only small tables and period ends
    assert record["cache"]["peak_bytes"] == 2 * 8 * rows and record["cache"]["bytes"] == 0  # let go of after their last use


def test_a_slice_is_the_run_of_its_own_file(tmp_path: Path) -> None:
    """What a fraction gives is what a file with only those rows gives: no value outside the slice is used."""
    sliced = gpubt.run(["strategy=rsi_reversion", "data.frac=1/3", "data.portion=2"])
    from gpubt.resources import folder

    table = pq.read_table(next(folder("sample").glob("*.parquet")))
    n = table.num_rows
    pq.write_table(table.slice(n // 3, 2 * n // 3 - n // 3), tmp_path / "third.parquet")
    alone = gpubt.run(["strategy=rsi_reversion", "data=parquet", f"data.path={tmp_path / 'third.parquet'}"])
    assert alone.summary["ledger_digest"] == sliced.summary["ledger_digest"]


def test_the_run_folder_has_all_files_and_they_agree(tmp_path: Path) -> None:
    result = gpubt.run(["strategy=trend_pullback", *COSTS], folder=tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"trades.parquet", "equity.parquet", "summary.json", "config.yaml", "benchmark.json", "run.log.jsonl"}
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    record = json.loads((tmp_path / "run" / "benchmark.json").read_text())
    trades, equity = pq.read_table(tmp_path / "run" / "trades.parquet"), pq.read_table(tmp_path / "run" / "equity.parquet")
    assert summary == json.loads(json.dumps(result.summary)) and summary["n_trades"] == record["trades"] == trades.num_rows
    assert trades.equals(result.trades) and equity.equals(result.equity)
    assert equity["equity"][-1].as_py() == summary["metrics"]["final_equity"]
    for key in ("total_return", "sharpe_ratio", "max_drawdown"):
        assert isinstance(summary["metrics"][key], float)
    needed = (
        "rows_available rows first_timestamp last_timestamp frac portion bytes_read bytes_transferred trades wall_clock_s phases backend"
    )
    assert set(f"{needed} backend_reason cache memory digests versions hardware".split()) <= set(record)
    assert list(record["phases"]) == ["slice", "ingest", "transfer", "indicators", "scan", "simulate", "metrics", "write"]
    assert record["memory"]["host_peak_bytes"] > 0 and record["memory"]["device_peak_bytes"] is None
    assert 0 < record["bytes_read"] < 5_000_000


def test_the_written_config_runs_again_to_the_same_ledger(tmp_path: Path) -> None:
    import yaml

    first = gpubt.run(["strategy=trend_pullback", "exits.max_bars=50", *COSTS], folder=tmp_path)
    again = gpubt.run(yaml.safe_load((tmp_path / "config.yaml").read_text()))
    assert again.summary["ledger_digest"] == first.summary["ledger_digest"]
    assert again.benchmark["digests"] == first.benchmark["digests"]


def test_equity_by_bar_ends_at_the_same_equity_and_holds_the_drawdown(tmp_path: Path) -> None:
    by_bar = gpubt.run(["equity=bar", *COSTS], folder=tmp_path)
    daily = gpubt.run([*COSTS])
    assert by_bar.equity.num_rows == by_bar.summary["rows"] and by_bar.metrics == daily.metrics
    equity = np.concatenate([[100_000.0], np.array(by_bar.equity["equity"])])
    fall = (1.0 - equity / np.maximum.accumulate(equity)).max()
    assert -fall == by_bar.metrics["max_drawdown"]
    assert pq.read_table(tmp_path / "equity.parquet").equals(by_bar.equity)


def test_a_run_without_a_trade_is_a_valid_empty_ledger(tmp_path: Path, backend: Backend) -> None:
    result = run_backtest(configuration(["data=synthetic", "data.synthetic.bars=10"]), backend=backend, folder=tmp_path)
    assert result.trades.num_rows == 0 and result.metrics["total_return"] == 0.0
    assert result.metrics["win_rate"] is None and result.metrics["sharpe_ratio"] is None
    assert result.trades.schema == gpubt.run(["data.frac=0.1"]).trades.schema


@pytest.mark.parametrize("bars", [1, 2, 3])
def test_one_two_and_three_bars(backend: Backend, bars: int) -> None:
    config = configuration(["data=synthetic", f"data.synthetic.bars={bars}", "strategy.params.fast=1", "strategy.params.slow=2"])
    assert run_backtest(config, backend=backend).summary["rows"] == bars


def test_a_failed_write_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpubt.records import folder as module

    def broken(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "put_parquet", broken)
    with pytest.raises(KeyboardInterrupt):
        gpubt.run([], folder=tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def entries(tmp_path: Path, **columns: Any) -> list[str]:
    pq.write_table(pa.table(columns), tmp_path / "entries.parquet")
    return ["positions=list", f"entries.path={tmp_path / 'entries.parquet'}", "entry.at=close"]


def test_a_table_of_entries_runs_each_row_on_its_own(tmp_path: Path, backend: Backend) -> None:
    overrides = entries(
        tmp_path, bar=[500, 100, 100], side=["short", "long", "long"], stop_pct=[0.02, 0.01, float("nan")], target_pct=[0.02, 0.02, 0.5]
    )
    result = run_backtest(configuration([*overrides, "exits.max_bars=1000"]), backend=backend)
    assert result.trades["entry_bar"].to_pylist() == [100, 100, 500]
    assert result.trades["r_multiple"].to_pylist()[1] is None
    by_time = {
        "time": result.trades["entry_time"],
        "side": ["1", "1", "-1"],
        "stop_pct": [0.01, float("nan"), 0.02],
        "target_pct": [0.02, 0.5, 0.02],
    }
    again = gpubt.run([*entries(tmp_path, **by_time), "exits.max_bars=1000"])
    assert again.summary["ledger_digest"] == result.summary["ledger_digest"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"bar": [5]}, "needs side and bar or time"),
        ({"bar": [5], "side": ["up"]}, "side must be long or short"),
        ({"bar": [-1], "side": ["long"]}, r"bar must be in \[0, 150434\), got -1 in row 0"),
        ({"bar": [5], "side": ["long"], "stop": [-2.0]}, "stop must be positive or NaN, got -2 in row 0"),
        ({"bar": [5], "side": ["long"], "colour": ["red"]}, "may have symbol, bar"),
        (
            {"bar": [5, 6], "side": ["long", "long"], "symbol": ["SZ000338", "AAPL"]},
            "symbol must be that of the bars, SZ000338, got 'AAPL' in row 1",
        ),
    ],
)
def test_a_wrong_table_of_entries_says_what_is_wrong(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        gpubt.run(entries(tmp_path, **columns))


def test_levels_that_need_what_is_not_there_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"exits\.target\.r=2 needs a stop"):
        gpubt.run(["exits.target.r=2"])
    with pytest.raises(ConfigError, match=r"positions=list needs entries\.path"):
        gpubt.run(["positions=list"])


def test_bars_in_memory_are_a_source_like_a_file(tmp_path: Path) -> None:
    from gpubt.resources import folder

    table = pq.read_table(next(folder("sample").glob("*.parquet")))
    bars = gpubt.Bars.from_arrow(table)
    overrides = ["strategy=trend_pullback", "data.frac=1/3", "data.portion=2", "data.end=2020-01-01"]
    assert figures(gpubt.run(overrides, bars=bars)) == figures(gpubt.run(overrides))
    assert figures(gpubt.run(overrides, bars=table)) == figures(gpubt.run(overrides))
    assert repr(bars) == "Bars('SZ000338', 150,434 bars, 2007-04-30T01:30:00Z to 2020-06-17T06:55:00Z)".replace("SZ000338", "BARS")
    index = table.rename_columns([name if name != "timestamp" else "__index_level_0__" for name in table.column_names])
    assert gpubt.run_sweep(["strategy.params.fast=5,6", "data.frac=0.1"], bars=index).num_rows == 2  # a pandas index without a name


def test_what_is_no_bars_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"bars must be gpubt.Bars, or a table of pandas, polars, pyarrow, \.\.\., got list"):
        gpubt.run(bars=[1.0, 2.0])
    with pytest.raises(DataError, match="the table has no column low; it has timestamp, open, high, close"):
        gpubt.run(bars=pa.table({name: [1.0] for name in ("timestamp", "open", "high", "close")}))


def test_a_result_says_what_it_is() -> None:
    result = gpubt.run(["data.frac=0.1"])
    assert re.fullmatch(
        r"<RunResult: ema_cross on SZ000338, 15,043 bars: total return \+[\d.]+%, Sharpe [\d.]+, .*, \d+ trades>", repr(result)
    )
    assert "Sharpe ratio" in str(result) and "next  " not in str(result)
