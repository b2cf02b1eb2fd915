"""What `gpubt bench` prints: the times with their ratios, and the criteria with their limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gpubt.bench.runs import FRACTIONS, PROCESS, WHOLE, fraction
from gpubt.bench.suite import Outcome
from gpubt.report.numbers import milliseconds

SIGNS = {"at_most": "<=", "at_least": ">=", "exactly": "="}
VERDICTS = {True: "met", False: "NOT MET", None: "-"}


def lines(outcome: Outcome) -> Iterator[str]:
    """The screen, line by line."""
    yield f"{outcome.workload}, {outcome.facts['trades']:,} trades; lists of {outcome.facts['list_trades']:,}"
    yield f"cuda: {outcome.facts['cuda']}"
    yield ""
    yield f"{'':30}{'median':>12}{'first':>12}"
    for name, row in outcome.results.items():
        yield f"{name:30}{milliseconds(row['median_s']):>12}{milliseconds(row['first_s']):>12}{_remark(name, outcome)}"
    yield ""
    for key, criterion in outcome.criteria.items():
        yield f"{key} {criterion['name']:20}{_measured(criterion):28}{VERDICTS[criterion['passed']]:9}{criterion['note'] or ''}".rstrip()


def _measured(criterion: dict[str, Any]) -> str:
    if criterion["value"] is None:
        return ""
    value, limit = (f"{criterion[key]:.4g}" for key in ("value", "limit"))
    return f"{value} {criterion['unit']} ({SIGNS[criterion['bound']]} {limit})"


def _remark(name: str, outcome: Outcome) -> str:
    """What a case is to be read against."""
    times, facts = outcome.results, outcome.facts
    for frac in FRACTIONS:
        if name == fraction(frac):
            return f"   {facts['scaling'][frac]:.2f} of its share"
    for threads, share in facts["efficiency"].items():
        if threads > 1 and name == f"list, {threads} threads":
            return f"   efficiency {share:.2f}"
    if (name.startswith("run, ") and name != WHOLE) or name == PROCESS:
        return f"   {times[name]['median_s'] / times[WHOLE]['median_s']:.2f} x {WHOLE}"
    return ""
