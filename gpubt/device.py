"""Whether CUDA can be used, decided once: importing CuPy proves nothing, a device has to answer. And which backend a run takes."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from gpubt.caches import cache_dir as cache_dir
from gpubt.caches import set_numba_cache as set_numba_cache
from gpubt.errors import BackendUnavailable
from gpubt.hardware import cpu_model

if TYPE_CHECKING:
    from gpubt import config

INSTALL = "pip install 'gpubt[cuda13]' (or gpubt[cuda12] for a CUDA 12 driver)"
BREAK_EVEN_FILE = "break_even.json"


@dataclass(frozen=True)
class CudaStatus:
    """Whether CUDA can be used and, if not, why. `devices` holds name, memory_bytes and, where known, driver and compute_capability."""

    available: bool
    reason: str
    devices: list[dict[str, Any]] = field(default_factory=list)


@cache
def cuda_status() -> CudaStatus:
    """Ask once per process. `GPUBT_DISABLE_CUDA=1` answers no without touching a driver."""
    if os.environ.get("GPUBT_DISABLE_CUDA", "").strip() not in ("", "0"):
        return CudaStatus(False, "GPUBT_DISABLE_CUDA is set")
    listed = driver_devices()
    try:
        import cupy
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "cupy"
        problem = f"CuPy is not installed: {INSTALL}" if missing else f"CuPy does not load ({_line(error)}): {INSTALL}"
        here = f"a device is here ({listed[0]['name']}, driver {listed[0]['driver']}) but " if listed else ""
        return CudaStatus(False, here + problem, listed)
    try:
        devices = _probe(cupy, listed[0]["driver"] if listed else None)
    except Exception as error:  # CuPy raises classes of its own, of several modules
        here = f" ({listed[0]['name']} with driver {listed[0]['driver']} is listed)" if listed else ""
        return CudaStatus(False, f"no CUDA device answered: {_line(error)}{here}", listed)
    return CudaStatus(True, f"{devices[0]['name']} answers", devices)


def driver_devices() -> list[dict[str, Any]]:
    """What the driver lists (through pynvml, so CuPy isn't needed); empty without a driver."""
    if not _library_loads():
        return []
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        driver = _text(pynvml.nvmlSystemGetDriverVersion())
        return [_listed(pynvml, index, driver) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def _library_loads() -> bool:
    """Whether the driver's library is here, asked in microseconds where its name is known: importing pynvml takes 60 ms."""
    if sys.platform != "linux":
        return True
    import ctypes

    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


def _listed(pynvml: Any, index: int, driver: str) -> dict[str, Any]:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    try:
        memory: int | None = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
    except pynvml.NVMLError:  # devices that share the host's memory don't say
        memory = None
    return {"name": _text(pynvml.nvmlDeviceGetName(handle)), "driver": driver, "memory_bytes": memory}


def _probe(cupy: Any, driver: str | None) -> list[dict[str, Any]]:
    """The devices CUDA sees (CUDA_VISIBLE_DEVICES counts), after a use of the first and of the compiler; raises what CuPy raises."""
    count = cupy.cuda.runtime.getDeviceCount()
    if count == 0:
        raise RuntimeError("the driver lists none")
    cupy.zeros(8, dtype="u1").get()
    cupy.cuda.nvrtc.getVersion()
    devices = []
    for index in range(count):
        properties = cupy.cuda.runtime.getDeviceProperties(index)
        devices.append(
            {
                "name": _text(properties["name"]),
                "driver": driver,
                "memory_bytes": int(properties["totalGlobalMem"]),
                "compute_capability": f"{properties['major']}.{properties['minor']}",
            }
        )
    return devices


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _line(error: BaseException) -> str:
    """The first line that says something, without the full stop: CuPy's import errors are pages of it."""
    lines = [line.strip(" =.\n") for line in str(error).splitlines()]
    return next((line for line in lines if line), type(error).__name__)


def _pair(status: CudaStatus) -> str:
    """The key of a stored break-even: it belongs to a device and a CPU together."""
    return f"{status.devices[0]['name']} | {cpu_model()}"


def load_break_even(status: CudaStatus | None = None) -> dict[str, Any] | None:
    """What `store_break_even` kept for this device and CPU; None if nothing, no device, or an unreadable file."""
    status = status or cuda_status()
    found = _stored().get(_pair(status)) if status.devices else None
    if not isinstance(found, dict) or not isinstance(found.get("measured_to"), int):
        return None
    return found if found.get("work") is None or isinstance(found["work"], int) else None


def store_break_even(work: int | None, measured_to: int, status: CudaStatus | None = None) -> None:
    """Keep the bars x sets from which cuda is faster; `work=None`: at no size up to `measured_to`. Raises GpubtError if it can't write."""
    from gpubt.records.arrow import write_json

    status = status or cuda_status()
    write_json({**_stored(), _pair(status): {"work": work, "measured_to": measured_to}}, cache_dir() / BREAK_EVEN_FILE)


def _stored() -> dict[str, Any]:
    try:
        stored = json.loads((cache_dir() / BREAK_EVEN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def choose_backend(name: str, work: int, status: CudaStatus | None = None) -> tuple[str, str]:
    """`cuda` or `cpu` for `backend.name` and `work` bars x sets, and the reason in a sentence, for the record.

    Raises BackendUnavailable for an explicit cuda that can't be had. Without a `status`, `cuda_status` is asked, but not for cpu: such a
    run never loads CuPy.
    """
    if name == "cpu":
        return "cpu", "backend=cpu was asked for"
    status = status or cuda_status()
    if name == "cuda":
        if not status.available:
            raise BackendUnavailable(f"backend=cuda needs a CUDA device and CuPy: {status.reason}; use backend=cpu or backend=auto")
        return "cuda", "backend=cuda was asked for"
    if not status.available:
        return "cpu", f"backend=auto takes cpu: {status.reason}"
    return _by_break_even(work, status)


def device_numbers(wanted: config.Backend, count: int) -> list[int]:
    """The CUDA devices of `backend.devices`, or else `backend.device`, of `count` that answer. Raises BackendUnavailable."""
    if wanted.devices is None:
        return [wanted.device]
    numbers: list[int] = list(range(count)) if wanted.devices == "all" else list(wanted.devices)
    if not all(number < count for number in numbers):
        raise BackendUnavailable(f"backend.devices must be under the number of CUDA devices, {count}, got {numbers}; use all")
    return numbers


def _by_break_even(work: int, status: CudaStatus) -> tuple[str, str]:
    measured = load_break_even(status)
    device = status.devices[0]["name"]
    if measured is None:
        return "cpu", f"backend=auto takes cpu: {device} answers, but no break-even measured yet: run gpubt warmup"
    if measured["work"] is None:
        return "cpu", f"backend=auto takes cpu: {device} was not faster at any size up to {measured['measured_to']:,} bars x sets"
    if work < measured["work"]:
        return "cpu", f"backend=auto takes cpu: {work:,} bars x sets are under the measured break-even of {measured['work']:,}"
    return "cuda", f"backend=auto takes cuda: {work:,} bars x sets reach the measured break-even of {measured['work']:,}"
