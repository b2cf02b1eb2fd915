"""The sets of one launch are what single runs are on the CPU, to the bit: generated inputs over the host-built CUDA sources, several launch
shapes, and on a device where one answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cases
import numpy as np
import pytest
from host_runtime import HostRuntime

from gpubt.backends import cuda_sets
from gpubt.backends.base import Backend, Batch, Inputs, Market, Sets, Trading
from gpubt.backends.cpu import CpuBackend
from gpubt.backends.cuda import CudaBackend
from gpubt.simulate import layout as k

SHAPES = ((1, 1), (3, 64), (7, 5))
VARIANTS = 6
GUARD = 1024  # bytes


def drawn(seed: int) -> tuple[Callable[[Backend], tuple[Market, Batch]], np.ndarray]:
    """A market, two signals, and ways to trade them in anything that positions=single can do, on any backend; and return periods."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([1, 2, 10, 65, 200, 700]))
    columns = cases.bars(rng, n)
    levels, signals, finer = cases.levels(rng, columns), [cases.signals(rng, n) for _ in range(2)], cases.finer(rng, columns)
    trades = []
    for _ in range(VARIANTS):
        params, rungs = cases.params(rng)
        trades.append(Trading(cases.as_record(k.RUNG, rungs), cases.as_record(k.PARAMS, [params])))
    pairs = rng.permutation(np.indices((2, VARIANTS)).reshape(2, -1), axis=1)

    def on(backend: Backend) -> tuple[Market, Batch]:
        placed = {name: backend.place(series) for name, series in levels.items()}
        masks = [{name: backend.mask(mask) for name, mask in flags.items()} for flags in signals]
        inputs = Inputs(masks, [{}], [placed], np.array([[0, 0, 0], [1, 0, 0]]))
        return backend.upload(columns, finer), Batch(inputs, trades, pairs[0].astype(np.int64), pairs[1].astype(np.int64))

    return on, cases.period_ends(rng, n)


def alone(backend: Backend, market: Market, batch: Batch, ends: np.ndarray, mode: str, blocks: int) -> Sets:
    """Single simulations, one after the other."""
    out = Sets(np.zeros(batch.n, k.TALLY), np.zeros((batch.n, blocks)), np.zeros((batch.n, blocks)))
    Backend._simulate_sets(backend, market, batch, ends, 0.0001, mode, "single", out)
    return out


def same(got: Sets, want: Sets, seed: int) -> None:
    for i, (a, b) in enumerate(zip(got.tallies, want.tallies, strict=True)):
        assert a.tobytes() == b.tobytes(), f"seed {seed}, set {i}: {a} instead of {b}"
    assert got.sums.tobytes() == want.sums.tobytes() and got.squares.tobytes() == want.squares.tobytes(), f"seed {seed}"


@pytest.mark.parametrize("start", range(0, 240, 60))
def test_sets_of_a_launch_are_single_runs_on_the_cpu(start: int, host_backend: Callable[..., CudaBackend]) -> None:
    cpu, traded = CpuBackend(), 0
    for seed in range(start, start + 60):
        on, ends = drawn(seed)
        mode, blocks = ("event", "bar")[seed % 2], (3, 16, 1)[seed % 3]
        want = alone(cpu, *on(cpu), ends, mode, blocks)
        backend = host_backend(SHAPES[seed % len(SHAPES)])
        same(backend.simulate_sets(*on(backend), ends, 0.0001, mode, "single", blocks), want, seed)
        traded += int(want.tallies["trades"].sum())
    assert traded > 5000


@pytest.mark.parametrize("mode", ["event", "bar"])
def test_every_backend_s_sets_are_single_runs_on_the_cpu(mode: str, backend: Backend) -> None:
    cpu = CpuBackend()
    for seed in range(500, 530):
        on, ends = drawn(seed)
        got = backend.simulate_sets(*on(backend), ends, 0.0001, mode, "single", 3)
        same(got, alone(cpu, *on(cpu), ends, mode, 3), seed)


def test_sets_don_t_depend_on_what_fits_one_launch(host_backend: Callable[..., CudaBackend], monkeypatch: pytest.MonkeyPatch) -> None:
    on, ends = drawn(3)
    backend = host_backend()
    want = backend.simulate_sets(*on(backend), ends, 0.0, "event", "single", 4)
    assert backend.launches()["simulate_sets"]["calls"] == 1
    monkeypatch.setattr(cuda_sets, "ROOM", 1)
    same(backend.simulate_sets(*on(backend), ends, 0.0, "event", "single", 4), want, 3)
    assert backend.launches()["simulate_sets"]["calls"] == 2 * VARIANTS


def test_no_sets_are_no_launch(host_backend: Callable[..., CudaBackend]) -> None:
    on, ends = drawn(3)
    backend = host_backend()
    market, batch = on(backend)
    nothing: Any = np.zeros(0, np.int64)
    out = backend.simulate_sets(market, Batch(batch.inputs, batch.trades, nothing, nothing), ends, 0.0, "event", "single", 4)
    assert len(out.tallies) == 0 and "simulate_sets" not in backend.launches()


class Guarded(HostRuntime):
    """Room of its own behind every array, which no kernel may write to."""

    def __init__(self) -> None:
        super().__init__((1, 1))
        self.whole: list[np.ndarray] = []

    def empty(self, size: int, dtype: Any) -> np.ndarray:
        self.whole.append(np.full(size * np.dtype(dtype).itemsize + GUARD, 0xA5, np.uint8))
        return self.whole[-1][:-GUARD].view(dtype)


@pytest.mark.parametrize("seed", [2513, 2560, 2695, 2884, 2997, 3644, 3828])
def test_two_positions_that_end_in_one_bar_have_room_for_their_rows(
    seed: int, host_backend: Callable[..., CudaBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of them has rows of a ladder when the first one's are measured."""
    monkeypatch.setattr(cuda_sets, "ROOM", 1)  # a set a launch
    host_backend()  # skips without a compiler
    cpu, guarded = CpuBackend(), Guarded()
    on, ends = drawn(seed)
    want = alone(cpu, *on(cpu), ends, "event", 2)
    backend = CudaBackend(guarded)
    same(backend.simulate_sets(*on(backend), ends, 0.0001, "event", "single", 2), want, seed)
    assert all((array[-GUARD:] == 0xA5).all() for array in guarded.whole)
