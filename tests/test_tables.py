"""The tables of the performance page are those of the newest records."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "bench" / "records").is_dir(), reason="records and pages are in a checkout")
PAGE = "before\n<!-- table: overhead -->\nold\n<!-- end -->\nafter\n"


@pytest.fixture(autouse=True)
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the checkout's records."""
    from bench import tables

    monkeypatch.setattr(tables, "CHECKOUT", tmp_path)
    return tmp_path


def record(case: str, results: dict[str, float], cpu: str = "C", **facts: Any) -> dict[str, Any]:
    """Of one machine, a case a time."""
    rows = {name: {"first_s": seconds, "median_s": seconds, "min_s": seconds, "max_s": seconds} for name, seconds in results.items()}
    hardware = {"cpu": cpu, "cores": 2, "memory_bytes": 2**34, "system": "Linux", "gpus": []}
    versions = {"python": "3", "gpubt": "0.1.0"}
    return {"case": case, "workload": "w", "date": "2026-01-01T", "results": rows, "hardware": hardware, "versions": versions, **facts}


def put(folder: Path, case: str, time: str, *given: Any, **facts: Any) -> Path:
    path = folder / f"{case}-{time}.json"
    path.write_text(json.dumps(record(case, *given, **facts)))
    return path


def test_the_page_is_as_the_tracked_records_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import tables

    monkeypatch.setattr(sys, "argv", ["tables", "--check"])
    assert tables.main() == 0, "make tables writes it"


def test_every_table_is_on_the_page_and_no_other() -> None:
    from bench.tables import MARKED, PAGE, RECORDS, SECTIONS, filled

    assert {match[2] for match in MARKED.finditer(PAGE.read_text(encoding="utf-8"))} == {RECORDS, *SECTIONS}
    with pytest.raises(ValueError, match="no_such"):
        filled("<!-- table: no_such -->\n<!-- end -->")


def test_the_newest_record_counts(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import tables

    assert "Not recorded yet; `python -m bench.overhead` records it." in tables.filled(PAGE)
    put(records, "overhead", "20260101T000000Z", {"without phases and parts": 2.0}, overhead=0.5)
    put(records, "overhead", "20260102T000000Z", {"without phases and parts": 0.5}, overhead=0.001)
    put(records, "overhead-of-something", "20260103T000000Z", {"without phases and parts": 0.25}, overhead=0.002)
    text = tables.filled(PAGE)
    assert text.startswith("before\n") and text.endswith("after\n")
    assert "500 ms" in text and "2,000" not in text and "Overhead: +0.10%." in text and "C, 2 cores, 16 GiB, Linux" in text
    path = records / "page.md"
    path.write_text(PAGE)
    for options, status in ((["--check"], 1), ([], 0), (["--check"], 0)):
        monkeypatch.setattr(sys, "argv", ["tables", "--page", str(path), *options])
        assert tables.main() == status


def test_each_machine_has_its_own_table_the_newest_first(records: Path) -> None:
    from bench import tables

    put(records, "overhead", "20260101T000000Z", {"without phases and parts": 1.0}, overhead=0.0)
    put(records, "overhead", "20260102T000000Z", {"without phases and parts": 2.0}, cpu="D", overhead=0.0)
    lines = tables.filled(PAGE).splitlines()
    assert [line.partition(". ")[2][0] for line in lines if line.startswith("`python")] == ["D", "C"]
    table = tables.filled("<!-- table: records -->\n<!-- end -->").splitlines()
    assert [line.split(" | ")[1][0] for line in table if "overhead" in line] == ["D", "C"]


def test_records_of_ones_own_make_no_page_stale(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import tables

    known = put(records, "overhead", "20260101T000000Z", {"without phases and parts": 1.0}, overhead=0.0)
    page = tables.filled(PAGE)
    put(records, "overhead", "20260102T000000Z", {"without phases and parts": 2.0}, overhead=0.0)
    monkeypatch.setattr(tables, "git_files", lambda: {known.name})
    assert tables.filled(page, tracked=True) == page != tables.filled(page)
    monkeypatch.setattr(tables, "git_files", set)  # no git: what is there
    assert tables.filled(page, tracked=True) == tables.filled(page)


def test_the_suite_s_record_gives_all_its_tables(records: Path) -> None:
    from bench import tables
    from gpubt.bench.runs import PROCESS, WHOLE, fraction

    times = {WHOLE: 1.0, "run, CSV": 2.0, PROCESS: 3.0, fraction("0.25"): 0.4, fraction("0.5"): 0.6, fraction("1.0"): 1.0}
    times |= {
        "list, 1 thread": 0.02,
        "list, 2 threads": 0.0125,
        "list, bar mode": 0.5,
        "indicators, cache on": 5e-5,
        "indicators, cache off": 0.1,
    }
    memory = {"raw_bytes": 2**28, "host_baseline_bytes": 2**27, "host_peak_bytes": 2**29, "host_ratio": 1.5}
    phases = {"scan": {"seconds": 0.25, "host_peak_bytes": 2**28}}
    criterion = {"name": "runtime", "value": 2.0, "bound": "at_most", "limit": 34.0, "unit": "s", "passed": None, "note": "a | b"}
    facts: dict[str, Any] = {"scaling": {"0.25": 1.6, "0.5": 1.2, "1.0": 1.0}, "efficiency": {"1": 1.0, "2": 0.8}, "list_trades": 100_000}
    facts["criteria"] = {"SC-001": criterion}
    names = [name for name, section in tables.SECTIONS.items() if section.case == "bench-large"]
    page = "".join(f"<!-- table: {name} -->\n<!-- end -->\n" for name in names)
    put(records, "bench-large", "20260101T000000Z", times, **facts)
    assert tables.filled(page).count("Not recorded yet") == 2  # by an older version, without phases and memory
    put(
        records,
        "bench-large",
        "20260102T000000Z",
        times,
        runs={name: {"phases": phases, "memory": memory} for name in (WHOLE, PROCESS)},
        **facts,
    )
    lines = tables.filled(page).splitlines()
    for line in (
        "| run, CSV | 2,000 ms | 2,000 ms | 0.5x |",
        "| 0.25 | 400 ms | 1.60 |",
        "| list, 2 threads | 12.5 ms | 1.6x | 0.80 |",
        "| indicators, cache on | 50 µs | 50 µs | 2,000x |",
        "| scan | 250 ms | 250 ms | 256.0 MiB |",
        "| highest less before, over the bars | 1.50 |",
        "| SC-001 runtime | 2 s | <= 34 |  | a \\| b |",
    ):
        assert line in lines
