"""Whole runs, from a file to a run folder: warm in this process and cold as one of their own, over formats, fractions and backends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpubt.bench.agreement import same_digest
from gpubt.bench.timing import Times, paired
from gpubt.errors import GpubtError
from gpubt.records.criteria import LOADED_ROWS
from gpubt.records.schema import violation

# One unit a trade: an account that trades all it has would be ruined by its fees, and the rest of the bars would be idle.
STRATEGY = (
    *("strategy=ema_cross", "strategy.params.fast=20", "strategy.params.slow=50", "exits.stop.pct=0.002", "exits.target.pct=0.004"),
    *("costs.commission.rate=0.00001", "sizing.fixed_units=1", "capital=1e8", "progress=false"),
)
WHOLE = "run, Parquet"
PROCESS = "process, Parquet"
PROFILED = "run, profile=on"
FRACTIONS = ("0.25", "0.5", "1.0")


class Runs:
    """Runs over the files of one size. `records` keeps the benchmark records of each case, `violations` counts those (of all) that broke
    their schema."""

    def __init__(self, files: dict[str, Path], folder: Path, cuda: bool) -> None:
        self.folder, self.cuda = folder, cuda
        self.parquet = ("data=parquet", f"data.path={files['parquet']}")
        self.csv = ("data=csv", f"data.path={files['csv']}")
        self.records: dict[str, list[dict[str, Any]]] = {}
        self.violations = 0

    def times(self, rounds: int) -> Times:
        """Seconds of every case; the first calls, which also load or compile kernels, must agree. Raises GpubtError where they don't."""
        cases = {
            WHOLE: self.case(WHOLE, *self.parquet),
            "run, CSV": self.case("run, CSV", *self.csv),
            "run, bar mode": self.case("run, bar mode", *self.parquet, "sim.mode=bar"),
            **{fraction(frac): self.case(fraction(frac), *self.parquet, f"data.frac={frac}") for frac in FRACTIONS},
        }
        if self.cuda:
            cases["run, cuda"] = self.case("run, cuda", *self.parquet, backend="cuda")
        cases[PROCESS] = self.process
        return paired(cases, rounds, agreed=self.agree)

    def agree(self) -> None:
        """Raise GpubtError unless all runs over all bars have one ledger."""
        parts = [fraction(frac) for frac in FRACTIONS if float(frac) < 1.0]
        whole = {name: records[-1] for name, records in self.records.items() if name not in parts}
        same_digest("the strategy", {name: record["digests"]["ledger"] for name, record in whole.items()})

    def profiled(self) -> dict[str, Any]:
        """SC-008 as a profiled run has it in its record."""
        self.case(PROFILED, *self.parquet, "profile=on")()
        self.agree()
        criterion: dict[str, Any] = self.records[PROFILED][-1]["criteria"]["SC-008"]
        return criterion

    def typical(self, name: str) -> dict[str, Any]:
        """The record of a case whose time is the median."""
        ranked = sorted(self.records[name], key=lambda record: float(record["wall_clock_s"]))
        return ranked[len(ranked) // 2]

    def case(self, name: str, *overrides: str, backend: str = "cpu") -> Callable[[], None]:
        """A run in this process, the configuration composed beforehand."""
        from gpubt.compose import configuration
        from gpubt.pipeline import run_backtest

        config = configuration([*STRATEGY, f"backend={backend}", *overrides])

        def run() -> None:
            result = run_backtest(config, folder=self.folder / "run")
            self.keep(name, result.benchmark)

        return run

    def process(self) -> None:
        """The same as `WHOLE`, with the interpreter and its imports; kernels are compiled already."""
        folder = self.folder / "process"
        command = [sys.executable, "-m", "gpubt", "run", *STRATEGY, "backend=cpu", *self.parquet, f"hydra.run.dir={folder}"]
        package = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path})
        if done.returncode:
            raise GpubtError(f"gpubt run failed as a process: {done.stderr.strip()}")
        self.keep(PROCESS, json.loads((folder / "benchmark.json").read_text(encoding="utf-8")))

    def keep(self, name: str, record: dict[str, Any]) -> None:
        """Note a record, and whether it is valid."""
        self.records.setdefault(name, []).append(record)
        self.violations += violation(record) is not None


def fraction(frac: str) -> str:
    """The name of the case over that part of the Parquet file."""
    return f"run, frac={frac}"


def scaling(times: Times) -> dict[str, float]:
    """By fraction: time over that of all bars, divided by the fraction: 1 where time is proportional, more where something is fixed."""
    whole = times[fraction("1.0")]["median_s"]
    return {frac: times[fraction(frac)]["median_s"] / (whole * float(frac)) for frac in FRACTIONS}


def loading(folder: Path) -> dict[str, Any]:
    """SC-003 as a run over `LOADED_ROWS` rows of Parquet has it in its record."""
    from gpubt.bench.files import bar_files
    from gpubt.compose import configuration
    from gpubt.pipeline import run_backtest

    path = bar_files(folder, LOADED_ROWS, text=False)["parquet"]
    config = configuration([*STRATEGY, "backend=cpu", "data=parquet", f"data.path={path}"])
    criterion: dict[str, Any] = run_backtest(config).benchmark["criteria"]["SC-003"]
    path.unlink()
    return criterion
