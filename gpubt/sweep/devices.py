"""The sets of a sweep on several devices: each takes the next chunk of signals when it is done with one, by a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gpubt.backends.base import Sets
    from gpubt.sweep.engine import Engine

CHUNKS = 8  # for each device, at least, so that none waits long for the last

Tallies = list[tuple[NDArray[np.int64], "Sets"]]


def simulated(engines: Sequence[Engine], remaining: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Sets]]:
    """Tallies of the sets that remain, chunk by chunk, in the order of their signals where there is one engine. Raises what an engine
    raises."""
    if len(engines) == 1:
        yield from engines[0].simulated(remaining)
        return
    of = engines[0].groups.signal_of[remaining]
    chunks = iter(np.array_split(remaining[np.argsort(of, kind="stable")], min(len(of), CHUNKS * len(engines))))
    with ThreadPoolExecutor(len(engines)) as pool:
        working: dict[Future[Tallies], Engine] = {}

        def next_of(engine: Engine) -> None:
            chunk = next(chunks, None)
            if chunk is not None:
                working[pool.submit(copy_context().run, _tallies, engine, chunk)] = engine

        for engine in engines:
            next_of(engine)
        while working:
            for done in wait(working, return_when=FIRST_COMPLETED).done:
                engine, tallies = working.pop(done), done.result()
                next_of(engine)
                yield from tallies


def _tallies(engine: Engine, sets: NDArray[np.int64]) -> Tallies:
    engine.backend.use()
    return list(engine.simulated(sets))
