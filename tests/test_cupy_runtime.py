"""The CuPy runtime: on a device where one answers, and everywhere over a stand-in with the calls that it makes."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import miss

from gpubt.backends import cupy_runtime
from gpubt.device import cuda_status
from gpubt.errors import BackendUnavailable, GpubtError
from gpubt.phases import profiled_by


class Pointer:
    """Device memory: host bytes that only the calls below may touch."""

    def __init__(self, raw: np.ndarray[Any, Any], log: list[str]) -> None:
        self.raw, self.log, self.ptr = raw, log, raw.ctypes.data

    def __add__(self, offset: int) -> Pointer:
        return Pointer(self.raw[offset:], self.log)

    def memset_async(self, value: int, size: int) -> None:
        self.raw[:size] = value

    def copy_from_host_async(self, address: int, size: int) -> None:
        ctypes.memmove(self.ptr, address, size)
        self.log.append(f"copy {size}")


class Pool:
    """Counts what it gave; `limit` bytes at most."""

    def __init__(self, log: list[str], out_of_memory: type[Exception], limit: int) -> None:
        self.log, self.error, self.limit, self.total = log, out_of_memory, limit, 0

    def malloc(self, size: int) -> Pointer:
        if self.total + size > self.limit:
            raise self.error
        self.total += size
        return Pointer(np.full(size, 0xA5, np.uint8), self.log)

    def total_bytes(self) -> int:
        return self.total

    used_bytes = total_bytes


class Stream:
    """Knows whether it is the one that calls without a stream go to."""

    current = False

    def __init__(self, log: list[str], non_blocking: bool) -> None:
        assert non_blocking  # else it would wait for the default stream, and others for it
        self.log = log

    def use(self) -> None:
        self.current = True
        self.log.append("stream")

    def synchronize(self) -> None:
        self.log.append("sync")


class Module:
    """Logs compilation and launches."""

    def __init__(self, log: list[str], code: str, options: tuple[str, ...], backend: str) -> None:
        self.log, self.options = log, options
        assert "KERNEL" in code and backend == "nvrtc"

    def compile(self) -> None:
        self.log.append(f"compile {' '.join(self.options)}")

    def get_function(self, name: str) -> Callable[..., None]:
        self.log.append(f"get {name}")
        return lambda grid, block, args: self.log.append(f"launch {name} {grid} {block} {len(args)}")


def stand_in(log: list[str], limit: int = 2**30) -> SimpleNamespace:
    class OutOfMemoryError(MemoryError):
        pass

    class DeviceArray(np.ndarray[Any, Any]):
        def __new__(cls, shape: tuple[int], dtype: Any, memptr: Pointer) -> DeviceArray:
            return np.ndarray.__new__(cls, shape, dtype, memptr.raw.data)

        def get(self, stream: Any) -> np.ndarray[Any, Any]:
            assert stream.current
            return np.array(self, subok=False)

    array = lambda shape, dtype, memptr: Array(DeviceArray(shape, dtype, memptr), memptr)  # noqa: E731
    event = SimpleNamespace(synchronize=lambda: log.append("wait"), record=lambda: log.append("record"))
    device = SimpleNamespace(
        id=0,
        use=lambda: log.append("use"),
        attributes={"MultiProcessorCount": 2, "MemoryClockRate": 1_000_000, "GlobalMemoryBusWidth": 512},
        mem_info=(3 << 20, 4 << 20),
    )
    runtime = SimpleNamespace(getDeviceCount=lambda: 1, getDeviceProperties=lambda index: {"name": b"NVIDIA X"})
    cuda = SimpleNamespace(
        runtime=runtime,
        Device=lambda index: device,
        Stream=lambda non_blocking: Stream(log, non_blocking),
        MemoryPool=lambda: Pool(log, OutOfMemoryError, limit),
        Event=lambda disable_timing=False: event,
        get_elapsed_time=lambda begin, end: 2.5,  # ms
        memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
    )
    return SimpleNamespace(cuda=cuda, ndarray=array, RawModule=lambda code, options, backend: Module(log, code, options, backend))


class Array:
    """What is used of cupy.ndarray; `data` is the pointer, as there."""

    def __init__(self, host: Any, data: Pointer) -> None:
        self.host, self.data, self.nbytes = host, data, host.nbytes

    def get(self, stream: Any) -> np.ndarray[Any, Any]:
        return self.host.get(stream)  # type: ignore[no-any-return]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    entries: list[str] = []
    pinned = ModuleType("cupyx")
    pinned.empty_pinned = np.empty  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cupy", stand_in(entries))
    monkeypatch.setitem(sys.modules, "cupyx", pinned)
    monkeypatch.setattr(cupy_runtime, "STAGE", 1000)
    return entries


@pytest.mark.parametrize("bytes_", [0, 8, 1000, 1008, 5008])
def test_copies_arrive_whole_through_two_stages(log: list[str], bytes_: int) -> None:
    runtime = cupy_runtime.CupyRuntime()
    host = np.random.default_rng(1).normal(size=bytes_ // 8)
    array = runtime.to_device(host)
    assert np.array_equal(runtime.to_host(array), host) and runtime.to_host(array).dtype == np.float64
    assert runtime.transferred == bytes_ and runtime.address(array) == array.data.ptr
    copies = -(-bytes_ // 1000)
    assert log[4:] == ["wait", f"copy {min(1000, bytes_)}", "record"] * min(copies, 1) + log[4 + 3 * min(copies, 1) :]
    assert sum(int(entry.split()[1]) for entry in log if entry.startswith("copy")) == bytes_
    assert log.count("wait") == log.count("record") == copies


def test_views_and_other_types_travel(log: list[str]) -> None:
    runtime = cupy_runtime.CupyRuntime()
    for host in (np.arange(20)[::2], np.arange(6, dtype=np.uint8).reshape(2, 3), np.array([3], np.uint64)):
        assert np.array_equal(runtime.to_host(runtime.to_device(host)), host.ravel())
    assert not runtime.to_host(runtime.zeros(5, np.float64)).any()


def test_launches_cover_the_work_within_the_cap(log: list[str]) -> None:
    runtime = cupy_runtime.CupyRuntime()
    assert log == ["use", "use", "stream", "compile --std=c++17 --fmad=false"]
    for work in (0, 1, 257, 10**9):
        runtime.launch("scan", work, np.int64(1))
    runtime.synchronize()
    assert log[4:] == ["get scan"] + [f"launch scan ({blocks},) (256,) 1" for blocks in (1, 1, 2, 32)] + ["sync"]


def test_marks_are_recorded_at_once_and_waited_for_when_they_are_read(log: list[str]) -> None:
    runtime = cupy_runtime.CupyRuntime()
    start, end = runtime.mark(), runtime.mark()
    assert log[4:] == ["record", "record"]
    assert runtime.between(start, end) == 0.0025 and log[6:] == ["wait"]


def test_launches_are_timed_only_where_somebody_watches(log: list[str]) -> None:
    runtime = cupy_runtime.CupyRuntime()
    array = runtime.empty(100, np.float64)
    runtime.launch("scan", 100, array, np.int64(3))
    assert runtime.launches() == {} and "record" not in log
    with profiled_by(object()):
        for _ in range(2):
            runtime.launch("scan", 100, array, np.int64(3))
    assert log[-6:].count("record") == 4
    assert runtime.launches() == {"scan": {"calls": 2, "seconds": 0.005, "bars": 0, "bytes": 2 * (800 + 8)}}
    assert runtime.launches() == {}


def test_bandwidth_is_twice_the_clock_times_the_width(log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = cupy_runtime.CupyRuntime()
    assert runtime.bandwidth() == 2 * 1e9 * 512 / 8
    monkeypatch.setitem(runtime._device.attributes, "MemoryClockRate", 0)
    assert runtime.bandwidth() is None


def test_memory_is_the_pools(log: list[str]) -> None:
    runtime = cupy_runtime.CupyRuntime()
    assert runtime.memory() == {"used": 0, "peak": 0, "free": 3 << 20, "total": 4 << 20}
    runtime.zeros(1000, np.float64)
    assert runtime.memory()["peak"] == 8000 and runtime.name == "NVIDIA X"


def test_too_little_memory_is_said_with_figures(log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", stand_in(log, limit=100))
    with pytest.raises(GpubtError, match=r"the device has 3 of 4 MiB free, and 8 MiB more are needed; lower data\.frac"):
        cupy_runtime.CupyRuntime().empty(1 << 20, np.float64)


def test_a_device_that_is_not_there(log: list[str]) -> None:
    with pytest.raises(BackendUnavailable, match=r"backend\.device must be under the number of CUDA devices, 1, got 3"):
        cupy_runtime.CupyRuntime(3)


@pytest.mark.gpu
def test_a_real_device(request: pytest.FixtureRequest) -> None:
    status = cuda_status()
    if not status.available:
        miss(request.config, "--require-gpu", status.reason)
    runtime = cupy_runtime.CupyRuntime()
    host = np.random.default_rng(2).normal(size=3_000_001)  # three stages
    array = runtime.to_device(host)
    assert np.array_equal(runtime.to_host(array), host)
    assert not runtime.to_host(runtime.zeros(1001, np.uint8)).any()
    low, high = runtime.empty(-(-host.size // 64), np.float64), runtime.empty(-(-host.size // 64), np.float64)
    runtime.launch("block_extremes", low.size, array, array, np.int64(host.size), np.int64(64), low, high)
    assert np.array_equal(runtime.to_host(low), np.minimum.reduceat(host, np.arange(0, host.size, 64)))
    assert np.array_equal(runtime.to_host(high), np.maximum.reduceat(host, np.arange(0, host.size, 64)))
    start = runtime.mark()
    runtime.launch("block_extremes", low.size, array, array, np.int64(host.size), np.int64(64), low, high)
    assert 0.0 < runtime.between(start, runtime.mark()) < 1.0
    memory = runtime.memory()
    assert memory["total"] >= memory["free"] > 0 and memory["peak"] >= memory["used"] >= host.nbytes
