"""Progress of what takes longer than a second: rate, time left and memory on stderr, at most four times a second, on a terminal only.

Nothing is imported and nothing is drawn in the first second; counting costs a clock reading a call, and nothing waits for a device.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from time import monotonic
from typing import Any, TextIO

from gpubt.report.numbers import milliseconds, size

PATIENCE = 1.0  # seconds before anything is shown
INTERVAL = 0.25  # seconds between refreshes

_wanted: ContextVar[bool] = ContextVar("progress", default=True)  # false inside another bar: only the outermost is drawn


@contextmanager
def progress_wanted(wanted: bool) -> Iterator[None]:
    """`progress=false` of a run: nothing is shown inside."""
    token = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(token)


def shown(stream: TextIO | None = None) -> bool:
    """Whether a person may be watching: progress is wanted and `stream` (stderr) is a terminal."""
    stream = sys.stderr if stream is None else stream
    return _wanted.get() and stream.isatty()


class _Bar:
    """Counts; draws once patience is over."""

    def __init__(
        self, what: str, total: int, unit: str, stream: TextIO, clock: Callable[[], float], device: Callable[[], int | None] = lambda: None
    ) -> None:
        self.what, self.total, self.unit, self.stream, self.clock, self.device = what, total, unit, stream, clock, device
        self.done = self.refreshes = 0
        self.work = 0.0
        self.started = clock()
        self.due = self.started + PATIENCE
        self.drawing: Any = None
        self.lock = Lock()  # threads that read count together

    def advance(self, count: int, work: float | None = None) -> None:
        with self.lock:
            self.done += count
            self.work += count if work is None else work
            now = self.clock()
            if now < self.due:
                return
            self.due = now + INTERVAL
            self.refreshes += 1
            self._draw(now - self.started)

    def _draw(self, seconds: float) -> None:
        if self.drawing is None:
            self.drawing = _drawing(self.stream)
            self.drawing.add_task(self.what, total=self.total, told="")
            self.drawing.start()
        left = (self.total - self.done) * seconds / self.done if self.done else 0.0
        told = f"{_rate(self.work / seconds)} {self.unit}/s, {_whole(left)} left, {_memory(self.device())}"
        self.drawing.update(0, completed=self.done, told=told)
        self.drawing.refresh()

    def stop(self) -> None:
        if self.drawing is not None:
            self.drawing.stop()


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value < 1e7 else f"{value:.2g}"


def _whole(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else milliseconds(seconds)


def _memory(device: int | None) -> str:
    """What the process takes now, and on a device."""
    from gpubt.memory import resident_bytes

    known = [size(resident_bytes()), *([f"{size(device)} on the device"] if device is not None else [])]
    return ", ".join(known)


def _drawing(stream: TextIO) -> Any:
    """A rich bar that refreshes when told and leaves no line behind."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TaskProgressColumn(), TextColumn("{task.fields[told]}"))
    return Progress(*columns, console=Console(file=stream), auto_refresh=False, transient=True)


@contextmanager
def progress(
    what: str,
    total: int,
    unit: str = "rows",
    *,
    device: Callable[[], int | None] = lambda: None,
    stream: TextIO | None = None,
    clock: Callable[[], float] = monotonic,
) -> Iterator[Callable[..., None]]:
    """`with progress("reading bars", total=n) as advance: advance(rows)`; `advance(sets, bars * sets)` shows the rate of the second number.
    `device`: bytes taken on one now (None: there is none). `stream` and `clock` are for tests."""
    stream = sys.stderr if stream is None else stream
    if not shown(stream):
        yield lambda *_: None
        return
    bar = _Bar(what, total, unit, stream, clock, device)
    try:
        with progress_wanted(False):
            yield bar.advance
    finally:
        bar.stop()
