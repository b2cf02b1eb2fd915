"""`profile=nsys`: the same command under NVIDIA Nsight Systems, which shows phases and kernels as ranges on one time line."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gpubt.errors import BackendUnavailable, GpubtError

GET = "it comes with the CUDA toolkit, as the package nsight-systems, or from developer.nvidia.com/nsight-systems"


def command(arguments: Sequence[str], folder: Path) -> list[str]:
    """What to run: the arguments of `gpubt run` without its profile, and the report beside the run's files."""
    kept = [text for text in arguments if not text.startswith(("profile=", "profile.mode="))]
    where = [] if any(text.startswith("hydra.run.dir=") for text in kept) else [f"hydra.run.dir={folder}"]
    run = [sys.executable, "-m", "gpubt", "run", *kept, *where]
    return ["nsys", "profile", "-t", "cuda,nvtx", "--force-overwrite", "true", "-o", str(folder / "nsys"), *run]


def run_under_nsys(arguments: Sequence[str], folder: Path) -> None:
    """Print the command and run it. Raises BackendUnavailable where nsys isn't installed, GpubtError with its exit status."""
    typed = command(arguments, folder)
    print(shlex.join(typed), flush=True)
    if shutil.which("nsys") is None:
        raise BackendUnavailable(f"profile=nsys needs NVIDIA Nsight Systems (nsys), which is not on PATH: {GET}; the command is above")
    folder.mkdir(parents=True, exist_ok=True)
    status = subprocess.run(typed, check=False).returncode
    if status:
        raise GpubtError(f"nsys ended with exit status {status}")
    print(f"nsys-ui {folder / 'nsys.nsys-rep'}    # domain gpubt: the phases of the run")
