"""Several symbols in one run: independent accounts, one after the other through the same pipeline, and their total.

The total account starts with the sum of the capitals. Its equity stands at the union of the symbols' return periods: a symbol counts its
capital before its first period and its last equity after its last. Everything here is on the host, so it is the same for every backend.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.config import Config
from gpubt.data.periods import day_numbers, periods_per_year
from gpubt.data.source import known_symbols, rows_of_all
from gpubt.errors import ConfigError, InputError
from gpubt.metrics import reference
from gpubt.metrics.figures import figures
from gpubt.records.benchmark import sealed
from gpubt.records.log import RunLog
from gpubt.records.result import Raw, RunResult
from gpubt.records.summary import HELD, known

if TYPE_CHECKING:
    from gpubt.backends.base import Backend

NAN = float("nan")
COUNTS = ("rows", "n_trades", "ambiguous_exits", "max_drawdown_bars")
SUMMED = (
    "gross_profit",
    "gross_loss",
    "fees",
    "accrued",
    "shortfall",
    "notional",
    "trades",
    "wins",
    "losses",
    "bars_held",
    "exposed",
    "ambiguous",
)


def run_symbols(config: Config, backend: Backend | None, folder: Path | None, log: RunLog, started: float) -> RunResult:
    """Run `data.symbols`; a single one is a run like any other. Raises GpubtError; nothing is written unless every symbol succeeds."""
    from gpubt.backends import get_backend
    from gpubt.phases import Phases
    from gpubt.pipeline import run_one
    from gpubt.progress import progress
    from gpubt.records.folder import run_folder

    for key, wrong in (("equity", config.equity == "bar"), ("positions", config.positions == "list")):
        if wrong:
            raise ConfigError(f"{key}={getattr(config, key)} runs one symbol; choose it with data.symbol instead of data.symbols")
    names = chosen(config)
    backend, reason = (backend, "given by the caller") if backend else get_backend(config.backend, work=rows_of_all(config.data))
    results = []
    with progress("running symbols", total=len(names), unit="symbols") as advance:
        for name in names:
            data = replace(config.data, symbol=name, symbols=None)
            alone = len(names) == 1
            try:
                one = run_one(replace(config, data=data), backend, None, folder if alone else None, log, perf_counter(), reason)
            except InputError as error:
                raise type(error)(f"{name}: {error}") from error
            if alone:
                return one
            results.append(one)
            advance(1)
    total = combine(config, names, results, folder, perf_counter() - started)
    log.event("total", trades=total.summary["n_trades"], ledger_digest=total.summary["ledger_digest"], seconds=perf_counter() - started)
    phases = Phases()
    with run_folder(folder) as out:
        with phases.phase("write"):
            out.config(config)
            out.trades(total.ledger)
            out.equity(total.equity)
            out.symbols(total.symbols)
        total.benchmark["phases"]["write"]["seconds"] += phases.record()["write"]["seconds"]
        total.benchmark["wall_clock_s"] = perf_counter() - started
        out.log(log.lines)
        out.summary(total.summary)
        out.benchmark(total.benchmark)
    return total


def chosen(config: Config) -> list[str]:
    """The symbols of the run, in order. Raises ConfigError for a list that is none, and for names given twice."""
    wanted = config.data.symbols
    if config.data.symbol is not None:
        raise ConfigError(f"data.symbol={config.data.symbol} and data.symbols exclude each other; give one of them")
    if wanted != "all" and (not isinstance(wanted, (list, tuple)) or not wanted or any(type(name) not in (str, int) for name in wanted)):
        raise ConfigError(f"data.symbols must be a list of names or all, got {wanted!r}")
    names = None if wanted == "all" else [str(name) for name in wanted]
    if names is not None and len(set(names)) != len(names):
        raise ConfigError(f"data.symbols has a name twice: {', '.join(names)}")
    return known_symbols(config.data, names)


def combine(config: Config, names: Sequence[str], results: Sequence[RunResult], folder: Path | None, seconds: float) -> RunResult:
    """The total of runs over one symbol each."""
    import pyarrow as pa

    from gpubt.records.equity import equity_batch
    from gpubt.simulate.ledger import ledger_digest

    raws = [result.raw for result in results]
    frequencies = {raw.measured.returns for raw in raws}
    if len(frequencies) > 1:
        raise ConfigError("data.symbols have daily and intraday bars, whose returns can't be added; set metrics.returns=daily or bar")
    times, keys = union(raws, config.data.timezone, frequencies == {"daily"})
    metrics, per_year, snapped, equity = account(config, raws, keys, times, [raw.measured.tally for raw in raws], "equity")
    held, *_ = account(config, raws, keys, times, [raw.measured.held_tally for raw in raws], "held_equity")
    others = [replace(raw, measured=raw.band) for raw in raws if raw.band is not None]
    band = account(config, others, keys, times, [raw.measured.tally for raw in others], "equity")[0] if others else None
    summaries = [result.summary for result in results]
    summary = {
        **totals(summaries, names),
        "strategy": summaries[0]["strategy"],
        "params": summaries[0]["params"],
        "ledger_digest": ledger_digest([raw.trades for raw in raws]),
        "ledger_hash": f"{fold([raw.measured.hash for raw in raws]):016x}",
        "metrics": known(metrics),
        **({"band": {"stop_first": known(metrics), "target_first": known(band)}} if band else {}),
        "buy_and_hold": {name: known(held)[name] for name in HELD},
        "drawdown_basis": "returns",
        "returns": raws[0].measured.returns,
        "annualisation": None if np.isnan(per_year) else per_year,
        "annualisation_snapped": snapped,
        "ambiguous_exits": metrics["ambiguous_exits"],
    }
    return RunResult(
        config,
        lambda: pa.concat_tables([result.trades for result in results]).unify_dictionaries(),
        pa.Table.from_batches([equity_batch(times, equity)]),
        summary["metrics"],
        summary,
        merged([result.benchmark for result in results], summary, seconds),
        folder,
        symbol_table(names, summaries),
    )


def union(raws: Sequence[Raw], timezone: str, daily: bool) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """The times of the total's periods (of the latest bar in each), and for each symbol which of them its own periods are."""
    labels = [day_numbers(raw.end_times, timezone) if daily else raw.end_times for raw in raws]
    every = np.unique(np.concatenate(labels))
    times = np.full(len(every), np.iinfo(np.int64).min)
    keys = [np.searchsorted(every, label) for label in labels]
    for key, raw in zip(keys, raws, strict=True):
        times[key] = np.maximum(times[key], raw.end_times)
    return times, keys


