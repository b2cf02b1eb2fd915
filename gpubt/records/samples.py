"""One benchmark record read back: `benchmark.json` of a run, or what a benchmark has written, by the keys that they are written with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpubt.errors import DataError
from gpubt.records.folder import SUMMARY
from gpubt.records.saved import read_object
from gpubt.records.schema import SCHEMA_VERSION

FIRST = ", first call"  # ends the name of a time that includes compilation
UNITS = {"_s": "s", "_mib": "MiB", "_bytes": "bytes"}  # by the end of a key


@dataclass(frozen=True)
class Spread:
    """A figure of one record: its value (of several measurements the median) with the lowest and highest measured; None where it was not
    measured."""

    unit: str
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Sample:
    """A record: `identity` is equal for the same work, `workload` says what it is, `figures` by name."""

    kind: str  # run or bench
    identity: str
    workload: str
    hardware: str
    version: str  # of gpubt
    kernels: str  # digest
    figures: dict[str, Spread]


class Record:
    """The JSON object of a file, whose values are asked for by key and type. Raises DataError, with the file and the key."""

    def __init__(self, path: Path, values: dict[str, Any]) -> None:
        self.path, self.values = path, values

    def get(self, *keys: str) -> Any:
        """The value at nested keys, None where there is none."""
        value: Any = self.values
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def _of(self, kind: type | tuple[type, ...], name: str, keys: tuple[str, ...]) -> Any:
        value = self.get(*keys)
        if not isinstance(value, kind) or isinstance(value, bool):
            got = "nothing" if value is None else repr(value)
            raise DataError(f"{self.path} is not a benchmark record: {'.'.join(keys)} must be {name}, got {got}")
        return value

    def text(self, *keys: str) -> str:
        """A text."""
        return str(self._of(str, "a text", keys))

    def whole(self, *keys: str) -> int:
        """A whole number."""
        return int(self._of(int, "a whole number", keys))

    def number(self, *keys: str) -> float:
        """A number."""
        value = float(self._of((int, float), "a number", keys))
        if not math.isfinite(value):
            raise DataError(f"{self.path} is not a benchmark record: {'.'.join(keys)} must be finite, got {value}")
        return value

    def known(self, *keys: str) -> float | None:
        """A number, or None where it was not measured."""
        return None if self.get(*keys) is None else self.number(*keys)

    def mapping(self, *keys: str) -> dict[str, Any]:
        """An object."""
        return dict(self._of(dict, "an object", keys))

    def listed(self, *keys: str) -> list[Any]:
        """A list."""
        return list(self._of(list, "a list", keys))


def read_sample(path: Path) -> Sample:
    """The record at `path`. Raises DataError, with the path, for a file that is none, or one of a schema that isn't known here."""
    record = Record(path, read_object(path))
    check_version(record, SCHEMA_VERSION)
    if "phases" in record.values:
        return _run(record)
    if "results" in record.values:
        return _bench(record)
    raise DataError(f"{path} is not a benchmark record: it has neither phases (benchmark.json of a run) nor results (of a benchmark)")


def check_version(record: Record, newest: int) -> None:
    """Raise DataError for a schema newer than this gpubt. Records of benchmarks need not name theirs."""
    version = record.values.get("schema_version", 1 if "phases" not in record.values else None)
    if type(version) is not int or not 1 <= version <= newest:
        known = "1" if newest == 1 else f"1 to {newest}"
        raise DataError(f"{record.path} has schema_version {version!r}, which is not known here; accepted: {known}")


