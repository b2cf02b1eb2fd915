"""The processor's name and features, without importing numba: keys of caches, and the records' hardware."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


@cache
def _cpuinfo() -> dict[str, str]:
    """The first processor's fields; empty where the system has no such file."""
    try:
        first = CPUINFO.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}


def cpu_model() -> str:
    """The CPU's marketing name where the system gives one, else its architecture."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine() or "unknown"


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_features() -> str:
    """Name and instruction sets, as text: compiled code is only good for the same."""
    info = _cpuinfo()
    return " ".join([platform.machine(), cpu_model(), info.get("flags") or info.get("Features", "")])
