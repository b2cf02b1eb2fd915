"""Memory figures come from the operating system, and what is not known is None."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from gpubt import memory


def test_the_peak_holds_what_was_resident() -> None:
    resident = memory.resident_bytes()
    peak = memory.host_peak_bytes()
    assert resident is not None and peak is not None
    assert 1_000_000 < resident <= peak


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can reset the peak")
def test_the_peak_starts_again_after_a_reset() -> None:
    size = 200_000_000
    if not memory.reset_host_peak():
        pytest.skip("this kernel does not let a process clear its peak")
    before = memory.host_peak_bytes()
    array = np.ones(size, np.uint8)
    during = memory.host_peak_bytes()
    del array
    assert before is not None and during is not None
    assert during - before > 0.9 * size
    assert memory.reset_host_peak()
    after = memory.host_peak_bytes()
    assert after is not None and after < during - 0.9 * size


def test_without_proc_the_peak_comes_from_getrusage(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = memory.host_peak_bytes()
    monkeypatch.setattr(memory, "STATUS", Path("/nowhere"))
    monkeypatch.setattr(memory, "CLEAR_REFS", Path("/nowhere/clear_refs"))
    peak = memory.host_peak_bytes()
    assert peak is not None and exact is not None and peak > 1_000_000
    assert memory.resident_bytes()
    assert memory.reset_host_peak() is False


@pytest.mark.parametrize(
    ("peak", "baseline", "raw", "ratio"),
    [
        (300_000_000, 100_000_000, 100_000_000, 2.0),
        (100_000_000, 300_000_000, 100_000_000, 0.0),
        (300_000_000, 100_000_000, 63_999_999, None),
        (None, 100_000_000, 100_000_000, None),
        (300_000_000, None, 100_000_000, None),
    ],
)
def test_ratio(peak: int | None, baseline: int | None, raw: int, ratio: float | None) -> None:
    assert memory.memory_ratio(peak, baseline, raw) == ratio


def test_no_driver_means_no_device_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert memory.device_process_bytes() is None
