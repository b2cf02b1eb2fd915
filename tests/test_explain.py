"""`gpubt explain RUN --trade N`: its figures are the ledger's, for every kind of position, and every mistake is one sentence."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from by_hand import FLAT, Bar, write
from command_line import Cli

import gpubt
from gpubt.explain import explain
from gpubt.report.explain import lines

pytest_plugins = ["cli_fixtures"]

COSTS = ("costs.commission.rate=0.0005", "costs.commission.minimum=1", "costs.slippage.rate=0.0002")
LADDER = "exits.target.ladder=[{pct:0.01,share:0.5},{pct:0.02,share:0.5}]"
LIMIT = ("entry.order=limit", "entry.limit.pct=0.003")
RUNS: dict[str, tuple[str, ...]] = {
    "market": ("exits.stop.pct=0.01", "exits.target.r=2", "exits.trailing.pct=0.02"),
    "at the close": ("conventions=vectorbt", "exits.stop.pct=0.01"),
    "whole units": ("conventions=backtesting", "exits.stop.pct=0.01", "exits.target.pct=0.01"),
    "limit": (*LIMIT, "exits.stop.pct=0.01"),
    "stop-limit": ("entry.order=stop_limit", "entry.stop.pct=0.002", "entry.limit.pct=-0.001", "entry.valid_bars=10"),
    "ladder": ("exits.stop.pct=0.01", LADDER),
    "pyramid": ("strategy=rsi_reversion", "pyramiding=3"),
    "sessions": ("session.exit=true", "entry.cooldown=3", "exits.break_even.pct=0.003", "exits.stop.pct=0.01"),
    "overlapping": ("positions=overlapping", "exits.max_bars=40", "max_open=3"),
    "overlapping limit orders": ("positions=overlapping", *LIMIT, "exits.max_bars=40", LADDER),
    "band": ("sim.same_bar=band", "exits.stop.pct=0.004", "exits.target.pct=0.004"),
}


def check(folder: Path, row_of: dict[int, list[dict[str, Any]]], position: int, symbol: str | None = None) -> None:
    """The explanation of one position against its rows in trades.parquet."""
    found, rows = explain(folder, position, symbol), row_of[position]
    entries = [event.numbers for event in found.events if event.name == "entry"]
    exits = [event for event in found.events if event.name == "exit"]
    assert [(event.bar, *(event.numbers[name] for name in ("exit_price", "units", "fees", "pnl"))) for event in exits] == [
        (row["exit_bar"], row["exit_price"], row["units"], row["fees"], row["pnl"]) for row in rows
    ]
    assert {entry["price"] for entry in entries} == {row["entry_price"] for row in rows}
    assert found.signal <= rows[0]["entry_bar"] and found.events[0].name == "signal"
    assert [event.bar for event in found.events] == sorted(event.bar for event in found.events)
    text = "\n".join(lines(found))
    for piece in (
        f"position {position}: {rows[0]['side']}",
        f"pnl {sum(row['pnl'] for row in rows):,.4f}",
        f"out by {rows[-1]['exit_reason']}",
    ):
        assert piece in text


def positions(folder: Path, symbol: str | None = None) -> dict[int, list[dict[str, Any]]]:
    """The rows of each position."""
    out: dict[int, list[dict[str, Any]]] = {}
    for row in pq.read_table(folder / "trades.parquet").to_pylist():
        if symbol in (None, row["symbol"]):
            out.setdefault(row["position"], []).append(row)
    return out


@pytest.mark.parametrize("name", RUNS)
def test_the_events_give_the_rows_of_the_ledger(tmp_path: Path, name: str) -> None:
    gpubt.run(["data.frac=1/32", "backend=cpu", *COSTS, *RUNS[name]], folder=tmp_path)
    rows = positions(tmp_path)
    several = [number for number, legs in rows.items() if len(legs) > 1][:3]
    assert bool(several) == (name in ("ladder", "pyramid", "overlapping limit orders"))
    for number in {0, len(rows) // 2, len(rows) - 1, *several}:
        check(tmp_path, rows, number)


def test_rows_of_a_table_of_entries(tmp_path: Path) -> None:
    """Two on one bar, with their own levels; a resting order among them."""
    table = {"bar": [50, 50, 90], "side": ["long", "long", "short"], "stop_pct": [0.01, 0.03, float("nan")]}
    pq.write_table(pa.table(table), tmp_path / "entries.parquet")
    base = ["positions=list", f"entries.path={tmp_path / 'entries.parquet'}", "exits.target.pct=0.02", "data.frac=1/32", *COSTS]
    for name, more in (("market", []), ("limit", list(LIMIT)), ("close", ["entry.at=close"])):
        gpubt.run([*base, *more], folder=tmp_path / name)
        rows = positions(tmp_path / name)
        assert len(rows) >= 2
        for number in rows:
            check(tmp_path / name, rows, number)


BOTH: Bar = (9.0, 10.5, 7.5, 9.0)  # the stop at 8 and the target at 10 of a purchase at 9


@pytest.fixture
def limit_run(tmp_path: Path) -> Path:
    """One purchase by a limit order at 9, a unit under the close of bar 1, filled in bar 3; bar 4 has both levels."""
    path = write(tmp_path / "bars.parquet", [FLAT, FLAT, FLAT, (10, 10, 8.5, 9), BOTH, FLAT, FLAT])
    pq.write_table(pa.table({"bar": [1], "side": ["long"], "size": [2.0]}), tmp_path / "entries.parquet")
    overrides = ["data=parquet", f"data.path={path}", "positions=list", f"entries.path={tmp_path / 'entries.parquet'}"]
    overrides += ["entry.order=limit", "entry.limit.offset=1", "exits.stop.offset=1", "exits.target.offset=1", "backend=cpu"]
    gpubt.run(overrides, folder=tmp_path / "run")
    return tmp_path / "run"


def test_the_page_of_a_limit_order(cli: Cli, limit_run: Path) -> None:
    status, out, err = cli("explain", str(limit_run), "--trade", "0", "--around", "1")
    assert (status, err) == (0, "")
    told = [" ".join(line.split()) for line in out.splitlines() if line]
    assert told[0].endswith("position 0: long, 2 units, bars 3 to 4")
    assert told[1] == "pnl -2.0000, out by stop, ambiguous"
    assert told[3:9] == [
        "0 2024-07-01T00:00:00Z 10 10 10 10",
        "1 2024-07-01T00:10:00Z 10 10 10 10 signal",
        "2 2024-07-01T00:20:00Z 10 10 10 10",
        "3 2024-07-01T00:30:00Z 10 10 8.5 9 entry",
        "4 2024-07-01T00:40:00Z 9 10.5 7.5 9 stop",
        "5 2024-07-01T00:50:00Z 10 10 10 10",
    ]
    assert told[9::2][:4] == [
        "1 2024-07-01T00:10:00Z long signal at the close, 10",
        "1 2024-07-01T00:10:00Z a resting order to go long at 9",
        "3 2024-07-01T00:30:00Z filled long 2 units at 9, stop 8, targets 10",
        "4 2024-07-01T00:40:00Z stop 8 and target 10 are touched inside the bar; the stop counts as first (ambiguous)",
    ]
    assert told[-1] == "4 2024-07-01T00:40:00Z 2 units out at 8, fees 0.0000, pnl -2.0000"


def test_several_symbols_need_the_symbol(cli: Cli, tmp_path: Path) -> None:
    rng, n = np.random.default_rng(5), 1500
    close = 100 * np.exp(np.cumsum(rng.normal(0, 2e-3, (2, n)), axis=1)).reshape(-1)
    open_ = np.roll(close, 1)
    open_[[0, n]] = 100.0
    bars = list(zip(open_, np.maximum(open_, close), np.minimum(open_, close), close, strict=True))
    tables = [pq.read_table(write(tmp_path / "part.parquet", bars[i * n : (i + 1) * n], symbol=[name] * n)) for i, name in enumerate("AB")]
    pq.write_table(pa.concat_tables(tables), tmp_path / "two.parquet")
    folder = tmp_path / "run"
    gpubt.run(["data=parquet", f"data.path={tmp_path / 'two.parquet'}", "data.symbols=all", "exits.stop.pct=0.01"], folder=folder)
    for name in "AB":
        rows = positions(folder, name)
        for number in (0, len(rows) - 1):
            check(folder, rows, number, name)
    assert cli("explain", str(folder), "--trade", "0") == (2, "", "gpubt: --symbol must be given: position 0 is of A, B\n")
    wrong = cli("explain", str(folder), "--trade", "0", "--symbol", "C")
    assert wrong == (2, "", "gpubt: --symbol must be one that traded in the run (A, B), got 'C'\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--trade", "1"], "--trade must be in [0, 0], got 1"),
        (["--trade", "-1"], "--trade must be in [0, 0], got -1"),
        (["--trade", "x"], "argument --trade: invalid int value: 'x'"),
        ([], "the following arguments are required: --trade"),
        (["--trade", "0", "--symbol", "AAPL"], "--symbol must be one that traded in the run ("),
        (["--trade", "0", "--around", "wide"], "argument --around: invalid int value: 'wide'"),
    ],
)
def test_mistakes_are_one_sentence(cli: Cli, limit_run: Path, arguments: list[str], sentence: str) -> None:
    status, out, err = cli("explain", str(limit_run), *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"gpubt: {sentence}")


def test_a_folder_that_is_no_run(cli: Cli, tmp_path: Path, limit_run: Path) -> None:
    status, _, err = cli("explain", str(tmp_path / "nowhere"), "--trade", "0")
    assert status == 2 and "RUN must be the folder of a finished run, got" in err and "has no config.yaml and no trades.parquet" in err
    for name, text in (("trades.parquet", "junk"), ("config.yaml", "a: ["), ("summary.json", "{"), ("summary.json", "[]")):
        broken = tmp_path / "broken"
        shutil.rmtree(broken, ignore_errors=True)
        shutil.copytree(limit_run, broken)
        (broken / name).write_text(text)
        status, out, err = cli("explain", str(broken), "--trade", "0")
        assert (status, out, err.count("\n")) == (2, "", 1) and "broken can't be read as a run: " in err


def test_a_run_without_a_trade(cli: Cli, tmp_path: Path) -> None:
    gpubt.run(["data=synthetic", "data.synthetic.bars=10"], folder=tmp_path / "run")
    assert cli("explain", str(tmp_path / "run"), "--trade", "0") == (2, "", "gpubt: the run has no trades\n")


def test_bars_that_have_changed_since_the_run(cli: Cli, tmp_path: Path, limit_run: Path) -> None:
    write(tmp_path / "bars.parquet", [FLAT, FLAT, FLAT, (10, 10, 8.5, 9), BOTH, FLAT, (10, 11, 10, 10)])
    status, out, err = cli("explain", str(limit_run), "--trade", "0")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("gpubt: the bars are no longer those of the run: data_digest ")
    (tmp_path / "bars.parquet").unlink()
    status, _, err = cli("explain", str(limit_run), "--trade", "0")
    assert status == 2 and "bars.parquet does not exist" in err


def test_finer_bars_that_have_changed_since_the_run(cli: Cli, tmp_path: Path, limit_run: Path) -> None:
    import yaml

    config = yaml.safe_load((limit_run / "config.yaml").read_text())
    path = tmp_path / "finer.parquet"
    before, after = [FLAT] * 7, [FLAT] * 4
    config["sim"]["detail"]["path"] = write(path, [*before, (10, 10, 8.5, 9), (9, 10.5, 9, 10), (10, 10, 7.5, 9), *after], 5)
    result = gpubt.run(config, folder=tmp_path / "finer")
    assert result.trades["exit_reason"].to_pylist() == ["target"]
    check(tmp_path / "finer", positions(tmp_path / "finer"), 0)
    write(path, [*before, (10, 10, 8.5, 9), (9, 9, 7.5, 9), (9, 10.5, 9, 9), *after], 5)
    status, _, err = cli("explain", str(tmp_path / "finer"), "--trade", "0")
    assert status == 2 and "the bars are no longer those of the run: detail_digest " in err


def test_where_a_stop_that_moves_was_in_each_bar(tmp_path: Path) -> None:
    """A trailing stop follows the best high of the bars before, from the entry on; at break-even it is at the entry price at least."""
    words = ["strategy.side=long", "exits.stop.pct=0.02", "exits.trailing.pct=0.015", "exits.break_even.pct=0.01", "data.frac=0.05"]
    gpubt.run(words, folder=tmp_path / "run")
    moved = 0
    for position in range(0, 40, 4):
        told = explain(tmp_path / "run", position)
        row, bars = told.rows[0], told.bars
        assert list(told.stops) == list(range(row["entry_bar"], row["exit_bar"] + 1))
        for bar, level in told.stops.items():
            best = max([row["entry_price"], *bars.high[row["entry_bar"] : bar]])
            want = max(row["entry_price"] * 0.98, best * (1.0 - 0.015), row["entry_price"] if best >= row["entry_price"] * 1.01 else 0.0)
            assert level == pytest.approx(want, rel=1e-12)
        moved += len(set(told.stops.values())) > 1
    assert moved > 3
