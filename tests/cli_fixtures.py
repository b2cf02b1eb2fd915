"""Fixtures of the tests of the command line; a test module names this one in `pytest_plugins`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import Cli, pipeline
from sample_result import result

from gpubt.cli import main
from gpubt.config import Config


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """`cli("run", "data.frac=0.5")` in an empty folder: status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(list(arguments))
        out, err = capsys.readouterr()
        return status, out, err

    return call


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Replaces the pipeline: notes each configuration and writes one file, as a run does."""
    configs: list[Config] = []

    def run_backtest(config: Config, *, backend: Any = None, bars: Any = None, folder: Path | None = None) -> Any:
        configs.append(config)
        if folder is not None:
            (folder / "summary.json").write_text("{}")
        return result(folder, config)

    return pipeline(monkeypatch, run_backtest, configs)
