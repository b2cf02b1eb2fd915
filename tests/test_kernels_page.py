"""The page of the kernels has the stored budget, and its models are of kernels that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gpubt.resources import kernel_sources

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "bench" / "roofline.py").exists(), reason="pages and their tables are in a checkout")


@pytest.fixture(autouse=True)
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def test_the_page_is_current() -> None:
    from bench.roofline import MARKED, PAGE, TABLES, filled

    page = PAGE.read_text(encoding="utf-8")
    assert {match[2] for match in MARKED.finditer(page)} == set(TABLES)
    assert filled(page) == page, "write it again: python -m bench.roofline"


def test_every_kernel_has_a_model() -> None:
    from bench.roofline import MODELS

    kernels = set(re.findall(r"^KERNEL (\w+)\(", "\n".join(kernel_sources().values()), re.M))
    assert set(MODELS) == kernels


@pytest.mark.parametrize(
    ("registers", "on_4090", "on_h200"),
    [(16, 1536, 2048), (32, 1536, 2048), (40, 1536, 1536), (120, 512, 512), (168, 256, 256), (255, 256, 256)],
)
def test_registers_decide_how_many_threads_are_resident(registers: int, on_4090: int, on_h200: int) -> None:
    from bench.roofline import CARDS

    assert [card.resident(registers) for card in CARDS] == [on_4090, on_h200]


def test_shared_memory_decides_too() -> None:
    from bench.roofline import CARDS

    assert [card.resident(64, 34_816) for card in CARDS] == [512, 1024]
    assert [card.resident(16, 34_816) for card in CARDS] == [512, 1536]


def test_the_bound_is_the_slower_of_memory_and_arithmetic() -> None:
    from bench.roofline import Card, Model

    card = Card("c", 1, 2048, bandwidth=1000.0, float64=200.0)
    assert Model("x", 8, 2, 0.5).bound(card) == (100.0, "memory")
    assert Model("x", 8, 2, 2).bound(card) == (50.0, "float64")
    assert Model("x", 8, 2, 0).bound(card) == (100.0, "memory")
