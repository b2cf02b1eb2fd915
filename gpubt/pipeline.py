"""One backtest, from configuration to result. Each arrow of the flow is a phase here, in this order, and nothing else starts one:

slice -> ingest -> transfer -> indicators -> scan -> simulate -> metrics -> write
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from gpubt.config import Config
from gpubt.limits import check
from gpubt.records.result import Raw, RunResult
from gpubt.resolve import resolve

if TYPE_CHECKING:
    from gpubt.backends.base import Backend
    from gpubt.data.bars import Bars
    from gpubt.records.log import RunLog


def run_backtest(config: Config, *, backend: Backend | None = None, bars: Bars | None = None, folder: Path | None = None) -> RunResult:
    """Run `config`; write the run folder if one is given. `bars` replace the source that `config.data` names, `backend` the one that
    `config.backend` names (for tests).

    Raises GpubtError, with one sentence, for everything that is the input's fault. Nothing is written unless the run succeeds.
    """
    from gpubt.data.threads import thread_limit
    from gpubt.progress import progress_wanted
    from gpubt.records.log import RunLog

    started = perf_counter()
    check(config)
    config = resolve(_answered(config))
    with progress_wanted(config.progress), thread_limit(config.backend.threads), RunLog() as log:
        if config.profile.mode == "on":
            from gpubt.profiling import profiled_run

            result = profiled_run(partial(_run, config, backend, bars, folder, log, started), config.profile.hotspots)
        else:
            result = _run(config, backend, bars, folder, log, started)
    if config.report and folder is not None:
        from gpubt.report.html.write import write_report

        write_report(folder)
    return result


def _run(config: Config, backend: Backend | None, bars: Bars | None, folder: Path | None, log: RunLog, started: float) -> RunResult:
    """One symbol or several."""
    if config.data.symbols is None:
        return run_one(config, backend, bars, folder, log, started)
    from gpubt.errors import ConfigError
    from gpubt.symbols import run_symbols

    if bars is not None:
        raise ConfigError("data.symbols needs a file; bars from memory are of one symbol")
    return run_symbols(config, backend, folder, log, started)


def run_one(
    config: Config,
    backend: Backend | None,
    bars: Bars | None,
    folder: Path | None,
    log: RunLog,
    started: float,
    reason: str = "given by the caller",
) -> RunResult:
    """One symbol through all phases."""
    from gpubt.backends import get_backend
    from gpubt.data.load import load, select
    from gpubt.data.threads import aside
    from gpubt.indicators.cache import Passes, cache_of
    from gpubt.memory import HostPeak
    from gpubt.metrics import account
    from gpubt.phases import Phases, profiler
    from gpubt.records import log as events
    from gpubt.records.benchmark import Meter, benchmark_record
    from gpubt.records.equity import Equity
    from gpubt.records.folder import run_folder
    from gpubt.records.summary import summarise
    from gpubt.simulate.entries import load_entries
    from gpubt.simulate.inputs import calendars
    from gpubt.simulate.ledger import ledger_digest, to_table
    from gpubt.simulate.parameters import parameters, rungs, same_bar_policies
    from gpubt.strategy.plan import plan

    peaks, planned = HostPeak(), plan(config)
    phases = Phases(peaks.lap)
    phase = phases.phase
    with phase("slice"):
        rows = select(config, bars)
        source = rows.source
    backend, reason = (backend, reason) if backend else get_backend(config.backend, work=rows.n)
    events.started(log, config, source, rows.lo, rows.hi, backend, reason)
    meter = Meter(backend, peaks)
    with phase("ingest", bars=rows.n):
        loaded = load(config, rows, planned.columns)
        bars, report, detail = loaded.bars, loaded.report, loaded.detail
    with phase("transfer", device=backend, bars=bars.n):
        market = backend.upload(loaded.columns, detail)
    making = partial(phase, "indicators", device=backend, bars=bars.n)
    with making():
        budget = int(config.cache.budget_mib * 2**20)
        cache = cache_of(backend, market.columns, loaded, config, budget)
        fetch = Passes(cache, planned.passes(), making)
    entries = None
    with phase("scan", device=backend, bars=bars.n):
        masks = calendars(config, bars, backend)
        if planned.program:
            masks |= backend.scan(planned.program, fetch, bars.n)
        elif planned.vectors:
            masks |= planned.vectors.masks(bars, cache, backend)
        else:
            entries = load_entries(config, bars.time, bars.symbol)
        levels = dict(zip(planned.levels, fetch(tuple(planned.levels.values())), strict=True))
    run = partial(backend.run, market, masks, entries, levels, rungs(config), mode=config.sim.mode, positions=config.positions)
    policies = [parameters(config, bars.mean_spacing, policy) for policy in same_bar_policies(config)]
    with phase("simulate", device=backend, bars=bars.n, sets=len(policies)):
        ledger, *others = map(run, policies)
        del levels, run
        fetch(())
    with phase("metrics", device=backend, bars=bars.n):
        trades = backend.trades(ledger)
        digest = aside(ledger_digest, [trades])
        measured = account.measure(backend, market, ledger, bars, config)
        band = next((account.measure(backend, market, other, bars, config) for other in others), None)
        equity = Equity(bars, trades, measured, config)
        summary = summarise(config, source, bars, report, ledger, trades, measured, digest(), band)
    if (observer := profiler()) is not None:
        observer.ask(backend)
    table = partial(to_table, trades, bars.time, bars.symbol)
    with run_folder(folder) as out:
        with phase("write"):
            out.config(config)
            out.trades(table)
            out.equity(equity.stream())
        record = benchmark_record(config, source, bars, report, backend, reason, phases, cache, meter, summary, perf_counter() - started)
        if detail:
            summary["detail_digest"] = detail.digest
        summary["warnings"] += [*report.warnings(), *(detail.warnings if detail else ()), *record["warnings"]]
        if planned.vectors:
            summary["warnings"] += planned.vectors.warnings(cache)
        events.finished(log, summary, record)
        out.log(log.lines)
        out.summary(summary)
        out.benchmark(record)
    return RunResult(
        config,
        table,
        equity.table(),
        summary["metrics"],
        summary,
        record,
        folder,
        raw=Raw(trades, measured, bars.time[measured.ends], bars.n, band),
    )


def _answered(config: Config) -> Config:
    """The configuration with `data.frac=ask` answered on the terminal."""
    if config.data.frac != "ask":
        return config
    import sys

    from gpubt.data.rows import ask_fraction

    frac, portion = ask_fraction(sys.stdin, sys.stderr)
    data: Any = replace(config.data, frac=frac, portion=portion)
    return replace(config, data=data)
