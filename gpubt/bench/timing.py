"""Paired timing. All cases of a comparison run in turn, round after round, so that a noisy neighbour hits each alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

Times = dict[str, dict[str, float]]


def paired(cases: Mapping[str, Callable[[], Any]], rounds: int, repeats: int = 1, agreed: Callable[[], None] = lambda: None) -> Times:
    """Median, minimum and maximum seconds of each case over `rounds`, after a first call apart. `repeats`: calls in a row a round; more
    than one for cases of milliseconds, which would else find the caches full of the other cases' data. `agreed` raises, after the first
    calls, if their results differ."""
    first, times = {}, {name: [] for name in cases}  # type: dict[str, float], dict[str, list[float]]
    for name, case in cases.items():
        first[name] = seconds(case)
    agreed()
    for _ in range(rounds):
        for name, case in cases.items():
            times[name] += [seconds(case) for _ in range(repeats)]
    return {name: {"first_s": first[name], "median_s": statistics.median(t), "min_s": min(t), "max_s": max(t)} for name, t in times.items()}


def seconds(case: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = perf_counter()
    case()
    return perf_counter() - start


def written(folder: Path, name: str, workload: str, results: Times, **facts: Any) -> Path:
    """Write `FOLDER/NAME-DATE.json` with versions and hardware; the file appears whole. `facts` are further keys."""
    from gpubt.device import cuda_status
    from gpubt.records.arrow import write_json
    from gpubt.records.environment import hardware, kernels_digest, versions

    now = datetime.now(UTC)
    path = folder / f"{name}-{now:%Y%m%dT%H%M%SZ}.json"
    record = {
        "case": name,
        "workload": workload,
        "date": now.isoformat(timespec="seconds"),
        "results": results,
        **facts,
        "kernels": kernels_digest(),
        "versions": versions(),
        "hardware": hardware(cuda_status()),
    }
    write_json(record, path)
    return path
