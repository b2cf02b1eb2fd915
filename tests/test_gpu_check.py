"""The check of a machine with a GPU, with the host-built kernels in the place of its device."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest
from host_runtime import HostRuntime

from gpubt import device
from gpubt.backends import cupy_runtime
from gpubt.device import CudaStatus

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "bench" / "gpu_check.py").exists(), reason="the check is in a checkout")
SMALL = ("data=synthetic", "data.synthetic.bars=3001")


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch, host_backend: Callable[..., Any]) -> None:
    """backend=cuda is the host-built kernels."""
    monkeypatch.syspath_prepend(str(ROOT))
    status = CudaStatus(True, "a stand-in answers", [{"name": "stand-in", "driver": "1.0", "memory_bytes": 2**34}])
    monkeypatch.setattr(device, "cuda_status", lambda: status)
    monkeypatch.setattr(cupy_runtime, "CupyRuntime", lambda number=0: Roomy())
    from gpubt.records import environment

    monkeypatch.setattr(environment, "cuda_versions", lambda status: {"driver": "1.0"})


class Roomy(HostRuntime):
    """With memory for a sweep."""

    def memory(self) -> dict[str, int]:
        return {**super().memory(), "free": 2**33, "total": 2**34}


def checked(monkeypatch: pytest.MonkeyPatch, out: Path, steps: dict[str, Callable[[], Iterator[Any]]], *more: str) -> tuple[int, Any]:
    """Exit status and record of a check of these steps."""
    from bench import gpu_check

    monkeypatch.setattr(gpu_check, "STEPS", steps)
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
    code, record = checked(monkeypatch, tmp_path / "a.json", {"one": lambda: iter([good])})
    assert code == 0 and record["passed"] and record["complete"] and record["steps"]["one"]["rows"] == [good]
    assert record["hardware"]["gpus"][0]["name"] == "stand-in" and record["versions"]["driver"] == "1.0" and len(record["kernels"]) == 64
    code, record = checked(monkeypatch, tmp_path / "b.json", {"one": lambda: iter([good, bad]), "two": lambda: iter([good])})
    assert code == 1 and not record["passed"] and record["complete"]


def test_a_step_that_breaks_off_costs_neither_its_rows_nor_the_next_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def breaks() -> Iterator[dict[str, Any]]:
        yield {"what": "before"}
        raise ValueError("no such thing")

    code, record = checked(monkeypatch, tmp_path / "a.json", {"one": breaks, "two": lambda: iter([{"what": "after", "passed": None}])})
    assert code == 1
    assert record["steps"]["one"]["rows"] == [{"what": "before"}] and record["steps"]["one"]["error"] == "ValueError: no such thing"
    assert record["steps"]["two"]["rows"] == [{"what": "after", "passed": None}]


@pytest.mark.skipif(sys.platform == "win32", reason="no alarms")
def test_a_time_limit_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.json"

    def slow() -> Iterator[dict[str, Any]]:
        yield {"what": "quick", "equal": True}
        assert json.loads(out.read_text())["steps"]["one"]["rows"], "written after each row"
        sleep(60)

    code, record = checked(monkeypatch, out, {"one": slow, "two": lambda: iter([{"what": "never"}])}, "--minutes", "0.003")
    assert code == 0 and record["passed"] and not record["complete"]
    assert [(step["stopped"], len(step["rows"])) for step in record["steps"].values()] == [("the time limit", 1), ("the time limit", 0)]
    assert "stopped by the time limit" in capsys.readouterr().out


def test_only_the_steps_that_were_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    steps = {name: lambda name=name: iter([{"what": name}]) for name in ("one", "two")}
    _, record = checked(monkeypatch, tmp_path / "a.json", steps, "two")
    assert list(record["steps"]) == ["two"]
    with pytest.raises(SystemExit):
        checked(monkeypatch, tmp_path / "a.json", steps, "three")


def test_without_a_device_there_is_no_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from bench import gpu_check

    monkeypatch.setattr(device, "cuda_status", lambda: CudaStatus(False, "no CUDA device answered: why"))
    assert gpu_check.main(["--out", str(tmp_path / "a.json")]) == 2
    assert "no CUDA device answered: why" in capsys.readouterr().err and not (tmp_path / "a.json").exists()
