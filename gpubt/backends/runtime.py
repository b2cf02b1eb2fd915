"""What the CUDA backend needs from a device: allocate, copy, launch, wait, memory. `CupyRuntime` is the real one.

The tests' HostRuntime has the same surface over NumPy arrays and host-built kernels, so everything above this file
runs on machines without a GPU.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

Array = Any  # a device array: cupy.ndarray on a device, numpy.ndarray on the host runtime


class Runtime(Protocol):
    """One device, and one order of work on it. Arrays are flat and C-contiguous; kernel arguments are arrays, np.int64 or np.float64
    scalars. What makes an array raises OutOfDeviceMemory where there is no room for it."""

    name: str

    def use(self) -> None:
        """Make this what the calling thread works with. Making a runtime does too."""

    def to_device(self, host: np.ndarray[Any, Any]) -> Array:
        """A device copy of `host`."""

    def to_host(self, array: Array) -> np.ndarray[Any, Any]:
        """A host copy of `array`; waits for the kernels before it."""

    def empty(self, size: int, dtype: Any) -> Array:
        """`size` uninitialised elements."""

    def zeros(self, size: int, dtype: Any) -> Array:
        """`size` zeros."""

    def address(self, array: Array) -> int:
        """The device address of the first element, for tables of pointers."""

    def launch(self, kernel: str, work: int, *args: Any) -> None:
        """Run `kernel` with at least one thread for each of `work` items (grid-stride: fewer threads also do it)."""

    def synchronize(self) -> None:
        """Wait until all that was asked of it is done."""

    def mark(self) -> Any:
        """A moment in the order of work; nothing waits for it."""

    def between(self, start: Any, end: Any) -> float:
        """Seconds from one mark to a later one, which it waits for."""

    def launches(self) -> dict[str, dict[str, float]]:
        """By kernel `calls`, `seconds`, `bars` (0) and `bytes` of its array arguments: launches of profiled runs, since asked for last."""

    def bandwidth(self) -> float | None:
        """Bytes a second that its memory can move at most; None: not known."""

    def memory(self) -> dict[str, int]:
        """`used`, `peak`, `free`, `total` in bytes; `peak` of this process's allocations."""
