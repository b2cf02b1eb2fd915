"""Why a trade is what it is: one position of a run folder, played again by the plain-Python reference with every event told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.errors import DataError, GpubtError, InputError
from gpubt.simulate import layout as k
from gpubt.simulate import reference
from gpubt.simulate.reference_orders import Bars as PlainBars

if TYPE_CHECKING:
    from gpubt.config import Config
    from gpubt.data.bars import Bars
    from gpubt.simulate.reference_orders import Position

SAME = ("entry_bar", "exit_bar", "entry_price", "exit_price", "units", "pnl")
COLUMNS = (*SAME, "symbol", "position", "leg", "side", "exit_reason", "ambiguous", "fees")
Digests = tuple[str | None, str | None]  # of the bars, of the finer bars
CANDIDATES = 100_000  # signals that may have placed a resting order


@dataclass(frozen=True)
class Event:
    """What happened in bar `bar`: a name of `Simulation.log`, and its numbers."""

    bar: int
    name: str
    numbers: dict[str, Any]


@dataclass(frozen=True)
class Explanation:
    """`rows` of the ledger (as in trades.parquet), the `signal` bar, and the `events` of the position in order; `stops`: by bar, where the
    stop was in it (initial, break-even or trailing, whichever was nearest), in those that had one."""

    config: Config
    bars: Bars
    rows: list[dict[str, Any]]
    signal: int
    events: list[Event]
    stops: dict[int, float]


class Column(Sequence[float]):
    """An array that gives Python floats."""

    def __init__(self, values: NDArray[np.float64]) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, t: Any) -> Any:
        return float(self._values[t])


@dataclass(frozen=True)
class Reopened:
    """A run whose bars were read again and have the digest that its summary has. `trades` are the ledger's rows of the one symbol."""

    config: Config
    bars: Bars
    trades: list[dict[str, Any]]
    inputs: Inputs

    def explain(self, position: int) -> Explanation:
        """One of its positions. Raises GpubtError where the events do not give the ledger's rows."""
        rows = sorted((row for row in self.trades if row["position"] == position), key=lambda row: row["leg"])
        before = [row for row in self.trades if row["position"] < position]
        for signal, entry in _candidates(self.config, self.bars, rows, before, self.inputs):
            played = _replay(self.config, self.inputs, rows, before, signal, entry)
            if played is not None:
                return Explanation(self.config, self.bars, rows, signal, *played)
        raise GpubtError(f"position {position} can't be played again: no signal in the bars as they are now gives its rows")


def explain(folder: Path, position: int, symbol: str | None = None) -> Explanation:
    """Position `position` of the run in `folder`. Raises InputError, DataError where the run or its bars can't be read again, GpubtError
    where the events do not give the ledger's rows."""
    config, trades, digests = _run(folder)
    symbols = dict.fromkeys(row["symbol"] for row in trades)
    if trades and symbol is not None and symbol not in symbols:
        raise InputError(f"--symbol must be one that traded in the run ({', '.join(symbols)}), got {symbol!r}")
    rows = [row for row in trades if row["position"] == position and symbol in (None, row["symbol"])]
    if len({row["symbol"] for row in rows}) > 1:
        raise InputError(f"--symbol must be given: position {position} is of {', '.join(sorted({row['symbol'] for row in rows}))}")
    if not rows:
        last = max((row["position"] for row in trades if symbol in (None, row["symbol"])), default=None)
        raise InputError(f"--trade must be in [0, {last}], got {position}" if last is not None else "the run has no trades")
    return _reopened(config, trades, digests, rows[0]["symbol"]).explain(position)


def reopen(folder: Path, symbol: str) -> Reopened:
    """The run in `folder` with the bars of `symbol`. Raises InputError, DataError where it or they can't be read again."""
    return _reopened(*_run(folder), symbol)


