"""Warming up runs what ships, and measures a break-even only where a device answers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import gpubt
from gpubt import warmup
from gpubt.caches import cache_dir
from gpubt.device import CudaStatus, choose_backend, load_break_even
from gpubt.resources import folder

HERE = CudaStatus(True, "NVIDIA X answers", [{"name": "NVIDIA X"}])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, str]]:
    """Runs as they are asked for; cuda takes 5 ms, cpu a nanosecond a bar."""
    runs: list[dict[str, str]] = []

    def run(overrides: list[str]) -> Any:
        values = dict(item.split("=") for item in overrides)
        runs.append(values)
        seconds = 0.005 if values["backend"] == "cuda" else int(values["data.synthetic.bars"]) * 1e-8
        return SimpleNamespace(benchmark={"phases": {name: {"seconds": seconds / len(warmup.COMPARED)} for name in warmup.COMPARED}})

    monkeypatch.setenv("GPUBT_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(gpubt, "run", run)
    monkeypatch.setattr(gpubt, "run_sweep", lambda overrides: None)
    return runs


def statuses(monkeypatch: pytest.MonkeyPatch, status: CudaStatus) -> None:
    for module in ("gpubt.warmup", "gpubt.device"):
        monkeypatch.setattr(f"{module}.cuda_status", lambda: status)


def test_every_shipped_strategy_runs_in_both_modes(monkeypatch: pytest.MonkeyPatch, asked: list[dict[str, str]]) -> None:
    statuses(monkeypatch, CudaStatus(False, "no CUDA device answered: no driver"))
    lines: list[str] = []
    done = warmup.warmup(lines.append)
    shipped = {path.stem for path in (folder("conf") / "strategy").glob("*.yaml")}
    plain = asked[: -len(warmup.OTHERS) - 1]
    assert {(run["strategy"], run["sim.mode"]) for run in plain} == {(name, mode) for name in shipped for mode in ("event", "bar")}
    assert {run["backend"] for run in asked} == {"cpu"}
    assert done["break_even"] is None and load_break_even(HERE) is None
    assert lines[-1] == "no break-even to measure: no CUDA device answered: no driver" and len(lines) == len(asked) + 2


def test_the_break_even_is_the_first_size_where_cuda_is_faster(monkeypatch: pytest.MonkeyPatch, asked: list[dict[str, str]]) -> None:
    statuses(monkeypatch, HERE)
    done = warmup.warmup(lambda line: None)
    assert done["break_even"] == {"work": 1_000_000, "measured_to": 1_000_000} == load_break_even(HERE)
    assert choose_backend("auto", 1_000_000, HERE)[0] == "cuda" and choose_backend("auto", 999_999, HERE)[0] == "cpu"
    assert (cache_dir() / "break_even.json").is_file()


def test_a_device_that_never_wins_is_stored_as_such(monkeypatch: pytest.MonkeyPatch, asked: list[dict[str, str]]) -> None:
    statuses(monkeypatch, HERE)
    monkeypatch.setattr(warmup, "SIZES", (10, 100))
    assert warmup.warmup(lambda line: None)["break_even"] == {"work": None, "measured_to": 100}
    assert choose_backend("auto", 10**12, HERE)[0] == "cpu"
