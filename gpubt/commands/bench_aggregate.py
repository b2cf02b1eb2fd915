"""`gpubt bench aggregate`: many benchmark records in one table, and what is slower than in a stored one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from gpubt.commands.arguments import Parser, amount
from gpubt.errors import ConfigError, InputError

if TYPE_CHECKING:
    from gpubt.records.aggregate import Compared, Group

# where records are when none is named: those of runs, and those of benchmarks
FOLDERS = ("outputs", "multirun", "bench/records")


def aggregate(arguments: list[str]) -> int:
    """Print the tables. Exit status 3 where a median is slower than `--limit` times the one of `--against`."""
    chosen = _parser().parse_args(arguments)
    limit, ignore = amount("limit", chosen.limit), amount("ignore", chosen.ignore)
    if chosen.json and chosen.markdown:
        raise ConfigError("--json and --markdown exclude each other; give one of them")
    from gpubt.records import aggregate as logic
    from gpubt.records.samples import read_sample

    against = Path(chosen.against).expanduser() if chosen.against else None
    groups = logic.aggregate([read_sample(path) for path in _records(chosen.folders, against)])
    compared = logic.compare_times(groups, logic.stored(against)) if against else []
    worse = logic.slower(compared, limit, ignore)
    if chosen.json:
        found = logic.as_json(groups)
        if against:
            found["against"] = {"limit": limit, "ignore_s": ignore, "compared": _told(compared), "slower": _told(worse)}
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        print("\n".join(_text(groups, compared, worse, limit, markdown=chosen.markdown)))
    return 3 if worse else 0


def _parser() -> Parser:
    parser = Parser(
        prog="gpubt bench aggregate",
        description="Count, mean, median, minimum and maximum of what benchmark records hold, by workload and hardware.",
        epilog="exit status: 0 done, 3 a median is slower than the limit allows, 2 the input's fault",
    )
    here = ", ".join(FOLDERS)
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help=f"folders with records, or records (default: those of {here} here)")
    about = "compare times with those of a record, of an aggregate in JSON, or of a folder with records"
    parser.add_argument("--against", metavar="FILE", help=about)
    parser.add_argument("--limit", default="1.10", metavar="X", help="slower by more than this factor is a regression (default 1.10)")
    parser.add_argument("--ignore", default="0", metavar="SECONDS", help="differences up to this are none (default 0)")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs and --against")
    parser.add_argument("--markdown", action="store_true", help="as tables for a page, with a hardware column")
    return parser


def _records(folders: list[str], against: Path | None) -> list[Path]:
    """The records to put together, without those that they are compared with."""
    from gpubt.records.aggregate import below, find

    paths = [Path(folder).expanduser() for folder in folders] or [path for path in map(Path, FOLDERS) if below(path)]
    if not paths:
        raise InputError(f"there are no records here: none of {', '.join(FOLDERS)}; name a FOLDER")
    found = find(paths)
    if against is None:
        return found
    stored = {one.resolve() for one in ([against] if against.is_file() else find([against]))}
    left = [path for path in found if path.resolve() not in stored]
    if not left:
        raise InputError(f"--against {against} leaves no record to compare with it")
    return left


def _told(compared: list[Compared]) -> list[dict[str, object]]:
    return [{**asdict(one), "ratio": one.ratio} for one in compared]


def _text(groups: list[Group], compared: list[Compared], worse: list[Compared], limit: float, *, markdown: bool) -> Iterator[str]:
    from gpubt.report import aggregate as report

    yield from (report.markdown if markdown else report.lines)(groups)
    if compared:
        yield ""
        yield from (report.against_markdown if markdown else report.against_lines)(compared, worse, limit)
