"""The command line: exit status, folders, what is shown, and what it does not import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from command_line import Cli, files, own, pipeline

import gpubt
from gpubt import __version__
from gpubt.config import Config
from gpubt.errors import DataError

pytest_plugins = ["cli_fixtures"]


def _failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run_backtest(config: Config, **kwargs: Any) -> Any:
        raise error

    pipeline(monkeypatch, run_backtest)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_the_commands(cli: Cli, arguments: list[str]) -> None:
    status, out, err = cli(*arguments)
    assert (status, err) == (0, "")
    assert all(name in out for name in ("run", "info", "list", "warmup", "--version"))


@pytest.mark.parametrize("arguments", [["--version"], ["-V"], ["run", "--version"]])
def test_version(cli: Cli, arguments: list[str]) -> None:
    assert cli(*arguments) == (0, f"gpubt {__version__}\n", "")


def test_help_and_import_are_light() -> None:
    code = (
        "import sys, gpubt, gpubt.cli\n"
        "gpubt.cli.main(['--help']); gpubt.cli.main(['--version']); gpubt.cli.main(['nope'])\n"
        "print([m for m in ('hydra', 'omegaconf', 'numba', 'numpy', 'pyarrow', 'rich', 'cupy', 'yaml') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


def test_a_users_folder_adds_options(cli: Cli, tmp_path: Path, ran: list[Config]) -> None:
    mine = own(tmp_path)
    status, out, _ = cli("run", "--config-dir", str(mine), "strategy=mine", "strategy.params.level=2")
    assert status == 0
    assert (ran[0].strategy.name, ran[0].strategy.params) == ("mine", {"level": 2})
    assert f"gpubt run --config-dir {mine} strategy=mine" in out  # the next command runs as it stands


def test_a_users_file_that_would_be_hidden_is_refused(cli: Cli, tmp_path: Path, ran: list[Config]) -> None:
    mine = own(tmp_path, name="strategy/ema_cross.yaml")
    status, _, err = cli("run", "--config-dir", str(mine))
    assert (status, ran) == (2, [])
    assert "strategy=ema_cross is an option of gpubt's own and hides" in err


def test_a_run_gets_the_composed_configuration_and_a_folder(cli: Cli, tmp_path: Path, ran: list[Config]) -> None:
    status, out, err = cli("run", "data.frac=1/3", "data.portion=2", "costs=binance_spot", "backend=cpu", "hydra.run.dir=here/it")
    assert (status, err) == (0, "")
    config = ran[0]
    assert (config.data.frac, config.data.portion, config.costs.commission.rate, config.backend.name) == ("1/3", 2, 0.001, "cpu")
    assert config.exits.anchor == "fill"  # resolved
    assert files(tmp_path) == {"here", "here/it", "here/it/summary.json"}
    assert f"{tmp_path}/here/it/" in out
    assert "0123456789abcdef" in out


def test_results_go_to_a_folder_named_by_the_time(cli: Cli, tmp_path: Path, ran: list[Config]) -> None:
    assert cli("run")[0] == 0
    (summary,) = tmp_path.glob("outputs/*-*-*/*-*-*/summary.json")
    assert [path.name for path in summary.parent.iterdir()] == ["summary.json"]


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (DataError("bars.parquet has no column close"), 2, "gpubt: bars.parquet has no column close\n"),
        (ValueError("two\nlines"), 1, "gpubt: an unexpected failure, ValueError: two; lines (add debug=true for the traceback)\n"),
        (KeyboardInterrupt(), 130, "gpubt: interrupted\n"),
    ],
)
def test_a_failed_run_leaves_nothing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, sentence: str
) -> None:
    _failing(monkeypatch, error)
    assert cli("run") == (status, "", sentence)
    assert files(tmp_path) == set()


def test_debug_shows_the_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    _failing(monkeypatch, ValueError("odd"))
    status, _, err = cli("run", "debug=true")
    assert status == 1
    assert "Traceback" in err and "in run_backtest" in err and err.endswith("ValueError: odd\n")
    assert "Traceback" in cli("run", "data.fraq=1", "debug=true")[2]


def test_a_failed_run_keeps_what_was_there(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _failing(monkeypatch, DataError("no"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes").touch()
    for name in ("empty", "full", "full/new"):
        assert cli("run", f"hydra.run.dir={name}")[0] == 2
    assert files(tmp_path) == {"empty", "full", "full/notes"}


def test_a_folder_that_cannot_be_made_is_the_inputs_fault(cli: Cli, tmp_path: Path, ran: list[Config]) -> None:
    (tmp_path / "file").touch()
    status, _, err = cli("run", "hydra.run.dir=file")
    assert (status, ran, err.count("\n")) == (2, [], 1)
    assert "can't use file: " in err


def test_multirun_runs_each_and_goes_on_after_a_failure(cli: Cli, tmp_path: Path, ran: list[Config]) -> None:
    status, out, err = cli("run", "-m", "data.portion=1,0,2", "data.frac=1/2", "hydra.sweep.dir=many")
    assert status == 2
    assert [config.data.portion for config in ran] == [1, 2]
    assert "#0 data.portion=1 data.frac=1/2" in out
    assert "gpubt run data.portion=1 data.frac=1/2 costs=binance_spot" in out
    assert err == "gpubt: data.portion must be at least 1 and finite, got 0\n"
    assert files(tmp_path) == {"many", "many/multirun.yaml", "many/0", "many/0/summary.json", "many/2", "many/2/summary.json"}


def test_a_multirun_that_fails_as_a_whole_leaves_nothing(cli: Cli, tmp_path: Path, ran: list[Config]) -> None:
    assert cli("run", "-m", "data.portion=0,-1")[0] == 2
    assert cli("run", "-m", "data.portion=1,abc")[0] == 2
    assert (ran, files(tmp_path)) == ([], set())


def test_cfg_job_prints_the_configuration(cli: Cli, tmp_path: Path, ran: list[Config]) -> None:
    from omegaconf import OmegaConf

    status, out, err = cli("run", "--cfg", "job", "data.frac=0.5", "data.symbol=${strategy.name}")
    assert (status, err, ran, files(tmp_path)) == (0, "", [], set())
    shown = OmegaConf.to_container(OmegaConf.create(out), resolve=False)
    assert isinstance(shown, dict)
    assert (shown["data"]["frac"], shown["data"]["symbol"]) == (0.5, "${strategy.name}")
    assert "hydra" not in shown
    resolved = OmegaConf.create(cli("run", "--cfg", "job", "--resolve", "data.symbol=${strategy.name}")[1])
    assert resolved.data.symbol == "ema_cross"
    assert cli("run", "--cfg", "job", "-p", "data")[1].startswith("# @package data\n")
    assert cli("run", "--cfg", "job", "-p", "nothing")[0] == 2


def test_help_of_run_fits_one_screen(cli: Cli) -> None:
    status, out, _ = cli("run", "--help")
    assert status == 0
    assert len(out.splitlines()) <= 40
    assert "backend: auto, cpu, cuda" in out and "--cfg job" in out


def test_info_of_hydra(cli: Cli) -> None:
    assert "Config search path" in cli("run", "--info", "searchpath")[1]


def test_the_process_is_as_before(cli: Cli, ran: list[Config]) -> None:
    from hydra.core.global_hydra import GlobalHydra

    before = list(sys.argv), os.environ.get("HYDRA_FULL_ERROR"), os.getcwd()
    cli("run")
    cli("run", "data.fraq=1")
    assert (list(sys.argv), os.environ.get("HYDRA_FULL_ERROR"), os.getcwd()) == before
    assert not GlobalHydra.instance().is_initialized()


@pytest.mark.parametrize(
    ("line", "offered", "not_offered"),
    [
        ("gpubt ", ["run", "info", "list", "warmup"], []),
        ("gpubt r", ["run"], ["info"]),
        ("gpubt run strat", ["strategy="], ["data="]),
        ("gpubt run data=", ["data=sample", "data=parquet"], ["data=5"]),
        ("gpubt run data=sample data.fr", ["data.frac="], ["data.portion="]),
        ("gpubt info ", [], ["strategy="]),
    ],
)
def test_tab_completes(cli: Cli, monkeypatch: pytest.MonkeyPatch, line: str, offered: list[str], not_offered: list[str]) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    status, out, _ = cli("-sc", "query=bash")
    assert status == 0
    assert set(offered) <= set(out.split())
    assert not set(not_offered) & set(out.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_installs(cli: Cli, shell: str) -> None:
    status, out, _ = cli("-sc", f"install={shell}")
    assert status == 0
    assert "gpubt" in out


def test_list(cli: Cli, tmp_path: Path) -> None:
    status, out, _ = cli("list")
    assert status == 0
    assert "strategies:" in out and "ema_cross" in out and "sma(x, length)" in out and "auto, cpu, cuda" in out
    strategies = json.loads(cli("list", "strategies", "--json", "--config-dir", str(own(tmp_path)))[1])["strategies"]
    assert {"name": "mine", "about": "my own idea"} in strategies
    assert all(entry["about"] for entry in strategies)
    groups = {group["name"]: group["options"] for group in json.loads(cli("list", "groups", "--json")[1])["groups"]}
    assert groups["data"][0] == "sample"  # the default comes first
    assert set(groups) == {*("backend", "conventions", "costs", "data", "exits", "metrics", "profile", "sizing", "strategy", "sweep")}
    assert not cli("list", "indicators")[1].startswith("indicators:")
    broken = own(tmp_path, "about: [\n", "strategy/broken.yaml")
    status, _, err = cli("list", "--config-dir", str(broken))
    assert (status, err.count("\n")) == (2, 1)
    assert "broken.yaml" in err


def test_info(cli: Cli) -> None:
    status, out, _ = cli("info")
    assert status == 0
    for piece in (f"gpubt       {__version__}", "numba ", "cuda        can", "break-even", "cache "):
        assert piece in out
    found = json.loads(cli("info", "--json")[1])
    assert isinstance(found["cuda"]["available"], bool) and found["cuda"]["reason"]
    assert found["versions"]["gpubt"] == __version__
    assert found["caches"]["cache"]["bytes"] >= 0


@pytest.mark.parametrize("command", ["info", "list", "warmup"])
def test_every_command_has_help(cli: Cli, command: str) -> None:
    status, out, _ = cli(command, "--help")
    assert status == 0
    assert f"gpubt {command}" in out


def test_a_reader_that_leaves_is_no_error() -> None:
    process = subprocess.Popen([sys.executable, "-m", "gpubt", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0


def test_a_reader_that_leaves_does_not_undo_the_run(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: list[Config]) -> None:
    def gone(*args: Any, **kwargs: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("gpubt.report.terminal.render", gone)
    monkeypatch.setattr("gpubt.cli._reader_left", lambda: 0)  # would redirect the test's own stdout
    assert cli("run", "hydra.run.dir=out") == (0, "", "")
    assert files(tmp_path) == {"out", "out/summary.json"}


def test_the_module_runs_as_a_program(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gpubt", "run", "data.fraq=1"]
    environment = {**os.environ, "PYTHONPATH": str(Path(gpubt.__file__).parents[1])}
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert ended.returncode == 2
    assert ended.stderr.startswith("gpubt: unknown key data.fraq")
    assert list(tmp_path.iterdir()) == []


def test_warmup_reports_each_step(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = types.ModuleType("gpubt.warmup")

    def warmup(report: Any) -> dict[str, Any]:
        report("ema_cross, event mode: 1.0 s")
        return {"cache": "/somewhere"}

    stand_in.warmup = warmup  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gpubt.warmup", stand_in)
    assert cli("warmup") == (0, "ema_cross, event mode: 1.0 s\ncompiled kernels are kept in /somewhere\n", "")


def test_a_real_run_on_the_sample(cli: Cli, tmp_path: Path) -> None:
    status, out, err = cli("run", "backend=cpu", "data.frac=0.05", "costs=us_equities", "hydra.run.dir=real")
    assert (status, err) == (0, "")
    assert len(out.splitlines()) <= 40
    assert {"real/trades.parquet", "real/equity.parquet", "real/summary.json", "real/benchmark.json"} <= files(tmp_path)
    summary = json.loads((tmp_path / "real" / "summary.json").read_text(encoding="utf-8"))
    assert f"{summary['rows']:,} of {summary['rows_available']:,} bars" in out
    assert summary["ledger_digest"][:16] in out
    result = gpubt.run(["backend=cpu", "data.frac=0.05", "costs=us_equities", "sim.mode=bar"])
    assert result.summary["ledger_digest"] == summary["ledger_digest"]
    assert result.trades.num_rows == summary["n_trades"] > 0
    assert result.folder is None
