"""`gpubt bench aggregate`: records by workload and hardware, what is slower than a stored one, and broken records by name."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gpubt
from bench import harness
from gpubt.commands.bench_aggregate import aggregate as command
from gpubt.errors import DataError, GpubtError, InputError
from gpubt.records.aggregate import Group, aggregate, as_json, compare_times, find, slower, stored
from gpubt.records.samples import read_sample
from gpubt.report.aggregate import value

Values = dict[str, Any]
HARDWARE = {"system": "Linux x86_64", "cpu": "Some CPU", "cores": 4, "memory_bytes": 16 * 2**30, "gpus": []}


def run_record(**more: Any) -> Values:
    """What a run writes, as far as it is read here."""
    phases = {name: {"seconds": seconds, "calls": 1} for name, seconds in (("ingest", 0.1), ("scan", 0.02), ("simulate", 0.3))}
    memory = {"host_peak_bytes": 2**28, "host_ratio": None, "device_peak_bytes": None, "ratio_exceeded": None}
    return {
        "schema_version": 1, "symbol": "AAA", "rows": 1000, "trades": 12, "wall_clock_s": 0.5, "phases": phases, "backend": "cpu",
        "mode": "event", "memory": memory, "digests": {"data": "d" * 64, "config": "c" * 64, "kernels": "k" * 64},
        "versions": {"gpubt": "0.1.0"}, "hardware": dict(HARDWARE), "warnings": [], **more,
    }  # fmt: skip


def bench_record(**more: Any) -> Values:
    results = {"fast": {"first_s": 3.0, "median_s": 1.0, "min_s": 0.9, "max_s": 1.5, "peak_mib": 100.0}}
    return {
        "case": "loops", "workload": "10 trades", "date": "2026-01-01T00:00:00+00:00", "results": results, "threads": 2,
        "kernels": "k" * 64, "versions": {"gpubt": "0.1.0"}, "hardware": dict(HARDWARE), **more,
    }  # fmt: skip


def put(path: Path, values: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return path


def groups(*paths: Path) -> list[Group]:
    return aggregate([read_sample(path) for path in find(paths)])


def test_the_device_s_own_times_are_figures_where_there_are_any(tmp_path: Path) -> None:
    record = run_record()
    record["phases"]["simulate"]["device_seconds"] = 0.25
    record["phases"]["scan"]["device_seconds"] = None
    figures = groups(put(tmp_path / "benchmark.json", record))[0].figures
    assert figures["phase simulate, by the device"].median == 0.25 and "phase scan, by the device" not in figures


def scaled(factor: float) -> Values:
    record = run_record(wall_clock_s=0.5 * factor, trades=12)
    for phase in record["phases"].values():
        phase["seconds"] *= factor
    return record


def test_what_runs_write_is_read(tmp_path: Path) -> None:
    """Two runs of one configuration, one of another: by the keys that they really have."""
    for name, more in (("a", []), ("b", []), ("c", ["sim.mode=bar"])):
        gpubt.run(["data.frac=1/64", "backend=cpu", *more], folder=tmp_path / name)
    first, second = groups(tmp_path)
    records = [json.loads((tmp_path / name / "benchmark.json").read_text()) for name in ("a", "b")]
    assert (first.records, second.records) == (2, 1)
    assert first.workload.startswith("ema_cross on SZ000338, 2,350 bars, event mode, cpu, configuration ") and "bar mode" in second.workload
    assert [name for name in first.figures if name.startswith("phase ")] == [f"phase {name}" for name in records[0]["phases"]]
    for name, of in (
        ("wall clock", lambda record: record["wall_clock_s"]),
        ("phase simulate", lambda record: record["phases"]["simulate"]["seconds"]),
        ("trades", lambda record: record["trades"]),
        ("host peak", lambda record: record["memory"]["host_peak_bytes"]),
        ("warnings", lambda record: len(record["warnings"])),
    ):
        numbers, one = [of(record) for record in records], first.figures[name]
        got = (one.count, one.mean, one.median, one.minimum, one.maximum)
        assert got == (2, statistics.fmean(numbers), statistics.median(numbers), min(numbers), max(numbers)), name
    assert first.figures["host ratio"].count == 0 and first.figures["host ratio"].median is None  # of small data: not measured, not 0


def test_what_benchmarks_write_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "RECORDS", tmp_path)
    results = harness.paired({"loop": lambda: sum(range(1000))}, rounds=3)
    path = harness.save("loops", "a thousand numbers", results, threads=1)
    (group,) = groups(tmp_path)
    assert (group.kind, group.workload, group.records) == ("bench", "loops: a thousand numbers, 1 thread", 1)
    one, row = group.figures["loop"], results["loop"]
    assert (one.median, one.minimum, one.maximum) == (row["median_s"], row["min_s"], row["max_s"])
    assert group.figures["loop, first call"].median == row["first_s"]
    assert find([path]) == [path]


def test_the_records_of_the_repository_are_read() -> None:
    assert {group.kind for group in groups(Path(harness.RECORDS))} == {"bench"}


def test_statistics_over_several_records(tmp_path: Path) -> None:
    for i, (median, low, high) in enumerate([(1.0, 0.5, 2.0), (3.0, 2.5, 9.0), (1.5, 1.0, 1.6)]):
        results = {"fast": {"first_s": 4.0, "median_s": median, "min_s": low, "max_s": high}}
        put(tmp_path / f"loops-2026010{i}T000000Z.json", bench_record(results=results))
    one = groups(tmp_path)[0].figures["fast"]
    assert (one.unit, one.count, one.median, one.minimum, one.maximum) == ("s", 3, 1.5, 0.5, 9.0)
    assert one.mean == pytest.approx(5.5 / 3)


def test_only_the_same_work_on_the_same_machine_is_put_together(tmp_path: Path) -> None:
    gpu = {"name": "Some GPU", "memory_bytes": 1, "driver": "1"}
    records = {
        "a": run_record(),
        "same": run_record(wall_clock_s=9.0, versions={"gpubt": "0.2.0"}),
        "machine": run_record(hardware=HARDWARE | {"cores": 8}),
        "devices": run_record(hardware=HARDWARE | {"gpus": [gpu, gpu]}),
        "data": run_record(digests=run_record()["digests"] | {"data": "e" * 64}),
        "settings": run_record(digests=run_record()["digests"] | {"config": "e" * 64}),
        "backend": run_record(backend="cuda"),
    }
    for name, record in records.items():
        put(tmp_path / name / "benchmark.json", record)
    found = groups(*(tmp_path / name for name in records))
    assert [group.records for group in found] == [2, 1, 1, 1, 1, 1]
    assert found[0].versions == ["0.1.0", "0.2.0"]
    assert found[1].hardware == "Some CPU, 8 cores, 16 GiB, Linux x86_64"
    assert found[2].hardware == "Some CPU, 4 cores, 16 GiB, 2 x Some GPU, Linux x86_64"


def test_violations(tmp_path: Path) -> None:
    """Criteria that were not met; without criteria the memory limit; what was not measured is no pass."""

    def of(**more: Any) -> float | None:
        return read_sample(put(tmp_path / "benchmark.json", run_record(**more))).figures["violations"].value

    memory = run_record()["memory"]
    assert of() is None
    assert of(memory=memory | {"ratio_exceeded": True}) == 1.0
    assert of(memory=memory | {"ratio_exceeded": False}) == 0.0
    assert of(criteria={"SC-001": {"passed": False}, "SC-002": {"passed": None}, "SC-003": {"passed": True}}) == 1
    assert of(criteria={"SC-001": {"passed": None}}) is None


def test_records_are_found_below_folders_and_nothing_else(tmp_path: Path) -> None:
    run = put(tmp_path / "outputs" / "day" / "time" / "benchmark.json", run_record())
    put(run.with_name("summary.json"), {"strategy": "mine"})
    put(run.with_name(".benchmark.json.x.tmp"), "{")
    bench = put(tmp_path / "records" / "loops-20260101T000000Z.json", bench_record())
    other = put(tmp_path / "elsewhere.json", bench_record(case="other"))
    assert find([tmp_path]) == [bench, run] or find([tmp_path]) == [run, bench]
    assert find([other, tmp_path, run.parent]) == [other, *find([tmp_path])]  # each once
    assert read_sample(run).workload.startswith("mine on AAA, 1,000 bars")


def test_against_a_stored_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    then = put(tmp_path / "then" / "benchmark.json", scaled(1.0))
    for i, factor in enumerate((1.0, 1.09, 5.0)):  # one slow run does not move the median past the limit
        put(tmp_path / "now" / str(i) / "benchmark.json", scaled(factor))
    now = groups(tmp_path / "now")
    compared = compare_times(now, stored(then))
    assert [one.name for one in compared] == ["wall clock", "phase ingest", "phase scan", "phase simulate"]
    assert all(one.ratio == pytest.approx(1.09) for one in compared)
    assert slower(compared, 1.10) == [] and len(slower(compared, 1.05)) == 4
    assert [one.name for one in slower(compared, 1.05, ignore=0.01)] == ["wall clock", "phase simulate"]
    assert command([str(tmp_path / "now"), "--against", str(then)]) == 0
    assert "none of 4 medians is slower than 1.1 times then" in capsys.readouterr().out
    assert command([str(tmp_path / "now"), "--against", str(then), "--limit", "1.05", "--ignore", "0.02"]) == 3
    out = capsys.readouterr().out
    assert "slower: wall clock: 545 ms against 500 ms, 1.09 times, limit 1.05 (AAA, 1,000 bars, event mode, cpu" in out
    assert "slower: phase simulate" in out and "slower: phase ingest" not in out


def test_an_aggregate_can_be_stored_and_compared_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "a" / "benchmark.json", scaled(1.0))
    put(tmp_path / "loops-20260101T000000Z.json", bench_record())
    assert command([str(tmp_path), "--json"]) == 0
    kept = put(tmp_path / "kept" / "all.json", capsys.readouterr().out)
    assert stored(kept) == groups(tmp_path) and as_json(stored(kept)) == json.loads(kept.read_text())
    put(tmp_path / "a" / "benchmark.json", scaled(2.0))
    assert command([str(tmp_path), "--against", str(kept), "--json"]) == 3
    found = json.loads(capsys.readouterr().out)["against"]
    assert {one["name"] for one in found["slower"]} == {"wall clock", "phase ingest", "phase scan", "phase simulate"}
    assert [one["ratio"] for one in found["compared"] if one["name"] == "fast"] == [1.0]
    assert not any("first call" in one["name"] for one in found["compared"])  # compilation


def test_a_record_is_not_compared_with_itself(tmp_path: Path) -> None:
    then = put(tmp_path / "loops-20260101T000000Z.json", bench_record())
    with pytest.raises(InputError, match="leaves no record to compare"):
        command([str(tmp_path), "--against", str(then)])
    slow = {"fast": {"median_s": 2.0}}
    put(tmp_path / "loops-20260102T000000Z.json", bench_record(results=slow))
    assert command([str(tmp_path), "--against", str(then)]) == 3


def test_nothing_compared_is_no_success(tmp_path: Path) -> None:
    then = put(tmp_path / "then" / "benchmark.json", run_record(hardware=HARDWARE | {"cores": 64}))
    put(tmp_path / "now" / "benchmark.json", run_record())
    with pytest.raises(InputError, match="no workload"):
        command([str(tmp_path / "now"), "--against", str(then)])


def test_text_and_markdown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "loops-20260101T000000Z.json", bench_record())
    put(tmp_path / "loops-20260102T000000Z.json", bench_record(hardware=HARDWARE | {"cpu": "A | B"}))
    assert command([str(tmp_path)]) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert shown[:5] == [
        "loops: 10 trades, 2 threads",
        "Some CPU, 4 cores, 16 GiB, Linux x86_64; 1 record of gpubt 0.1.0",
        "count mean median min max",
        "fast 1 1,000 ms 1,000 ms 900 ms 1,500 ms",
        "fast, first call 1 3,000 ms 3,000 ms 3,000 ms 3,000 ms",
    ]
    assert command([str(tmp_path), "--markdown"]) == 0
    page = capsys.readouterr().out.splitlines()
    assert page[:5] == [
        "### loops: 10 trades, 2 threads",
        "",
        "| figure | hardware | count | mean | median | min | max |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        "| fast | Some CPU, 4 cores, 16 GiB, Linux x86_64 | 1 | 1,000 ms | 1,000 ms | 900 ms | 1,500 ms |",
    ]
    assert page[5].startswith("| fast | A \\| B, 4 cores")  # one table for all machines
    assert value("MiB", 100.0) == "100.0 MiB" and value("bytes", None) == "n/a" and value("", 12.5) == "12.50"


def broken(change: Callable[[Values], Any], record: Callable[..., Values] = run_record) -> Values:
    values = record()
    change(values)
    return values


BROKEN: list[tuple[Any, str]] = [
    ("{", "is not JSON"),
    ("[1]", "must hold a JSON object, got list"),
    ({}, "is not a benchmark record: it has neither phases"),
    (run_record(schema_version=99), "has schema_version 99, which is not known here; accepted: 1"),
    (run_record(schema_version="1"), "has schema_version '1', which is not known here"),
    (broken(lambda r: r.pop("schema_version")), "has schema_version None, which is not known here"),
    (broken(lambda r: r.pop("wall_clock_s")), "wall_clock_s must be a number, got nothing"),
    (broken(lambda r: r["phases"].update(scan={"calls": 1})), "phases.scan.seconds must be a number, got nothing"),
    (broken(lambda r: r["phases"]["scan"].update(seconds=float("nan"))), "phases.scan.seconds must be finite, got nan"),
    (run_record(phases=[]), "phases must be an object, got []"),
    (run_record(trades=True), "trades must be a whole number, got True"),
    (run_record(warnings="x"), "warnings must be a list, got 'x'"),
    (run_record(hardware={}), "hardware.cpu must be a text, got nothing"),
    (broken(lambda r: r["memory"].update(host_ratio="x")), "memory.host_ratio must be a number, got 'x'"),
    (broken(lambda r: r["results"]["fast"].pop("median_s"), bench_record), "results.fast.median_s must be a number, got nothing"),
    (bench_record(results={"fast": 1}), "results.fast must be an object, got 1"),
    (bench_record(schema_version=99), "has schema_version 99"),
]


@pytest.mark.parametrize(("values", "sentence"), BROKEN)
def test_a_broken_record_is_one_sentence_with_its_name(tmp_path: Path, values: Any, sentence: str) -> None:
    put(tmp_path / "good" / "benchmark.json", run_record())
    path = put(tmp_path / "bad" / "benchmark.json", values)
    with pytest.raises(DataError) as caught:
        command([str(tmp_path)])
    assert str(path) in str(caught.value) and sentence in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "there are no records here: none of outputs, multirun, bench/records; name a FOLDER"),
        (["nowhere"], "nowhere is not there; name a folder with records, or a record"),
        (["empty"], "empty has no records"),
        (["good", "--limit", "x"], "--limit must be a number of at least 0, got 'x'"),
        (["good", "--ignore=-1"], "--ignore must be a number of at least 0, got '-1'"),
        (["good", "--json", "--markdown"], "--json and --markdown exclude each other"),
        (["good", "--against", "nowhere"], "nowhere is not there; name a folder with records, or a record"),
        (["good", "--against", "future.json"], "future.json has schema_version 2, which is not known here; accepted: 1"),
        (["good", "--against", "half.json"], "half.json is not a benchmark record: kind must be a text, got nothing"),
        (["good", "--what"], "unrecognized arguments: --what"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "good" / "benchmark.json", run_record())
    put(tmp_path / "future.json", {"schema_version": 2, "groups": []})
    put(tmp_path / "half.json", {"schema_version": 1, "groups": [{}]})
    (tmp_path / "empty").mkdir()
    with pytest.raises(GpubtError) as caught:
        command(arguments)
    assert sentence in str(caught.value) and caught.value.exit_code == 2


def test_without_folders_it_takes_those_that_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()  # a run failed here: no records in it, and no fault
    put(tmp_path / "bench" / "records" / "loops-20260101T000000Z.json", bench_record())
    assert command([]) == 0
    assert "loops: 10 trades" in capsys.readouterr().out
