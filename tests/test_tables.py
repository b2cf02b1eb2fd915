"""The tables of the performance page are those of the newest records."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "bench" / "records").is_dir(), reason="records and pages are in a checkout")


@pytest.fixture(autouse=True)
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def test_the_page_is_as_the_records_have_it() -> None:
    from bench.tables import PAGE, filled

    page = PAGE.read_text(encoding="utf-8")
    assert filled(page) == page, "make tables writes it"


def test_every_table_is_on_the_page_and_no_other() -> None:
    from bench.tables import MARKED, PAGE, TABLES, filled

    assert {match[2] for match in MARKED.finditer(PAGE.read_text(encoding="utf-8"))} == set(TABLES)
    with pytest.raises(ValueError, match="no_such"):
        filled("<!-- table: no_such -->\n<!-- end -->")


def test_the_newest_record_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import tables

    monkeypatch.setattr(tables, "CHECKOUT", tmp_path)
    page = "before\n<!-- table: overhead -->\nold\n<!-- end -->\nafter\n"
    assert "Not recorded yet." in tables.filled(page)
    for time, seconds in (("20260101T000000Z", 2.0), ("20260102T000000Z", 0.5)):
        row = {"first_s": seconds, "median_s": seconds, "min_s": seconds, "max_s": seconds}
        record = {"workload": "w", "date": f"{time[:4]}-01-01T", "results": {"without phases and parts": row}}
        record |= {"hardware": {"cpu": "C", "cores": 2}, "versions": {"python": "3"}}
        (tmp_path / f"overhead-{time}.json").write_text(json.dumps(record))
    text = tables.filled(page)
    assert text.startswith("before\n") and text.endswith("after\n") and "500 ms" in text and "2,000" not in text
    path = tmp_path / "page.md"
    path.write_text(page)
    for options, status in ((["--check"], 1), ([], 0), (["--check"], 0)):
        monkeypatch.setattr(sys, "argv", ["tables", "--page", str(path), *options])
        assert tables.main() == status
