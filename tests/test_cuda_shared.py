"""Exits shared on a device are what single simulations on the CPU are: to the bit, on generated inputs, over the host-built CUDA sources."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from test_cuda_sets import SHAPES, alone, same
from test_shared_exits import drawn_batch

from gpubt.backends import cuda_shared
from gpubt.backends.base import Backend
from gpubt.backends.cpu import CpuBackend
from gpubt.backends.cuda import CudaBackend


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever can share does."""
    monkeypatch.setattr(cuda_shared, "worth_sharing", lambda sets, *_: np.ones(len(sets), np.bool_))


@pytest.mark.parametrize("start", range(0, 240, 60))
def test_shared_exits_are_single_runs_on_the_cpu(start: int, host_backend: Callable[..., CudaBackend], everything: None) -> None:
    cpu, launched = CpuBackend(), 0
    for seed in range(start, start + 60):
        market, batch, ends = drawn_batch(cpu, seed, 12, smooth=False)
        want = alone(cpu, market, batch, ends, "event", 3)
        backend = host_backend(SHAPES[seed % len(SHAPES)])
        market, batch, ends = drawn_batch(backend, seed, 12, smooth=False)
        same(backend.simulate_sets(market, batch, ends, 0.0001, "event", "single", 3), want, seed)
        launched += "play_candidates" in backend.launches()
    assert launched > 45
