"""Tables of docs/performance.md from the newest records under bench/records. `python -m bench.tables [--check]`

Each stands between `<!-- table: NAME -->` and `<!-- end -->`; everything else on the page is written by hand.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gpubt.bench.baseline import CHECKOUT
from gpubt.report.numbers import milliseconds

PAGE = CHECKOUT.parents[1] / "docs" / "performance.md"
MARKED = re.compile(r"(<!-- table: ([a-z0-9_-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Record = dict[str, Any]
Table = Callable[[Record], Iterator[str]]


def newest(case: str) -> Record | None:
    """The latest record of a case; names end in the time."""
    name = re.compile(rf"{re.escape(case)}-\d{{8}}T\d{{6}}Z\.json")
    found = sorted(path for path in CHECKOUT.glob(f"{case}-*.json") if name.fullmatch(path.name))
    return json.loads(found[-1].read_text(encoding="utf-8")) if found else None


def source(record: Record) -> str:
    """What was timed, on what, when."""
    hardware, python = record["hardware"], record["versions"]["python"]
    rates = ", ".join(f"{name}: {rate:.2g} bar-sets/s" for name, rate in record.get("bar_sets_per_second", {}).items())
    return f"{record['workload']}{f' ({rates})' if rates else ''}. {hardware['cpu']}, {hardware['cores']} cores, Python {python}, {record['date'][:10]}."


def ratios(base: str) -> Table:
    """Cases with the ratio of `base` to each, and memory where it was read."""

    def table(record: Record) -> Iterator[str]:
        rows = record["results"]
        memory = any("peak_mib" in row for row in rows.values())
        yield "| case | median | first call | against |" + (" peak memory |" if memory else "")
        yield "| --- | --- | --- | --- |" + (" --- |" if memory else "")
        for name, row in rows.items():
            ratio = rows[base]["median_s"] / row["median_s"]
            cells = [name, milliseconds(row["median_s"]), milliseconds(row["first_s"]), f"{ratio:.{2 if ratio < 0.1 else 1}f}x"]
            cells += [f"{row['peak_mib']:,.0f} MiB" if "peak_mib" in row else ""] if memory else []
            yield f"| {' | '.join(cells)} |"

    return table


def criteria(record: Record) -> Iterator[str]:
    """Each success criterion with its value and limit."""
    signs = {"at_most": "<=", "at_least": ">=", "exactly": "="}
    yield "| criterion | value | limit | met | |"
    yield "| --- | --- | --- | --- | --- |"
    for key, one in record["criteria"].items():
        value = "not measured" if one["value"] is None else f"{one['value']:.3g} {one['unit']}"
        met = {True: "yes", False: "no", None: ""}[one["passed"]]
        yield f"| {key} {one['name'].replace('_', ' ')} | {value} | {signs[one['bound']]} {one['limit']:g} | {met} | {one['note'] or ''} |"


# name on the page: case of the record, how it is written, the command that makes it
TABLES: dict[str, tuple[str, Table, str]] = {
    **{
        f"brackets-{name}": (f"brackets-{name}", ratios("plain numba loop, 2 threads, exits only"), f"python -m bench.brackets {name}")
        for name in ("origin", "narrow", "wide", "trailing", "trailing-wide", "trailing-atr")
    },
    "in-memory": ("in_memory", ratios("crossover"), "python -m bench.in_memory"),
    "end-to-end": ("end-to-end", ratios("vectorbt, Parquet"), "python -m bench.end_to_end"),
    "suite": ("bench-large", ratios("run, Parquet"), "gpubt bench large"),
    "criteria": ("bench-large", criteria, "gpubt bench large"),
    "overhead": ("overhead", ratios("without phases and parts"), "python -m bench.overhead"),
    **{
        f"sweeps-{name}": (f"sweeps-{name}", ratios("plain numba loop, final equity only"), f"python -m bench.sweeps {name}")
        for name in ("crossovers", "long", "daily", "exits")
    },
}


def filled(page: str) -> str:
    """The page with every table as the records have it. Raises ValueError for a name that is no table's."""

    def fill(match: re.Match[str]) -> str:
        name = match[2]
        if name not in TABLES:
            raise ValueError(f"docs/performance.md has a table {name!r}; there are {', '.join(TABLES)}")
        case, table, typed = TABLES[name]
        record = newest(case)
        lines = ["Not recorded yet."] if record is None else [f"`{typed}`: {source(record)}", "", *table(record)]
        return "\n".join([match[1].rstrip("\n"), *lines, match[3]])

    return MARKED.sub(fill, page)


def main() -> int:
    """Write the page, or with `--check` say whether it is as the records have it (exit status 1: it is not)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    page = options.page.read_text(encoding="utf-8")
    if options.check:
        return int(filled(page) != page)
    options.page.write_text(filled(page), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
