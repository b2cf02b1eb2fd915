"""Paired timing (`gpubt.bench.timing`) for the benchmarks that only a checkout has, whose records go to `bench/records/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gpubt.bench.timing import Times, paired, seconds, written

__all__ = ["RECORDS", "paired", "save", "seconds", "show"]

RECORDS = Path(__file__).parent / "records"


def save(name: str, workload: str, results: Times, **facts: Any) -> Path:
    """Write `bench/records/NAME-DATE.json` with versions and hardware; the file appears whole."""
    return written(RECORDS, name, workload, results, **facts)


def show(results: Times, against: str) -> None:
    """A table with the ratio to `against`."""
    base = results[against]["median_s"]
    for name, row in results.items():
        print(f"{name:44} {row['median_s'] * 1e3:12.3f} ms   {base / row['median_s']:10.1f}x   (first call {row['first_s'] * 1e3:.1f} ms)")
