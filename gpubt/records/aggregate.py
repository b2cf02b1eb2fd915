"""Many benchmark records in one: count, mean, median, minimum and maximum of each figure, by workload and hardware.

Records are the `benchmark.json` of runs and what the benchmarks write (`case`, `workload`, `results`). Only records of one workload on one
hardware are put together: of runs, those whose configuration, data and backend are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from gpubt.errors import InputError
from gpubt.records.samples import FIRST, Record, Sample, Spread, check_version, read_sample
from gpubt.records.saved import read_object

AGGREGATE_VERSION = 1
# What records are called; a summary.json beside them is none.
PATTERNS = ("benchmark.json", "*-????????T??????Z.json")


@dataclass(frozen=True)
class Statistics:
    """Of a figure in `count` records; None where no record has it. `minimum` and `maximum` are those of single measurements, where a record
    is of several, while `mean` and `median` are of the records' own medians."""

    unit: str
    count: int
    mean: float | None
    median: float | None
    minimum: float | None
    maximum: float | None


@dataclass(frozen=True)
class Group:
    """The records of one workload on one hardware. `identity` tells workloads apart, `workload` describes them."""

    kind: str  # run or bench
    identity: str
    workload: str
    hardware: str
    records: int
    versions: list[str]  # of gpubt
    kernels: int  # how many different ones
    figures: dict[str, Statistics]

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two groups comparable."""
        return self.kind, self.identity, self.hardware


@dataclass(frozen=True)
class Compared:
    """A time in two groups of one workload and hardware, seconds: the medians then and now."""

    workload: str
    hardware: str
    name: str
    then: float
    now: float

    @property
    def ratio(self) -> float:
        """Above 1: slower than then."""
        return self.now / self.then if self.then > 0.0 else float("inf")


def find(paths: Iterable[Path]) -> list[Path]:
    """The records among `paths`: files as given, and those anywhere below folders. Raises InputError for a path that isn't there, or for a
    folder without records."""
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} is not there; name a folder with records, or a record")
        records = below(path) if path.is_dir() else [path]
        if not records:
            raise InputError(f"{path} has no records: no benchmark.json of a run and no record of a benchmark is below it")
        found |= {one.resolve(): one for one in records}
    return list(found.values())


def below(folder: Path) -> list[Path]:
    """The records anywhere below a folder."""
    return sorted(one for pattern in PATTERNS for one in folder.rglob(pattern) if one.is_file())


def aggregate(samples: Sequence[Sample]) -> list[Group]:
    """Groups in the order in which their first records come."""
    together: dict[tuple[str, str, str], list[Sample]] = {}
    for sample in samples:
        together.setdefault((sample.kind, sample.identity, sample.hardware), []).append(sample)
    return [_group(same) for same in together.values()]


def _group(samples: list[Sample]) -> Group:
    first = samples[0]
    names = dict.fromkeys(name for sample in samples for name in sample.figures)
    return Group(
        first.kind,
        first.identity,
        first.workload,
        first.hardware,
        len(samples),
        sorted({sample.version for sample in samples}),
        len({sample.kernels for sample in samples}),
        {name: _statistics([sample.figures[name] for sample in samples if name in sample.figures]) for name in names},
    )


def _statistics(spreads: list[Spread]) -> Statistics:
    known = [(one.value, one.low, one.high) for one in spreads if one.value is not None]
    if not known:
        return Statistics(spreads[0].unit, 0, None, None, None, None)
    values, lows, highs = ([float(number) for number in column if number is not None] for column in zip(*known, strict=True))
    return Statistics(spreads[0].unit, len(values), fmean(values), median(values), min([*lows, *values]), max([*highs, *values]))


def as_json(groups: Sequence[Group]) -> dict[str, Any]:
    """What `--json` prints, and `stored` reads."""
    return {"schema_version": AGGREGATE_VERSION, "groups": [asdict(group) for group in groups]}


def stored(path: Path) -> list[Group]:
    """Groups to compare with: of an aggregate in JSON, of one record, or of the records below a folder. Raises InputError, DataError."""
    if path.is_file() and "groups" in (values := read_object(path)):
        record = Record(path, values)
        check_version(record, AGGREGATE_VERSION)
        return [_stored_group(Record(path, group if isinstance(group, dict) else {})) for group in record.listed("groups")]
    return aggregate([read_sample(one) for one in find([path])])


def _stored_group(group: Record) -> Group:
    def statistics(name: str) -> Statistics:
        numbers = [group.known("figures", name, key) for key in ("mean", "median", "minimum", "maximum")]
        return Statistics(group.text("figures", name, "unit"), group.whole("figures", name, "count"), *numbers)

    return Group(
        group.text("kind"),
        group.text("identity"),
        group.text("workload"),
        group.text("hardware"),
        group.whole("records"),
        [str(one) for one in group.listed("versions")],
        group.whole("kernels"),
        {name: statistics(name) for name in group.mapping("figures")},
    )


def compare_times(now: Sequence[Group], then: Sequence[Group]) -> list[Compared]:
    """The times of groups that both have, first calls (which compile) left out. Raises InputError where there are none: nothing compared is
    no success."""
    stored = {group.key: group for group in then}
    found = []
    for group in now:
        if group.key not in stored:
            continue
        before = stored[group.key].figures
        for name, one in group.figures.items():
            old = before[name].median if name in before else None
            if one.unit == "s" and old is not None and one.median is not None and not name.endswith(FIRST):
                found.append(Compared(group.workload, group.hardware, name, old, one.median))
    if not found:
        raise InputError("--against has no workload (of a run: configuration, data and backend) on a hardware in common with the records")
    return found


def slower(compared: Iterable[Compared], limit: float, ignore: float = 0.0) -> list[Compared]:
    """Those slower than `limit` times then, by more than `ignore` seconds."""
    return [one for one in compared if one.now > limit * one.then and one.now - one.then > ignore]
