"""One pass over the bars before they are used: nothing is repaired, what is wrong is named. The same pass makes the data digest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gpubt.config import Validation
from gpubt.data.bars import Bars
from gpubt.data.clock import time_text
from gpubt.data.digest import BLOCK, Digest, digest
from gpubt.data.faults import CLASSES, Bits, block_faults
from gpubt.data.threads import mapped, threads_for
from gpubt.data.wrapper import duration_text
from gpubt.errors import DataError

SESSIONS = 200  # a market where more than one row in so many follows a gap closes at night: not worth a warning


@dataclass(frozen=True)
class Finding:
    """A class of wrong bars: how many, the first one's row (of the source) and time (nanoseconds UTC), and what became of them."""

    name: str
    count: int
    first_row: int
    first_time: int
    policy: str

    def text(self) -> str:
        """`highs below lows (3, the first in row 5 at 2020-01-31T09:30:00Z)`."""
        return f"{CLASSES[self.name]} ({self.count}, the first in row {self.first_row} at {time_text(self.first_time)})"


@dataclass(frozen=True)
class DataReport:
    """What the pass found in `rows` bars, of which `dropped` were left out. `gaps`: neighbours further apart than the most common
    spacing (sessions and weekends count). `digest` is that of the bars that are used, `notes` are warnings of what goes with them."""

    digest: str
    rows: int
    gaps: int
    spacing: int = 0
    dropped: int = 0
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    def errors(self) -> list[Finding]:
        """What makes the bars unusable, in order of the first row."""
        return sorted((finding for finding in self.findings if finding.policy == "error"), key=lambda finding: finding.first_row)

    def warnings(self) -> list[str]:
        """A line for each class of bars that was dropped, or used in spite of it."""
        lines = list(self.notes)
        for finding in self.findings:
            if finding.policy == "drop":
                lines.append(f"bars were left out: {finding.text()}")
            elif finding.name == "gaps" and finding.count * SESSIONS <= self.rows:
                lines.append(f"the bars, {duration_text(self.spacing)} apart, have {finding.text()}")
            elif finding.name != "gaps":
                lines.append(f"the bars have {finding.text()}")
        return lines


@dataclass(frozen=True)
class _Faults:
    """Bars of one class in a block: how many, the first one, and, where they are to be dropped, the row of the first bit and the bits."""

    name: str
    count: int
    first: int
    start: int = 0
    dropped: Bits | None = None


def validate(bars: Bars, lo: int, hi: int, policies: Validation | None = None, behind: tuple[Finding, ...] = ()) -> tuple[Bars, DataReport]:
    """The bars to use and the report on the bars read from rows `lo` to `hi` (exclusive); `behind` is what was found in rows they are
    made of.

    By default times out of order or twice, prices that are NaN, infinite or not positive, a high below its low, and an open or close
    outside [low, high] (searches that skip blocks by their lows and highs rely on it) raise DataError: class, count, first row and its
    time. Bars of a class whose policy is drop are left out, whole, and counted. Read-only bars are looked at once.
    """
    key = lo, hi, repr(policies), behind
    if key not in bars.known:
        checked = _checked(bars, lo, hi, policies, behind)
        if not bars.read_only:
            return checked
        bars.known[key] = checked
    kept: tuple[Bars, DataReport] = bars.known[key]
    return kept


def _checked(bars: Bars, lo: int, hi: int, policies: Validation | None, behind: tuple[Finding, ...]) -> tuple[Bars, DataReport]:
    report, wrong = survey(bars, lo, hi, policies)
    if report.errors():
        raise DataError(_message(bars, report))
    if wrong is not None:
        keep = ~wrong
        bars = Bars(bars.symbol, **{name: column[keep] for name, column in bars.columns().items()})
        if not bars.n:
            raise DataError(f"no bar of {bars.symbol} is left: data.validation drops all {report.rows}")
        report = replace(report, rows=bars.n, dropped=report.rows - bars.n, digest=digest(bars, lo, hi))
    return bars, replace(report, findings=behind + report.findings)


def survey(bars: Bars, lo: int, hi: int, policies: Validation | None = None) -> tuple[DataReport, Bits | None]:
    """The report on all bars, whatever is wrong with them, and the mask of those that policies drop (None: not any)."""
    policies = policies or Validation()
    hashed = Digest(bars, lo, hi)
    threads = threads_for(bars.n)
    starts = range(0, bars.n, BLOCK)
    latest = np.maximum.accumulate([-(2**63), *mapped(lambda start: int(bars.time[start : start + BLOCK].max()), starts, threads)])
    _ = bars.spacing  # computed before the threads ask for it

    def work(start: int) -> tuple[list[_Faults], bytes]:
        stop = min(start + BLOCK, bars.n)
        return _faults(bars, start, stop, int(latest[start // BLOCK]), policies), hashed.block(start, stop)

    counts: dict[str, tuple[int, int]] = {}
    wrong: Bits | None = None
    for faults, hashes in mapped(work, starts, threads):
        hashed.add(hashes)
        for fault in faults:
            count, first = counts.get(fault.name, (0, fault.first))
            counts[fault.name] = count + fault.count, first
            if fault.dropped is not None:
                wrong = np.zeros(bars.n, np.bool_) if wrong is None else wrong
                wrong[fault.start : fault.start + len(fault.dropped)] |= fault.dropped
    findings = [
        Finding(name, counts[name][0], lo + counts[name][1], int(bars.time[counts[name][1]]), getattr(policies, name))
        for name in CLASSES
        if name in counts
    ]
    gaps = counts["gaps"][0] if "gaps" in counts else 0
    return DataReport(hashed.text(), bars.n, gaps, bars.spacing, 0, tuple(findings)), wrong


def _faults(bars: Bars, start: int, stop: int, latest: int, policies: Validation) -> list[_Faults]:
    """What is wrong in the block of rows `start` to `stop`; `latest` is the latest time before it."""
    found = []
    for name, first, bits in block_faults(bars, start, stop, latest):
        if bits.any():
            dropped = bits if getattr(policies, name) == "drop" else None
            found.append(_Faults(name, int(np.count_nonzero(bits)), first + int(np.argmax(bits)), first, dropped))
    return found


def _message(bars: Bars, report: DataReport) -> str:
    """One sentence: the first offender's class in full, the other classes by count."""
    worst, *others = report.errors()
    also = "".join(f", also {CLASSES[other.name]} ({other.count})" for other in others)
    remedy = "correct the file" if worst.name == "gaps" else f"correct the file, or drop these bars with data.validation.{worst.name}=drop"
    return f"the bars of {bars.symbol} have {worst.text()}{also}; {remedy}: nothing is repaired"
