"""`gpubt bench`: what it prints and records at tiny sizes, and what it refuses."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Cli

from gpubt.bench import agreement, baseline, inputs, simulations, suite
from gpubt.bench.runs import FRACTIONS, PROCESS, WHOLE, Runs, fraction, scaling
from gpubt.bench.timing import paired, written
from gpubt.bench.workloads import origin
from gpubt.errors import GpubtError
from gpubt.hardware import cores
from gpubt.records.criteria import CRITERIA

pytest_plugins = ["cli_fixtures"]


def row(median: float) -> dict[str, float]:
    return {"first_s": median, "median_s": median, "min_s": median, "max_s": median}


def test_a_tiny_suite_prints_a_screen_and_leaves_a_record(cli: Cli, tmp_path: Path) -> None:
    status, out, err = cli("bench", "small", "--bars", "12000", "--rounds", "1", "--out", str(tmp_path / "records"))
    assert status == 0, err
    (path,) = (tmp_path / "records").iterdir()
    record = json.loads(path.read_text(encoding="utf-8"))
    assert path.name.startswith("bench-2") and path.name.endswith("Z.json") and record["case"] == "bench" and str(path) in out
    assert {WHOLE, "run, CSV", "run, bar mode", PROCESS, *map(fraction, FRACTIONS)} <= set(record["results"])
    assert {simulations.threads_case(threads) for threads in simulations.thread_counts(cores())} <= set(record["results"])
    assert {"list, bar mode", "indicators, cache on", "indicators, cache off"} <= set(record["results"])
    assert all(row["min_s"] <= row["median_s"] <= row["max_s"] and row["first_s"] > 0 for row in record["results"].values())
    assert record["results"][PROCESS]["host_peak_bytes"] > 1_000_000
    assert list(record["criteria"]) == list(CRITERIA)
    judged = {key: one["passed"] for key, one in record["criteria"].items() if one["passed"] is not None}
    assert judged == {key: True for key in ("SC-004", "SC-006", "SC-007", "SC-008", "SC-010", "SC-012")}
    assert "phases" not in record  # by which a run's record is known
    assert set(record["runs"]) == {WHOLE, PROCESS} and all("simulate" in run["phases"] for run in record["runs"].values())
    assert record["hardware"]["cores"] == cores() and record["bars"] == 12_000
    assert len(out.splitlines()) <= 45 and all(key in out for key in CRITERIA)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["huge"], "invalid choice: 'huge'"),
        (["small", "--bars", "999"], "--bars must be a whole number of at least 1,000, got '999'"),
        (["small", "--bars", "1e6"], "--bars must be a whole number of at least 1,000, got '1e6'"),
        (["small", "--rounds", "0"], "--rounds must be a whole number of at least 1, got '0'"),
        (["small", "--fast"], "--fast"),
    ],
)
def test_mistakes_are_one_sentence(cli: Cli, arguments: list[str], sentence: str) -> None:
    status, out, err = cli("bench", *arguments)
    assert status == 2 and out == "" and sentence in err and err.count("\n") == 1


def test_help_names_the_sizes(cli: Cli) -> None:
    status, out, _ = cli("bench", "--help")
    assert status == 0 and all(name in out for name in suite.SIZES) and "aggregate" in out


def test_aggregate_is_handed_on(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = types.ModuleType("gpubt.commands.bench_aggregate")
    stand_in.aggregate = lambda arguments: 3 if arguments == ["x", "--json"] else 1  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gpubt.commands.bench_aggregate", stand_in)
    assert cli("bench", "aggregate", "x", "--json")[0] == 3


def outcome(passed: bool | None) -> suite.Outcome:
    times = {name: row(1.0) for name in (WHOLE, "run, CSV", PROCESS, *map(fraction, FRACTIONS), "list, 1 thread", "list, 2 threads")}
    criterion = {"name": "runtime", "value": 2.0, "bound": "at_most", "limit": 1.0, "unit": "s", "passed": passed, "note": None}
    facts = {"trades": 1, "list_trades": 2, "cuda": "none", "scaling": scaling(times), "efficiency": {1: 1.0, 2: 0.5}}
    return suite.Outcome("the walk", times, {"SC-001": criterion}, facts)


@pytest.mark.parametrize(("passed", "status"), [(True, 0), (False, 3), (None, 0)])
def test_a_criterion_that_is_not_met_is_exit_status_3(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passed: bool | None, status: int
) -> None:
    monkeypatch.setattr(suite, "run_suite", lambda size, report: outcome(passed))
    got, out, _ = cli("bench", "--out", str(tmp_path))
    assert got == status and ("NOT MET" in out) is (passed is False)
    assert "efficiency 0.50" in out and "4.00 of its share" in out
    assert next(tmp_path.iterdir()).name.startswith("bench-small-")


def test_ledgers_that_differ_are_not_timed(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true = agreement.list_ledgers

    def wrong(*given: Any) -> dict[str, Any]:
        ledgers = true(*given)
        ledgers["cpu, bar mode"]["exit_bar"][3] += 1
        return ledgers

    monkeypatch.setattr(agreement, "list_ledgers", wrong)
    status, out, err = cli("bench", "small", "--bars", "2000", "--out", str(tmp_path))
    assert status == 1 and out == "" and "cpu, bar mode gives ledger" in err and list(tmp_path.iterdir()) == []


def test_runs_that_differ_are_not_recorded(tmp_path: Path) -> None:
    runs = Runs({"parquet": tmp_path / "a", "csv": tmp_path / "b"}, tmp_path, cuda=False)
    for name, digest in ((WHOLE, "a"), (fraction("0.25"), "b"), (fraction("1.0"), "a"), (PROCESS, "a")):
        runs.records[name] = [{"digests": {"ledger": digest * 64}}]
    runs.agree()
    runs.records[PROCESS].append({"digests": {"ledger": "c" * 64}})
    with pytest.raises(GpubtError, match="process, Parquet gives ledger cccc"):
        runs.agree()


def test_a_typical_run_is_the_one_of_the_median_time(tmp_path: Path) -> None:
    runs = Runs({"parquet": tmp_path / "a", "csv": tmp_path / "b"}, tmp_path, cuda=False)
    runs.records[WHOLE] = [{"wall_clock_s": seconds} for seconds in (9.0, 1.0, 2.0)]
    assert runs.typical(WHOLE) == {"wall_clock_s": 2.0}


def test_the_modes_and_the_reference_agree_on_the_cuda_kernels_too(host_backend: Any) -> None:
    ledgers = agreement.list_ledgers({"cuda": host_backend()}, 3000)
    assert list(ledgers) == ["cuda, event mode", "cuda, bar mode", "reference"]
    assert agreement.agreed(ledgers)["value"] == 0.0


@pytest.mark.parametrize(
    ("other", "passed"),
    [
        ((1000.0, 0.5, 10.0), True),
        ((1000.09, 0.5, 10.0), True),
        ((1000.2, 0.5, 10.0), False),
        ((1000.0, 0.5009, 10.0), True),
        ((1000.0, 0.502, 10.0), False),
        ((1000.0, 0.5, 11.0), True),
        ((1000.0, 0.5, 11.5), False),
    ],
)
def test_fidelity_has_three_limits(other: tuple[float, float, float], passed: bool) -> None:
    assert agreement.fidelity([(1000.0, 0.5, 10.0), other], "")["passed"] is passed


def test_scaling_is_time_over_its_share() -> None:
    times = {fraction("0.25"): row(0.5), fraction("0.5"): row(0.75), fraction("1.0"): row(1.0)}
    assert scaling(times) == {"0.25": 2.0, "0.5": 1.5, "1.0": 1.0}


@pytest.mark.parametrize(
    ("most", "counts"),
    [(1, [1]), (2, [1, 2]), (4, [1, 2, 3, 4]), (6, [1, 2, 3, 4, 6]), (16, [1, 2, 3, 4, 8, 16]), (20, [1, 2, 3, 4, 8, 16, 20])],
)
def test_thread_counts(most: int, counts: list[int]) -> None:
    assert simulations.thread_counts(most) == counts


@pytest.mark.parametrize(
    ("shares", "trades", "value", "passed"),
    [
        ({1: 1.0}, 100_000, None, None),
        ({1: 1.0, 2: 0.9}, 100_000, 0.9, None),  # two workers are not the four that it asks for
        ({1: 1.0, 2: 0.6}, 100_000, 0.6, False),
        ({1: 1.0, 2: 0.9, 3: 0.8, 4: 0.75, 8: 0.2}, 100_000, 0.75, True),
        ({1: 1.0, 2: 0.9, 3: 0.8, 4: 0.6}, 100_000, 0.6, False),
        ({1: 1.0, 2: 0.9, 3: 0.8, 4: 0.75}, 99_999, None, None),
    ],
)
def test_parallel_efficiency_is_of_four_workers(shares: dict[int, float], trades: int, value: float | None, passed: bool | None) -> None:
    found = simulations.parallel("SC-005", shares, trades)
    assert (found["value"], found["passed"]) == (value, passed)


def test_efficiency_is_the_time_of_one_over_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulations, "cores", lambda: 4)
    times = {simulations.threads_case(threads): row(seconds) for threads, seconds in ((1, 8.0), (2, 5.0), (3, 4.0), (4, 2.0))}
    assert simulations.efficiency(times) == {1: 1.0, 2: 0.8, 3: 8 / 12, 4: 1.0}


def test_wrong_dialogues_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inputs.fraction_input()["value"] == 0
    monkeypatch.setattr(inputs, "ANSWERS", {"\n": (("0.5", 1), 1), "2\nhalf\n": (None, 3), "0.5\n2\n": (("0.5", 2), 2)})
    assert (inputs.fraction_input()["value"], inputs.fraction_input()["passed"]) == (2, False)


def test_the_newest_baseline_is_of_the_reference_workload() -> None:
    record = baseline.newest()
    if record is None:
        pytest.skip("no baseline: not a checkout")
    assert (record["rows"], record["trades"]) == (baseline.REFERENCE_ROWS, baseline.REFERENCE_TRADES)
    assert set(record["results"]) == {baseline.PLAIN_LOOP, baseline.NUMBA_LOOP} and record["hardware"]["cpu"] and record["date"]
    assert len(record["ledger_digest"]) == 64


def test_the_reference_workload_is_not_timed_at_other_sizes() -> None:
    times, criterion = simulations.reference_speedup(None, 1000, 1, {})  # type: ignore[arg-type]
    assert times == {} and criterion["passed"] is None


def test_paired_rounds_alternate() -> None:
    called: list[str] = []
    results = paired({name: lambda name=name: called.append(name) for name in "ab"}, rounds=2, repeats=2)  # type: ignore[misc]
    assert "".join(called) == "ab" + "aabb" * 2 and set(results["a"]) == {"first_s", "median_s", "min_s", "max_s"}


def test_nothing_is_timed_again_where_the_first_calls_differ() -> None:
    called: list[str] = []

    def differ() -> None:
        raise GpubtError("they differ")

    with pytest.raises(GpubtError, match="they differ"):
        paired({name: lambda name=name: called.append(name) for name in "ab"}, rounds=2, agreed=differ)  # type: ignore[misc]
    assert called == ["a", "b"]


def test_a_record_is_dated_and_says_on_what(tmp_path: Path) -> None:
    path = written(tmp_path, "loops", "a thousand numbers", {"loop": row(1.0)}, threads=1)
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["case"] == "loops" and record["threads"] == 1 and {"date", "hardware", "versions", "kernels", "results"} <= set(record)


def test_the_origin_is_the_same_everywhere() -> None:
    work = origin(1000, 10)
    assert work.bar.tolist() == np.sort(work.bar).tolist() and len(np.unique(work.bar)) == 10
    assert work.columns["open"][0] == 1.10
