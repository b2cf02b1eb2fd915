"""The real device: memory, copies and launches through CuPy, and nothing else; CuPy's own arithmetic is on no path of a result."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpubt.errors import BackendUnavailable, OutOfDeviceMemory
from gpubt.memory import device_process_bytes
from gpubt.phases import profiler
from gpubt.resources import kernel_sources

NVRTC_FLAGS = ("--std=c++17", "--fmad=false")  # no FMA contraction: every backend rounds after every operation
BLOCK = 256
BLOCKS_PER_MULTIPROCESSOR = 16  # beyond it threads take further items: a grid-stride loop hides latency as well
STAGE = 8 << 20  # bytes of one pinned buffer; two keep the copy engine busy while the host fills the other


class CupyRuntime:
    """A `gpubt.backends.runtime.Runtime` on device number `device`, with a stream and a memory pool of its own.

    Raises BackendUnavailable for a device that isn't there, and OutOfDeviceMemory when its memory is not enough.
    """

    def __init__(self, device: int = 0) -> None:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
        if not 0 <= device < count:
            raise BackendUnavailable(f"backend.device must be under the number of CUDA devices, {count}, got {device}")
        self._cupy = cupy
        self._device = cupy.cuda.Device(device)
        self._device.use()
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self.use()
        self._pool = cupy.cuda.MemoryPool()
        self._stages: list[tuple[np.ndarray[Any, Any], Any]] = []
        self._peak = 0
        self._blocks = BLOCKS_PER_MULTIPROCESSOR * int(self._device.attributes["MultiProcessorCount"])
        self._module = cupy.RawModule(code="\n".join(kernel_sources().values()), options=NVRTC_FLAGS, backend="nvrtc")
        self._module.compile()
        self._kernels: dict[str, Any] = {}
        self._launched: list[tuple[str, Any, Any, int]] = []  # of profiled runs
        self.name = str(cupy.cuda.runtime.getDeviceProperties(device)["name"].decode())
        self.transferred = 0  # bytes copied to the device

    def use(self) -> None:
        """Make this the device and the stream of the calling thread."""
        self._device.use()
        self._stream.use()

    def empty(self, size: int, dtype: Any) -> Any:
        """`size` uninitialised elements."""
        wanted = size * np.dtype(dtype).itemsize
        try:
            pointer = self._pool.malloc(wanted)
        except self._cupy.cuda.memory.OutOfMemoryError as error:
            free, total = self._device.mem_info
            raise OutOfDeviceMemory(
                f"the device has {free / 2**20:,.0f} of {total / 2**20:,.0f} MiB free, and {wanted / 2**20:,.0f} MiB more are "
                "needed; lower data.frac or cache.budget_mib, or use backend=cpu"
            ) from error
        self._peak = max(self._peak, self._pool.total_bytes())
        return self._cupy.ndarray((size,), dtype, memptr=pointer)

    def zeros(self, size: int, dtype: Any) -> Any:
        """`size` zeros."""
        array = self.empty(size, dtype)
        array.data.memset_async(0, array.nbytes)
        return array

    def to_device(self, host: np.ndarray[Any, Any]) -> Any:
        """A device copy of `host`, flat. It is read before this returns, so the caller may change it then."""
        array = self.empty(host.size, host.dtype)
        raw = np.ascontiguousarray(host).reshape(-1).view(np.uint8)
        for number, start in enumerate(range(0, raw.size, STAGE)):
            buffer, copied = self._stage(number % 2)
            part = raw[start : start + STAGE]
            buffer[: part.size] = part
            (array.data + start).copy_from_host_async(buffer.ctypes.data, part.size)
            copied.record()
        self.transferred += raw.size
        return array

    def _stage(self, number: int) -> tuple[np.ndarray[Any, Any], Any]:
        """A pinned buffer and its event, once the copy out of it before is done. Small: the bars are never in host memory twice."""
        if len(self._stages) <= number:
            import cupyx

            self._stages.append((cupyx.empty_pinned(STAGE, np.uint8), self._cupy.cuda.Event(disable_timing=True)))
        self._stages[number][1].synchronize()
        return self._stages[number]

    def to_host(self, array: Any) -> np.ndarray[Any, Any]:
        """A host copy of `array`; waits for the kernels before it."""
        host: np.ndarray[Any, Any] = array.get(stream=self._stream)  # else some versions copy in a stream that does not wait for this one
        self._stream.synchronize()
        return host

    def address(self, array: Any) -> int:
        """The device address of the first element."""
        return int(array.data.ptr)

    def launch(self, kernel: str, work: int, *args: Any) -> None:
        """Run `kernel` over `work` items; arguments are arrays, np.int64 or np.float64."""
        if kernel not in self._kernels:
            self._kernels[kernel] = self._module.get_function(kernel)
        blocks = max(1, min(-(-work // BLOCK), self._blocks))
        begun = self.mark() if profiler() is not None else None
        self._kernels[kernel]((blocks,), (BLOCK,), args)
        if begun is not None:
            self._launched.append((kernel, begun, self.mark(), sum(int(getattr(arg, "nbytes", 0)) for arg in args)))

    def mark(self) -> Any:
        """An event in the stream."""
        event = self._cupy.cuda.Event()
        event.record()
        return event

    def between(self, start: Any, end: Any) -> float:
        """Seconds between two events, by the device."""
        end.synchronize()
        return float(self._cupy.cuda.get_elapsed_time(start, end)) / 1e3

    def launches(self) -> dict[str, dict[str, float]]:
        """Launches of profiled runs, since asked for last."""
        found: dict[str, dict[str, float]] = {}
        for kernel, start, end, moved in self._launched:
            own = found.setdefault(kernel, {"calls": 0, "seconds": 0.0, "bars": 0, "bytes": 0})
            own["calls"] += 1
            own["seconds"] += self.between(start, end)
            own["bytes"] += moved
        self._launched.clear()
        return found

    def bandwidth(self) -> float | None:
        """From the memory's clock (kHz, two transfers a cycle) and the width of its bus (bits), where the driver gives them."""
        given = self._device.attributes
        clock, width = (float(given.get(name, 0)) for name in ("MemoryClockRate", "GlobalMemoryBusWidth"))
        return 2.0 * clock * 1e3 * width / 8.0 or None

    def synchronize(self) -> None:
        """Wait until all that was asked of it is done."""
        self._stream.synchronize()

    def memory(self) -> dict[str, int]:
        """Bytes: `used`, `peak` (the most that the pool took), `free`, `total`, and `process`, the driver's figure, where it is known."""
        free, total = self._device.mem_info
        memory = {"used": int(self._pool.used_bytes()), "peak": self._peak, "free": int(free), "total": int(total)}
        process = device_process_bytes(self._device.id)
        return memory if process is None else {**memory, "process": process}