def account(
    config: Config, raws: Sequence[Raw], keys: Sequence[NDArray[np.int64]], times: NDArray[np.int64], tallies: Sequence[Any], which: str
) -> tuple[dict[str, Any], float, bool, NDArray[np.float64]]:
    """Figures of the total, periods a year, whether that was snapped, and its equity."""
    capital = config.capital * len(raws)
    equity = np.zeros(len(times))
    for raw, key in zip(raws, keys, strict=True):
        own = np.concatenate([[config.capital], getattr(raw.measured, which)])
        equity += own[np.searchsorted(key, np.arange(len(times)), side="right")]
    per_year, snapped = periods_per_year(times, np.arange(len(times), dtype=np.int64))
    risk_free = config.metrics.risk_free / per_year if per_year > 0.0 else 0.0
    marks = equity.tolist()
    tally = {name: reference.in_order(tally[name].item() for tally in tallies) for name in SUMMED}
    tally |= {"best": np.nanmax([NAN, *best]) if (best := _known(tallies, "best")) else NAN}
    tally |= {"worst": np.nanmin([NAN, *worst]) if (worst := _known(tallies, "worst")) else NAN}
    tally |= {"final_equity": marks[-1], **reference.drawdown(marks, capital), **reference.returns(marks, capital, risk_free)}
    bars = sum(raw.bars for raw in raws)
    return figures(tally, capital=capital, bars=bars, periods=len(times), per_year=per_year), per_year, snapped, equity


def _known(tallies: Sequence[Any], name: str) -> list[float]:
    return [float(tally[name]) for tally in tallies if not np.isnan(tally[name])]


