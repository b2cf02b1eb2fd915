"""The simulation contract through the pipeline: the band, finer bars, conventions of other engines, ladders in tables, on every backend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from by_hand import FLAT, Bar, write

import gpubt
from gpubt.backends.base import Backend
from gpubt.compose import configuration
from gpubt.errors import ConfigError
from gpubt.pipeline import run_backtest

BOTH: Bar = (10.0, 11.5, 8.5, 10.0)  # a stop at 9 and a target at 11


def entry_on_bar_0(tmp_path: Path, **columns: Any) -> list[str]:
    """positions=list with one purchase, of one unit, with the signal on bar 0."""
    pq.write_table(pa.table({"bar": [0], "side": ["long"], "size": [1.0], **columns}), tmp_path / "entries.parquet")
    return ["positions=list", f"entries.path={tmp_path / 'entries.parquet'}"]


def bracket(tmp_path: Path) -> list[str]:
    """Four bars of ten minutes; the third has both levels of a bracket of 10 % around 10."""
    path = write(tmp_path / "bars.parquet", [FLAT, FLAT, BOTH, FLAT])
    levels = ["exits.stop.offset=1", "exits.target.offset=1"]
    return ["data=parquet", f"data.path={path}", *levels, *entry_on_bar_0(tmp_path)]


def test_a_band_has_the_ledger_of_stop_first_and_the_figures_of_both(tmp_path: Path, backend: Backend) -> None:
    overrides = bracket(tmp_path)
    band = run_backtest(configuration([*overrides, "sim.same_bar=band"]), backend=backend, folder=tmp_path / "run")
    one, other = (
        run_backtest(configuration([*overrides, f"sim.same_bar={policy}"]), backend=backend) for policy in ("stop_first", "target_first")
    )
    assert (one.trades["pnl"].to_pylist(), other.trades["pnl"].to_pylist()) == ([-1.0], [1.0])
    assert band.summary["ledger_digest"] == one.summary["ledger_digest"] and band.metrics == one.metrics
    assert band.summary["band"] == {"stop_first": one.metrics, "target_first": other.metrics}
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["band"] == band.summary["band"]
    assert "band" not in one.summary


@pytest.mark.parametrize(
    ("inside", "exit_price", "ambiguous"),
    [
        ([(10, 11.5, 10, 11), (11, 11, 8.5, 10)], 11.0, 0),
        ([(10, 10, 8.5, 9), (9, 11.5, 9, 10)], 9.0, 0),
        ([(10, 10, 10, 10), BOTH], 9.0, 1),
    ],
)
def test_finer_bars_end_to_end(tmp_path: Path, backend: Backend, inside: list[Bar], exit_price: float, ambiguous: int) -> None:
    finer = write(tmp_path / "finer.parquet", [FLAT, FLAT, FLAT, FLAT, *inside, FLAT, FLAT], 5)
    result = run_backtest(configuration([*bracket(tmp_path), f"sim.detail.path={finer}"]), backend=backend)
    [row] = result.trades.to_pylist()
    assert (row["exit_bar"], row["exit_price"], int(row["ambiguous"])) == (2, exit_price, ambiguous)
    assert result.metrics["ambiguous_exits"] == ambiguous
    assert len(result.summary["detail_digest"]) == 64 and result.summary["data_digest"] != result.summary["detail_digest"]
    assert not [line for line in result.summary["warnings"] if "no rows" in line or "another high" in line]


def test_finer_bars_of_some_bars_only_are_told(tmp_path: Path) -> None:
    finer = write(tmp_path / "finer.parquet", [(10, 11.5, 10, 11), (11, 11, 8, 10)], 5, start="2024-07-01T00:20")
    result = gpubt.run([*bracket(tmp_path), f"sim.detail.path={finer}"])
    assert result.trades["exit_price"].to_pylist() == [11.0]
    told = "\n".join(result.summary["warnings"])
    assert "has no rows for 3 of 4 bars (25.0% are covered)" in told
    assert "has another high or low than the bar in 1 of 1 bars, the first in row 2" in told


@pytest.mark.parametrize("name", ["backtesting", "backtrader", "default", "quantpipe", "vectorbt"])
def test_every_convention_runs_on_the_sample(backend: Backend, name: str) -> None:
    overrides = [f"conventions={name}", "data.frac=0.1", "exits.stop.pct=0.02", "exits.target.pct=0.03", "exits.trailing.pct=0.015"]
    event = run_backtest(configuration(overrides), backend=backend)
    bar = run_backtest(configuration([*overrides, "sim.mode=bar"]), backend=backend)
    assert event.summary["ledger_digest"] == bar.summary["ledger_digest"] and event.trades.num_rows > 50
    assert event.metrics == bar.metrics
    at_close = name in ("quantpipe", "vectorbt")
    assert (configuration(overrides).entry.at == "close") == at_close


def test_conventions_differ_and_a_users_own_value_wins() -> None:
    overrides = ["data.frac=0.1", "exits.stop.pct=0.02"]
    digests = {gpubt.run([*overrides, f"conventions={name}"]).summary["ledger_digest"] for name in ("default", "quantpipe", "vectorbt")}
    assert len(digests) == 3
    own = configuration(["conventions=vectorbt", "entry.at=next_open", "cross=strict"])
    assert (own.entry.at, own.cross, own.entry.reentry_same_bar, own.end_of_data) == ("next_open", "strict", False, "close_free")


LADDER = "exits.target.ladder=[{offset:1,share:0.5},{offset:2,share:0.5}]"


def test_a_table_of_entries_leaves_by_a_ladder(tmp_path: Path, backend: Backend) -> None:
    path = write(tmp_path / "bars.parquet", [FLAT, FLAT, (10, 11, 10, 11), (11, 12, 11, 12)])
    overrides = ["data=parquet", f"data.path={path}", LADDER, *entry_on_bar_0(tmp_path)]
    result = run_backtest(configuration(overrides), backend=backend)
    assert result.trades.select(["position", "leg", "units", "exit_price"]).to_pylist() == [
        {"position": 0, "leg": 0, "units": 0.5, "exit_price": 11.0},
        {"position": 0, "leg": 1, "units": 0.5, "exit_price": 12.0},
    ]
    assert (result.summary["n_trades"], result.summary["fills"]) == (1, 2)


@pytest.mark.parametrize("column", ["target", "target_pct"])
def test_a_table_of_entries_with_targets_refuses_a_ladder(tmp_path: Path, column: str) -> None:
    with pytest.raises(ConfigError, match=f"exits.target.ladder is for entries without targets of their own, got the column {column} in"):
        gpubt.run(["data=synthetic", "data.synthetic.bars=50", LADDER, *entry_on_bar_0(tmp_path, **{column: [30.0]})])


def test_a_session_and_a_blackout_end_to_end(backend: Backend) -> None:
    """The sample's session is 01:30 to 07:00 UTC; no position is held over night, and none is entered in the first half hour."""
    overrides = ["data.frac=0.1", "session.hours='09:30-15:00'", "session.time_zone=Asia/Shanghai", "session.exit=true"]
    overrides += ["blackout.hours='09:30-10:00'", "blackout.time_zone=Asia/Shanghai"]
    result = run_backtest(configuration(overrides), backend=backend)
    rows = result.trades.to_pylist()
    assert len(rows) > 50 and {row["exit_reason"] for row in rows} >= {"signal", "session"}
    for row in rows:
        assert row["entry_time"].date() == row["exit_time"].date() and row["entry_time"].strftime("%H:%M") >= "02:00"
    assert result.summary["skipped"]["blackout"] > 0
