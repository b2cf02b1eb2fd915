"""How each kind of record is written as tables of docs/performance.md: what a table says, of which record, made by which command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from gpubt.bench.caching import COMPUTED, KEPT
from gpubt.bench.runs import FRACTIONS, PROCESS, WHOLE, fraction
from gpubt.bench.screen import SIGNS
from gpubt.bench.simulations import threads_case
from gpubt.report import markdown
from gpubt.report.numbers import milliseconds, size

Record = dict[str, Any]
Lines = Callable[[Record], Iterator[str]]


class Section(NamedTuple):
    """A table of the records of `case`, which `command` makes, of those that have the key `needs`."""

    case: str
    command: str
    lines: Lines
    needs: str = "results"


def duration(seconds: float) -> str:
    """Also of what takes microseconds."""
    return f"{seconds * 1e6:.0f} µs" if seconds < 1e-4 else milliseconds(seconds)


def ratio(base: float, seconds: float) -> str:
    """How many times `base` is: above 1 is faster."""
    times = base / seconds
    return f"{times:,.0f}x" if times >= 100 else f"{times:.{2 if times < 0.1 else 1}f}x"


def times(record: Record, names: list[str], base: str) -> Iterator[str]:
    """Cases with their first call, the time of `base` over theirs, and the peak of memory where it was read."""
    rows = record["results"]
    memory = any("peak_mib" in rows[name] for name in names)
    cells = (
        [
            name,
            duration(rows[name]["median_s"]),
            duration(rows[name]["first_s"]),
            ratio(rows[base]["median_s"], rows[name]["median_s"]),
            *([f"{rows[name]['peak_mib']:,.0f} MiB" if "peak_mib" in rows[name] else ""] if memory else []),
        ]
        for name in names
    )
    return markdown.table(["case"], ["median", "first call", "against", *(["peak memory"] if memory else [])], cells)


def against(start: str) -> Lines:
    """All cases of a record against the one whose name begins with `start` (it may end in a number of threads)."""

    def lines(record: Record) -> Iterator[str]:
        names = list(record["results"])
        return times(record, names, next(name for name in names if name.startswith(start)))

    return lines


def end_to_end(record: Record) -> Iterator[str]:
    """Processes; and the same again in one process."""
    yield from against("vectorbt, Parquet")(record)
    yield ""
    yield f"In one process, everything loaded: {', '.join(f'{name} {duration(s)}' for name, s in record['in_process_s'].items())}."


def overhead(record: Record) -> Iterator[str]:
    """What phases cost, in percent."""
    yield from against("without phases and parts")(record)
    yield ""
    yield f"Overhead: {record['overhead']:+.2%}."


def runs(record: Record) -> Iterator[str]:
    """Whole runs by format, mode and backend."""
    parts = [fraction(frac) for frac in FRACTIONS]
    return times(record, [name for name in record["results"] if name.startswith(("run, ", "process, ")) and name not in parts], WHOLE)


def fractions(record: Record) -> Iterator[str]:
    """Runs over parts of the data."""
    rows = record["results"]
    cells = ([frac, duration(rows[fraction(frac)]["median_s"]), f"{record['scaling'][frac]:.2f}"] for frac in FRACTIONS)
    return markdown.table(["data.frac"], ["median", "over its share"], cells)


def threads(record: Record) -> Iterator[str]:
    """List mode by threads, in bar mode, and on a device."""
    rows, one = record["results"], record["results"][threads_case(1)]["median_s"]
    shares = {threads_case(int(number)): share for number, share in record["efficiency"].items()}
    cells = (
        [name, duration(row["median_s"]), ratio(one, row["median_s"]), f"{shares[name]:.2f}" if name in shares else ""]
        for name, row in rows.items()
        if name.startswith("list, ")
    )
    return markdown.table([f"{record['list_trades']:,} trades"], ["median", "against", "efficiency"], cells)


def phases(record: Record) -> Iterator[str]:
    """Seconds and resident memory by phase, of the runs whose time was the median; by the device's clock too where it has one."""
    warm, alone = (record["runs"][name]["phases"] for name in (WHOLE, PROCESS))
    cells = ([name, duration(warm[name]["seconds"]), duration(one["seconds"]), size(one["host_peak_bytes"])] for name, one in alone.items())
    return markdown.table(["phase"], ["in a running process", "as a process", "highest resident, as a process"], cells)


def memory(record: Record) -> Iterator[str]:
    """What a process held, and the ratio that the limit is for."""
    one = record["runs"][PROCESS]["memory"]
    known = {
        "bars": size(one["raw_bytes"]),
        "resident before the first bar": size(one["host_baseline_bytes"]),
        "highest resident": size(one["host_peak_bytes"]),
        "highest less before, over the bars": "n/a" if one["host_ratio"] is None else f"{one['host_ratio']:.2f}",
    }
    return markdown.table(["memory"], [""], known.items())


