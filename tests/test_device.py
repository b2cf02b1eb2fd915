"""Whether CUDA can be used, which backend a run takes, and where caches are."""

from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpubt import caches, device
from gpubt.device import CudaStatus, choose_backend, cuda_status, load_break_even, store_break_even
from gpubt.errors import BackendUnavailable

LISTED = [{"name": "NVIDIA X", "driver": "580.1", "memory_bytes": 2**34}]
HERE = CudaStatus(True, "NVIDIA X answers", LISTED)
GONE = CudaStatus(False, "no CUDA device answered: no driver")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing decided before, and a cache folder of the test's own."""
    monkeypatch.setenv("GPUBT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("GPUBT_DISABLE_CUDA", raising=False)
    cuda_status.cache_clear()
    caches._writable.cache_clear()
    yield
    cuda_status.cache_clear()
    caches._writable.cache_clear()


def without_cupy(monkeypatch: pytest.MonkeyPatch, error: ImportError) -> None:
    load = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "cupy":
            raise error
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_the_environment_can_switch_cuda_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUBT_DISABLE_CUDA", "1")
    assert cuda_status() == CudaStatus(False, "GPUBT_DISABLE_CUDA is set")


@pytest.mark.parametrize(("listed", "here"), [([], ""), (LISTED, "a device is here (NVIDIA X, driver 580.1) but ")])
def test_cupy_is_missing(monkeypatch: pytest.MonkeyPatch, listed: list[dict[str, Any]], here: str) -> None:
    without_cupy(monkeypatch, ModuleNotFoundError("No module named 'cupy'", name="cupy"))
    monkeypatch.setattr(device, "driver_devices", lambda: listed)
    assert cuda_status().reason == f"{here}CuPy is not installed: pip install 'gpubt[cuda13]' (or gpubt[cuda12] for a CUDA 12 driver)"
    assert not cuda_status().available and cuda_status().devices == listed


def test_cupy_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    without_cupy(monkeypatch, ImportError("\n================\nFailed to import CuPy.\n\nlong text"))
    assert cuda_status().reason.startswith("CuPy does not load (Failed to import CuPy): pip install")


def test_importable_is_not_a_device_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_driver() -> int:
        raise RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")

    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=no_driver))))
    status = cuda_status()
    assert not status.available
    assert status.reason == "no CUDA device answered: cudaErrorInsufficientDriver: CUDA driver version is insufficient"


def test_the_answer_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(device, "driver_devices", lambda: asked.append(1) or [])
    assert cuda_status() is cuda_status()
    assert asked == [1]


def test_no_driver_lists_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert device.driver_devices() == []


def test_cpu_never_asks_for_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cuda_status", lambda: pytest.fail("asked"))
    assert choose_backend("cpu", 10**12)[0] == "cpu"


def test_explicit_cuda_is_refused_with_the_remedy() -> None:
    assert choose_backend("cuda", 1, HERE)[0] == "cuda"
    with pytest.raises(BackendUnavailable) as caught:
        choose_backend("cuda", 1, GONE)
    reason = "no CUDA device answered: no driver"
    assert str(caught.value) == f"backend=cuda needs a CUDA device and CuPy: {reason}; use backend=cpu or backend=auto"
    assert caught.value.exit_code == 2


def test_auto_goes_by_the_measured_break_even() -> None:
    assert choose_backend("auto", 10**9, GONE) == ("cpu", f"backend=auto takes cpu: {GONE.reason}")
    backend, reason = choose_backend("auto", 10**9, HERE)
    assert backend == "cpu" and "no break-even measured yet: run gpubt warmup" in reason
    store_break_even(200_000, 4_000_000, HERE)
    assert choose_backend("auto", 199_999, HERE)[0] == "cpu"
    backend, reason = choose_backend("auto", 200_000, HERE)
    assert backend == "cuda" and "200,000 bars x sets reach the measured break-even of 200,000" in reason
    store_break_even(None, 4_000_000, HERE)
    assert choose_backend("auto", 10**12, HERE)[0] == "cpu"


def test_a_break_even_belongs_to_a_device() -> None:
    other = CudaStatus(True, "", [{"name": "NVIDIA Y"}])
    store_break_even(5, 10, HERE)
    store_break_even(None, 10, other)
    assert load_break_even(HERE) == {"work": 5, "measured_to": 10}
    assert load_break_even(other) == {"work": None, "measured_to": 10}
    assert load_break_even(GONE) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"NVIDIA X": 3}'])
def test_a_broken_file_of_break_evens_is_none_at_all(text: str) -> None:
    (caches.cache_dir() / device.BREAK_EVEN_FILE).write_text(text)
    assert load_break_even(HERE) is None
    (caches.cache_dir() / device.BREAK_EVEN_FILE).write_text(json.dumps({device._pair(HERE): {"work": "many", "measured_to": 1}}))
    assert load_break_even(HERE) is None


def test_the_cache_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert caches.cache_dir() == tmp_path / "cache" and (tmp_path / "cache").is_dir()
    monkeypatch.delenv("GPUBT_CACHE_DIR")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert caches.user_cache() == tmp_path / "xdg" / "gpubt"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert caches.user_cache() == Path.home() / ".cache" / "gpubt"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert caches.user_cache() == Path.home() / "Library" / "Caches" / "gpubt"


def test_a_cache_that_cannot_be_written_costs_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: Any) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GPUBT_CACHE_DIR", str(tmp_path / "file" / "cache"))
    first, second = caches.cache_dir(), caches.cache_dir()
    assert first == second and first.is_dir() and tmp_path not in first.parents
    assert capfd.readouterr().err.count("can't be written") == 1


def test_numba_gets_a_folder_by_digest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setitem(sys.modules, "numba", SimpleNamespace(config=(config := SimpleNamespace(CACHE_DIR=""))))
    folder = caches.set_numba_cache()
    assert folder == tmp_path / "cache" / f"numba-{caches.numba_digest()}" and folder.is_dir()
    assert os.environ["NUMBA_CACHE_DIR"] == config.CACHE_DIR == str(folder)
    monkeypatch.setattr(caches, "cpu_features", lambda: "another CPU")  # as if inherited by another gpubt
    assert caches.set_numba_cache() != folder
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "own"))
    assert caches.set_numba_cache() == tmp_path / "own"


def test_the_digest_follows_every_kernel_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = caches.kernel_files()
    assert {"simulate.py", "position.py", "layout.py"} <= {path.name for path in files} and all(path.is_file() for path in files)
    monkeypatch.setattr(caches, "PACKAGE", tmp_path)
    for name in ("backends/kernels/bits.py", "simulate/layout.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("a = 1")
    digests = [caches.numba_digest()]
    for name in ("backends/kernels/bits.py", "simulate/layout.py"):
        (tmp_path / name).write_text("a = 2")
        digests.append(caches.numba_digest())
    assert len(set(digests)) == 3


def test_only_old_digests_beyond_the_newest_go(tmp_path: Path) -> None:
    ages = {"numba-a": 0, "numba-b": 9, "numba-c": 8, "numba-d": 7, "numba-e": 10, "other": 20}
    for name, hours in ages.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.nbc").touch()
        os.utime(tmp_path / name, (time.time() - hours * 3600,) * 2)
    caches._remove_old(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["numba-a", "numba-c", "numba-d", "other"]


def test_numba_is_not_needed_to_point_it_somewhere() -> None:
    code = (
        "import sys; from gpubt.caches import set_numba_cache; set_numba_cache(); print(*({'numba', 'cupy', 'numpy'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(device.__file__).parents[1])}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.split() == []
