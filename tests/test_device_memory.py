"""Device memory that runs out: half is tried at once, and the rows are the same; the host-built kernels have a limit for it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from host_runtime import HostRuntime
from test_sweep import DATA

from gpubt.backends.base import Backend
from gpubt.backends.cpu import CpuBackend
from gpubt.backends.cuda import CudaBackend
from gpubt.errors import OutOfDeviceMemory
from gpubt.phases import Phases
from gpubt.sweep.definition import define
from gpubt.sweep.run import Sweep
from gpubt.sweep.store import Store

AXES = ["strategy.params.fast=range(3,13)", "exits.stop.pct=0.002,0.004,0.006", "exits.target.pct=0.002,0.004,0.006"]
SETS = 90


def swept() -> Any:
    return define([*DATA, "data.synthetic.bars=300", "memory.device=1000", *AXES])


def table(backend: Backend) -> pa.Table:
    definition = swept()
    sweep = Sweep(definition.variants, definition.space(), backend, Phases())
    return pa.concat_tables(table for table, _ in sweep.tables(np.arange(SETS))).sort_by("set")


@pytest.fixture(scope="module")
def needed(host_backend: Callable[..., CudaBackend]) -> int:
    """Bytes of all sets at once."""
    backend = host_backend()
    table(backend)
    return backend.runtime.memory()["peak"]


@pytest.mark.parametrize("share", [0.8, 0.3])
def test_half_is_tried_until_it_fits(share: float, needed: int) -> None:
    whole = table(CpuBackend())
    backend = CudaBackend(HostRuntime(limit=share * needed))
    assert table(backend).equals(whole)
    assert backend.eased > 1 and backend.runtime.memory()["peak"] <= share * needed


def test_what_has_no_room_for_one_set_is_an_error(needed: int) -> None:
    with pytest.raises(OutOfDeviceMemory, match="no room for"):
        table(CudaBackend(HostRuntime(limit=needed // 10)))


def test_the_record_and_the_log_say_so(needed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    definition, store = swept(), Store(tmp_path)
    backend = CudaBackend(HostRuntime(limit=needed // 2))
    with caplog.at_level(logging.WARNING, "gpubt"):
        Sweep(definition.variants, definition.space(), backend, Phases()).into(store, definition, "asked for")
    (text,) = json.loads((tmp_path / "sweep.json").read_text())["warnings"]
    assert text.startswith("host-built kernels ran out of memory over ") and text.endswith(f"halved {len(caplog.records)} times")
    assert all(record.getMessage() == "device memory ran out" for record in caplog.records)
