"""The page of the indicators is the definitions' text, and the language's page names each of them."""

from __future__ import annotations

from pathlib import Path

from gpubt.indicators.page import page

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_page_is_up_to_date() -> None:
    written = (DOCS / "indicators.md").read_text(encoding="utf-8")
    assert written == page(), "write it again: python -m gpubt.indicators.page > docs/indicators.md"
