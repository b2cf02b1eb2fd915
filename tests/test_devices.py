"""`backend.devices`: sets of a sweep on several devices are those on one, as files too; two host runtimes stand for two devices."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import miss
from host_runtime import HostRuntime
from test_sweep import DATA

from gpubt import config, device
from gpubt.backends import cuda, cupy_runtime, get_backend
from gpubt.backends.base import Backend
from gpubt.backends.cpu import CpuBackend
from gpubt.backends.cuda import CudaBackend
from gpubt.device import CudaStatus, device_numbers
from gpubt.errors import BackendUnavailable, ConfigError, OutOfDeviceMemory
from gpubt.phases import Phases
from gpubt.sweep.definition import define
from gpubt.sweep.run import Sweep
from gpubt.sweep.store import Store

AXES = ["strategy.params.fast=range(3,13)", "exits.stop.pct=0.002,0.006", "exits.target.pct=0.002,0.006", "strategy.params.slow=20,30"]


class OneThread(HostRuntime):
    """Refuses launches from a thread that did not choose it last."""

    def launch(self, kernel: str, work: int, *args: Any) -> None:
        assert current.device is self and threading.get_ident() == self.thread
        super().launch(kernel, work, *args)

    def use(self) -> None:
        super().use()
        current.device = self


current = threading.local()


def two() -> CudaBackend:
    return CudaBackend(OneThread(), [CudaBackend(OneThread((7, 5)))])


def swept(backend: Backend, folder: Path) -> tuple[Phases, bytes]:
    definition, store = define([*DATA, "data.synthetic.bars=300", "memory.device=1000", *AXES]), Store(folder)
    done = Sweep(definition.variants, definition.space(), backend, Phases()).into(store, definition, "asked for")
    assert done.simulated == 80
    return done.phases, (folder / "results.parquet").read_bytes()


def test_two_devices_write_the_file_of_one_and_of_the_cpu(host_backend: Callable[..., CudaBackend], tmp_path: Path) -> None:
    phases, want = swept(host_backend(), tmp_path / "one")
    assert swept(CpuBackend(), tmp_path / "cpu")[1] == want
    backend = two()
    both, got = swept(backend, tmp_path / "two")
    assert got == want
    counts = [one.launches()["scan_compare"]["calls"] for one in (backend, *backend.peers)]
    assert min(counts) > 0
    assert both.record().keys() == phases.record().keys()


@pytest.mark.gpu
def test_two_streams_of_one_device_write_the_file_of_the_cpu(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    status = device.cuda_status()
    if not status.available:
        miss(request.config, "--require-gpu", status.reason)
    backend, _ = get_backend(config.Backend("cuda", streams=2), work=0, several=True)
    assert swept(backend, tmp_path / "two")[1] == swept(CpuBackend(), tmp_path / "cpu")[1]


def test_what_goes_wrong_on_one_device_ends_the_sweep(host_backend: Callable[..., CudaBackend], tmp_path: Path) -> None:
    host_backend()  # skips without a compiler
    backend = CudaBackend(HostRuntime(), [CudaBackend(HostRuntime(limit=25_000))])
    with pytest.raises(OutOfDeviceMemory, match="no room"):
        swept(backend, tmp_path)


def test_streams_share_the_memory_of_their_device(host_backend: Callable[..., CudaBackend]) -> None:
    host_backend()
    definition = define([*DATA, "data.synthetic.bars=300", "memory.device=1000", *AXES])
    totals = []
    for streams in (1, 2):
        backend = CudaBackend(HostRuntime(), streams=streams)
        sweep = Sweep(definition.variants, definition.space(), backend, Phases())
        totals.append(sweep.shares(sweep.load(0)).total)
    assert totals == [1000 * 2**20, 500 * 2**20]


def test_a_sweep_that_is_left_leaves_no_thread(host_backend: Callable[..., CudaBackend]) -> None:
    host_backend()
    definition = define([*DATA, "data.synthetic.bars=300", "memory.device=1000", *AXES])
    sweep = Sweep(definition.variants, definition.space(), two(), Phases())
    before = threading.active_count()
    tables = sweep.tables(np.arange(80))
    assert next(iter(tables))[0].num_rows > 0
    assert threading.active_count() > before
    tables.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_fewer_sets_than_devices(host_backend: Callable[..., CudaBackend]) -> None:
    host_backend()
    definition = define([*DATA, "data.synthetic.bars=300", "memory.device=1000", "strategy.params.fast=5,6"])
    sweep = Sweep(definition.variants, definition.space(), two(), Phases())
    assert pa.concat_tables(table for table, _ in sweep.tables(np.arange(1))).num_rows == 1


@pytest.mark.parametrize("wanted", [[], [0, 0], [-1], [1.0], "some", 2, [True]])
def test_what_names_no_devices_is_refused(wanted: Any) -> None:
    from gpubt.limits import check

    with pytest.raises(ConfigError, match=r"backend\.devices must be all or a list of different numbers from 0 on, got "):
        check(config.Config(backend=config.Backend(devices=wanted)))


def test_the_devices_that_a_sweep_and_a_run_take(monkeypatch: pytest.MonkeyPatch) -> None:
    status = CudaStatus(True, "X answers", [{"name": "X"}] * 3)
    made: list[int] = []

    def runtime(number: int) -> Any:
        made.append(number)
        return HostRuntime

    monkeypatch.setattr(device, "cuda_status", lambda: status)
    monkeypatch.setattr(cupy_runtime, "CupyRuntime", runtime)
    for devices, streams, several, want in (
        ("all", 1, True, [1, 2, 0]),
        ([2, 0], 1, True, [0, 2]),
        ([2, 0], 3, True, [0, 0, 0, 2, 2, 2]),
        ([2, 0], 3, False, [2]),
        (None, 1, True, [1]),
    ):
        made.clear()
        backend, _ = get_backend(config.Backend("cuda", device=1, devices=devices, streams=streams), work=0, several=several)
        assert {one.streams for one in (backend, *backend.peers)} == {streams if several else 1}
        assert made == want and len(backend.peers) == len(want) - 1  # the first one last: it is this thread's device then
    with pytest.raises(BackendUnavailable, match=r"backend\.devices must be under the number of CUDA devices, 3, got \[0, 3\]; use all"):
        device_numbers(config.Backend("cuda", devices=[0, 3]), 3)
    assert cuda.CudaBackend(HostRuntime).peers == ()
