"""`gpubt info`: versions, the machine, whether and why CUDA can't be used, and what is cached."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from gpubt.commands.arguments import Parser
from gpubt.report.numbers import size


def main(arguments: list[str]) -> int:
    """Print what is installed and what can be used here."""
    parser = Parser(prog="gpubt info", description="Versions, devices, whether and why cuda can't be used, caches.")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    chosen = parser.parse_args(arguments)
    found = gather()
    print(json.dumps(found, indent=2) if chosen.json else "\n".join(text(found)))
    return 0


def gather() -> dict[str, Any]:
    """Everything that `gpubt info` shows."""
    from gpubt.device import cuda_status, load_break_even
    from gpubt.records.environment import cuda_versions, hardware, versions

    status = cuda_status()
    return {
        "versions": versions() | cuda_versions(status),
        "hardware": hardware(),
        "cuda": {"available": status.available, "reason": status.reason, "devices": status.devices},
        "break_even": load_break_even(status),
        "caches": _caches(),
    }


def _caches() -> dict[str, Any]:
    from gpubt.caches import cache_dir

    own = os.environ.get("NUMBA_CACHE_DIR")
    folders = {"cache": cache_dir()} | ({"numba": Path(own)} if own else {})
    return {name: {"path": str(folder), "bytes": _bytes(folder)} for name, folder in folders.items()}


def _bytes(folder: Path) -> int:
    """Bytes of all files below; one that vanishes meanwhile does not count."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name)).st_size
            except OSError:
                continue
    return total


def text(found: dict[str, Any]) -> list[str]:
    """The same for people."""
    machine, cuda, versions = found["hardware"], found["cuda"], dict(found["versions"])
    rows = [("gpubt", versions.pop("gpubt")), ("python", versions.pop("python"))]
    packages = [f"{name} {version}" for name, version in versions.items()]
    rows += [("" if start else "packages", "  ".join(packages[start : start + 5])) for start in range(0, len(packages), 5)]
    rows += [("machine", f"{machine['cpu']}, {machine['cores']} cores, {size(machine['memory_bytes'])} memory, {machine['system']}")]
    rows += [("cuda", ("can be used: " if cuda["available"] else "can't be used: ") + cuda["reason"])]
    rows += [("device", _device(index, device)) for index, device in enumerate(cuda["devices"])]
    rows += [("break-even", _break_even(found["break_even"]))]
    rows += [(name, f"{cache['path']}, {size(cache['bytes'])}") for name, cache in found["caches"].items()]
    return [f"{label:<12}{value}" for label, value in rows]


def _device(index: int, device: dict[str, Any]) -> str:
    details = [f"{index}: {device['name']}", f"{size(device.get('memory_bytes'))} memory"]
    details += [f"driver {device['driver']}"] if device.get("driver") else []
    details += [f"compute capability {device['compute_capability']}"] if device.get("compute_capability") else []
    return ", ".join(details)


def _break_even(stored: dict[str, Any] | None) -> str:
    if stored is None:
        return "not measured: gpubt warmup measures it where cuda can be used"
    if stored["work"] is None:
        return f"cuda was not faster at any size up to {stored['measured_to']:,} bars x sets"
    return f"cuda from {stored['work']:,} bars x sets on"
