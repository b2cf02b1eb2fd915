"""The CUDA sources built by a host C++ compiler and launched on NumPy arrays: every machine runs the kernels."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
import weakref
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gpubt.errors import OutOfDeviceMemory
from gpubt.resources import folder, kernel_sources

FLAGS = ["-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-Wall", "-Wno-unknown-pragmas"]
SANITIZE = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover"]


def compiler() -> str | None:
    """The host C++ compiler, or None."""
    return next((path for name in (os.environ.get("CXX", ""), "g++", "c++", "clang++") if name and (path := shutil.which(name))), None)


@cache
def build(sanitize: bool = False) -> ctypes.CDLL:
    """Compile `shim.h` + the kernel sources + one LAUNCHER line a kernel, cached by the digest of all of it."""
    sources = kernel_sources()
    kernels = re.findall(r"^KERNEL (\w+)\(", "\n".join(sources.values()), re.M)
    text = "\n".join([(folder("kernels") / "host" / "shim.h").read_text(), *sources.values(), *(f"LAUNCHER({name})" for name in kernels)])
    flags = FLAGS + (SANITIZE if sanitize else [])
    cxx = compiler()
    assert cxx, "no host C++ compiler"
    key = hashlib.sha256("\n".join([text, cxx, *flags]).encode()).hexdigest()[:16]
    target = Path(tempfile.gettempdir()) / f"gpubt-host-{os.getuid()}" / f"kernels-{key}.so"
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            (Path(work) / "all.cpp").write_text(text)
            subprocess.run([cxx, *flags, "-o", f"{work}/all.so", f"{work}/all.cpp"], check=True)
            os.replace(f"{work}/all.so", target)
    return ctypes.CDLL(str(target))


class HostRuntime:
    """A `gpubt.backends.runtime.Runtime` without a device. `shape=(grid, block)` fixes the launch shape; `limit`: bytes that arrays may
    take together."""

    name = "host-built kernels"

    def __init__(self, shape: tuple[int, int] = (3, 64), sanitize: bool = False, limit: float = float("inf")) -> None:
        self.shape, self.limit = shape, limit
        self.library = build(sanitize)
        self.used = self.peak = 0
        self.launched: dict[str, dict[str, float]] = {}
        self.transferred = 0

    def use(self) -> None:
        self.thread = threading.get_ident()

    def to_device(self, host: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        self.transferred += host.nbytes
        copy = self.empty(host.size, host.dtype)
        copy[:] = host.ravel()
        return copy

    def to_host(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return array.copy()

    def empty(self, size: int, dtype: Any) -> np.ndarray[Any, Any]:
        array = self._kept(np.empty(size, dtype))
        array.view(np.uint8)[:] = 0xA5  # what a kernel forgets to write shows
        return array

    def zeros(self, size: int, dtype: Any) -> np.ndarray[Any, Any]:
        return self._kept(np.zeros(size, dtype))

    def _kept(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """A new array, which counts as long as it or a view of it is there."""
        if self.used + array.nbytes > self.limit:
            raise OutOfDeviceMemory(f"no room for {array.nbytes} bytes beside {self.used}")
        self.used += array.nbytes
        self.peak = max(self.peak, self.used)
        weakref.finalize(array, self._gone, array.nbytes)
        return array

    def _gone(self, size: int) -> None:
        self.used -= size

    def address(self, array: np.ndarray[Any, Any]) -> int:
        return int(array.ctypes.data)

    def launch(self, kernel: str, work: int, *args: Any) -> None:
        slots = [
            ctypes.c_void_p(a.ctypes.data)
            if isinstance(a, np.ndarray)
            else ctypes.c_double(float(a))
            if isinstance(a, np.floating)
            else ctypes.c_int64(int(a))
            for a in args
        ]
        packed = (ctypes.c_void_p * max(1, len(slots)))(*(ctypes.cast(ctypes.pointer(s), ctypes.c_void_p) for s in slots))
        start = time.perf_counter()
        getattr(self.library, f"run_{kernel}")(ctypes.c_uint(self.shape[0]), ctypes.c_uint(self.shape[1]), packed)
        own = self.launched.setdefault(kernel, {"calls": 0, "seconds": 0.0, "bars": 0, "bytes": 0})
        own["calls"] += 1
        own["seconds"] += time.perf_counter() - start
        own["bytes"] += sum(a.nbytes for a in args if isinstance(a, np.ndarray))

    def synchronize(self) -> None:
        pass

    def mark(self) -> float:
        return time.perf_counter()

    def between(self, start: float, end: float) -> float:
        return end - start

    def launches(self) -> dict[str, dict[str, float]]:
        found, self.launched = self.launched, {}
        return found

    def bandwidth(self) -> float | None:
        return None

    def memory(self) -> dict[str, int]:
        return {"used": self.used, "peak": self.peak, "free": 0, "total": 0}
