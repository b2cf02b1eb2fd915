"""`gpubt data check` and `gpubt data convert`: what is wrong with a file of bars, and the same bars as Parquet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gpubt.commands.arguments import Parser
from gpubt.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from gpubt.config import Data
    from gpubt.data.bars import Bars
    from gpubt.data.source import Source
    from gpubt.data.validate import DataReport

EXTRAS = ("split", "adj_close")


def main(arguments: list[str]) -> int:
    """Run one of the two. Exit status 2 where the bars can't be used."""
    parser = Parser(prog="gpubt data", description="What is wrong with a file of bars, and bars as Parquet.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="check|convert")
    check = commands.add_parser("check", help="print what is wrong with the bars of a file")
    convert = commands.add_parser("convert", help="write the bars of a file to a Parquet file")
    for command in (check, convert):
        command.add_argument("path", metavar="FILE", help="Parquet or CSV")
    convert.add_argument("to", metavar="PARQUET", help="the file to write")
    for command in (check, convert):
        command.add_argument("overrides", nargs="*", metavar="data.key=value", help="as for gpubt run, such as data.bar_stamp=end")
    chosen = parser.parse_args(arguments)
    data, seed = _data(chosen.path, chosen.overrides)
    return _check(data, seed) if chosen.command == "check" else _convert(data, seed, Path(chosen.to))


def _data(path: str, overrides: list[str]) -> tuple[Data, int]:
    from gpubt.compose import configuration
    from gpubt.data.files import is_csv

    for override in overrides:
        if not override.lstrip("+~").startswith(("data.", "data=")):
            raise ConfigError(f"gpubt data takes only data.key=value, got {override!r}")
    kind = "csv" if is_csv(Path(path)) else "parquet"
    given = [] if any(override.startswith("data=") for override in overrides) else [f"data={kind}"]
    config = configuration([*given, *overrides])
    return replace(config.data, path=path), config.seed


def _rows(data: Data, seed: int) -> tuple[Source, Bars, int, int]:
    """The source, and its selected bars with all columns that bars can have."""
    from gpubt.data.rows import resolve_rows
    from gpubt.data.source import open_source

    source = open_source(data, seed)
    lo, hi = resolve_rows(source, data)
    return source, source.read(lo, hi, {"volume"} if source.has("volume") else ()), lo, hi


def _check(data: Data, seed: int) -> int:
    """The rows of the file are checked, also where they would be resampled afterwards."""
    from gpubt.data.validate import survey

    source, bars, lo, hi = _rows(replace(data, resample=None), seed)
    report, _ = survey(bars, lo, hi, data.validation)
    print("\n".join(text(bars, source.rows_available, report)))
    return 2 if report.errors() else 0


def text(bars: Bars, available: int, report: DataReport) -> list[str]:
    """The report for people."""
    from gpubt.data.clock import time_text
    from gpubt.data.faults import CLASSES
    from gpubt.data.wrapper import duration_text

    span = f"{time_text(int(bars.time[0]))} to {time_text(int(bars.time[-1]))}"
    lines = [f"{bars.symbol}: {bars.n:,} of {available:,} bars, {span}, most of them {duration_text(report.spacing)} apart"]
    if not report.findings:
        return [*lines, "nothing is wrong with them"]
    lines += ["", f"  {'class':<17}{'policy':<8}{'count':>11}  {'first row':>11}  {'its time':<22}what"]
    for one in report.findings:
        place = f"{one.count:>11,}  {one.first_row:>11,}  {time_text(one.first_time):<22}"
        lines.append(f"  {one.name:<17}{one.policy:<8}{place}{CLASSES[one.name]}")
    names = ", ".join(one.name for one in report.errors())
    verdict = f"they can't be used: {names}" if names else "they can be used"
    return [*lines, "", f"{verdict} (data.validation.CLASS=error|warn|drop sets what becomes of a class)"]


def _convert(data: Data, seed: int, to: Path) -> int:
    """Validated bars, the columns in the order time, prices, volume, then what the file has for adjusting; and the symbol if it has one."""
    from gpubt.data.source import open_file
    from gpubt.data.validate import survey, validate
    from gpubt.records.arrow import atomic, put_parquet

    source, bars, lo, hi = _rows(data, seed)
    wrong = survey(bars, lo, hi, data.validation)[1]
    used, report = validate(bars, lo, hi, data.validation, source.findings)
    extras: dict[str, NDArray[np.float64]] = {}
    if data.adjust == "none" and data.resample is None and data.source in ("csv", "parquet"):
        file = open_file(data)
        extras = file.fields(lo, hi, [name for name in EXTRAS if file.has(name)])
        extras = extras if wrong is None else {name: column[~wrong] for name, column in extras.items()}
    table = _table(used, extras, symbol=source.has("symbol") or data.symbol is not None)
    with atomic(to, "choose another path") as temporary:
        put_parquet(table, temporary)
    for line in report.warnings():
        print(f"warning: {line}")
    print(f"{to}: {used.n:,} bars of {used.symbol}")
    return 0


def _table(bars: Bars, extras: dict[str, NDArray[np.float64]], *, symbol: bool) -> pa.Table:
    """An Arrow table of bars; the symbol is a dictionary of one entry."""
    import pyarrow as pa

    columns = {"timestamp": pa.array(bars.time).cast(pa.timestamp("ns")).cast(pa.timestamp("ns", "UTC"))}
    columns |= {name: pa.array(column) for name, column in (bars.columns() | extras).items() if name != "time"}
    if symbol:
        columns["symbol"] = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), bars.n), pa.array([bars.symbol]))
    return pa.table(columns)
