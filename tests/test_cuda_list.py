"""The ledger of a table of entries, made dense by kernels: as `packed` makes it on the host, for every launch shape."""

from __future__ import annotations

import numpy as np
import pytest
from host_runtime import HostRuntime, compiler

from gpubt.backends.base import packed
from gpubt.backends.cuda_list import SIZE, dense, exit_bars
from gpubt.simulate import layout

pytestmark = pytest.mark.skipif(not compiler(), reason="no C++ compiler")


@pytest.mark.parametrize("shape", [(1, 1), (3, 64)])
@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("kept", [0.0, 0.7, 1.0])
def test_rows_are_packed_as_on_the_host(kept: float, width: int, shape: tuple[int, int]) -> None:
    rng, count = np.random.default_rng(1), 3 * SIZE + 5
    rows = np.where(rng.random(count) < kept, width if kept == 1.0 else rng.integers(1, width + 1, count), 0)
    codes = np.where(rows > 0, -1, rng.integers(0, len(layout.SKIPS), count))
    sparse = np.zeros(count * width, layout.TRADE)
    sparse["entry_bar"], sparse["exit_bar"] = np.repeat(np.arange(count), width), rng.integers(0, 10**6, count * width)
    sparse["position"], sparse["leg"] = np.repeat(np.arange(count), width), np.tile(np.arange(width), count)
    runtime = HostRuntime(shape)
    given = (runtime.to_device(sparse.view(np.uint8)), runtime.to_device(rows), runtime.to_device(codes))
    ledger, total, skipped = dense(runtime, runtime.to_device, *given, count, width)
    want = packed(sparse.copy(), rows, width)
    assert total == len(want) and skipped.tolist() == np.bincount(codes[codes >= 0], minlength=len(layout.SKIPS)).tolist()
    assert runtime.to_host(ledger).view(layout.TRADE)[:total].tobytes() == want.tobytes()
    exits, sorted_ = exit_bars(runtime, ledger, total)
    assert sorted_ and runtime.to_host(exits)[:total].tolist() == want["exit_bar"].tolist()


def test_entries_out_of_order_are_seen() -> None:
    ledger = np.zeros(100, layout.TRADE)
    ledger["entry_bar"] = np.arange(100)
    ledger["entry_bar"][70] = 3
    runtime = HostRuntime()
    assert not exit_bars(runtime, runtime.to_device(ledger.view(np.uint8)), 100)[1]
