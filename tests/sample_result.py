"""A finished run made by hand, for tests of what is printed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from gpubt.config import Config
from gpubt.resolve import resolve

PHASES = ("slice", "ingest", "transfer", "indicators", "scan", "simulate", "metrics", "write")
METRICS: dict[str, Any] = {
    "total_return": 0.12345, "annual_return": 0.0567, "volatility": 0.21, "sharpe_ratio": 0.456, "sortino_ratio": 0.6, "calmar_ratio": 0.33,
    "max_drawdown": -0.1725, "max_drawdown_bars": 1234, "exposure": 0.481, "turnover": 12.5, "n_trades": 1234, "win_rate": 0.4513,
    "profit_factor": 1.087, "expectancy": 10.0, "average_win": 100.0, "average_loss": -64.0, "average_bars_held": 71.25,
    "best_trade": 0.081, "worst_trade": -0.0213, "fees": 4321.5, "ambiguous_exits": 12, "final_equity": 112345.0,
}  # fmt: skip


def result(folder: Path | None = None, config: Config | None = None, **summary: Any) -> Any:
    """Has the attributes of gpubt.records.result.RunResult that the screen reads; `summary` replaces single entries of it."""
    metrics = summary.pop("metrics", METRICS)
    return SimpleNamespace(
        config=resolve(config or Config()),
        metrics=metrics,
        equity=pa.table({"equity": [1.0, 1.5, 1.2, 2.0]}),
        summary={
            "symbol": "BTCUSDT",
            "strategy": "ema_cross",
            "params": {"fast": 20, "slow": 50},
            "rows": 2_301_455,
            "rows_available": 6_904_365,
            "first_timestamp": "2017-08-17T04:00:00+00:00",
            "last_timestamp": "2022-01-01T00:00:00+00:00",
            "n_trades": metrics["n_trades"],
            "metrics": metrics,
            "buy_and_hold": {"total_return": 4.5, "annual_return": 0.5, "volatility": 0.8, "sharpe_ratio": 0.9, "max_drawdown": -0.83},
            "ambiguous_exits": metrics["ambiguous_exits"],
            "ledger_digest": "0123456789abcdef" * 4,
            "ledger_hash": "0123456789abcdef",
            "skipped": {},
            "annualisation": 365.0,
            "returns": "daily",
            "warnings": [],
            **summary,
        },
        benchmark={
            "phases": {name: {"seconds": 0.0123 * i} for i, name in enumerate(PHASES)},
            "wall_clock_s": 0.4567,
            "backend": "cpu",
            "backend_reason": "backend=auto takes cpu: CuPy is not installed: pip install 'gpubt[cuda13]'",
            "memory": {"host_peak_bytes": 234_567_890, "host_ratio": 1.21, "device_peak_bytes": None},
        },
        folder=folder,
        symbols=None,
    )


def benchmark_record(**values: Any) -> dict[str, Any]:
    """A valid benchmark record of a run of 250 bars; `values` replace keys of it before its criteria are judged."""
    from gpubt.records.benchmark import sealed
    from gpubt.records.schema import SCHEMA_VERSION

    record = {
        "schema_version": SCHEMA_VERSION,
        "symbol": "BTCUSDT", "rows_available": 1000, "rows": 250, "first_timestamp": "2020-01-01T00:00:00Z",
        "last_timestamp": "2020-01-01T04:09:00Z", "frac": "0.25", "portion": 1, "bytes_read": 20_000, "bytes_transferred": 0, "trades": 12,
        "wall_clock_s": 0.5,
        "phases": {name: {"seconds": 0.01, "calls": 1, "host_peak_bytes": 90_000_000} for name in PHASES},
        "backend": "cpu", "backend_reason": "backend=cpu was asked for", "device": "host", "threads": 2, "threads_asked": None,
        "mode": "event", "seed": 42, "deterministic": True,
        "cache": {"hits": 0, "misses": 2, "evictions": 0, "bytes": 0, "peak_bytes": 4000, "computed": ["ema(close,20)"], "seconds": 0.001},
        "memory": {
            "host_peak_bytes": 90_000_000, "host_baseline_bytes": 80_000_000, "host_ratio": None, "raw_bytes": 10_000,
            "device_peak_bytes": None, "device_process_bytes": None, "device_ratio": None, "ratio_max": 1.5, "ratio_exceeded": None,
        },
        "digests": {name: name[0].encode().hex() * 32 for name in ("data", "config", "kernels", "ledger")},
        "versions": {name: "1.0" for name in ("python", "gpubt", "numpy", "numba", "pyarrow")},
        "hardware": {"system": "Linux x86_64", "cpu": "a processor", "cores": 2, "memory_bytes": 8_000_000_000, "gpus": []},
        "warnings": [],
        **values,
    }  # fmt: skip
    return sealed(record)
