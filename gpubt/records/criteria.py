"""The success criteria of a run or a benchmark: what each measures, its limit and where that comes from.

What was not measured has neither a value nor a verdict: nothing passes by default.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gpubt.bench.baseline import PLAIN_LOOP, REFERENCE_ROWS, REFERENCE_TRADES, newest
from gpubt.phases import profiler

CAP_WARNING = "backend.threads="  # begins the one warning about capped threads
LOADED_ROWS = 10_000_000
WORKERS = 4

HOLDS = {
    "at_most": lambda value, limit: value <= limit,
    "at_least": lambda value, limit: value >= limit,
    "exactly": lambda value, limit: value == limit,
}


class Criterion(NamedTuple):
    """`bound` says on which side of `limit` a value of `unit` passes; `source`: where the limit is from."""

    name: str
    bound: str
    limit: float
    unit: str
    source: str


CRITERIA = {
    "SC-001": Criterion(
        "runtime", "at_most", 34.0, "s", "the origin took 34 s end to end for 6.9 million bars, 17,700 trades (asked: 20 min)"
    ),
    "SC-002": Criterion("simulation_speedup", "at_least", 10.0, "x", "10 times the recorded per-trade loop, on the reference workload"),
    "SC-003": Criterion("load_and_slice", "at_most", 60.0, "s", "10 million rows within a minute"),
    "SC-004": Criterion("cache_saving", "at_least", 0.80, "fraction", "80 % of the time of repeated indicators"),
    "SC-005": Criterion("parallel_efficiency", "at_least", 0.70, "fraction", "one worker's time over n times that of n, up to 4"),
    "SC-006": Criterion("fidelity", "at_most", 1e-4, "fraction", "PnL to 0.01 %, win rate to 0.1 points, duration to 1 bar"),
    "SC-007": Criterion("schema_violations", "at_most", 0.0, "violations", "a record of every run, valid under its schema"),
    "SC-008": Criterion("hotspots", "at_least", 10.0, "hotspots", "fewer make a profile invalid"),
    "SC-009": Criterion("memory_ratio", "at_most", 1.5, "x", "peak memory over the bars', on host and device separately"),
    "SC-010": Criterion("fraction_input", "at_most", 0.0, "faults", "Enter is the default; the second bad answer ends the run"),
    "SC-011": Criterion("parallel_efficiency", "at_least", 0.70, "fraction", "the formula of SC-005, which the specification has twice"),
    "SC-012": Criterion("worker_cap_warnings", "exactly", 1.0, "warnings", "more workers than cores are capped, with one warning"),
}


def judged(key: str, value: float | None, note: str | None = None, *, complete: bool = True) -> dict[str, Any]:
    """One criterion as records have it. Without a `value` nothing is judged, nor where it is not all that the criterion asks for
    (`complete=False`) unless it fails already; `note` says what was measured, or why nothing was."""
    name, bound, limit, unit, _ = CRITERIA[key]
    passed = None if value is None else HOLDS[bound](value, limit)
    return {
        "name": name,
        "value": value,
        "bound": bound,
        "limit": limit,
        "unit": unit,
        "passed": None if passed and not complete else passed,
        "note": note,
    }


def run_criteria(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All criteria of the run that `record` (a benchmark record without them) describes."""
    in_bench = "not measured in a run; gpubt bench measures it"
    return {
        "SC-001": runtime(record, record["wall_clock_s"]),
        "SC-002": _speedup(record),
        "SC-003": _loading(record),
        **{key: judged(key, None, in_bench) for key in ("SC-004", "SC-005", "SC-006")},
        "SC-007": judged("SC-007", None, "not validated"),
        "SC-008": _hotspots(),
        "SC-009": _memory(record["memory"], record["backend"]),
        **{key: judged(key, None, in_bench) for key in ("SC-010", "SC-011")},
        "SC-012": _cap(record),
    }


def _hotspots() -> dict[str, Any]:
    observer = profiler()
    if observer is None:
        return judged("SC-008", None, "not measured without profile=on")
    return judged("SC-008", observer.count(), "listed in profile.json")


def runtime(record: dict[str, Any], seconds: float) -> dict[str, Any]:
    """SC-001 of the run of `record`, which took `seconds` from end to end."""
    if record["rows"] < REFERENCE_ROWS or record["trades"] < REFERENCE_TRADES:
        return judged("SC-001", None, f"not measured below {REFERENCE_ROWS:,} bars and {REFERENCE_TRADES:,} trades")
    return judged("SC-001", seconds, f"{record['rows']:,} bars, {record['trades']:,} trades")


def _speedup(record: dict[str, Any]) -> dict[str, Any]:
    """The reference workload is known by its ledger: no other bars, trades or parameters give the same digest."""
    if record["rows"] != REFERENCE_ROWS or record["trades"] != REFERENCE_TRADES:
        return judged("SC-002", None, "not measured: not the reference workload")
    baseline = newest()
    if baseline is None:
        return judged("SC-002", None, "not measured: no baseline is recorded here")
    if baseline["ledger_digest"] != record["digests"]["ledger"]:
        return judged("SC-002", None, "not measured: not the reference workload")
    return speedup(baseline, record["phases"]["simulate"]["seconds"], record["hardware"])


def speedup(baseline: dict[str, Any], seconds: float, hardware: dict[str, Any]) -> dict[str, Any]:
    """SC-002 of a simulation of the reference workload in `seconds` on `hardware`; times of another processor are no baseline."""
    there = baseline["hardware"]["cpu"]
    if there != hardware["cpu"]:
        return judged("SC-002", None, f"not measured: the baseline is of another processor, {there}")
    loop = baseline["results"][PLAIN_LOOP]["min_s"]  # its best: a busy machine is no speed-up
    return judged("SC-002", loop / seconds, f"the plain per-trade loop took {loop:.3f} s at best on {baseline['date']}")


def _loading(record: dict[str, Any]) -> dict[str, Any]:
    if record["rows"] < LOADED_ROWS:
        return judged("SC-003", None, f"not measured below {LOADED_ROWS:,} rows")
    phases = record["phases"]
    return judged("SC-003", phases["slice"]["seconds"] + phases["ingest"]["seconds"], f"{record['rows']:,} rows")


def _memory(memory: dict[str, Any], backend: str) -> dict[str, Any]:
    """The higher of the host's ratio and the device's; both must be known where both are used."""
    asked = ["host_ratio", *(["device_ratio"] if backend == "cuda" else [])]
    known = {name: memory[name] for name in asked if memory[name] is not None}
    if not known:
        return judged("SC-009", None, "not measured below 64 MB of bars, or the system can't tell")
    note = ", ".join(f"{name.removesuffix('_ratio')} {value:.2f}" for name, value in known.items())
    return judged("SC-009", max(known.values()), note, complete=len(known) == len(asked))


def _cap(record: dict[str, Any]) -> dict[str, Any]:
    asked, used = record["threads_asked"], record["threads"] or record["hardware"]["cores"]
    if asked is None or asked <= used:
        return judged("SC-012", None, "not measured: no more threads were asked for than there are cores")
    return judged("SC-012", sum(text.startswith(CAP_WARNING) for text in record["warnings"]), f"{asked} asked for, {used} used")
