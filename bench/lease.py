"""A limit on the time of a check: machines are lent for minutes, and what was measured until then has to be kept."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from time import perf_counter


class TimeUp(BaseException):
    """The limit is reached. No Exception, as KeyboardInterrupt is none: what is measured must not take it for a fault of its own."""


class Deadline:
    """`minutes` from now; None: never."""

    def __init__(self, minutes: float | None) -> None:
        self._end = inf if minutes is None else perf_counter() + 60.0 * minutes

    def left(self) -> float:
        """Seconds, at least 0."""
        return max(0.0, self._end - perf_counter())

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """TimeUp ends the block when the time is over; compiled code in it as soon as it returns. Where the system has no alarms (Windows)
        it is raised at the beginning only."""
        if not self.left():
            raise TimeUp
        if self._end == inf or not hasattr(signal, "setitimer"):
            yield
            return
        before = signal.signal(signal.SIGALRM, _ring)
        signal.setitimer(signal.ITIMER_REAL, self.left() + 1e-6, 1.0)  # again each second: a callback may have swallowed the first
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, before)


def _ring(*_: object) -> None:
    raise TimeUp


@dataclass(frozen=True)
class Plan:
    """How much is to be done: sizes are divided by `shrink`, and cases of minutes are left out unless `long`."""

    shrink: int = 1
    long: bool = False
    deadline: Deadline = field(default_factory=lambda: Deadline(None))

    def fits(self, seconds: float) -> bool:
        """Whether work that takes so long can be called once more after a first time, with something left."""
        return 2.5 * seconds <= self.deadline.left()
