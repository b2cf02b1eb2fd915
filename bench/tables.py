"""Tables of docs/performance.md from the newest records under bench/records. `python -m bench.tables [--check]`

Each stands between `<!-- table: NAME -->` and `<!-- end -->`; everything else on the page is written by hand. Of several machines each has
its own table, the one with the newest record first.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.sections import SECTIONS, Record, Section
from gpubt.bench.baseline import CHECKOUT
from gpubt.records.samples import Record as Reader
from gpubt.records.samples import hardware_text
from gpubt.report import markdown

PAGE = CHECKOUT.parents[1] / "docs" / "performance.md"
MARKED = re.compile(r"(<!-- table: ([a-z0-9_-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
RECORDS = "records"  # the table of all records that the page is made of


def recorded(tracked: bool) -> list[Path]:
    """The records, the newest first; with `tracked` those that git has, where it can be asked: what somebody has measured for himself
    makes no page stale."""
    found = {path.name: path for path in CHECKOUT.glob("*.json")}
    if tracked:
        names = git_files()
        found = {name: path for name, path in found.items() if name in names} or found
    return sorted(found.values(), key=lambda path: path.name.rpartition("-")[2], reverse=True)


def git_files() -> set[str]:
    """Names in the records' folder that git has; none where it isn't installed or this is no checkout of its."""
    try:
        asked = subprocess.run(["git", "ls-files", "--", "."], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return set()
    return set(asked.stdout.splitlines())


def newest(section: Section, paths: list[Path]) -> dict[str, Record]:
    """Of each machine the latest record that a table can be made of."""
    name, found = re.compile(rf"{re.escape(section.case)}-\d{{8}}T\d{{6}}Z\.json"), dict[str, Record]()
    for path in filter(lambda path: name.fullmatch(path.name), paths):
        record = json.loads(path.read_text(encoding="utf-8"))
        if section.needs in record:
            found.setdefault(hardware_text(Reader(path, record)), record)
    return found


def written(section: Section, paths: list[Path]) -> Iterator[str]:
    """A table for each machine, with what was timed, on what, when."""
    records = newest(section, paths)
    if not records:
        yield f"Not recorded yet; `{section.command}` records it."
    for i, (hardware, record) in enumerate(records.items()):
        yield from [""] if i else []
        python = record["versions"]["python"]
        yield f"`{section.command}`: {record['workload']}. {hardware}, Python {python}, {record['date'][:10]}."
        yield ""
        yield from section.lines(record)


def sources(paths: list[Path]) -> Iterator[str]:
    """Command, hardware and date of every record that a table is made of."""
    commands = {section.command: section for section in SECTIONS.values()}
    rows = (
        [f"`{command}`", hardware, record["date"][:10], record["versions"]["gpubt"]]
        for command, section in commands.items()
        for hardware, record in newest(section, paths).items()
    )
    return markdown.table(["command", "hardware", "date", "gpubt"], [], rows)


def filled(page: str, tracked: bool = False) -> str:
    """The page with every table as the records have it. Raises ValueError for a name that is no table's."""
    paths = recorded(tracked)

    def fill(match: re.Match[str]) -> str:
        name = match[2]
        if name not in (RECORDS, *SECTIONS):
            raise ValueError(f"docs/performance.md has a table {name!r}; there are {', '.join((RECORDS, *SECTIONS))}")
        lines = sources(paths) if name == RECORDS else written(SECTIONS[name], paths)
        return "\n".join([match[1].rstrip("\n"), *lines, match[3]])

    return MARKED.sub(fill, page)


def main() -> int:
    """Write the page, or with `--check` say whether it is as the tracked records have it (exit status 1: it is not)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 where the page is stale")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    page = options.page.read_text(encoding="utf-8")
    if options.check:
        stale = filled(page, tracked=True) != page
        if stale:
            print(f"{options.page} is not as the records that git has: make tables, and git add bench/records", file=sys.stderr)
        return int(stale)
    options.page.write_text(filled(page), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
