"""`gpubt replay`: the run behind a row, and what makes it no longer that."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from gpubt import cli

SWEEP = (
    *("data=synthetic", "data.synthetic.bars=4000", "backend=cpu", "progress=false", "strategy.params.fast=3,5,8"),
    *("strategy.params.slow=20,40", "exits.stop.pct=0.005,null", "sim.same_bar=ohlc,olhc", "blackout.days=null,[mon]"),
)


@pytest.fixture
def swept(tmp_path: Path) -> Path:
    assert cli.main(["sweep", *SWEEP, "--out", str(tmp_path / "sweep")]) == 0
    return tmp_path / "sweep"


def test_a_row_is_run_again_with_its_whole_folder(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cli.main(["replay", str(swept), "--row", "37"]) == 0
    out = capsys.readouterr().out
    assert "the same hash and figures as in the sweep" in out
    folder = swept / "runs" / "37"
    row = pq.read_table(swept / "results.parquet").slice(37, 1).to_pylist()[0]
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["ledger_hash"] == row["ledger_hash"] and summary["metrics"]["final_equity"] == row["final_equity"]
    assert (folder / "trades.parquet").exists() and "sim.same_bar=" in out


def test_the_best_and_the_worst_are_found(swept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pq.read_table(swept / "results.parquet")
    for option, wanted in (("--best", pc.max(table["sharpe_ratio"])), ("--worst", pc.min(table["sharpe_ratio"]))):
        capsys.readouterr()
        assert cli.main(["replay", str(swept), option, "sharpe_ratio", "--out", str(tmp_path / option)]) == 0
        number = pc.index(table["sharpe_ratio"], wanted).as_py()
        assert f"row {number} " in capsys.readouterr().out


def test_how_it_is_computed_may_differ(swept: Path) -> None:
    assert cli.main(["replay", str(swept), "--row", "5", "backend.threads=1", "equity=bar", "profile=off"]) == 0
    assert len(pq.read_table(swept / "runs" / "5" / "equity.parquet")) == 4000


def test_a_row_that_is_not_its_run_is_told(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pq.read_table(swept / "results.parquet")
    at = table.schema.get_field_index("final_equity")
    pq.write_table(table.set_column(at, "final_equity", pa.array([1.0] * len(table))), swept / "results.parquet")
    assert cli.main(["replay", str(swept), "--row", "3"]) == 3
    assert "final_equity is" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--row", "48"], "in [0, 47]"),
        (["--row", "-1"], "--row"),
        (["--row", "x"], "number of a set"),
        (["--best", "sharpe_rato"], "did you mean sharpe_ratio?"),
        (["--row", "3", "exits.stop.pct=0.1"], "would make another run"),
        ([], "--row"),
    ],
)
def test_mistakes_are_one_sentence(swept: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], wrong: str) -> None:
    capsys.readouterr()
    assert cli.main(["replay", str(swept), *arguments]) == 2
    error = capsys.readouterr().err
    assert wrong in error and error.count("\n") == 1


def test_an_unfinished_sweep_has_no_rows(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (swept / "results.parquet").unlink()
    assert cli.main(["replay", str(swept), "--row", "1"]) == 2
    assert "gpubt sweep --resume" in capsys.readouterr().err
