"""The sets of a sweep on devices: each stream takes the next chunk of signals when it is done with one, by a thread of its own, while this
thread makes rows of the last one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, Queue
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gpubt.backends.base import Sets
    from gpubt.sweep.engine import Engine

CHUNKS = 8  # for each engine, at least, so that none waits long for the last
PATIENCE = 0.1  # seconds between looks at whether anyone still wants what an engine made

Tallies = tuple[NDArray[np.int64], "Sets"]


def simulated(engines: Sequence[Engine], remaining: NDArray[np.int64]) -> Iterator[Tallies]:
    """Tallies of the sets that remain, chunk by chunk; in the order of their signals where there is one engine. Raises what an engine
    raises."""
    if not engines[0].backend.apart:
        yield from engines[0].simulated(remaining)
        return
    work = _Work(engines, remaining)
    try:
        yield from work.tallies()
    finally:
        work.stop()


class _Work:
    """A thread for each of `engines`; at most one chunk of each waits to be taken."""

    def __init__(self, engines: Sequence[Engine], remaining: NDArray[np.int64]) -> None:
        of = engines[0].groups.signal_of[remaining]
        order = remaining[np.argsort(of, kind="stable")]
        self._chunks = iter(np.array_split(order, max(1, min(len(order), CHUNKS * len(engines))))) if len(engines) > 1 else iter([order])
        self._next, self._stopped = Lock(), Event()
        self._made: Queue[Tallies | BaseException | None] = Queue(len(engines))
        self._threads = [Thread(target=copy_context().run, args=(self._run, engine), daemon=True) for engine in engines]
        for thread in self._threads:
            thread.start()

    def tallies(self) -> Iterator[Tallies]:
        """As they are made."""
        working = len(self._threads)
        while working:
            made = self._made.get()
            if made is None:
                working -= 1
            elif isinstance(made, BaseException):
                raise made
            else:
                yield made

    def stop(self) -> None:
        """No engine is at work when this returns; what it makes until then is not wanted."""
        self._stopped.set()
        for thread in self._threads:
            while thread.is_alive():
                with suppress(Empty):
                    self._made.get_nowait()
                thread.join(PATIENCE)

    def _run(self, engine: Engine) -> None:
        try:
            engine.backend.use()
            while (chunk := self._chunk()) is not None:
                for tallies in engine.simulated(chunk):
                    self._made.put(tallies)
                    if self._stopped.is_set():
                        return
            self._made.put(None)
        except BaseException as error:  # raised in the thread that takes the tallies
            self._made.put(error)

    def _chunk(self) -> NDArray[np.int64] | None:
        with self._next:
            return None if self._stopped.is_set() else next(self._chunks, None)