def criteria(record: Record) -> Iterator[str]:
    """Each success criterion with its value and limit."""
    cells = (
        [
            f"{key} {one['name'].replace('_', ' ')}",
            "not measured" if one["value"] is None else f"{one['value']:.3g} {one['unit']}",
            f"{SIGNS[one['bound']]} {one['limit']:g}",
            {True: "yes", False: "no", None: ""}[one["passed"]],
            one["note"] or "",
        ]
        for key, one in record["criteria"].items()
    )
    return markdown.table(["criterion", "value", "limit", "met", ""], [], cells)


def sweep(record: Record) -> Iterator[str]:
    """Times of all sets, and bar-sets a second."""
    rates, loop = record["bar_sets_per_second"], record["results"][PLAIN]["median_s"]
    cells = (
        [name, duration(row["median_s"]), f"{rates[name]:.2g}", ratio(loop, row["median_s"])] for name, row in record["results"].items()
    )
    return markdown.table(["case"], ["median", "bar-sets/s", "against"], cells)


def scaling(record: Record) -> Iterator[str]:
    """The exponent of time over what grows; and what threads gain."""
    cells = (
        [
            what,
            f"{one['sizes'][0]:,.0f} to {one['sizes'][-1]:,.0f}",
            f"{duration(one['seconds'][0])} to {duration(one['seconds'][-1])}",
            f"{one['exponent']:.2f}",
        ]
        for what, one in record["growth"].items()
    )
    yield from markdown.table(["grown", "from", "time"], ["exponent"], cells)
    yield ""
    shares = ", ".join(f"{count}: {share:.2f}" for count, share in record["efficiency"].items())
    yield f"Parallel efficiency by threads: {shares}."


def peers(record: Record) -> Iterator[str]:
    """An indicator a line: rows that differ, over all its parameters and all data, and why; and how its speed compares."""
    groups: dict[str, list[Record]] = {}
    for row in (row for rows in record["agreement"].values() for row in rows):
        groups.setdefault(row["name"], []).append(row)
    cells = (
        [
            f"`{name}`",
            f"`{record['peers'][name]['function']}`",
            record["peers"][name]["why"] if any(row["differ"] for row in rows) else "",
            *(f"{sum(row[key] for row in rows):,}" for key in ("rows", "differ")),
            *(f"{max(row[key] for row in rows):.0e}" if any(row[key] for row in rows) else "0" for key in ("relative", "absolute")),
            ratio(*(sum(row[key] for row in rows) for key in ("TA-Lib_s", "gpubt_s"))),
        ]
        for name, rows in groups.items()
    )
    figures = ["rows", "differ", "relative", "absolute", "against"]
    yield from markdown.table(["indicator", "TA-Lib's", "where they differ"], figures, cells)
    yield ""
    yield f"Of another definition: {'; '.join(f'`{name}`: {why}' for name, why in record['otherwise'].items())}."


PLAIN = "plain numba loop, final equity only"
SWEEPS = ("crossovers", "long", "daily", "exits")
BRACKETS = ("origin", "narrow", "wide", "trailing", "trailing-wide", "trailing-atr")
LARGE = ("bench-large", "gpubt bench large")

SECTIONS: dict[str, Section] = {
    "end-to-end": Section("end-to-end", "python -m bench.end_to_end", end_to_end),
    "in-memory": Section("in_memory", "python -m bench.in_memory", against("crossover")),
    **{
        f"brackets-{name}": Section(f"brackets-{name}", f"python -m bench.brackets {name}", against("plain numba loop"))
        for name in BRACKETS
    },
    "baseline": Section("baseline", "python -m bench.baseline", against("plain per-trade loop")),
    **{f"sweeps-{name}": Section(f"sweeps-{name}", f"python -m bench.sweeps {name}", sweep) for name in SWEEPS},
    "scaling": Section("scaling", "python -m bench.scaling", scaling),
    "runs": Section(*LARGE, runs),
    "fractions": Section(*LARGE, fractions),
    "threads": Section(*LARGE, threads),
    "cache": Section(*LARGE, lambda record: times(record, [KEPT, COMPUTED], COMPUTED)),
    "phases": Section(*LARGE, phases, "runs"),
    "memory": Section(*LARGE, memory, "runs"),
    "criteria": Section(*LARGE, criteria),
    "talib": Section("talib", "python -m bench.talib", peers),
    "overhead": Section("overhead", "python -m bench.overhead", overhead),
}
