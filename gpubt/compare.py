"""Whether two runs gave the same trades: to the bit, or within tolerances. Pure logic on two runs read back from their folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.errors import DataError
from gpubt.records.folder import TRADES
from gpubt.records.matching import Ledger, Matching, match
from gpubt.records.saved import SavedRun

# What decides, in the order in which a trade happens; then what is told where it is not the same to the bit.
JUDGED = ("side", "entry_bar", "entry_price", "exit_bar", "exit_reason", "exit_price", "bars_held", "pnl")
TOLD = ("entry_time", "exit_time", "units", "fees", "accrued", "shortfall", "pnl_pct", "r_multiple", "mae", "mfe", "ambiguous")
UNDIGESTED = ("entry_time", "exit_time", "accrued", "shortfall", "bars_held")  # columns that the ledger's digest leaves out
FIGURES = ("fees", "final_equity", "total_return", "sharpe_ratio", "max_drawdown")  # of the summary, shown and not judged
ROUNDING = 1e-9  # of the notional: a difference in pnl below it is what rounding leaves of a trade that made nothing
ABSENT = "(none)"  # a setting that one of the configurations doesn't have


@dataclass(frozen=True)
class Tolerances:
    """Prices and pnl: fractions of the larger of the two; the win rate: a fraction; durations: bars."""

    price: float = 1e-6
    pnl: float = 1e-4
    win_rate: float = 1e-3
    duration: float = 1.0

    def of(self, name: str) -> float:
        """What is allowed in a column or figure; 0: it must be equal."""
        if name in ("entry_price", "exit_price"):
            return self.price
        return {"pnl": self.pnl, "win_rate": self.win_rate, "bars_held": self.duration}.get(name, 0.0)


@dataclass(frozen=True)
class Figure:
    """A figure of both runs, None where it does not exist. `agrees` is None where it is not judged."""

    name: str
    a: float | int | None
    b: float | int | None
    agrees: bool | None = None


@dataclass(frozen=True)
class Difference:
    """The first row that is not within tolerance: the judged `column`, or None where only one run has the row; the row in each run."""

    symbol: str
    position: int
    leg: int
    column: str | None
    a: dict[str, Any] | None
    b: dict[str, Any] | None


@dataclass(frozen=True)
class Comparison:
    """Of the `matched` rows, `equal` are the same to the bit and `different` not within tolerance. `columns` counts these by judged column,
    `told` those that are not equal by other column, `largest` has the relative differences of prices and pnl."""

    runs: tuple[SavedRun, SavedRun]
    tolerances: Tolerances
    settings: dict[str, tuple[Any, Any]]  # that differ, by dotted key
    same_data: bool
    same_digest: bool  # of the ledgers
    matched: int
    equal: int
    different: int
    only: tuple[int, int]
    same_entries: int | None  # on one bar and side, at whatever position; None where all rows are within tolerance
    columns: dict[str, int]
    told: dict[str, int]
    largest: dict[str, float]
    figures: list[Figure]
    first: Difference | None

    @property
    def agrees(self) -> bool:
        """Whether everything that is judged is within tolerance."""
        return self.first is None and all(figure.agrees is not False for figure in self.figures)

    @property
    def identical(self) -> bool:
        """Whether the ledgers are the same to the bit."""
        return self.same_digest and self.agrees


def compare(a: SavedRun, b: SavedRun, tolerances: Tolerances | None = None) -> Comparison:
    """Compare two runs. Raises DataError where a ledger is not the one that its summary tells of."""
    tolerances = tolerances or Tolerances()
    matching = match(a, b)
    unequal = {name: matching.unequal(name) for name in (*JUDGED, *TOLD, "symbol")}
    _check_digests(matching, unequal)
    wrong, largest = _judged(matching, unequal, tolerances)
    first = _first(matching, wrong)
    return Comparison(
        (a, b),
        tolerances,
        different_settings(a.config, b.config),
        same_data=a.summary["data_digest"] == b.summary["data_digest"],
        same_digest=a.summary["ledger_digest"] == b.summary["ledger_digest"],
        matched=len(matching.rows[0]),
        equal=int(np.count_nonzero(~_any(unequal[name] for name in (*JUDGED, *TOLD)))),
        different=int(np.count_nonzero(_any(wrong.values()))),
        only=(len(matching.only[0]), len(matching.only[1])),
        same_entries=matching.same_entries() if first else None,
        columns=_counts(wrong),
        told=_counts({name: unequal[name] for name in TOLD}),
        largest=largest,
        figures=figures(matching, tolerances),
        first=first,
    )


def _judged(
    matching: Matching, unequal: dict[str, NDArray[np.bool_]], tolerances: Tolerances
) -> tuple[dict[str, NDArray[np.bool_]], dict[str, float]]:
    """Matched rows that are not within tolerance, by judged column, and the largest relative differences; of rows that are not equal."""
    wrong, largest = {}, {}
    for name in JUDGED:
        rows = np.flatnonzero(unequal[name])
        a, b = ({key: columns[key][rows] for key in (name, "units", "entry_price")} for columns in matching.columns)
        wrong[name] = unequal[name].copy()
        wrong[name][rows] = beyond(name, a, b, tolerances.of(name))
        if name in ("entry_price", "exit_price", "pnl"):
            largest[name] = _largest(name, a, b)
    return wrong, largest


def beyond(name: str, a: Ledger, b: Ledger, allowed: float) -> NDArray[np.bool_]:
    """Rows whose values in a judged column, which are not the same, are further apart than allowed. What is NaN in one of them is."""
    if name in ("side", "entry_bar", "exit_bar", "exit_reason"):
        return np.ones(len(a[name]), bool)
    apart = np.abs(a[name] - b[name])
    if name == "bars_held":
        return np.asarray(apart > allowed)
    room = allowed * np.maximum(np.abs(a[name]), np.abs(b[name]))
    if name == "pnl" and allowed:
        room += _rounding(a, b)
    return np.asarray(~(apart <= room))


def _largest(name: str, a: Ledger, b: Ledger) -> float:
    """The largest relative difference of a price or of pnl; what rounding leaves of pnl does not count."""
    apart, larger = np.abs(a[name] - b[name]), np.maximum(np.abs(a[name]), np.abs(b[name]))
    floor = _rounding(a, b) if name == "pnl" else 0.0
    return float(np.nanmax(np.where(apart > floor, apart / np.where(larger > 0.0, larger, 1.0), 0.0), initial=0.0))


def _rounding(a: Ledger, b: Ledger) -> NDArray[np.float64]:
    return ROUNDING * np.maximum(_notional(a), _notional(b))


def _notional(ledger: Ledger) -> NDArray[np.float64]:
    notional: NDArray[np.float64] = ledger["units"] * ledger["entry_price"]
    return notional


def _any(flags: Any) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.logical_or.reduce(list(flags))
    return found


def _counts(flags: dict[str, NDArray[np.bool_]]) -> dict[str, int]:
    counts = {name: int(np.count_nonzero(rows)) for name, rows in flags.items()}
    return {name: count for name, count in counts.items() if count}


def _first(matching: Matching, wrong: dict[str, NDArray[np.bool_]]) -> Difference | None:
    """The earliest of: a matched row that differs, a row that only one has."""
    bad = np.flatnonzero(_any(wrong.values()))
    found: list[tuple[int, int | None, int | None, str | None]] = []
    if len(bad):
        i = int(bad[np.argmin(matching.keys[0][matching.rows[0][bad]])])
        row = int(matching.rows[0][i])
        found.append((int(matching.keys[0][row]), row, int(matching.rows[1][i]), next(name for name in JUDGED if wrong[name][i])))
    for side in (0, 1):
        if len(rows := matching.only[side]):
            row = int(rows[np.argmin(matching.keys[side][rows])])
            found.append((int(matching.keys[side][row]), row if side == 0 else None, row if side == 1 else None, None))
    if not found:
        return None
    _, row_a, row_b, column = min(found, key=lambda one: one[0])
    a, b = (None if row is None else run.row(row) for run, row in zip(matching.runs, (row_a, row_b), strict=True))
    one = a or b or {}
    return Difference(one["symbol"], one["position"], one["leg"], column, a, b)


def figures(matching: Matching, tolerances: Tolerances) -> list[Figure]:
    """Counts and figures of both ledgers, which are judged, and of the summaries, which are not."""
    a, b = (run.account() for run in matching.runs)
    notional = max((float(_notional(run.ledger).max()) for run in matching.runs if run.rows), default=0.0)
    found = []
    for name, one in a.items():
        other, allowed = b[name], tolerances.of(name)
        if name == "pnl" and one is not None and other is not None:
            allowed = allowed and allowed * max(abs(one), abs(other)) + ROUNDING * notional
        agrees = one == other if one is None or other is None else abs(one - other) <= allowed
        found.append(Figure(name, one, other, agrees))
    metrics = [run.summary["metrics"] for run in matching.runs]
    return found + [Figure(name, *(figure.get(name) for figure in metrics)) for name in FIGURES]


def _check_digests(matching: Matching, unequal: dict[str, NDArray[np.bool_]]) -> None:
    """Equal rows have equal digests, and others not: else the ledger of a run is not the one that its summary tells of."""
    a, b = matching.runs
    digested = _any(rows for name, rows in unequal.items() if name not in UNDIGESTED)
    same = not (digested.any() or len(matching.only[0]) or len(matching.only[1]))
    if same == (a.summary["ledger_digest"] == b.summary["ledger_digest"]):
        return
    for run in matching.runs:
        told, found = str(run.summary["ledger_digest"]), run.digest()
        if found != told:
            raise DataError(f"{run.folder / TRADES} is not the ledger of its summary: its digest is {found[:16]}, there it is {told[:16]}")


def different_settings(a: dict[str, Any], b: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The values at dotted keys that are not the same in both configurations."""
    left, right = dict(_flat(a)), dict(_flat(b))
    keys = dict.fromkeys([*left, *right])
    pairs = {key: (left.get(key, ABSENT), right.get(key, ABSENT)) for key in keys}
    return {key: (one, other) for key, (one, other) in pairs.items() if one != other}


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
