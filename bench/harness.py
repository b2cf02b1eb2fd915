"""Paired timing and records. All cases of a comparison run in turn, round after round, so that a noisy neighbour hits each alike."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

RECORDS = Path(__file__).parent / "records"


def paired(cases: dict[str, Callable[[], Any]], rounds: int, repeats: int = 1) -> dict[str, dict[str, float]]:
    """Median, minimum and maximum seconds of each case over `rounds`, after one warm-up call apart. `repeats`: calls in a row a round; more
    than one for cases of milliseconds, which would else find the caches full of the other cases' data."""
    first, times = {}, {name: [] for name in cases}  # type: dict[str, float], dict[str, list[float]]
    for name, case in cases.items():
        first[name] = seconds(case)
    for _ in range(rounds):
        for name, case in cases.items():
            times[name] += [seconds(case) for _ in range(repeats)]
    return {name: {"first_s": first[name], "median_s": statistics.median(t), "min_s": min(t), "max_s": max(t)} for name, t in times.items()}


def seconds(case: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = perf_counter()
    case()
    return perf_counter() - start


def save(name: str, workload: str, results: dict[str, dict[str, float]], **facts: Any) -> Path:
    """Write `bench/records/NAME-DATE.json` with versions and hardware; the file appears whole."""
    from gpubt.device import cuda_status
    from gpubt.records.arrow import write_json
    from gpubt.records.environment import hardware, kernels_digest, versions

    now = datetime.now(UTC)
    path = RECORDS / f"{name}-{now:%Y%m%dT%H%M%SZ}.json"
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


def show(results: dict[str, dict[str, float]], against: str) -> None:
    """A table with the ratio to `against`."""
    base = results[against]["median_s"]
    for name, row in results.items():
        print(f"{name:44} {row['median_s'] * 1e3:12.3f} ms   {base / row['median_s']:10.1f}x   (first call {row['first_s'] * 1e3:.1f} ms)")


def load(path: Path) -> dict[str, Any]:
    """A record."""
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record
