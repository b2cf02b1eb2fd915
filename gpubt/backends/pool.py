"""Host memory that is used again. The system gives a new array pages of zeros, one fault at a time, which takes two to three times as long
as computing an indicator into memory that is there. Large arrays get large pages, and go back to the system at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.data import bars

SLAB = 8 << 20  # bytes taken from the system at once; larger arrays are not kept
MOST = 128 << 20  # bytes that lie free at most

_free: dict[int, list[NDArray[np.uint8]]] = {}  # by size
_idle = 0  # bytes of them


def empty(n: int) -> NDArray[np.float64]:
    """An uninitialised float64 array (n,), aligned to 64 bytes. Its memory comes back when the last view of it is gone."""
    global _idle
    size = max(1, -(-n * 8 // bars.ALIGNMENT)) * bars.ALIGNMENT
    if size > SLAB:
        return bars.empty(n, "close")
    waiting = _free.setdefault(size, [])
    try:
        memory = waiting.pop()
        _idle -= size
    except IndexError:
        memory, *others = _slab(size)
        waiting += others
        _idle += size * len(others)
    return np.asarray(_Lease(memory, n))


def _slab(size: int) -> list[NDArray[np.uint8]]:
    count = max(1, SLAB // size)
    raw = np.empty(count * size + bars.ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % bars.ALIGNMENT
    return [raw[start + i * size : start + (i + 1) * size] for i in range(count)]


class _Lease:
    """What an array from here has as its base."""

    def __init__(self, memory: NDArray[np.uint8], n: int) -> None:
        self.memory = memory
        self.__array_interface__: dict[str, Any] = {"shape": (n,), "typestr": "<f8", "data": (memory.ctypes.data, False), "version": 3}

    def __del__(self) -> None:
        global _idle
        size = len(self.memory)
        if _idle + size <= MOST:
            _free.setdefault(size, []).append(self.memory)
            _idle += size
