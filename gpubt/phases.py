"""Phases of a run: one context manager gives the time, here and on the device, the memory and the NVTX range, so nothing else holds timing
code; and parts of phases, which are ranges of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from time import perf_counter
from typing import Any, Protocol

DOMAIN = "gpubt"


@cache
def _nvtx() -> Any:
    """The nvtx module, or None where it isn't installed (no wheel for macOS) or its library doesn't load."""
    try:
        import nvtx
    except (ImportError, OSError):
        return None
    return nvtx


def _range(name: str, counts: dict[str, int]) -> AbstractContextManager[Any]:
    """An NVTX range whose payload is the first count; costs half a microsecond when no profiler is attached."""
    nvtx = _nvtx()
    if nvtx is None:
        return nullcontext()
    payload = int(next(iter(counts.values()))) if counts else None
    annotation: AbstractContextManager[Any] = nvtx.annotate(name, domain=DOMAIN, payload=payload)
    return annotation


_profiler: ContextVar[Any] = ContextVar("profiler", default=None)
_inside: ContextVar[list[float] | None] = ContextVar("inside", default=None)  # seconds of the parts inside the one that is open
_part: ContextVar[Callable[[str, float, int, int | None], None] | None] = ContextVar("part", default=None)


@contextmanager
def profiled_by(profiler: Any) -> Iterator[None]:
    """Phases that begin in the block tell `profiler` (`enter(name)`, `leave()`), and wait for the device at their ends."""
    token = _profiler.set(profiler)
    try:
        yield
    finally:
        _profiler.reset(token)


@contextmanager
def parts_to(count: Callable[[str, float, int, int | None], None]) -> Iterator[None]:
    """Parts in the block are counted: name, seconds, bars, bytes read and written (None: not known)."""
    token = _part.set(count)
    try:
        yield
    finally:
        _part.reset(token)


def profiler() -> Any:
    """What phases report to now; None: nothing."""
    return _profiler.get()


@contextmanager
def part(name: str, moved: int | None = None, **counts: int) -> Iterator[None]:
    """A range inside a phase: a kernel, or kernels that belong together. `counts` as of phases, the first is the payload. Where parts are
    counted, the time of a part inside another one is the inner one's alone."""
    count = _part.get()
    if count is None:
        with _range(name, counts):
            yield
        return
    outer, within = _inside.get(), [0.0]
    token = _inside.set(within)
    start = perf_counter()
    try:
        with _range(name, counts):
            yield
    finally:
        elapsed = perf_counter() - start
        _inside.reset(token)
        if outer is not None:
            outer[0] += elapsed
        count(name, elapsed - within[0], counts.get("bars", 0), moved)


class Clock(Protocol):
    """A device's own clock."""

    def mark(self) -> Any:
        """A moment in the device's order of work, without waiting for it; None where there is no device."""

    def between(self, start: Any, end: Any) -> float:
        """Seconds from one mark to a later one; waits for it."""

    def wait(self) -> None:
        """Return when everything asked for is done."""


class Phases:
    """Seconds, calls and memory of each phase, in the order of first use.

    The time of a phase inside another one is the inner one's alone, so that the recorded seconds add up to the time of the run.
    So it is with memory: `lap` gives the highest resident set since its last call, in bytes (None: not known). One object belongs to one
    run and one thread.
    """

    def __init__(self, lap: Callable[[], int | None] = lambda: None) -> None:
        self._lap = lap
        self._seconds: dict[str, float] = {}
        self._calls: dict[str, int] = {}
        self._peaks: dict[str, int | None] = {}
        self._open: list[str] = []
        self._within: list[float] = []  # seconds of phases inside each open one, the outermost first
        self._marks: list[tuple[str, str | None, Clock, Any, Any]] = []

    @contextmanager
    def phase(self, name: str, device: Clock | None = None, **counts: int) -> Iterator[None]:
        """Time the block as `name`: by this clock, and by that of `device`, whose marks are read when the record is made. Only a run that
        is profiled waits for the device here, so that the host's time is that of the work too.

        `counts`, such as `bars=n, sets=1`, say how much work it is; the first is the range's payload. An exception is recorded as time
        spent, closes the range and passes on.
        """
        observer = _profiler.get()
        self._seconds.setdefault(name, 0.0)
        self._calls[name] = self._calls.get(name, 0) + 1
        around = self._open[-1] if self._open else None
        if around is not None:  # between phases little happens: it counts to the next one
            self._mark()
        self._open.append(name)
        self._within.append(0.0)
        begun = device.mark() if device is not None else None
        if observer is not None:
            observer.enter(name)
        start = perf_counter()
        try:
            with _range(name, counts):
                yield
                if device is not None and observer is not None:
                    device.wait()
        finally:
            elapsed = perf_counter() - start
            if observer is not None:
                observer.leave()
            if device is not None and begun is not None:
                self._marks.append((name, around, device, begun, device.mark()))
            self._seconds[name] += elapsed - self._within.pop()
            if self._within:
                self._within[-1] += elapsed
            self._mark()
            self._open.pop()

    def _mark(self) -> None:
        """Count the peak since the last mark to the phase that it was in."""
        peak = self._lap()
        if self._open:
            known = [one for one in (peak, self._peaks.get(self._open[-1])) if one is not None]
            self._peaks[self._open[-1]] = max(known, default=None)

    def record(self) -> dict[str, dict[str, float | int | None]]:
        """`{"scan": {"seconds": 0.01, "device_seconds": None, "calls": 1, "host_peak_bytes": 90000000}, ...}`, for the benchmark record."""
        device: dict[str, float] = {}
        for name, around, clock, start, end in self._marks:
            seconds = clock.between(start, end)
            device[name] = device.get(name, 0.0) + seconds
            if around is not None:
                device[around] = device.get(around, 0.0) - seconds
        return {
            name: {
                "seconds": seconds,
                "device_seconds": max(0.0, device[name]) if name in device else None,
                "calls": self._calls[name],
                "host_peak_bytes": self._peaks.get(name),
            }
            for name, seconds in self._seconds.items()
        }

    def add(self, other: Phases) -> None:
        """Count the phases of another thread too, which ran beside this one: the sum of all is more than the time that passed."""
        for name, seconds in other._seconds.items():
            self._seconds[name] = self._seconds.get(name, 0.0) + seconds
            self._calls[name] = self._calls.get(name, 0) + other._calls[name]
        self._marks += other._marks

    def total(self) -> float:
        """Seconds spent in all phases."""
        return sum(self._seconds.values())
