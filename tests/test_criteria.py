"""Success criteria: judged where they are measured, never passed by default; capped threads; memory by phase."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sample_result import PHASES, benchmark_record

import gpubt
from gpubt.bench import baseline
from gpubt.hardware import cores
from gpubt.memory import HostPeak
from gpubt.phases import Phases
from gpubt.records import benchmark, criteria
from gpubt.records.criteria import CRITERIA, judged

BIG = {"rows": 10_000_000, "rows_available": 10_000_000, "trades": 20_000}
SMALL = ["data=synthetic", "data.synthetic.bars=2000", "backend=cpu"]


def test_nothing_passes_by_default() -> None:
    for key in CRITERIA:
        assert judged(key, None, "not measured")["passed"] is None
    record = benchmark_record()
    assert list(record["criteria"]) == list(CRITERIA)
    assert {key for key, one in record["criteria"].items() if one["passed"] is not None} == {"SC-007"}
    assert all(one["note"] for one in record["criteria"].values())


@pytest.mark.parametrize(
    ("key", "value", "passed"),
    [
        ("SC-001", 34.0, True), ("SC-001", 34.1, False), ("SC-002", 10.0, True), ("SC-002", 9.9, False), ("SC-007", 1, False),
        ("SC-012", 0, False), ("SC-012", 1, True), ("SC-012", 2, False), ("SC-001", float("nan"), False),
    ],
)  # fmt: skip
def test_the_limit_itself_passes(key: str, value: float, passed: bool) -> None:
    assert judged(key, value)["passed"] is passed


def test_a_part_of_a_criterion_can_fail_but_not_pass() -> None:
    assert judged("SC-005", 0.9, complete=False)["passed"] is None
    assert judged("SC-005", 0.6, complete=False)["passed"] is False


def test_big_runs_are_judged_by_their_times() -> None:
    phases = {name: {"seconds": 2.0, "calls": 1, "host_peak_bytes": None} for name in PHASES}
    found = benchmark_record(**BIG, wall_clock_s=40.0, phases=phases)["criteria"]
    assert (found["SC-001"]["value"], found["SC-001"]["passed"]) == (40.0, False)
    assert (found["SC-003"]["value"], found["SC-003"]["passed"]) == (4.0, True)
    few = benchmark_record(**BIG | {"trades": 3})["criteria"]["SC-001"]
    assert few["value"] is None and "trades" in few["note"]


@pytest.mark.parametrize(
    ("backend", "host", "device", "value", "passed"),
    [
        ("cpu", 1.2, None, 1.2, True),
        ("cpu", 1.6, None, 1.6, False),
        ("cuda", 1.2, 1.4, 1.4, True),
        ("cuda", 1.2, 1.7, 1.7, False),
        ("cuda", 1.2, None, 1.2, None),  # the device's part was not measured
        ("cuda", None, None, None, None),
    ],
)
def test_memory_is_judged_on_host_and_device(backend: str, host: Any, device: Any, value: Any, passed: Any) -> None:
    memory = benchmark_record()["memory"] | {"host_ratio": host, "device_ratio": device}
    found = benchmark_record(backend=backend, memory=memory)["criteria"]["SC-009"]
    assert (found["value"], found["passed"]) == (value, passed)


def recorded(folder: Path, monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    """A baseline of 1 s, and one before it; the folder takes the place of the checkout's."""
    record = {"date": "2026-01-01", "ledger_digest": "6c" * 32, "hardware": {"cpu": "a processor"}, **values}
    record["results"] = {baseline.PLAIN_LOOP: {"min_s": 1.0, "median_s": 1.5}}
    for day in ("20250101T000000Z", "20260101T000000Z"):
        name = folder / f"baseline-{day}.json"
        name.write_text(json.dumps(record if day.startswith("2026") else {"old": True}), encoding="utf-8")
    monkeypatch.setattr(criteria, "newest", lambda: baseline.newest(folder))


REFERENCE = {"rows": baseline.REFERENCE_ROWS, "rows_available": baseline.REFERENCE_ROWS, "trades": baseline.REFERENCE_TRADES}


def test_the_speedup_is_over_the_newest_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(tmp_path, monkeypatch)
    found = benchmark_record(**REFERENCE)["criteria"]["SC-002"]
    assert found["value"] == pytest.approx(100.0) and found["passed"] is True  # 1 s over 0.01 s
    assert benchmark_record(**REFERENCE | {"rows": 6_900_001})["criteria"]["SC-002"]["value"] is None


@pytest.mark.parametrize(
    ("values", "why"),
    [({"ledger_digest": "00" * 32}, "not the reference workload"), ({"hardware": {"cpu": "another"}}, "another processor")],
)
def test_no_speedup_over_what_is_no_baseline_of_this(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], why: str
) -> None:
    recorded(tmp_path, monkeypatch, **values)
    found = benchmark_record(**REFERENCE)["criteria"]["SC-002"]
    assert found["value"] is None and found["passed"] is None and why in found["note"]


def test_without_a_baseline_there_is_no_speedup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(criteria, "newest", lambda: baseline.newest(tmp_path))
    assert "no baseline" in benchmark_record(**REFERENCE)["criteria"]["SC-002"]["note"]


