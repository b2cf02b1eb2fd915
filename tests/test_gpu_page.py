"""The page about GPUs that are not used says what the code says: messages, and the lines of `gpubt info`."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpubt import device
from gpubt.commands import info
from gpubt.device import CudaStatus, cuda_status

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "gpu.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="pages are in a checkout")
SPOKEN = ("device.py", "backends/cupy_runtime.py", "sweep/budget.py", "commands/info.py")
FOREIGN = ("invalid value for --gpu-architecture",)  # the compiler's words
CARD = {"name": "NVIDIA GeForce RTX 4090", "driver": "580.82.07", "memory_bytes": 24 * 2**30}


def test_the_messages_on_the_page_are_the_code_s() -> None:
    """Headings, quotations and the table of `auto`; what stands between < and > is filled in."""
    page = PAGE.read_text(encoding="utf-8")
    auto = page[page.index("## `backend=auto") :]
    named = re.findall(r"^(?:## |> )`(.+)`$", page, re.M) + re.findall(r"^\| `(.+?)` \|", auto, re.M)
    assert len(named) >= 10
    said = "\n".join(_texts())
    missing = [piece for message in named if message not in FOREIGN for piece in re.split(r"<\w+>", message) if piece not in said]
    assert missing == []


def _texts() -> Iterator[str]:
    """String constants; those that follow each other are one."""
    for name in SPOKEN:
        for node in ast.walk(ast.parse((ROOT / "gpubt" / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("GPUBT_DISABLE_CUDA", raising=False)
    monkeypatch.setattr(device, "driver_devices", lambda: [CARD])
    cuda_status.cache_clear()
    yield
    cuda_status.cache_clear()


def lines(status: CudaStatus) -> list[str]:
    """What `gpubt info` prints of a device."""
    found = {
        "versions": {"gpubt": "0", "python": "3"},
        "hardware": {"cpu": "c", "cores": 1, "memory_bytes": 1, "system": "s"},
        "cuda": {"available": status.available, "reason": status.reason, "devices": status.devices},
        "break_even": None,
        "caches": {},
    }
    return [line for line in info.text(found) if line.startswith(("cuda", "device", "break-even"))]


def on_page(found: list[str]) -> bool:
    return "\n".join(["", *found, ""]) in PAGE.read_text(encoding="utf-8")


def import_error(monkeypatch: pytest.MonkeyPatch, error: ImportError) -> None:
    load = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "cupy":
            raise error
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_without_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    import_error(monkeypatch, ModuleNotFoundError("No module named 'cupy'", name="cupy"))
    assert on_page(lines(cuda_status())[:2])


def test_with_a_cupy_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    import_error(monkeypatch, ImportError("\n=====\nFailed to import CuPy.\n\nmore"))
    assert on_page(lines(cuda_status())[:1])


def cupy(monkeypatch: pytest.MonkeyPatch, count: Any) -> None:
    properties = {"name": b"NVIDIA GeForce RTX 4090", "totalGlobalMem": 24 * 2**30, "major": 8, "minor": 9}
    runtime = SimpleNamespace(getDeviceCount=count, getDeviceProperties=lambda index: properties)
    cuda = SimpleNamespace(runtime=runtime, nvrtc=SimpleNamespace(getVersion=lambda: (13, 0)))
    stand_in = SimpleNamespace(cuda=cuda, zeros=lambda n, dtype: SimpleNamespace(get=lambda: None))
    monkeypatch.setitem(sys.modules, "cupy", stand_in)


def test_with_a_driver_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version")

    cupy(monkeypatch, refuse)
    monkeypatch.setattr(device, "driver_devices", lambda: [{**CARD, "driver": "550.54.14"}])
    assert on_page(lines(cuda_status())[:2])


def test_with_cuda_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUBT_DISABLE_CUDA", "1")
    assert on_page(lines(cuda_status())[:1])


def test_with_a_device_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy(monkeypatch, lambda: 1)
    assert on_page(lines(cuda_status()))


def test_the_driver_lists_none(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy(monkeypatch, lambda: 0)
    monkeypatch.setattr(device, "driver_devices", list)
    assert cuda_status().reason == "no CUDA device answered: the driver lists none" and "`the driver lists none`" in PAGE.read_text()
