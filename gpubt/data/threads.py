"""Work on bars shared among threads: Arrow and NumPy let go of the interpreter while they decode, copy and compute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from gpubt.hardware import cores

PARALLEL = 250_000  # rows from which on threads pay

Item = TypeVar("Item")
Result = TypeVar("Result")

_most: ContextVar[int | None] = ContextVar("threads", default=None)


@contextmanager
def thread_limit(threads: int | None) -> Iterator[None]:
    """`backend.threads` of a run: inside, at most so many; None: all cores."""
    token = _most.set(threads)
    try:
        yield
    finally:
        _most.reset(token)


def threads_for(rows: int) -> int:
    """How many threads work on so many rows."""
    available = cores()
    return min(_most.get() or available, available) if rows >= PARALLEL else 1


def aside(work: Callable[..., Result], *arguments: Any) -> Callable[[], Result]:
    """Begin `work(*arguments)` on another thread, where there is one to spare; what is given back waits for its result."""
    if threads_for(PARALLEL) == 1:
        return lambda: work(*arguments)
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(1)
    future = pool.submit(work, *arguments)
    pool.shutdown(wait=False)
    return future.result


def mapped(work: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    """`work` of each item, in their order. Of several errors the first in that order is raised; what has not begun by then is left."""
    if threads == 1 or len(items) < 2:
        return [work(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