def _reopened(config: Config, trades: list[dict[str, Any]], digests: Digests, symbol: str) -> Reopened:
    if config.data.symbols is not None:
        config = replace(config, data=replace(config.data, symbol=symbol, symbols=None))
        digests = None, None  # those of a run over several symbols are of all of them
    bars, inputs = _inputs(config, digests)
    return Reopened(config, bars, [row for row in trades if row["symbol"] == symbol], inputs)


def _run(folder: Path) -> tuple[Config, list[dict[str, Any]], Digests]:
    """Configuration, ledger and digests of the bars. Raises InputError for a folder without them, DataError for files that are no run's."""
    import json

    from omegaconf import OmegaConf
    from yaml import YAMLError

    from gpubt.compose import configuration
    from gpubt.records.folder import CONFIG, SUMMARY, TRADES
    from gpubt.records.tables import read_parquet

    missing = [name for name in (CONFIG, TRADES, SUMMARY) if not (folder / name).is_file()]
    if missing:
        raise InputError(f"RUN must be the folder of a finished run, got {str(folder)!r}, which has no {' and no '.join(missing)}")
    try:
        given: Any = OmegaConf.to_container(OmegaConf.load(folder / CONFIG))
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        trades = read_parquet(folder / TRADES, list(COLUMNS)).to_pylist()
        digests = summary.get("data_digest"), summary.get("detail_digest")
    except (OSError, ValueError, AttributeError, YAMLError) as error:  # Arrow's and JSON's are ValueErrors
        raise DataError(f"{folder} can't be read as a run: {str(error).splitlines()[0]}") from None
    return configuration(given), trades, digests


@dataclass(frozen=True)
class Inputs:
    """What the reference reads."""

    bars: PlainBars
    signals: reference.Signals
    levels: dict[str, Column]
    rungs: list[dict[str, Any]]
    params: dict[str, Any]
    entries: list[dict[str, Any]] | None


def _inputs(config: Config, digests: Digests) -> tuple[Bars, Inputs]:
    """The bars of the run, read again, and its signals and levels, computed again. Raises DataError where the bars have changed."""
    from gpubt.backends.cpu import CpuBackend
    from gpubt.data.load import load, select
    from gpubt.indicators.cache import Passes, cache_of
    from gpubt.simulate.entries import load_entries
    from gpubt.simulate.inputs import calendars
    from gpubt.simulate.parameters import parameters, rungs
    from gpubt.strategy.plan import plan

    planned = plan(config)
    loaded = load(config, select(config), planned.columns)
    bars, report, detail = loaded.bars, loaded.report, loaded.detail
    now = report.digest, detail.digest if detail else None
    for name, mine, then in zip(("data_digest", "detail_digest"), now, digests, strict=True):
        if then is not None and mine != then:
            raise DataError(f"the bars are no longer those of the run: {name} {str(mine)[:16]}, then {then[:16]}")
    backend = CpuBackend(config.backend.threads)
    market = backend.upload(loaded.columns)
    budget = int(config.cache.budget_mib * 2**20)
    cache = cache_of(backend, market.columns, loaded, config, budget)
    fetch = Passes(cache, planned.passes(), nullcontext)
    masks = calendars(config, bars, backend)
    if planned.program:
        masks |= backend.scan(planned.program, fetch, bars.n)
    elif planned.vectors:
        masks |= planned.vectors.masks(bars, cache, backend)
    flags = {name: np.unpackbits(mask.view(np.uint8), bitorder="little")[: bars.n] for name, mask in masks.items()}
    none = np.zeros(bars.n, np.uint8)
    signals = reference.Signals(**{name: flags.get(name, none) for name in k.MASKS})  # type: ignore[arg-type]
    entries = None if config.positions != "list" else _records(load_entries(config, bars.time, bars.symbol))
    plain = PlainBars(Column(bars.open), Column(bars.high), Column(bars.low), Column(bars.close))
    if detail:
        plain.finer = PlainBars(Column(detail.open), Column(detail.high), Column(detail.low), Column(detail.close))
        plain.first = detail.first.tolist()
    levels = {name: Column(array) for name, array in zip(planned.levels, fetch(tuple(planned.levels.values())), strict=True)}
    return bars, Inputs(plain, signals, levels, _records(rungs(config)), _records(parameters(config, bars.mean_spacing))[0], entries)


