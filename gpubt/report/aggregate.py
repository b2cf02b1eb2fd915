"""Aggregated benchmark records as text and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gpubt.report.markdown import table
from gpubt.report.numbers import NONE, milliseconds, number, size

if TYPE_CHECKING:
    from gpubt.records.aggregate import Compared, Group, Statistics

COLUMNS = ("count", "mean", "median", "min", "max")


def lines(groups: Sequence[Group]) -> Iterator[str]:
    """A table a workload and hardware; figures that no record has are left out."""
    for i, group in enumerate(groups):
        if i:
            yield ""
        yield group.workload
        yield f"{group.hardware}; {_made_by(group)}"
        width = max(len(name) for name in ["", *group.figures])
        yield f"{'':<{width}}{''.join(f'{name:>14}' for name in COLUMNS)}"
        for name, one in group.figures.items():
            if one.count:
                yield f"{name:<{width}}{''.join(f'{cell:>14}' for cell in cells(one))}"


def _made_by(group: Group) -> str:
    records = f"{group.records} record{'s' if group.records != 1 else ''}"
    kernels = f" ({group.kernels} different kernels)" if group.kernels > 1 else ""
    return f"{records} of gpubt {', '.join(group.versions)}{kernels}"


def cells(one: Statistics) -> list[str]:
    """The text of each of COLUMNS."""
    return [str(one.count), *(value(one.unit, figure) for figure in (one.mean, one.median, one.minimum, one.maximum))]


def value(unit: str, figure: float | None) -> str:
    """A figure in its unit."""
    if figure is None:
        return NONE
    if unit == "s":
        return milliseconds(figure)
    if unit in ("bytes", "MiB"):
        return size(figure * (2**20 if unit == "MiB" else 1))
    return number(int(figure) if figure == int(figure) else figure)


def markdown(groups: Sequence[Group]) -> Iterator[str]:
    """A table a workload, with a hardware column."""
    workloads: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        workloads.setdefault((group.kind, group.identity), []).append(group)
    for i, same in enumerate(workloads.values()):
        if i:
            yield ""
        yield f"### {same[0].workload}"
        yield ""
        names = dict.fromkeys(name for group in same for name in group.figures)
        known = [(name, group) for name in names for group in same if name in group.figures and group.figures[name].count]
        yield from table(("figure", "hardware"), COLUMNS, ([name, group.hardware, *cells(group.figures[name])] for name, group in known))


def against_lines(compared: Sequence[Compared], worse: Sequence[Compared], limit: float) -> Iterator[str]:
    """Each time then and now, and the verdict."""
    width = max(len(one.name) for one in compared)
    workload = ""
    for one in compared:
        if (where := f"{one.workload}; {one.hardware}") != workload:
            workload = where
            yield where
            yield f"{'':<{width}}{'then':>14}{'now':>14}{'ratio':>9}"
        mark = "  <- slower" if one in worse else ""
        yield f"{one.name:<{width}}{milliseconds(one.then):>14}{milliseconds(one.now):>14}{one.ratio:>8.2f}x{mark}"
    yield ""
    yield from verdict(compared, worse, limit)


def against_markdown(compared: Sequence[Compared], worse: Sequence[Compared], limit: float) -> Iterator[str]:
    """The same as a table."""
    rows = ([one.workload, one.name, one.hardware, milliseconds(one.then), milliseconds(one.now), f"{one.ratio:.2f}x"] for one in compared)
    yield from table(("workload", "figure", "hardware"), ("then", "now", "ratio"), rows)
    yield ""
    yield from verdict(compared, worse, limit)


def verdict(compared: Sequence[Compared], worse: Sequence[Compared], limit: float) -> Iterator[str]:
    """How many medians were compared, and those that are slower than the limit allows."""
    if not worse:
        yield f"none of {len(compared)} medians is slower than {limit:g} times then"
    for one in worse:
        times = f"{milliseconds(one.now)} against {milliseconds(one.then)}, {one.ratio:.2f} times"
        yield f"slower: {one.name}: {times}, limit {limit:g} ({one.workload}; {one.hardware})"
