"""What a run ran on, and the digests of what decided its result."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from gpubt.caches import kernel_files
from gpubt.device import CudaStatus
from gpubt.hardware import cores, cpu_model
from gpubt.records.arrow import plain
from gpubt.resources import PACKAGE, kernel_sources

CUPY = ("cupy-cuda13x", "cupy-cuda12x", "cupy")  # CuPy's distributions; at most one is installed
COMPILERS = ("llvmlite", "nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12")  # installed by others, but they make the machine code


@cache
def versions() -> dict[str, str]:
    """Of Python, gpubt and every dependency that is installed, by name."""
    from gpubt import __version__

    found = {"python": platform.python_version(), "gpubt": __version__}
    for name in (*_dependencies(), *COMPILERS, *CUPY):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _dependencies() -> list[str]:
    """The core dependencies as the installed package declares them; what the records always name when it is run uninstalled."""
    try:
        declared = [line for line in requires("gpubt") or [] if "extra ==" not in line]
    except PackageNotFoundError:
        return ["numpy", "numba", "hydra-core", "pyarrow", "fastjsonschema", "nvtx", "nvidia-ml-py", "psutil", "rich"]
    return [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in declared]


def cuda_versions(status: CudaStatus) -> dict[str, str]:
    """`driver`, and `cuda_runtime` and `nvrtc` of the CuPy in use; empty without a device."""
    found = {}
    if status.devices and status.devices[0].get("driver"):
        found["driver"] = str(status.devices[0]["driver"])
    if status.available:
        import cupy

        number = int(cupy.cuda.runtime.runtimeGetVersion())
        found["cuda_runtime"] = f"{number // 1000}.{number % 1000 // 10}"
        found["nvrtc"] = ".".join(map(str, cupy.cuda.nvrtc.getVersion()))
    return found


def hardware(status: CudaStatus | None = None) -> dict[str, Any]:
    """CPU, cores this process may use, memory in bytes, system, and the devices of `status` (None: not asked, so not listed)."""
    import psutil

    found: dict[str, Any] = {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_model(),
        "cores": cores(),
        "memory_bytes": int(psutil.virtual_memory().total),
    }
    return found if status is None else {**found, "gpus": status.devices}


def config_digest(config: Any) -> str:
    """SHA-256 of a resolved configuration (dataclass or dict): its JSON with sorted keys and no spaces."""
    text = json.dumps(plain(config), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def kernels_digest() -> str:
    """SHA-256 of the sources of every kernel, CUDA and numba, with their names."""
    digest = hashlib.sha256()
    texts = {**kernel_sources(), **{path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in kernel_files()}}
    for name, text in sorted(texts.items()):
        digest.update(f"{name}\0{len(text)}\0{text}".encode())
    return digest.hexdigest()