def _records(records: NDArray[Any]) -> list[dict[str, Any]]:
    return [dict(zip(records.dtype.names or (), row, strict=True)) for row in records.tolist()]


def _candidates(
    config: Config, bars: Bars, rows: list[dict[str, Any]], before: list[dict[str, Any]], inputs: Inputs
) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Bars whose signal may have led to the entry, the latest first; in a table of entries with the row."""
    filled, side = rows[0]["entry_bar"], k.LONG if rows[0]["side"] == "long" else k.SHORT
    at = [filled] if config.entry.at == "close" else [filled - 1]
    if config.entry.order != "market":
        first = max((row["exit_bar"] for row in before), default=0) - 1 if config.positions == "single" else 0
        signals = inputs.signals.long_entry if side == k.LONG else inputs.signals.short_entry
        first = max(first, 0, filled - CANDIDATES)
        at = (np.flatnonzero(np.asarray(signals[first:filled])) + first)[::-1].tolist()
        if inputs.entries is not None:
            at = sorted({entry["bar"] for entry in inputs.entries if entry["bar"] < filled}, reverse=True)
    for signal in at:
        if inputs.entries is None:
            yield signal, None
        else:
            yield from ((signal, entry) for entry in inputs.entries if entry["bar"] == signal and entry["side"] == side)


def _replay(
    config: Config, inputs: Inputs, rows: list[dict[str, Any]], before: list[dict[str, Any]], signal: int, entry: dict[str, Any] | None
) -> tuple[list[Event], dict[int, float]] | None:
    """The events from the signal to the last exit, and where the stop was in each bar, if they give these rows."""
    events: list[Event] = []
    stops: dict[int, float] = {}

    def log(t: int, name: str, numbers: dict[str, Any]) -> None:
        events.append(Event(t, name, numbers))

    kind = reference.Simulation if entry is None else reference.ListEntry
    run = kind(inputs.bars, inputs.signals, inputs.levels, inputs.rungs, inputs.params, config.positions != "single", log)
    if entry is not None:
        run.entry = entry  # type: ignore[attr-defined]
    if config.positions == "single":
        for row in before:
            run.equity += row["pnl"]
    side = 1 if rows[0]["side"] == "long" else -1
    log(signal, "signal", {"side": side, "close": inputs.bars.close[signal]})
    run.want(signal, side, adds=False)
    for t in range(signal + 1, rows[-1]["exit_bar"] + 1):
        if run.rows or not (run.position or run.order or run.entering):
            break
        _note(stops, t, run.position, inputs.params)
        run.step(t)
        if run.position and run.position.bar == t:
            _note(stops, t, replace(run.position, extreme=run.position.legs[0].price), inputs.params)  # as it was at the entry
    got = run.rows[: len(rows)]
    if len(got) != len(rows) or any(mine[name] != row[name] for mine, row in zip(got, rows, strict=True) for name in SAME):
        return None
    for event in events:
        if event.name == "entry" and abs(event.numbers["stop"]) < 1e300:
            stops.setdefault(event.bar, event.numbers["stop"])  # of a position that ended in its bar
    exits = [i for i, event in enumerate(events) if event.name == "exit"]
    return events[: exits[len(rows) - 1] + 1], stops


def _note(stops: dict[int, float], t: int, position: Position | None, params: dict[str, Any]) -> None:
    """Where the stop of a position is in bar `t`. (A liquidation is no level that anyone chose.)"""
    if position is not None:
        level, reason = position.effective_stop(params, position.extreme)
        if reason != k.LIQUIDATION and math.isfinite(level):
            stops[t] = level
