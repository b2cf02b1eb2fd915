"""What `make gpu-check` compares: the GPU tests, and runs and sweeps on cuda with those on the CPU, to the bit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ("data=sample",)
SYNTHETIC = ("data=synthetic", "data.synthetic.bars=300007")  # not a multiple of 64: the last word of every mask is ragged
STRATEGIES = ("ema_cross", "rsi_reversion", "donchian_breakout", "trend_pullback")
EXITS = ("exits.stop.pct=0.01", "exits.target.r=2", "costs.commission.rate=0.0005", "costs.slippage.rate=0.0001")
RUNS = tuple(
    (f"strategy={strategy}", f"sim.mode={mode}", *exits) for strategy in STRATEGIES for mode in ("event", "bar") for exits in ((), EXITS)
)

FAST = ("strategy=ema_cross", "strategy.params.fast=5,8,13,21")
COSTS = ("costs.commission.rate=0.0005", "costs.slippage.rate=0.0001", "costs.borrow.annual=0.05")
SWEEPS = {
    "signals alone": (*FAST, "strategy.params.slow=34,55,89"),
    "stop, target, trailing": (*FAST, "exits.stop.pct=0.005,0.01", "exits.target.r=1.5,3", "exits.trailing.pct=null,0.02", *COSTS),
    "stop and target in ATR": (*FAST, "exits.stop.atr=1,2", "exits.target.atr=2,4", "exits.max_bars=null,40", "cross=strict"),
    "fills at the close": (*FAST, "entry.at=close", "on_opposite=ignore,close,reverse", "exits.stop.pct=0.01,0.02"),
    "limit orders": (*FAST, "entry.order=limit", "entry.limit.pct=0.001,0.003", "entry.valid_bars=6,24", "exits.stop.pct=null,0.01"),
    "stop orders": (*FAST, "entry.order=stop", "entry.stop.atr=0.25,0.5", "entry.valid_bars=6,24", "exits.target.pct=null,0.02"),
    "stop-limit orders": (*FAST, "entry.order=stop_limit", "entry.stop.atr=0.25", "entry.limit.atr=0.1,0.3", "entry.valid_bars=6"),
    "ladder, break-even": (
        *(*FAST, "exits.stop.pct=0.005,0.01", "exits.target.ladder=[{r: 1, share: 0.5}, {r: 3, share: 0.5}]"),
        *("exits.break_even.r=null,1", "sim.same_bar=stop_first,ohlc,adaptive"),
    ),
    "pyramiding": ("strategy=rsi_reversion", "strategy.params.length=7,14", "pyramiding=1,3", "sizing.percent_equity=0.3", *COSTS),
    "leverage, liquidation": (*FAST, "sizing.percent_equity=1,5", "sizing.max_leverage=5", "sizing.maintenance=0.05", *COSTS),
    "bar mode": (*FAST, "sim.mode=bar", "exits.stop.pct=0.005,0.01", "exits.trailing.pct=null,0.02"),
    "overlapping positions": (*FAST, "positions=overlapping", "exits.stop.pct=0.005,0.01", "exits.target.r=2"),
}


def gpu_tests() -> Iterator[dict[str, Any]]:
    """The tests marked gpu, none of them skipped for want of a device."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "--require-gpu"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    lines = (run.stdout + run.stderr).strip().splitlines()
    passed = run.returncode == 0
    yield {"what": "pytest -m gpu", "passed": passed, "result": lines[-1] if lines else "", "output": [] if passed else lines[-60:]}


def runs() -> Iterator[dict[str, Any]]:
    """Every strategy on both sources in both modes; and with exits and costs."""
    for source in (SAMPLE, SYNTHETIC):
        for overrides in RUNS:
            yield compared_run((*source, *overrides))


def compared_run(overrides: tuple[str, ...]) -> dict[str, Any]:
    """The same overrides on both backends: digest, hash and every metric."""
    import gpubt

    cpu, cuda = (gpubt.run([*overrides, f"backend={backend}"]) for backend in ("cpu", "cuda"))
    assert cuda.benchmark["backend"] == "cuda", cuda.benchmark["backend_reason"]
    different = [key for key in cpu.metrics if cpu.metrics[key] != cuda.metrics[key]]
    digests = [{name: run.summary[name] for name in ("ledger_digest", "ledger_hash")} for run in (cpu, cuda)]
    return {
        "what": " ".join(overrides),
        "trades": cpu.summary["n_trades"],
        "cpu": digests[0],
        "cuda": digests[1],
        "different": different,
        "equal": digests[0] == digests[1] and not different,
    }


def sweeps() -> Iterator[dict[str, Any]]:
    """Grids with and without exits, of every kind of order, on both sources."""
    for source in ((*SAMPLE, "data.frac=0.3"), SYNTHETIC):
        for name, overrides in SWEEPS.items():
            yield compared_sweep(name, (*source, *overrides))


def compared_sweep(name: str, overrides: tuple[str, ...]) -> dict[str, Any]:
    """Rows on both backends: hash and every figure of every set."""
    import gpubt

    cpu, cuda = (gpubt.run_sweep([*overrides, f"backend={backend}", "progress=false"]) for backend in ("cpu", "cuda"))
    different = different_columns(cpu, cuda)
    trades = sum(cpu["n_trades"].to_pylist())
    return {"what": f"{name}: {' '.join(overrides)}", "sets": len(cpu), "trades": trades, "different": different, "equal": not different}


def different_columns(a: pa.Table, b: pa.Table) -> list[str]:
    """Names of the columns that two tables of rows do not have in common, to the bit."""
    if a.schema != b.schema or len(a) != len(b):
        return ["schema" if a.schema != b.schema else "number of rows"]
    return [name for name in a.column_names if _bits(a[name]) != _bits(b[name])]


def _bits(column: pa.ChunkedArray) -> list[Any]:
    """Values as text where they are floats: -0.0 is not 0.0."""
    return list(map(repr, column.to_pylist()))
