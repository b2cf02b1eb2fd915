"""Tables of docs/kernels.md: what each kernel takes of a multiprocessor, from the stored budget, and its roofline, from what it moves and
computes. `python -m bench.roofline [--check]`

A roofline (Williams, Waterman, Patterson: Roofline, an insightful visual performance model, 2009) is an upper bound: bytes over the
memory's bandwidth, or operations over the arithmetic's rate, whichever takes longer. Nothing here is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.tables import MARKED
from gpubt.backends.cupy_runtime import BLOCK
from gpubt.report import markdown

ROOT = Path(__file__).resolve().parents[1]
PAGE, BUDGET = ROOT / "docs" / "kernels.md", ROOT / "tests" / "golden" / "kernel_budget.json"
REGISTERS, WARP = 65_536, 32  # of a multiprocessor; threads


@dataclass(frozen=True)
class Card:
    """`bandwidth` in bytes a second; `float64` in operations a second, an FMA counted as two as makers do; of a multiprocessor resident
    threads at most, and bytes of shared memory."""

    name: str
    multiprocessors: int
    threads: int
    bandwidth: float
    float64: float
    memory: int = 102_400

    def resident(self, registers: int, shared: int = 0) -> int:
        """Threads of a kernel on one multiprocessor, in whole blocks: a warp is given registers in units of 256, a block 1 KiB of shared
        memory beside its own."""
        of_warp = -(-registers * WARP // 256) * 256
        return BLOCK * min(self.threads // BLOCK, REGISTERS // (of_warp * (BLOCK // WARP)), self.memory // (shared + 1024))


CARDS = (
    Card("RTX 4090", 128, 1536, 1.008e12, 1.29e12),
    Card("H200", 132, 2048, 4.8e12, 34e12, memory=233_472),
)


@dataclass(frozen=True)
class Model:
    """An item's bytes read and written, each array once a pass over it, and its float64 operations: sums, products and comparisons are 1,
    divisions and roots 10. `serial`: one thread does all, so that latency bounds it and no roofline."""

    item: str
    read: float
    written: float
    operations: float
    serial: bool = False

    def bound(self, card: Card) -> tuple[float, str]:
        """Items a second at most, and what bounds them. Without contraction an operation takes the time of an FMA."""
        moved = card.bandwidth / (self.read + self.written)
        computed = card.float64 / 2.0 / self.operations if self.operations else float("inf")
        return (moved, "memory") if moved <= computed else (computed, "float64")


TRADE = 256  # bars between two entries of a signal, where a model has to say
LENGTHS = 100  # of an indicator, which share what is read
MODELS = {
    "account": Model("bar", 0.25, 0, 0.1, serial=True),
    "account_list": Model("bar", 0.25, 0, 0.1, serial=True),
    "arithmetic": Model("bar, of two leaves and five steps", 16, 8, 7),
    "block_extremes": Model("value of a column", 16, 2, 2),
    "count_entries": Model("word of 64 bars of a signal", 16, 0, 0),
    "count_signals": Model("word of 64 bars", 16, 0, 0),
    "elementwise": Model("bar", 24, 8, 2),
    "find_candidates": Model("word of 64 bars of a signal", 16, 24 * 64 / TRADE, 0),
    "indicator_blank": Model("bar", 0, 8, 0),
    "list_bars": Model("trade", 64, 8, 0),
    "list_pack": Model("trade", 160, 152, 0),
    "list_sums": Model("entry", 16, 0.1, 0),
    "measure_count": Model("bar, 64 of them counted", 0.5, 8, 1),
    "measure_last": Model("word of 64 bars", 8, 0.25, 0),
    "measure_since": Model("bar", 0.25, 8, 1),
    "play_candidates": Model("trade of a set", 640, 16, 400),
    "rate_of_change": Model("bar", 16, 8, 13),
    "recur": Model("bar", 24, 8, 8, serial=True),
    "running_counts": Model("signal, of 256 segments", 2048, 2064, 0),
    "scan_combine": Model("word of 64 bars", 16, 8, 0),
    "scan_compare": Model("bar and comparison", 16, 0.125, 1),
    "scan_latch": Model("word of 64 bars", 16, 8, 0),
    "scan_latch_left": Model("word of 64 bars", 16, 0.25, 0),
    "search_exits": Model("entry", 24 + 3 * TRADE / 8, 16, 0),
    "search_touches": Model("entry and level", 540, 16, 70),
    "simulate": Model("trade", 700, 152, 400, serial=True),
    "simulate_list": Model("trade", 556, 168, 300),
    "simulate_overlapping": Model("trade", 700, 152, 400, serial=True),
    "simulate_sets": Model("trade", 1000, 0, 500),
    "smooth_carry": Model("block of 1,024 bars of a length", 16, 8, 4, serial=True),
    "smooth_changes": Model("bar", 8, 8, 1),
    "smooth_ends": Model("bar and length", 8 / LENGTHS, 8 / 1024, 4),
    "smooth_ranges": Model("bar", 24, 8, 7),
    "smooth_values": Model("bar and length", 8 / LENGTHS, 8, 8),
    "span_values": Model("bar, of 20 values", 8, 8, 103),
    "strength_ends": Model("bar and length", 8 / LENGTHS, 16 / 1024, 8),
    "strength_values": Model("bar and length", 8 / LENGTHS, 8, 31),
    "window_deviation": Model("bar and length", 8 / LENGTHS, 8, 29),
    "window_extreme": Model("bar and length", 8 / LENGTHS, 8, 9),
    "window_mean": Model("bar and length", 8 / LENGTHS, 8, 9),
    "window_weighted": Model("bar and length", 8 / LENGTHS, 8, 20),
}


def budget() -> dict[str, dict[str, int]]:
    """By kernel `registers`, `stack`, `shared` and `spills`, as the tests hold it to."""
    found: dict[str, dict[str, int]] = json.loads(BUDGET.read_text(encoding="utf-8"))["kernels"]
    return found


def resources() -> Iterator[str]:
    """Registers and stack of each kernel, and how many of its threads a multiprocessor holds."""
    rows = []
    for kernel, own in budget().items():
        resident = [card.resident(own["registers"], own["shared"]) for card in CARDS]
        shares = [f"{threads:,} ({threads / card.threads:.0%})" for threads, card in zip(resident, CARDS, strict=True)]
        rows.append([f"`{kernel}`", str(own["registers"]), f"{own['stack']:,}", f"{own['shared']:,}", str(own["spills"]), *shares])
    heads = ["registers", "stack, bytes", "shared", "spills", *(f"threads, {card.name}" for card in CARDS)]
    return markdown.table(["kernel"], heads, rows)


def rooflines() -> Iterator[str]:
    """What each kernel moves and computes, and items a second at most."""
    rows = []
    for kernel in budget():
        model = MODELS[kernel]
        bounds = ["one thread" if model.serial else "{:.2g} ({})".format(*model.bound(card)) for card in CARDS]
        rows.append([f"`{kernel}`", model.item, f"{model.read:.4g}", f"{model.written:.4g}", f"{model.operations:g}", *bounds])
    return markdown.table(["kernel", "an item"], ["read", "written", "float64", *(f"items/s, {card.name}" for card in CARDS)], rows)


TABLES = {"resources": resources, "rooflines": rooflines}


def filled(page: str) -> str:
    """The page with its tables as they are now."""
    return MARKED.sub(lambda match: "\n".join([match[1].rstrip("\n"), *TABLES[match[2]](), match[3]]), page)


def main() -> int:
    """Write the page, or with `--check` say whether it is current (exit status 1: it is not)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    page = PAGE.read_text(encoding="utf-8")
    if check:
        return int(filled(page) != page)
    PAGE.write_text(filled(page), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
