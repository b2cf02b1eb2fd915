"""`profile=on`: where a run's time goes, by function and by kernel. Off, nothing here is imported and nothing is measured.

Functions are counted by cProfile, one profile a phase, so that each function's time is known phase by phase; only the thread that runs the
backtest is seen, and what it waits for. Compiled kernels are one call each there; their own table has their times.
"""

from __future__ import annotations

import io
import pstats
from collections.abc import Callable, Iterator, Mapping
from cProfile import Profile
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from gpubt.phases import parts_to, profiled_by

if TYPE_CHECKING:
    from gpubt.backends.base import Backend
    from gpubt.records.result import RunResult

SCHEMA_VERSION = 1
LEAST = 10  # hotspots, below which a profile says too little
OUTSIDE = "outside"  # what is in no phase
JSON, TEXT, PSTATS = "profile.json", "profile.txt", "profile.pstats"

Function = tuple[str, int, str]  # file, line, name


class Profiler:
    """Profiles of one run, by phase; `enter` and `leave` are called by its phases. One thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._profiles: dict[str, Profile] = {}
        self._open = [OUTSIDE]
        self._parts: dict[str, dict[str, float]] = {}
        self._launches: dict[str, dict[str, float]] = {}
        self._bandwidth: float | None = None
        self._started, self._seconds = perf_counter(), 0.0

    def enter(self, phase: str) -> None:
        """The time from here on is that of `phase`."""
        self._profile().disable()
        self._open.append(phase)
        self._profile().enable()

    def leave(self) -> None:
        """The time from here on is that of the phase around it."""
        self._profile().disable()
        self._open.pop()
        self._profile().enable()

    def _profile(self) -> Profile:
        return self._profiles.setdefault(self._open[-1], Profile())

    def begin(self) -> None:
        """Start the clock."""
        self._started = perf_counter()
        self._profile().enable()

    def end(self) -> None:
        """Stop it."""
        self._profile().disable()
        self._seconds = perf_counter() - self._started

    def part(self, name: str, seconds: float, bars: int, moved: int | None) -> None:
        """A call of a kernel (group) of a backend: `moved` bytes were read and written, None: not known."""
        own = self._parts.setdefault(name, {"calls": 0, "seconds": 0.0, "bars": 0, "bytes": 0})
        for key, value in (("calls", 1), ("seconds", seconds), ("bars", bars), ("bytes", moved or 0)):
            own[key] += value

    def ask(self, backend: Backend) -> None:
        """Take over what a device counted: launches of single kernels by its own clock."""
        self._bandwidth = backend.bandwidth()
        for name, more in backend.launches().items():
            own = self._launches.setdefault(name, {"calls": 0, "seconds": 0.0, "bars": 0, "bytes": 0})
            for key, value in more.items():
                own[key] += value

    def count(self) -> int:
        """Hotspots so far, as many as would be listed."""
        current = self._profile()
        current.disable()
        try:
            return len(_ranked(self._merged().stats)[: self._most])  # type: ignore[attr-defined]
        finally:
            current.enable()

    def _merged(self) -> pstats.Stats:
        first, *others = (profile for profile in self._profiles.values() if profile.getstats())
        return pstats.Stats(first, *others, stream=io.StringIO())

    def record(self) -> dict[str, Any]:
        """`profile.json`."""
        total = self._seconds
        by_phase = {name: pstats.Stats(profile).stats for name, profile in self._profiles.items() if profile.getstats()}  # type: ignore[attr-defined]
        hotspots = [
            {
                **_named(function),
                "calls": calls,
                "own_s": own,
                "cumulative_s": cumulative,
                "percent": 100.0 * cumulative / total if total else 0.0,
                "phases": {name: stats[function][3] for name, stats in by_phase.items() if function in stats},
            }
            for function, (_, calls, own, cumulative, _) in _ranked(self._merged().stats)[: self._most]  # type: ignore[attr-defined]
        ]
        valid, kernels = len(hotspots) >= LEAST, self._launches or self._parts
        return {
            "schema_version": SCHEMA_VERSION,
            "valid": valid,
            "reason": None if valid else f"{len(hotspots)} hotspots, fewer than {LEAST}",
            "seconds": total,
            "hotspots": hotspots,
            "phases": {
                name: [{**_named(function), "calls": row[1], "cumulative_s": row[3]} for function, row in _ranked(stats)[:LEAST]]
                for name, stats in by_phase.items()
            },
            "kernels": [_kernel(name, row, self._bandwidth) for name, row in sorted(kernels.items(), key=lambda item: -item[1]["seconds"])],
        }

    def write(self, folder: Path, record: dict[str, Any]) -> None:
        """The three files, each whole or not at all."""
        from gpubt.records.arrow import atomic, put_json, put_lines

        files: tuple[tuple[str, Callable[[Path], Any]], ...] = (
            (JSON, lambda path: put_json(record, path)),
            (TEXT, lambda path: put_lines(list(lines(record)), path)),
            (PSTATS, lambda path: self._merged().dump_stats(str(path))),
        )
        for name, put in files:
            with atomic(folder / name) as path:
                put(path)


def _ranked(stats: Mapping[Function, tuple[Any, ...]]) -> list[tuple[Function, tuple[Any, ...]]]:
    """By cumulative time; what Python's own profiler adds is left out."""
    rows = [(function, row) for function, row in stats.items() if not _plumbing(*function)]
    return sorted(rows, key=lambda item: (-item[1][3], item[0]))


