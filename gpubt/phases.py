"""Phases of a run: one context manager gives the wall time, the NVTX range and the device wait, so nothing else holds timing code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from time import perf_counter
from typing import Any

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

    @contextmanager
    def phase(self, name: str, wait: Callable[[], None] | None = None, **counts: int) -> Iterator[None]:
        """Time the block as `name`. `wait` (a device's synchronize) runs at the end of a block that succeeds, within its time.

        `counts`, such as `bars=n, sets=1`, say how much work it is; the first is the range's payload. An exception is recorded as time
        spent, closes the range and passes on.
        """
        self._seconds.setdefault(name, 0.0)
        self._calls[name] = self._calls.get(name, 0) + 1
        self._mark()
        self._open.append(name)
        self._within.append(0.0)
        start = perf_counter()
        try:
            with _range(name, counts):
                yield
                if wait is not None:
                    wait()
        finally:
            elapsed = perf_counter() - start
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
        """`{"scan": {"seconds": 0.01, "calls": 1, "host_peak_bytes": 90000000}, ...}`, for the benchmark record."""
        return {
            name: {"seconds": seconds, "calls": self._calls[name], "host_peak_bytes": self._peaks.get(name)}
            for name, seconds in self._seconds.items()
        }

    def total(self) -> float:
        """Seconds spent in all phases."""
        return sum(self._seconds.values())
