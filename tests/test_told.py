"""How a result is told: one screen, one line of JSON for other programs, or the folder alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gpubt import cli
from gpubt.report.numbers import sparkline

RUN = ["run", "data.frac=0.05"]
SWEEP = ["sweep", "strategy.params.fast=5,6", "data.frac=0.05"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_json_of_a_run_is_its_summary_and_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*RUN, "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert not err
    folder = Path(told.pop("folder"))
    assert told == json.loads((folder / "summary.json").read_text())


def test_json_of_several_runs_is_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*RUN[:1], "-m", "data.frac=0.05,0.06", "--json"]) == 0
    assert [json.loads(line)["rows"] for line in capsys.readouterr().out.splitlines()] == [7521, 9026]


@pytest.mark.parametrize("words", [RUN, SWEEP])
def test_quiet_is_the_folder_alone(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*words, "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert Path(out.strip()).is_dir()
    assert not err


def test_json_of_a_sweep_names_its_best_sets(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*SWEEP, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["sets"], told["simulated"]) == (2, 2)
    assert {row["set"] for row in told["best"]} == {0, 1}


@pytest.mark.parametrize("words", [[*RUN, "--json", "--quiet"], [*SWEEP, "--dry-run", "--json"]])
def test_what_excludes_each_other_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_curve_in_one_line() -> None:
    assert sparkline(np.arange(8.0), 8) == "▁▂▃▄▅▆▇█"
    assert sparkline(np.ones(100), 10) == "▁" * 10
    assert sparkline(np.ones(1), 10) == ""
    assert len(sparkline(np.arange(1000.0), 60)) == 60
