"""`gpubt warmup`: compile what a run needs once, into the cache, and measure from which size on the GPU pays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

from gpubt.caches import set_numba_cache
from gpubt.data.threads import PARALLEL
from gpubt.device import cuda_status, store_break_even
from gpubt.resources import folder

if TYPE_CHECKING:
    from gpubt.records.result import RunResult

COMPILE_BARS = 5_000
SIZES = (10_000, 50_000, 250_000, 1_000_000, 4_000_000)  # bars of one set, so bars x sets
ROUNDS = 3
INDICATORS = (
    "wma(close, 5) > sma(close, 5)",
    "close > bbands_upper(close, 20, 2)",
    "macd_hist(close, 12, 26, 9) > 0",
    "stoch_d(14, 3, 3) > 80",
    "sma((high + low) * close / 2, 4) > shift(sma(abs(close - open), 4), 1)",
)
# what no shipped strategy needs: name, overrides
OTHERS = {
    "indicators": [f"strategy.long.entry='{' or '.join(INDICATORS)}'"],
    "other readings of a crossing": ["cross=latched"],
    "positions=overlapping": ["positions=overlapping"],
    "many bars": [],
}
COMPARED = ("transfer", "indicators", "scan", "simulate", "metrics")  # reading and writing are the same on both


def warmup(report: Callable[[str], None]) -> dict[str, Any]:
    """Run every shipped strategy in both modes on the CPU; where a device answers, measure and store the break-even.

    `report` gets a line a step. Returns `cache` (the folder of compiled code), `runs` (seconds by strategy and mode), `cuda` (available,
    reason) and `break_even` (work, measured_to; None without a device). Raises GpubtError as a run does.
    """
    cache = set_numba_cache()
    runs: dict[str, float] = {}
    for path in sorted((folder("conf") / "strategy").glob("*.yaml")):
        for mode in ("event", "bar"):
            start = perf_counter()
            _run("cpu", COMPILE_BARS, path.stem, mode)
            runs[f"{path.stem} {mode}"] = perf_counter() - start
            report(f"{path.stem}, {mode} mode: {runs[f'{path.stem} {mode}']:.1f} s")
    with TemporaryDirectory() as scratch:
        entries = Path(scratch, "entries.csv")
        entries.write_text("bar,side\n10,long\n20,short\n", encoding="utf-8")
        for name, values in (OTHERS | {"positions=list": ["positions=list", f"entries.path='{entries}'"]}).items():
            start = perf_counter()
            _run("cpu", PARALLEL if name == "many bars" else COMPILE_BARS, "ema_cross", "event", *values)
            runs[name] = perf_counter() - start
            report(f"{name}: {runs[name]:.1f} s")
    start = perf_counter()
    _sweep()
    runs["sweep"] = perf_counter() - start
    report(f"sweep: {runs['sweep']:.1f} s")
    status = cuda_status()
    break_even = _measure(report) if status.available else None
    if not status.available:
        report(f"no break-even to measure: {status.reason}")
    return {
        "cache": str(cache),
        "runs": runs,
        "cuda": {"available": status.available, "reason": status.reason},
        "break_even": break_even,
    }


def _sweep() -> None:
    """Sets with and without shared exits."""
    import gpubt

    data = ("data=synthetic", f"data.synthetic.bars={COMPILE_BARS}", "backend=cpu", "progress=false")
    gpubt.run_sweep([*data, "strategy.params.fast=5,8,10,13", "exits.stop.pct=0.01,0.02", "exits.break_even.pct=null,0.01"])


def _measure(report: Callable[[str], None]) -> dict[str, int | None]:
    """The first size at which cuda beats cpu, best of `ROUNDS` each, in turn; stored."""
    work = None
    measured_to = 0
    for bars in SIZES:
        times: dict[str, list[float]] = {"cpu": [], "cuda": []}
        for backend in ("cpu", "cuda") * ROUNDS:
            times[backend].append(_compared(_run(backend, bars, "ema_cross", "event")))
        cpu, cuda = min(times["cpu"]), min(times["cuda"])
        report(f"{bars:,} bars: cpu {cpu * 1e3:.2f} ms, cuda {cuda * 1e3:.2f} ms")
        measured_to = bars
        if cuda < cpu:
            work = bars
            break
    store_break_even(work, measured_to)
    report(
        f"break-even: cuda from {work:,} bars x sets on" if work else f"break-even: cuda was not faster up to {measured_to:,} bars x sets"
    )
    return {"work": work, "measured_to": measured_to}


def _run(backend: str, bars: int, strategy: str, mode: str, *more: str) -> RunResult:
    from gpubt import run

    values = [f"backend={backend}", "data=synthetic", f"data.synthetic.bars={bars}", f"strategy={strategy}", f"sim.mode={mode}"]
    return run([*values, *more])


def _compared(result: RunResult) -> float:
    return sum(float(result.benchmark["phases"][name]["seconds"]) for name in COMPARED)
