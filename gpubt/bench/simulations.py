"""The simulation alone, in list mode: threads and their efficiency, event against bar mode, and the reference workload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gpubt.backends.base import Backend
from gpubt.bench.baseline import REFERENCE_ROWS, newest
from gpubt.bench.timing import Times, paired
from gpubt.bench.workloads import Brackets, bracket_parameters, entry_records, origin
from gpubt.hardware import cores
from gpubt.records.criteria import WORKERS, judged, speedup
from gpubt.simulate.layout import RUNG
from gpubt.simulate.ledger import ledger_digest

TRADES = 100_000
REFERENCE = "reference workload"


def thread_counts(most: int) -> list[int]:
    """1 to 4, then doubled, up to `most`."""
    counts, next_one = list(range(1, min(most, WORKERS) + 1)), 2 * WORKERS
    while next_one < most:
        counts.append(next_one)
        next_one *= 2
    return counts if most in counts else [*counts, most]


def threads_case(threads: int) -> str:
    """The name of the case."""
    return f"list, {threads} thread{'s' if threads > 1 else ''}"


def simulation(backend: Backend, work: Brackets, market: Any, mode: str = "event") -> Callable[[], Any]:
    """One simulation of all brackets; the market has its block index after the first."""
    given: tuple[Any, ...] = (market, {}, entry_records(work), {}, np.zeros(0, RUNG), bracket_parameters(work), mode)
    return lambda: backend.simulate_list(*given)


def waited(backend: Backend, case: Callable[[], Any]) -> Callable[[], None]:
    """`case`, until the device is done."""

    def run() -> None:
        case()
        backend.wait()

    return run


def list_times(backend: Backend, bars: int, rounds: int, cuda: Backend | None = None) -> tuple[Times, int]:
    """Seconds of `TRADES` brackets (half as many as bars where those are few) by threads, in bar mode, on `cuda`; and their number."""
    from gpubt.backends.cpu import CpuBackend

    work = origin(bars, min(TRADES, bars // 2))
    market = backend.upload(work.columns)
    cases = {threads_case(threads): simulation(CpuBackend(threads), work, market) for threads in thread_counts(cores())}
    cases["list, bar mode"] = simulation(backend, work, market, "bar")
    if cuda is not None:
        cases["list, cuda"] = waited(cuda, simulation(cuda, work, cuda.upload(work.columns)))
    return paired(cases, rounds, repeats=3), len(work.bar)


def efficiency(times: Times) -> dict[int, float]:
    """By threads: the time of one over n times that of n."""
    one = times[threads_case(1)]["median_s"]
    counts = [threads for threads in range(1, cores() + 1) if threads_case(threads) in times]
    return {threads: one / (threads * times[threads_case(threads)]["median_s"]) for threads in counts}


def parallel(key: str, efficiencies: Mapping[int, float], trades: int) -> dict[str, Any]:
    """SC-005 and SC-011: the lowest efficiency up to `WORKERS` threads, of at least `TRADES`; on fewer cores it can fail, not pass."""
    if trades < TRADES:
        return judged(key, None, f"not measured below {TRADES:,} trades")
    counted = {threads: value for threads, value in efficiencies.items() if 2 <= threads <= WORKERS}
    if not counted:
        return judged(key, None, "not measured: one core")
    most = max(counted)
    note = f"lowest of 2 to {most} threads" if most > 2 else "2 threads"
    return judged(
        key, min(counted.values()), note + ("" if most == WORKERS else f" of the {WORKERS} that it asks for"), complete=most == WORKERS
    )


def reference_speedup(backend: Backend, bars: int, rounds: int, hardware: dict[str, Any]) -> tuple[Times, dict[str, Any]]:
    """SC-002 on the reference workload, at its own size only, against the newest baseline. Making the block index is in the time."""
    if bars != REFERENCE_ROWS:
        return {}, judged("SC-002", None, f"not measured: the reference workload has {REFERENCE_ROWS:,} bars")
    baseline = newest()
    if baseline is None:
        return {}, judged("SC-002", None, "not measured: no baseline is recorded here; python -m bench.baseline records one in a checkout")
    work = origin()
    given: tuple[Any, ...] = ({}, entry_records(work), {}, np.zeros(0, RUNG), bracket_parameters(work), "event")

    def run() -> Any:
        return backend.simulate_list(backend.upload(work.columns), *given)

    if ledger_digest([backend.trades(run())]) != baseline["ledger_digest"]:
        return {}, judged("SC-002", None, "not measured: the baseline has another ledger; python -m bench.baseline records a new one")
    times = paired({REFERENCE: run}, rounds, repeats=5)
    return times, speedup(baseline, times[REFERENCE]["median_s"], hardware)