def _run(record: Record) -> Sample:
    """A run: its phases, wall clock, trades, memory, warnings, and criteria that were not met."""
    config, data = record.text("digests", "config"), record.text("digests", "data")
    backend, mode = record.text("backend"), record.text("mode")
    figures = {"wall clock": Spread("s", record.number("wall_clock_s"))}
    figures |= {f"phase {name}": Spread("s", record.number("phases", name, "seconds")) for name in record.mapping("phases")}
    on_device = {name: record.known("phases", name, "device_seconds") for name in record.mapping("phases")}
    figures |= {f"phase {name}, by the device": Spread("s", seconds) for name, seconds in on_device.items() if seconds is not None}
    figures["trades"] = Spread("", record.whole("trades"))
    for name in ("host_peak_bytes", "device_peak_bytes", "host_ratio"):
        figures[_name(name)] = Spread(_unit(name), record.known("memory", name))
    figures["warnings"] = Spread("", len(record.listed("warnings")))
    figures["violations"] = Spread("", _violations(record))
    what = f"{_strategy(record.path)}{record.text('symbol')}, {record.whole('rows'):,} bars, {mode} mode, {backend}"
    return Sample(
        "run",
        f"{config} {data} {backend}",
        f"{what}, configuration {config[:8]}",
        hardware_text(record),
        record.text("versions", "gpubt"),
        record.text("digests", "kernels"),
        figures,
    )


def _violations(record: Record) -> float | None:
    """Criteria that the run did not meet; in records without criteria, whether memory was above its limit. None: nothing was measured."""
    if isinstance(criteria := record.get("criteria"), dict):
        passed = [one.get("passed") for one in criteria.values() if isinstance(one, dict)]
        return sum(one is False for one in passed) if any(one is not None for one in passed) else None
    exceeded = record.get("memory", "ratio_exceeded")
    return None if exceeded is None else float(bool(exceeded))


def _strategy(path: Path) -> str:
    """What the summary beside the record says that was run; nothing where there is none."""
    beside = path.with_name(SUMMARY)
    try:
        name = read_object(beside).get("strategy") if beside.is_file() else None
    except DataError:
        return ""
    return f"{name} on " if isinstance(name, str) else ""


def _bench(record: Record) -> Sample:
    """A benchmark: the times of each case, over its rounds, and what else was measured of it."""
    case, workload = record.text("case"), record.text("workload")
    threads = record.get("threads")
    what = f"{case}: {workload}" + (f", {threads} thread{'s' if threads != 1 else ''}" if isinstance(threads, int) else "")
    figures: dict[str, Spread] = {}
    for name in record.mapping("results"):
        row = record.mapping("results", name)
        times = (record.number("results", name, "median_s"), *(record.known("results", name, key) for key in ("min_s", "max_s")))
        figures[name] = Spread("s", *times)
        if "first_s" in row:
            figures[name + FIRST] = Spread("s", record.known("results", name, "first_s"))
        for key in row:
            if key not in ("median_s", "min_s", "max_s", "first_s") and _is_number(row[key]):
                figures[f"{name}, {_name(key)}"] = Spread(_unit(key), float(row[key]))
    return Sample("bench", what, what, hardware_text(record), record.text("versions", "gpubt"), record.text("kernels"), figures)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _unit(key: str) -> str:
    return next((unit for end, unit in UNITS.items() if key.endswith(end)), "")


def _name(key: str) -> str:
    """The key for people, without its unit."""
    end = next((end for end in UNITS if key.endswith(end)), "")
    return key.removesuffix(end).replace("_", " ")


def hardware_text(record: Record) -> str:
    """Processor, cores, memory, devices and system on one line; records of one machine have the same."""
    parts = [record.text("hardware", "cpu"), f"{record.whole('hardware', 'cores')} cores"]
    parts.append(f"{record.whole('hardware', 'memory_bytes') / 2**30:.0f} GiB")
    gpus = record.get("hardware", "gpus")
    names = [str(gpu.get("name")) for gpu in gpus if isinstance(gpu, dict)] if isinstance(gpus, list) else []
    parts += [name if names.count(name) == 1 else f"{names.count(name)} x {name}" for name in dict.fromkeys(names)]
    return ", ".join([*parts, record.text("hardware", "system")])
