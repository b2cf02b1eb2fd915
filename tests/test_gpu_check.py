"""The check of a machine with a GPU, with the host-built kernels in the place of its device."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from host_runtime import HostRuntime

from gpubt import device
from gpubt.backends import cupy_runtime
from gpubt.device import CudaStatus
from gpubt.errors import GpubtError

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "bench" / "gpu_check.py").exists(), reason="the check is in a checkout")
SMALL = ("data=synthetic", "data.synthetic.bars=3001")


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch, host_backend: Callable[..., Any]) -> None:
    """backend=cuda is the host-built kernels."""
    monkeypatch.syspath_prepend(str(ROOT))
    status = CudaStatus(True, "a stand-in answers", [{"name": "stand-in", "driver": "1.0", "memory_bytes": 2**34}])
    monkeypatch.setattr(device, "cuda_status", lambda: status)
    monkeypatch.setattr(cupy_runtime, "CupyRuntime", Roomy)
    from gpubt.records import environment

    monkeypatch.setattr(environment, "cuda_versions", lambda status: {"driver": "1.0"})


class Roomy(HostRuntime):
    """With memory for a sweep."""

    def __init__(self, device: int = 0) -> None:
        super().__init__()

    def memory(self) -> dict[str, int]:
        return {**super().memory(), "free": 2**33, "total": 2**34}


def checked(monkeypatch: pytest.MonkeyPatch, out: Path, steps: dict[str, Callable[[Any], Iterator[Any]]], *more: str) -> tuple[int, Any]:
    """Exit status and record of a check of these steps."""
    from bench import gpu_check

    monkeypatch.setattr(gpu_check, "steps", lambda: steps)
    code = gpu_check.main(["--out", str(out), *more])
    return code, json.loads(out.read_text())


def test_runs_and_sweeps_of_every_kind_are_equal() -> None:
    from bench import gpu_agreement

    row = gpu_agreement.compared_run((*SMALL, *gpu_agreement.RUNS[1]))
    assert row["equal"] and row["trades"] > 20 and row["cpu"] == row["cuda"]
    for name, overrides in gpu_agreement.SWEEPS.items():
        row = gpu_agreement.compared_sweep(name, (*SMALL, *overrides))
        assert row["equal"] and row["sets"] >= 4 and row["trades"] > row["sets"], row


def test_a_difference_is_named() -> None:
    import pyarrow as pa

    from bench.gpu_agreement import different_columns

    table = pa.table({"a": [0.0, 1.0], "b": [1.0, None]})
    assert different_columns(table, pa.table({"a": [0.0, 1.0], "b": [1.0, None]})) == []
    assert different_columns(table, pa.table({"a": [-0.0, 1.0], "b": [np.nextafter(1.0, 2.0), None]})) == ["a", "b"]
    assert different_columns(table, table.slice(0, 1)) == ["number of rows"]
    assert different_columns(table, table.select(["a"])) == ["schema"]


def test_a_check_ends_well_only_when_everything_is_equal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    good, bad = {"what": "x", "equal": True}, {"what": "y", "equal": False}
    code, record = checked(monkeypatch, tmp_path / "a.json", {"one": lambda plan: iter([good])})
    assert code == 0 and record["passed"] and record["complete"] and record["steps"]["one"]["rows"] == [good]
    assert record["hardware"]["gpus"][0]["name"] == "stand-in" and record["versions"]["driver"] == "1.0" and len(record["kernels"]) == 64
    code, record = checked(monkeypatch, tmp_path / "b.json", {"one": lambda plan: iter([good, bad]), "two": lambda plan: iter([good])})
    assert code == 1 and not record["passed"] and record["complete"]


def test_a_step_that_breaks_off_costs_neither_its_rows_nor_the_next_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def breaks(plan: object) -> Iterator[dict[str, Any]]:
        yield {"what": "before"}
        raise ValueError("no such thing")

    code, record = checked(monkeypatch, tmp_path / "a.json", {"one": breaks, "two": lambda plan: iter([{"what": "after", "passed": None}])})
    assert code == 1
    assert record["steps"]["one"]["rows"] == [{"what": "before"}] and record["steps"]["one"]["error"] == "ValueError: no such thing"
    assert record["steps"]["two"]["rows"] == [{"what": "after", "passed": None}]


@pytest.mark.skipif(sys.platform == "win32", reason="no alarms")
def test_a_time_limit_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.json"

    def slow(plan: object) -> Iterator[dict[str, Any]]:
        yield {"what": "quick", "equal": True}
        assert json.loads(out.read_text())["steps"]["one"]["rows"], "written after each row"
        sleep(60)

    code, record = checked(monkeypatch, out, {"one": slow, "two": lambda plan: iter([{"what": "never"}])}, "--minutes", "0.003")
    assert code == 0 and record["passed"] and not record["complete"]
    assert [(step["stopped"], len(step["rows"])) for step in record["steps"].values()] == [("the time limit", 1), ("the time limit", 0)]
    assert "stopped by the time limit" in capsys.readouterr().out


def test_only_the_steps_that_were_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from bench import gpu_check

    assert list(gpu_check.steps())[:3] == ["tests", "runs", "sweeps"]
    steps = {name: lambda plan, name=name: iter([{"what": name}]) for name in ("one", "two")}
    _, record = checked(monkeypatch, tmp_path / "a.json", steps, "two")
    assert list(record["steps"]) == ["two"]
    assert gpu_check.main(["three"]) == 2 and "no step 'three'; there are one, two" in capsys.readouterr().err


def test_wheels_are_installed_first_and_the_check_is_run_with_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from bench import gpu_check

    (tmp_path / "x-1-py3-none-any.whl").touch()
    called: list[tuple[list[str], dict[str, str]]] = []

    def run(command: list[str], env: dict[str, str] | None = None, **_: Any) -> Any:
        called.append((command, env or {}))
        return SimpleNamespace(returncode=1)

    monkeypatch.setenv("GPUBT_WHEELS", str(tmp_path))
    monkeypatch.setattr(gpu_check.subprocess, "run", run)
    assert gpu_check.main(["runs", "--minutes", "5"]) == 1
    (install, _), (again, environment) = called
    assert install[-1] == str(tmp_path / "x-1-py3-none-any.whl") and {"--no-index", "--no-deps"} <= set(install)
    assert again[1:6] == ["-m", "bench.gpu_check", "runs", "--minutes", "5"] and again[6] == "--minutes" and 4.9 < float(again[7]) < 5.0
    assert "GPUBT_WHEELS" not in environment and install[install.index("--target") + 1] in environment["PYTHONPATH"]


def test_the_check_starts_before_anything_is_installed() -> None:
    code = "import sys, bench.gpu_check; sys.exit(bool({'numpy', 'pyarrow', 'hydra', 'numba'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_without_a_device_there_is_no_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from bench import gpu_check

    monkeypatch.setattr(device, "cuda_status", lambda: CudaStatus(False, "no CUDA device answered: why"))
    assert gpu_check.main(["--out", str(tmp_path / "a.json")]) == 2
    assert "no CUDA device answered: why" in capsys.readouterr().err and not (tmp_path / "a.json").exists()


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import gpu_timing

    monkeypatch.setattr(gpu_timing, "ROUNDS", 1)


def test_a_sweep_is_timed_in_growing_sizes(brief: None) -> None:
    from bench import gpu_cases, gpu_timing
    from bench.lease import Plan

    case = gpu_cases.replace(gpu_cases.EXITS, bars=2_000)
    work = gpu_cases.sweep_work("exits", case, (100, 450))
    assert work.sizes == (100, 400) and work.units(400) == 800_000
    *rows, last = list(gpu_timing.grown(work, Plan()))
    assert [(row["backend"], row["size"]) for row in rows] == [("cuda", 100), ("cpu", 100), ("cuda", 400), ("cpu", 400)]
    assert last == {"what": "exits: results", "equal": True}
    cuda, cpu = rows[2:]
    assert cuda["per_second"] == pytest.approx(800_000 / cuda["best_s"]) and cuda["per_second_device"] > cuda["per_second"] > 0
    assert cuda["kernels"]["scan_compare"]["calls"] >= 1 and cuda["device_s"] < cuda["first_s"] + cuda["best_s"]
    assert cuda["device_peak_bytes"] > 0 and cuda["host_peak_bytes"] != 0
    assert cpu["device_s"] is None and cpu["kernels"] == {} and cpu["device_peak_bytes"] is None


def test_the_cases_are_those_of_the_targets() -> None:
    from bench import gpu_cases

    assert (gpu_cases.CROSSOVER.sets, gpu_cases.EXITS.sets, gpu_cases.LONG.sets, gpu_cases.EVEN.sets) == (58_300, 58_300, 1_000_000, 10_000)
    assert len(gpu_cases.LENGTHS) == 100
    for case in (gpu_cases.CROSSOVER, gpu_cases.EXITS, gpu_cases.LONG):
        part = gpu_cases.fewer(case, case.sets // 8)
        assert case.sets / 20 < part.sets <= case.sets // 8 and max(part.fast) < min(part.slow)
        assert len(part.exits) == len(case.exits) and gpu_cases.fewer(case, case.sets) == case


def test_what_would_take_longer_than_there_is_time_is_left_out(brief: None) -> None:
    from bench import gpu_timing
    from bench.lease import Deadline, Plan

    work = gpu_timing.Work("sleep", "naps", 1, (1, 10_000), float, lambda backend: lambda size: lambda: sleep(0.002 * size))
    rows = list(gpu_timing.grown(work, Plan(deadline=Deadline(0.1))))
    assert [row.get("left_out") for row in rows] == [None, None, True, True] and not any("equal" in row for row in rows)

    def starved(size: int) -> None:
        raise GpubtError("the device has 1 of 2 MiB free")

    work = gpu_timing.Work("big", "bytes", 1, (1, 2), float, lambda backend: lambda size: lambda: starved(size))
    rows = list(gpu_timing.grown(work, Plan()))
    assert [(row["left_out"], row["result"]) for row in rows] == [(True, "left out: the device has 1 of 2 MiB free")] * 2


def test_brackets_and_indicators_are_timed(brief: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import gpu_cases, gpu_timing
    from bench.lease import Plan

    *rows, last = list(gpu_timing.grown(gpu_cases.bracket_work(5_000, (50, 400)), Plan()))
    assert [row["size"] for row in rows] == [50, 50, 400, 400] and last["equal"]
    assert set(rows[0]["kernels"]) == {"simulate_list", "list_sums", "list_bars"}
    monkeypatch.setattr(gpu_cases, "BRACKET_BARS", 20_000)
    found = list(gpu_cases.indicators(Plan(shrink=10)))
    values, (stream, *rows) = found[: len(gpu_cases.KINDS)], found[len(gpu_cases.KINDS) :]
    assert all(row["equal"] and len(set(row["cuda"])) == len(row["lengths"]) == 10 for row in values)
    assert stream["streamed"] > 0 and stream["stated"] is None
    assert {row["work"].split()[0] for row in rows} == set(gpu_cases.KINDS)
    shares = [row["share_of_bandwidth"] for row in rows if row["backend"] == "cuda"]
    assert len(shares) == 8 and min(shares) > 0.0
    assert [own["calls"] for row in rows if row["backend"] == "cuda" for own in row["kernels"].values()] == [1] * 24


def test_single_runs_and_the_break_even(brief: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import gpu_cases
    from bench.lease import Plan

    monkeypatch.setattr(gpu_cases, "RUN_ROUNDS", 1)
    monkeypatch.setattr(gpu_cases, "RUN_BARS", (2_000,))
    (row,) = gpu_cases.single(Plan())
    assert row["total_s"]["cuda"] > 0 and "simulate device_seconds" in row["best_s"]["cuda"]
    assert set(row["best_s"]["cpu"]) == {f"{name} seconds" for name in gpu_cases.PHASES}
    *rows, last = list(gpu_cases.break_even(Plan(shrink=300)))
    assert [row["size"] for row in rows[:-1]] == [10, 10, 30, 30] and rows[-1]["equal"]
    assert last["measured_to"] == 30 and last["sets"] in (10, 30, None)
    assert list(gpu_cases.million(Plan())) == []


def test_streams_are_timed_beside_each_other(brief: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import gpu_cases
    from bench.lease import Plan

    monkeypatch.setattr(gpu_cases, "EXITS", gpu_cases.replace(gpu_cases.EXITS, bars=2_000, fast=(5,), slow=(20, 30)))
    *rows, last = list(gpu_cases.streams(Plan()))
    assert [row["work"] for row in rows] == ["streams, 1", "streams, 2", "streams, 4"] and last["equal"]


SANITIZER = """#!/bin/sh
echo "========= COMPUTE-SANITIZER"
case "$* " in *" sweep "*) echo "========= Invalid __global__ read"; echo "========= ERROR SUMMARY: 1 error"; exit 9;; esac
case "$2" in
racecheck) echo "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)";;
*) echo "========= ERROR SUMMARY: 0 errors";;
esac
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in")
def test_the_sanitizer_s_verdict_is_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from bench import gpu_sanitizer

    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "compute-sanitizer"
    program.write_text(SANITIZER)
    program.chmod(0o755)
    monkeypatch.setattr(gpu_sanitizer.shutil, "which", lambda name, path=None: f"{path}/{name}" if path == str(tmp_path / "bin") else None)
    rows = list(gpu_sanitizer.sanitized())
    verdicts = {row["what"]: (row["passed"], row["faults"], row["status"]) for row in rows}
    good, bad = (True, 0, 0), (False, 1, 9)
    assert verdicts == {"memcheck, run": good, "memcheck, sweep": bad, "racecheck, run": good, "racecheck, sweep": bad}
    assert any("Invalid __global__ read" in line for line in rows[1]["output"]) and rows[0]["output"] == []


def test_a_missing_sanitizer_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import gpu_sanitizer

    monkeypatch.setattr(gpu_sanitizer.shutil, "which", lambda name, path=None: None)
    (row,) = gpu_sanitizer.sanitized()
    assert row["passed"] is None and "not on the path" in row["result"]


def test_what_the_sanitizer_runs_allocates_each_array(monkeypatch: pytest.MonkeyPatch) -> None:
    import gpubt
    from bench.gpu_sanitizer import PROGRAMS, main

    cuda = SimpleNamespace(Memory=lambda size: ("memory", size), MemoryPointer=lambda memory, offset: (memory, offset))
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=cuda))
    main("run")
    pool = cupy_runtime.CupyRuntime()._pool
    assert pool.malloc(800) == (("memory", 800), 0) and pool.used_bytes() == pool.total_bytes() == 0
    main("sweep")
    assert len(gpubt.run_sweep(PROGRAMS["sweep"])) == 16