def fold(hashes: Sequence[int]) -> int:
    """One ledger_hash of several, by the mixing step of a single one; of one symbol its own."""
    if len(hashes) == 1:
        return hashes[0]
    h = reference.HASH_SEED
    for one in hashes:
        h = reference.mix(h, one)
    return h


def totals(summaries: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """What summaries add up to: counts, ranges, skipped entries, warnings."""
    skipped: dict[str, int] = {}
    for summary in summaries:
        for reason, count in summary["skipped"].items():
            skipped[reason] = skipped.get(reason, 0) + count
    texts = [(name, text) for name, summary in zip(names, summaries, strict=True) for text in summary["warnings"]]
    general = [text for text in dict.fromkeys(text for _, text in texts) if all(text in summary["warnings"] for summary in summaries)]
    return {
        "symbol": f"{len(names)} symbols",
        "symbols": list(names),
        **{name: sum(summary[name] for summary in summaries) for name in ("rows", "rows_available", "gaps", "n_trades", "fills")},
        "first_timestamp": min(summary["first_timestamp"] for summary in summaries),
        "last_timestamp": max(summary["last_timestamp"] for summary in summaries),
        "data_digest": hashlib.sha256("".join(summary["data_digest"] for summary in summaries).encode()).hexdigest(),
        "skipped": skipped,
        "warnings": general + [f"{name}: {text}" for name, text in texts if text not in general],
    }


def merged(records: Sequence[dict[str, Any]], summary: dict[str, Any], seconds: float) -> dict[str, Any]:
    """One benchmark record of several: sums, and the highest peaks."""
    first, last = records[0], records[-1]
    phases: dict[str, dict[str, Any]] = {}
    for record in records:
        for name, phase in record["phases"].items():
            into = phases.setdefault(name, {"seconds": 0.0, "calls": 0, "host_peak_bytes": None})
            into["seconds"] += phase["seconds"]
            into["calls"] += phase["calls"]
            into["host_peak_bytes"] = highest([into["host_peak_bytes"], phase["host_peak_bytes"]])
    cache = {name: sum(record["cache"][name] for record in records) for name in ("hits", "misses", "evictions", "seconds")}
    record = {
        **first,
        **{name: summary[name] for name in ("symbol", "rows", "rows_available", "first_timestamp", "last_timestamp")},
        "trades": summary["n_trades"],
        "bytes_read": sum(record["bytes_read"] for record in records),
        "bytes_transferred": last["bytes_transferred"],  # one backend counts for all symbols
        "wall_clock_s": seconds,
        "phases": phases,
        "cache": {**last["cache"], **cache, "peak_bytes": max(record["cache"]["peak_bytes"] for record in records)},
        "memory": merged_memory([record["memory"] for record in records]),
        "digests": {**first["digests"], "data": summary["data_digest"], "ledger": summary["ledger_digest"]},
        "warnings": list(dict.fromkeys(text for record in records for text in record["warnings"])),
    }
    return sealed(record)


def highest(values: Iterable[Any]) -> Any:
    """The highest known value; None when none is."""
    return max((value for value in values if value is not None), default=None)


def merged_memory(memories: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Peaks, ratios and bars of the symbols that had the most; `ratio_exceeded` if any did."""
    return {name: highest(memory[name] for memory in memories) for name in memories[0]}


def symbol_table(names: Sequence[str], summaries: Sequence[dict[str, Any]]) -> Any:
    """A row a symbol: its rows, range, hash and figures."""
    import pyarrow as pa

    columns = ("rows", "first_timestamp", "last_timestamp", "ledger_hash", "ledger_digest")
    rows = [
        {"symbol": name, **{key: summary[key] for key in columns}, **summary["metrics"]}
        for name, summary in zip(names, summaries, strict=True)
    ]
    # not inferred: a figure that no symbol has would be a column of type null
    texts = ("symbol", *columns[1:])
    kinds = {name: pa.string() if name in texts else pa.int64() if name in COUNTS else pa.float64() for name in rows[0]}
    return pa.Table.from_pylist(rows, pa.schema(list(kinds.items())))
