"""What the operating system says about this process's memory. Unknown is None, never 0."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")
GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
RATIO_FLOOR = 64_000_000  # bytes of bars; under it the interpreter and compiled code outweigh the data


def _proc_bytes(field: str) -> int | None:
    """A `kB` line of /proc/self/status in bytes; None where the system has no such file or line."""
    try:
        lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    found = next((line.split() for line in lines if line.startswith(field + ":")), [])
    return int(found[1]) * 1024 if len(found) == 3 and found[2] == "kB" else None


def host_peak_bytes() -> int | None:
    """Peak resident set: since the process started or, on Linux, since `reset_host_peak`."""
    peak = _proc_bytes("VmHWM")
    if peak is not None:
        return peak
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes on macOS, KiB elsewhere
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit or None


def resident_bytes() -> int | None:
    """Resident set now."""
    resident = _proc_bytes("VmRSS")
    if resident is not None:
        return resident
    try:
        import psutil

        return int(psutil.Process().memory_info().rss)
    except (ImportError, OSError):
        return None


def free_bytes() -> int:
    """What this process may still take: what the system has available, within the limits of its control group and its address space."""
    import psutil

    limits = [int(psutil.virtual_memory().available), *_group_limits()]
    with suppress(ImportError, ValueError, OSError):
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        taken = _proc_bytes("VmSize")
        if most != resource.RLIM_INFINITY and taken is not None:
            limits.append(most - taken)
    return max(0, min(limits))


def _group_limits() -> Iterator[int]:
    """Bytes left of the control group's limit (Linux, version 2 as a container sees it, then version 1)."""
    for limit, used in GROUPS:
        with suppress(OSError, ValueError):  # "max" is no number
            yield int(Path(limit).read_text(encoding="ascii")) - int(Path(used).read_text(encoding="ascii"))
            return


def reset_host_peak() -> bool:
    """Make `host_peak_bytes` start again from the present resident set. False where the system can't (all but Linux)."""
    try:
        CLEAR_REFS.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


class HostPeak:
    """Peak resident set, lap by lap: reading and clearing it takes some 20 microseconds."""

    def __init__(self) -> None:
        self.highest: int | None = None  # of all laps since `begin`
        reset_host_peak()

    def lap(self) -> int | None:
        """Bytes since the lap before; None where the system can't clear the peak, so that no lap is known by itself."""
        peak = host_peak_bytes()
        self.highest = max((known for known in (self.highest, peak) if known is not None), default=None)
        return peak if reset_host_peak() else None

    def begin(self) -> int | None:
        """Forget the laps so far; the resident set now, in bytes."""
        reset_host_peak()
        self.highest = None
        return resident_bytes()


def memory_ratio(peak: int | None, baseline: int | None, raw_bytes: int) -> float | None:
    """Memory a run added over its raw bars: (peak - baseline) / raw_bytes, all in bytes.

    `baseline` is what was in use before the bars were read. None when a figure is unknown, or under 64 MB of bars.
    """
    if peak is None or baseline is None or raw_bytes < RATIO_FLOOR:
        return None
    return max(0, peak - baseline) / raw_bytes


def device_process_bytes(device: int = 0) -> int | None:
    """What the driver counts for this process on a device: allocations, context and code. None without a driver, and in containers
    whose process numbers the driver doesn't know."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no module, no library, no driver: pynvml has a class for each
        return None
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(device)
        ours = [p.usedGpuMemory for p in pynvml.nvmlDeviceGetComputeRunningProcesses(handle) if p.pid == os.getpid()]
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()
    known = [int(used) for used in ours if used]
    return sum(known) if known else None
