"""compute-sanitizer over a small run and a small sweep, where it is installed. `python -m bench.gpu_sanitizer run|sweep` is what it runs:
with an allocation of its own for each array, because what leaves an array within a pool stays unseen."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("memcheck", "racecheck")
DATA = ("data=synthetic", "data.synthetic.bars=3001", "backend=cuda", "progress=false")
TRADING = ("strategy=ema_cross", "exits.stop.pct=0.005", "exits.target.r=2", "costs.commission.rate=0.0005")
PROGRAMS = {
    "run": (*DATA, *TRADING),
    "sweep": (
        *DATA,
        *TRADING,
        "strategy.params.fast=5,8,13,21",
        "exits.trailing.pct=null,0.01",
        "entry.order=stop",
        "entry.stop.atr=0.25,0.5",
    ),
}
FAULTS = 9  # exit status when there are some
SUMMARY = re.compile(r"(?:ERROR|RACECHECK) SUMMARY: (\d+)")


def sanitizer() -> str | None:
    """compute-sanitizer on the path, of a CUDA toolkit or of an NVIDIA wheel; None: not here."""
    homes = [os.environ.get(name) for name in ("CUDA_HOME", "CUDA_PATH")] + ["/usr/local/cuda", "/opt/cuda"]
    places = [Path(home) / part for home in homes if home for part in ("bin", "compute-sanitizer")]
    try:
        import nvidia
    except ImportError:
        pass
    else:
        places += [
            folder for root in nvidia.__path__ for part in ("*/bin", "*/compute-sanitizer") for folder in sorted(Path(root).glob(part))
        ]
    return next((found for at in (None, *map(str, places)) if (found := shutil.which("compute-sanitizer", path=at))), None)


def sanitized() -> Iterator[dict[str, Any]]:
    """Each tool over each program; one row with the reason where there is no sanitizer."""
    program = sanitizer()
    if program is None:
        reason = "compute-sanitizer is not on the path, in CUDA_HOME, /usr/local/cuda or a wheel of NVIDIA's"
        yield {"what": "compute-sanitizer", "passed": None, "result": reason}
        return
    for tool in TOOLS:
        for work in PROGRAMS:
            yield watched(program, tool, work)


def watched(program: str, tool: str, work: str) -> dict[str, Any]:
    """One tool over one program; `faults` is None where the tool did not get to its summary."""
    command = [program, "--tool", tool, "--error-exitcode", str(FAULTS), sys.executable, "-m", "bench.gpu_sanitizer", work]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = (run.stdout + run.stderr).strip().splitlines()
    found = [int(match[1]) for line in lines if (match := SUMMARY.search(line))]
    passed = run.returncode == 0 and found == [0]
    return {
        "what": f"{tool}, {work}",
        "passed": passed,
        "faults": found[0] if found else None,
        "status": run.returncode,
        "result": lines[-1] if lines else "",
        "output": [] if passed else lines[-40:],
    }


class Unpooled:
    """In place of CuPy's memory pool: each array is an allocation."""

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda

    def malloc(self, size: int) -> Any:
        """A pointer to `size` bytes."""
        return self._cuda.MemoryPointer(self._cuda.Memory(size), 0)

    def total_bytes(self) -> int:
        """Not known."""
        return 0

    used_bytes = total_bytes


def main(work: str) -> None:
    """Run one of the programs, without the pool."""
    import cupy

    import gpubt
    from gpubt.backends import cupy_runtime

    class Runtime(cupy_runtime.CupyRuntime):
        def __init__(self, device: int = 0) -> None:
            super().__init__(device)
            self._pool = Unpooled(cupy.cuda)

    cupy_runtime.CupyRuntime = Runtime  # type: ignore[misc]
    (gpubt.run if work == "run" else gpubt.run_sweep)(PROGRAMS[work])


if __name__ == "__main__":
    main(sys.argv[1])
