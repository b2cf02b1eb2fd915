"""Backends, chosen once a run. Each one's imports are as heavy as what it computes with, so they live here in functions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gpubt import config

if TYPE_CHECKING:
    from gpubt.backends.base import Backend


def get_backend(wanted: config.Backend, work: int, kernels: str = "simulate", several: bool = False) -> tuple[Backend, str]:
    """The backend for `work` (bars x parameter sets) and the reason. Raises BackendUnavailable when an explicit choice can't be had.
    `kernels`: a module of compiled code that will be needed; a person is told when it has to be compiled first. `several`: of all of
    `backend.devices` in `backend.streams` each, not the first alone; it has the others as its peers."""
    from gpubt.caches import set_numba_cache
    from gpubt.device import choose_backend, cuda_status, device_numbers

    name, reason = choose_backend(wanted.name, work)
    if name == "cuda":
        from gpubt.backends.cuda import CudaBackend
        from gpubt.backends.cupy_runtime import CupyRuntime

        first, *others = device_numbers(wanted, len(cuda_status().devices))
        streams = wanted.streams if several else 1
        further = [*others * streams, *[first] * (streams - 1)] if several else []
        peers = [CudaBackend(CupyRuntime(number), streams=streams) for number in further]
        return CudaBackend(CupyRuntime(first), peers, streams), reason
    _announce(set_numba_cache(), kernels)
    from gpubt.backends.cpu import CpuBackend

    return CpuBackend(wanted.threads), reason


def _announce(cache: Path, kernels: str) -> None:
    """Say, to a person, why a first run takes seconds: what it needs isn't compiled for this machine and version yet."""
    from gpubt.progress import shown

    if shown() and next(cache.rglob(f"{kernels}.*.nbi"), None) is None:
        print("gpubt: compiling the kernels for this machine, once; gpubt warmup compiles them all", file=sys.stderr)
