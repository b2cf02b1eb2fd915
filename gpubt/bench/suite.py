"""The suite of `gpubt bench`: agreement, then times, then the criteria that they fill in."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpubt.bench.timing import Times

Report = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """`bars` of the walk; `rounds` of each comparison."""

    bars: int
    rounds: int
    why: str


SIZES = {
    "small": Size(100_000, 5, "what one thread does: nothing is shared out"),
    "medium": Size(1_000_000, 5, "two years of minutes"),
    "large": Size(6_900_000, 3, "the reference workload's bars; also 10 million rows are loaded"),
}


@dataclass
class Outcome:
    """What a suite measured; `facts` are further keys of its record."""

    workload: str
    results: Times = field(default_factory=dict)
    criteria: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def run_suite(size: Size, report: Report = lambda line: None) -> Outcome:
    """Everything, in seconds per case. `report` gets a line a step. Raises GpubtError where ledgers that should be equal are not."""
    from gpubt.bench import agreement, caching, inputs, simulations
    from gpubt.caches import set_numba_cache
    from gpubt.device import cuda_status
    from gpubt.records.environment import hardware

    set_numba_cache()
    from gpubt.backends.cpu import CpuBackend

    status, cpu = cuda_status(), CpuBackend()
    cuda = _cuda() if status.available else None
    outcome = Outcome(f"the seeded walk, {size.bars:,} minutes")
    report("agreement: event and bar mode, the reference" + (", cuda" if cuda else ""))
    ledgers = agreement.list_ledgers({"cpu": cpu} | ({"cuda": cuda} if cuda else {}), size.bars)
    outcome.criteria["SC-006"] = agreement.agreed(ledgers)
    _whole_runs(outcome, size, cuda is not None, report)
    report("list mode: threads, modes")
    times, trades = simulations.list_times(cpu, size.bars, size.rounds, cuda)
    outcome.results |= times
    shares = simulations.efficiency(times)
    outcome.criteria |= {key: simulations.parallel(key, shares, trades) for key in ("SC-005", "SC-011")}
    report("indicators: cache on and off")
    outcome.results |= (times := caching.cache_times(cuda or cpu, size.bars, size.rounds))
    outcome.criteria["SC-004"] = caching.saving(times)
    times, outcome.criteria["SC-002"] = simulations.reference_speedup(cpu, size.bars, size.rounds, hardware())
    outcome.results |= times
    outcome.criteria |= {"SC-010": inputs.fraction_input(), "SC-012": inputs.worker_cap()}
    outcome.criteria = dict(sorted(outcome.criteria.items()))
    outcome.facts |= {"bars": size.bars, "list_trades": trades, "efficiency": shares, "threads": cpu.threads, "cuda": status.reason}
    return outcome


def _whole_runs(outcome: Outcome, size: Size, cuda: bool, report: Report) -> None:
    """The cases over files, and the criteria of whole runs."""
    from gpubt.bench.files import bar_files
    from gpubt.bench.runs import PROCESS, WHOLE, Runs, loading, scaling
    from gpubt.records.criteria import LOADED_ROWS, judged, runtime

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report("whole runs: formats, modes, fractions, as a process")
        runs = Runs(bar_files(folder, size.bars), folder, cuda)
        times = runs.times(size.rounds)
        record = runs.typical(PROCESS)
        outcome.criteria["SC-001"] = runtime(record, times[PROCESS]["median_s"])
        report("profile=on")
        outcome.criteria["SC-008"] = runs.profiled()
        if size.bars == SIZES["large"].bars:
            report(f"loading {LOADED_ROWS:,} rows")
            outcome.criteria["SC-003"] = loading(folder)
        else:
            outcome.criteria["SC-003"] = judged("SC-003", None, "not measured: gpubt bench large measures it")
    times[PROCESS]["host_peak_bytes"] = record["memory"]["host_peak_bytes"]
    outcome.results |= times
    made = sum(map(len, runs.records.values()))
    outcome.criteria["SC-007"] = judged("SC-007", runs.violations, f"{made} records of runs")
    outcome.criteria["SC-009"] = record["criteria"]["SC-009"]
    outcome.facts |= {"trades": record["trades"], "scaling": scaling(times), "ledger_digest": record["digests"]["ledger"]}
    outcome.facts["runs"] = {name: {key: runs.typical(name)[key] for key in ("phases", "memory")} for name in (WHOLE, PROCESS)}


def _cuda() -> Any:
    from gpubt.backends.cuda import CudaBackend
    from gpubt.backends.cupy_runtime import CupyRuntime

    return CudaBackend(CupyRuntime())
