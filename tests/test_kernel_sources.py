"""What the CUDA sources say twice agrees with `simulate/layout.py`: addresses, reasons to skip; and a block's warps fit."""

from __future__ import annotations

import re

from gpubt.backends.cupy_runtime import BLOCK
from gpubt.resources import kernel_sources
from gpubt.simulate import layout


def search(pattern: str) -> re.Match[str]:
    found = re.search(pattern, kernel_sources()["common.cuh"], re.M | re.S)
    assert found, pattern
    return found


def test_prices_has_the_table_in_its_order_and_then_the_number_of_bars() -> None:
    lines = search(r"^struct Prices \{\n(.*?)\n\};")[1].splitlines()
    assert lines.pop().split() == ["i64", "n;"]
    parts = [re.fullmatch(r"  const (\w+) ((?:\*\w+(?:, )?)+);", line) for line in lines]
    fields = [(name, part[1]) for part in parts if part for name in re.findall(r"\w+", part[2])]
    words = {"finer_first": "i64", **dict.fromkeys(layout.MASKS, "u64")}
    assert all(parts)
    assert fields == [(name, words.get(name, "double")) for name in layout.TABLE]
    assert int(search(r"^const int TABLE = (\d+);")[1]) == len(layout.TABLE)


def test_a_block_has_a_tile_for_each_of_its_warps() -> None:
    assert int(search(r"WARPS = (\d+);")[1]) * int(search(r"WARP_LANES = (\d+)")[1]) >= BLOCK


def test_there_is_a_count_for_each_reason_to_skip() -> None:
    last = search(r"^const int SKIPS = (\w+) \+ 1;")[1]
    assert getattr(layout, last) + 1 == len(layout.SKIPS)
