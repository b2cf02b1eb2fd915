"""Exits shared on a device are single simulations on the CPU: to the bit, on generated inputs, over the host-built CUDA sources."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from test_cuda_sets import GUARD, SHAPES, Guarded, alone, same
from test_shared_exits import drawn_batch

from gpubt.backends import cuda_shared
from gpubt.backends.cpu import CpuBackend
from gpubt.backends.cuda import CudaBackend
from gpubt.backends.kernels.levels import LEVEL
from gpubt.resources import kernel_sources


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever can share does."""
    monkeypatch.setattr(cuda_shared, "worth_sharing", lambda sets, *_: np.ones(len(sets), np.bool_))


def compared(backend: CudaBackend, seed: int) -> dict[str, dict[str, float]]:
    """The launches of a batch whose sets were found to be those of single runs."""
    cpu = CpuBackend()
    market, batch, ends = drawn_batch(cpu, seed, 12, smooth=False)
    want = alone(cpu, market, batch, ends, "event", 3)
    market, batch, ends = drawn_batch(backend, seed, 12, smooth=False)
    same(backend.simulate_sets(market, batch, ends, 0.0001, "event", "single", 3), want, seed)
    return backend.launches()


@pytest.mark.parametrize("start", range(0, 240, 60))
def test_shared_exits_are_single_runs_on_the_cpu(start: int, host_backend: Callable[..., CudaBackend], everything: None) -> None:
    launched = [compared(host_backend(SHAPES[seed % len(SHAPES)]), seed) for seed in range(start, start + 60)]
    assert sum("play_candidates" in each for each in launched) > 45
    assert sum("simulate_sets" in each for each in launched) < 60  # of the others none was left to be walked


@pytest.mark.parametrize("room", [1, 3000, 20_000])
def test_sets_don_t_depend_on_what_fits_one_launch(
    room: int, host_backend: Callable[..., CudaBackend], everything: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces of a few entries, and launches of a few sets: a group in several of them."""
    monkeypatch.setattr(cuda_shared, "ROOM", room)
    monkeypatch.setattr(cuda_shared, "SEGMENTS", 3)
    calls = [compared(host_backend(), seed).get("play_candidates", {"calls": 0})["calls"] for seed in range(300, 320)]
    assert max(calls) > {1: 1000, 3000: 100, 20_000: 10}[room]


def test_kernels_write_to_their_own_arrays_only(host_backend: Callable[..., CudaBackend], everything: None) -> None:
    host_backend()  # skips without a compiler
    for seed in range(400, 420):
        guarded = Guarded()
        compared(CudaBackend(guarded), seed)
        assert all((array[-GUARD:] == 0xA5).all() for array in guarded.whole)


def test_few_sets_fill_the_device_by_their_entries(host_backend: Callable[..., CudaBackend]) -> None:
    """Twelve sets with levels of their own leave it idle: their exits are searched side by side."""
    backend = host_backend()
    assert all("play_candidates" in compared(backend, seed) for seed in (3, 7, 11))


def test_sets_that_gain_nothing_are_walked(host_backend: Callable[..., CudaBackend], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twelve sets with levels of their own, on a device that they fill; bar mode shares nothing."""
    monkeypatch.setattr(cuda_shared, "FULL", 12)
    backend = host_backend()
    assert "simulate_sets" in compared(backend, 3) and "play_candidates" not in compared(backend, 3)
    market, batch, ends = drawn_batch(backend, 0, 12, smooth=False)
    backend.simulate_sets(market, batch, ends, 0.0, "bar", "single", 3)
    assert "count_entries" not in backend.launches()


def test_a_search_for_each_entry_is_weighed_against_one_for_each_trade() -> None:
    def worth(sets: int, width: int, entries: int, n: int, together: int = cuda_shared.FULL) -> bool:
        return bool(cuda_shared.worth_sharing(*(np.array([value]) for value in (sets, width, entries)), n, together)[0])

    assert worth(100, 20, 5_000, 1_000_000)
    assert not worth(1, 1, 5_000, 1_000_000)  # alone
    assert not worth(19, 20, 5_000, 1_000_000)  # most levels are one set's only
    assert not worth(100, 20, 500_000, 1_000_000)  # a signal on every other bar: a trade uses few of them
    assert worth(100, 0, 500_000, 1_000_000)  # no level to search
    assert worth(1, 1, 5_000, 1_000_000, together=10)  # alone, but the device is idle
    assert not worth(1, 4, 500_000, 1_000_000, together=cuda_shared.FULL // 8)  # idle by less than the searches are more


def test_the_records_are_those_of_the_kernels() -> None:
    source = kernel_sources()["touches.cu"]
    for name, dtype in (("Level", LEVEL), ("Group", cuda_shared.GROUP), ("Own", cuda_shared.OWN), ("Shared", cuda_shared.SHARED)):
        body = re.search(rf"^struct {name} \{{(.*?)\}};", source, re.M | re.S)
        assert body and tuple(re.findall(r"(\w+)[,;]", body[1])) == dtype.names