def _plumbing(file: str, line: int, name: str) -> bool:
    """Python's own profiler, and the frames through which it imports: the modules that they load are listed."""
    return "_lsprof.Profiler" in name or file.startswith("<frozen importlib")


def _named(function: Function) -> dict[str, Any]:
    file, line, name = function
    return {"function": name, "file": None if file == "~" else _short(file), "line": line or None}


def _short(file: str) -> str:
    """From the package's own folder or the library's name on, so that records don't name a user's folders."""
    path = Path(file)
    for i, part in enumerate(path.parts):
        if part in ("site-packages", "dist-packages"):
            return "/".join(path.parts[i + 1 :])
    from gpubt.resources import PACKAGE

    return path.relative_to(PACKAGE.parent).as_posix() if path.is_relative_to(PACKAGE.parent) else path.name


def _kernel(name: str, row: Mapping[str, float], bandwidth: float | None) -> dict[str, Any]:
    seconds, moved = row["seconds"], int(row["bytes"])
    speed = moved / seconds if moved and seconds else None
    return {
        "name": name,
        "calls": int(row["calls"]),
        "seconds": seconds,
        "bars_per_second": row["bars"] / seconds if row["bars"] and seconds else None,
        "bytes": moved or None,
        "bytes_per_second": speed,
        "bandwidth_share": speed / bandwidth if speed and bandwidth else None,
    }


def lines(record: Mapping[str, Any]) -> Iterator[str]:
    """The record as a table."""
    yield f"{record['seconds']:.3f} s" + ("" if record["valid"] else f"; not valid: {record['reason']}")
    yield ""
    yield f"{'cumulative':>12}{'percent':>9}{'own':>12}{'calls':>10}  function"
    for row in record["hotspots"]:
        where = "" if row["file"] is None else f"  {row['file']}:{row['line']}"
        times = f"{row['cumulative_s'] * 1e3:>9.1f} ms{row['percent']:>8.1f}%{row['own_s'] * 1e3:>9.1f} ms{row['calls']:>10,}"
        yield f"{times}  {row['function']}{where}"
        inside = sorted(row["phases"].items(), key=lambda item: -item[1])
        yield f"{'':43}  in {', '.join(f'{name} {seconds * 1e3:.1f} ms' for name, seconds in inside)}"
    yield ""
    yield f"{'kernel':28}{'calls':>8}{'time':>12}{'bars/s':>10}{'bytes':>10}{'of bandwidth':>14}"
    for row in record["kernels"]:
        rate = "" if row["bars_per_second"] is None else f"{row['bars_per_second']:.2g}"
        moved = "" if row["bytes"] is None else f"{row['bytes']:.2g}"
        share = "" if row["bandwidth_share"] is None else f"{row['bandwidth_share']:.0%}"
        yield f"{row['name']:28}{row['calls']:>8,}{row['seconds'] * 1e3:>9.1f} ms{rate:>10}{moved:>10}{share:>14}"


def profiled_run(run: Callable[[], RunResult], most: int) -> RunResult:
    """`run` with its profile, which is also written to its folder if it has one."""
    observer = Profiler(most)
    with profiled_by(observer), parts_to(observer.part):
        observer.begin()
        try:
            result = run()
        finally:
            observer.end()
    record = observer.record()
    if result.folder is not None:
        observer.write(result.folder, record)
    return replace(result, profile=record)
