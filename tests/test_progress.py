"""Progress: after a second, at most four times a second, on a terminal only, and nothing left behind."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from gpubt import backends
from gpubt.progress import _Bar, progress, progress_wanted


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Time that passes when told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_drawn_in_the_first_second() -> None:
    stream, clock = Terminal(), Clock()
    with progress("reading bars", 100, stream=stream, clock=clock) as advance:
        for _ in range(9):
            clock.now += 0.1
            advance(10)
    assert stream.getvalue() == ""


def test_rate_and_time_left_at_most_four_times_a_second() -> None:
    stream, clock = Terminal(), Clock()
    bar = _Bar("reading bars", 1000, "rows", stream, clock)
    for _ in range(300):
        clock.now += 0.01
        bar.advance(2)
    bar.stop()
    assert 8 <= bar.refreshes <= 9  # from second 1 to second 3
    assert "200 rows/s" in stream.getvalue() and "reading bars" in stream.getvalue()
    assert "2 s left, " in stream.getvalue() and "iB" in stream.getvalue() and "device" not in stream.getvalue()


def test_memory_of_a_device_and_hours_left() -> None:
    stream, clock = Terminal(), Clock()
    with progress("simulating", 100_000, device=lambda: 3 * 2**29, stream=stream, clock=clock) as advance:
        clock.now += 10
        advance(100)
    assert "2 h 46 min left, " in stream.getvalue() and "1.5 GiB on the device" in stream.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_silent_where_nobody_watches(stream: io.StringIO) -> None:
    clock = Clock()
    with progress_wanted(not stream.isatty()), progress("reading bars", 100, stream=stream, clock=clock) as advance:
        clock.now += 10
        advance(50)
    assert stream.getvalue() == ""


def test_the_module_is_light() -> None:
    code = "import gpubt.progress, sys; assert not {'rich', 'numba', 'pyarrow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])


def test_the_first_compilation_is_announced_to_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    backends._announce(tmp_path, "simulate")
    assert stream.getvalue().count("\n") == 1 and "gpubt warmup" in stream.getvalue()
    (tmp_path / "simulate.walk-1.nbi").touch()
    backends._announce(tmp_path, "simulate")
    assert stream.getvalue().count("\n") == 1
    backends._announce(tmp_path, "lanes")  # of sweeps
    assert stream.getvalue().count("\n") == 2
