"""`benchmark.json`, written for every run: what it read, where the time went, what it held in memory, on what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpubt.data.clock import time_text
from gpubt.device import CudaStatus, cuda_status, driver_devices
from gpubt.memory import host_peak_bytes, host_ratio, reset_host_peak, resident_bytes
from gpubt.records.environment import config_digest, cuda_versions, hardware, kernels_digest, versions

if TYPE_CHECKING:
    from gpubt.backends.base import Backend
    from gpubt.config import Config
    from gpubt.data.bars import Bars
    from gpubt.data.source import Source
    from gpubt.data.validate import DataReport
    from gpubt.indicators.cache import IndicatorCache
    from gpubt.phases import Phases

SCHEMA_VERSION = 1


class Meter:
    """Memory from here on: made when everything is imported and no bar has been read."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        reset_host_peak()
        self._baseline = resident_bytes()

    def record(self, raw_bytes: int, ratio_max: float) -> dict[str, Any]:
        """Peaks in bytes, as the operating system and the device's pool say; None where there is nothing to ask."""
        peak, device = host_peak_bytes(), self._backend.memory()
        ratio = host_ratio(peak, self._baseline, raw_bytes)
        return {
            "host_peak_bytes": peak,
            "host_baseline_bytes": self._baseline,
            "host_ratio": ratio,
            "raw_bytes": raw_bytes,
            "device_peak_bytes": device["peak"] if device else None,
            "ratio_max": ratio_max,
            "ratio_exceeded": None if ratio is None else ratio > ratio_max,
        }


def benchmark_record(
    config: Config,
    source: Source,
    bars: Bars,
    report: DataReport,
    backend: Backend,
    reason: str,
    phases: Phases,
    cache: IndicatorCache,
    meter: Meter,
    trades: int,
    seconds: float,
) -> dict[str, Any]:
    """Keys in the order of the file."""
    # A run on an explicit backend=cpu opens no CUDA context for its record
    status = CudaStatus(False, "not asked", driver_devices()) if config.backend.name == "cpu" else cuda_status()
    memory = meter.record(bars.nbytes, config.memory.ratio_max)
    return {
        "schema_version": SCHEMA_VERSION,
        "symbol": bars.symbol,
        "rows_available": source.rows_available,
        "rows": bars.n,
        "first_timestamp": time_text(int(bars.time[0])),
        "last_timestamp": time_text(int(bars.time[-1])),
        "frac": str(config.data.frac),
        "portion": config.data.portion,
        "bytes_read": source.bytes_read,
        "bytes_transferred": backend.bytes_transferred,
        "trades": trades,
        "wall_clock_s": seconds,
        "phases": phases.record(),
        "backend": backend.name,
        "backend_reason": reason,
        "device": backend.device,
        "mode": config.sim.mode,
        "seed": config.seed,
        "deterministic": config.deterministic,
        "cache": cache.stats(),
        "memory": memory,
        "digests": {"data": report.digest, "config": config_digest(config), "kernels": kernels_digest()},
        "versions": {**versions(), **cuda_versions(status)},
        "hardware": hardware(status),
        "warnings": _warnings(memory),
    }


def _warnings(memory: dict[str, Any]) -> list[str]:
    if not memory["ratio_exceeded"]:
        return []
    return [f"peak memory was {memory['host_ratio']:.2f} times the bars, above memory.ratio_max={memory['ratio_max']:g}"]
