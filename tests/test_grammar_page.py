"""The page of the grammar is the code's text, and every example on the pages of the language is one."""

from __future__ import annotations

import re
from pathlib import Path

from gpubt.strategy.functions import FUNCTIONS
from gpubt.strategy.page import page

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_page_is_up_to_date() -> None:
    written = (DOCS / "grammar.md").read_text(encoding="utf-8")
    assert written == page(), "write it again: python -m gpubt.strategy.page > docs/grammar.md"


def test_it_names_every_function() -> None:
    assert [name for name in FUNCTIONS if f"`{FUNCTIONS[name].signature}`" not in page()] == []
    assert "grammar.md" in (DOCS / "strategies.md").read_text(encoding="utf-8")


def test_tables_have_their_columns() -> None:
    for table in re.findall(r"(?:^\|.*\n)+", page(), re.M):
        assert len({row.count(" | ") for row in table.splitlines() if "---" not in row and row.strip("| ")}) == 1, table
