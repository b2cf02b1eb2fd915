"""`sweep=optuna`: batches of proposals, rows that are runs, a study that others can open."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from gpubt import cli
from gpubt.sweep.store import Store

optuna = pytest.importorskip("optuna")

SEARCH = (
    *("sweep=optuna", "sweep.sets=60", "sweep.batch=15", "data=synthetic", "data.synthetic.bars=4000", "backend=cpu", "progress=false"),
    *("strategy.params.fast=interval(3,40)", "strategy.params.slow=range(20,200,10)", "exits.stop.pct=interval(0.002,0.05)"),
    "sweep.where='fast < slow'",
)


def test_rows_are_runs_and_the_study_opens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "search"
    assert cli.main(["sweep", *SEARCH, "--out", str(folder)]) == 0
    rows = pq.read_table(folder / "results.parquet").to_pylist()
    assert [row["set"] for row in rows] == list(range(60))
    assert all(row["strategy.params.fast"] < row["strategy.params.slow"] and 0.002 <= row["exits.stop.pct"] <= 0.05 for row in rows)
    assert {type(row["strategy.params.fast"]) for row in rows} == {int}
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(folder / "study.log")))
    study = optuna.load_study(study_name="gpubt", storage=storage)
    done = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    assert sorted(trial.user_attrs["set"] for trial in done) == list(range(60))
    assert study.best_value == max(row["sharpe_ratio"] for row in rows)
    assert cli.main(["replay", str(folder), "--best", "sharpe_ratio"]) == 0
    assert "the same hash and figures" in capsys.readouterr().out
    assert cli.main(["top", str(folder)]) == 0


def test_an_interrupted_search_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpubt.sweep import search

    folder, tell, told = tmp_path / "search", search._tell, []

    def interrupt(study: object, number: int, value: float | None) -> None:
        if len(told) == 20:
            raise KeyboardInterrupt
        told.append(number)
        tell(study, number, value)

    with monkeypatch.context() as patched:
        patched.setattr(search, "_tell", interrupt)
        assert cli.main(["sweep", *SEARCH, "--out", str(folder)]) == 130
    assert Store(folder).done(60).sum() == 30
    assert cli.main(["sweep", "--resume", str(folder)]) == 0
    rows = pq.read_table(folder / "results.parquet")
    assert rows["set"].to_pylist() == list(range(60))
    assert cli.main(["replay", str(folder), "--row", "25"]) == 0


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        (["sweep.objective=sharpe_rato"], "did you mean sharpe_ratio?"),
        (["--dry-run"], "--dry-run needs"),
        (["sweep.where='fast > 1000'"], "left out"),
        (["sweep.direction=up"], "sweep.direction"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], wrong: str) -> None:
    assert cli.main(["sweep", *SEARCH, *more, "--out", str(tmp_path / "search")]) == 2
    error = capsys.readouterr().err
    assert wrong in error and error.count("\n") == 1


def test_without_optuna_the_way_to_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert cli.main(["sweep", *SEARCH, "--out", str(tmp_path / "search")]) == 2
    assert "pip install 'gpubt[optuna]'" in capsys.readouterr().err