def test_more_threads_than_cores_are_capped_with_one_warning(tmp_path: Path) -> None:
    result = gpubt.run([*SMALL, f"backend.threads={cores() + 7}"], folder=tmp_path)
    record = result.benchmark
    assert (record["threads"], record["threads_asked"]) == (cores(), cores() + 7)
    told = [text for text in result.summary["warnings"] if "threads" in text]
    assert told == record["warnings"] == [f"backend.threads={cores() + 7} is more than can be used here: {cores()} threads ran"]
    lines = [json.loads(line) for line in (tmp_path / "run.log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["text"] for line in lines if line["event"] == "warning" and "threads" in line["text"]] == told
    assert record["criteria"]["SC-012"]["value"] == 1 and record["criteria"]["SC-012"]["passed"] is True


@pytest.mark.parametrize("threads", ["null", "1", str(cores())])
def test_threads_that_are_there_are_no_warning(threads: str) -> None:
    record = gpubt.run([*SMALL, f"backend.threads={threads}"]).benchmark
    assert record["warnings"] == [] and record["criteria"]["SC-012"]["passed"] is None
    assert record["threads"] == (cores() if threads == "null" else int(threads))
    assert record["threads_asked"] == (None if threads == "null" else int(threads))


def test_several_symbols_warn_once_too(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from gpubt.resources import folder

    table = pq.read_table(next(folder("sample").glob("*.parquet"))).slice(0, 3000)
    import pyarrow as pa

    names = pa.array(["A"] * table.num_rows + ["B"] * table.num_rows)
    both = pa.concat_tables([table, table])
    both = both.drop_columns([name for name in both.column_names if name == "symbol"]).append_column("symbol", names)
    pq.write_table(both, tmp_path / "two.parquet")
    several = ["data=parquet", f"data.path={tmp_path / 'two.parquet'}", "data.symbols=all", "backend=cpu"]
    result = gpubt.run([*several, f"backend.threads={cores() + 1}"], folder=tmp_path / "run")
    assert sum("threads" in text for text in result.summary["warnings"]) == 1
    assert (tmp_path / "run" / "run.log.jsonl").read_text(encoding="utf-8").count("threads ran") == 1
    assert result.benchmark["criteria"]["SC-012"]["passed"] is True


def test_every_phase_has_its_own_peak() -> None:
    peaks = iter([10, 30, 20, 7])
    phases = Phases(lambda: next(peaks))
    with phases.phase("scan"), phases.phase("indicators"):  # of scan alone 10 before the inner one and 20 after it, of the inner one 30
        pass
    with phases.phase("simulate"):  # with what happened since scan
        pass
    assert {name: phase["host_peak_bytes"] for name, phase in phases.record().items()} == {"scan": 20, "indicators": 30, "simulate": 7}


def test_laps_begin_anew_and_the_highest_is_kept() -> None:
    import numpy as np

    peak = HostPeak()
    if peak.lap() is None:
        pytest.skip("this system does not let a process clear its peak")
    resident = peak.begin()
    array = np.ones(50_000_000, np.uint8)
    first = peak.lap()
    del array
    peak.lap()
    second = peak.lap()
    assert resident is not None and first is not None and second is not None and peak.highest is not None
    assert first - resident > 40_000_000 and first - second > 40_000_000 and peak.highest == first


def test_unknown_laps_are_null(monkeypatch: pytest.MonkeyPatch) -> None:
    from gpubt import memory

    monkeypatch.setattr(memory, "reset_host_peak", lambda: False)
    peak = HostPeak()
    assert peak.lap() is None and peak.highest is not None
    monkeypatch.setattr(memory, "host_peak_bytes", lambda: None)
    fresh = HostPeak()
    assert fresh.lap() is None and fresh.highest is None


class Device:
    """A backend's memory, before the bars and after the run."""

    def __init__(self, *answers: dict[str, int] | None) -> None:
        self.answers = list(answers)

    def memory(self) -> dict[str, int] | None:
        return self.answers.pop(0)


def test_the_device_has_its_own_ratio() -> None:
    device: Any = Device({"used": 50_000_000, "peak": 50_000_000}, {"used": 60_000_000, "peak": 250_000_000, "process": 700_000_000})
    record = benchmark.Meter(device, HostPeak()).record(100_000_000, 1.5)
    assert record["device_peak_bytes"] == 250_000_000 and record["device_process_bytes"] == 700_000_000
    assert record["device_ratio"] == 2.0 and record["ratio_exceeded"] is True
    assert benchmark._memory_warning(record | {"host_ratio": 1.0}) == [
        "peak device memory was 2.00 times the bars, above memory.ratio_max=1.5"
    ]


@pytest.mark.parametrize("answers", [(None, None), ({"used": 0, "peak": 0}, {"used": 1, "peak": 900})])
def test_small_bars_and_no_device_have_no_ratio(answers: Any) -> None:
    device: Any = Device(*answers)
    record = benchmark.Meter(device, HostPeak()).record(63_999_999, 1.5)
    assert record["device_ratio"] is None and record["host_ratio"] is None and record["ratio_exceeded"] is None
    assert record["device_process_bytes"] is None
