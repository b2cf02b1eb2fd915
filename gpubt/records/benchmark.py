"""`benchmark.json`, written for every run: what it read, where time went, what it held in memory, on what, and which criteria it met."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gpubt.data.clock import time_text
from gpubt.device import CudaStatus, cuda_status, driver_devices
from gpubt.hardware import cores
from gpubt.memory import HostPeak, memory_ratio
from gpubt.records.arrow import plain
from gpubt.records.criteria import CAP_WARNING, judged, run_criteria
from gpubt.records.environment import config_digest, cuda_versions, hardware, kernels_digest, versions
from gpubt.records.schema import SCHEMA_VERSION, check_benchmark

if TYPE_CHECKING:
    from gpubt.backends.base import Backend
    from gpubt.config import Config
    from gpubt.data.bars import Bars
    from gpubt.data.source import Source
    from gpubt.data.validate import DataReport
    from gpubt.indicators.cache import IndicatorCache
    from gpubt.phases import Phases


class Meter:
    """Memory from here on: made when everything is imported and no bar has been read."""

    def __init__(self, backend: Backend, peaks: HostPeak) -> None:
        self._backend, self._peaks = backend, peaks
        device = backend.memory()
        self._device_baseline = device["used"] if device else None
        self._host_baseline = peaks.begin()

    def record(self, raw_bytes: int, ratio_max: float) -> dict[str, Any]:
        """Peaks in bytes, as the operating system, the device's pool and its driver say; None where there is nothing to ask."""
        self._peaks.lap()
        peak, device = self._peaks.highest, self._backend.memory() or {}
        ratios = {
            "host_ratio": memory_ratio(peak, self._host_baseline, raw_bytes),
            "device_ratio": memory_ratio(device.get("peak"), self._device_baseline, raw_bytes),
        }
        return {
            "host_peak_bytes": peak,
            "host_baseline_bytes": self._host_baseline,
            "host_ratio": ratios["host_ratio"],
            "raw_bytes": raw_bytes,
            "device_peak_bytes": device.get("peak"),
            "device_process_bytes": device.get("process"),
            "device_ratio": ratios["device_ratio"],
            "ratio_max": ratio_max,
            "ratio_exceeded": exceeded(ratios.values(), ratio_max),
        }


def exceeded(ratios: Iterable[float | None], ratio_max: float) -> bool | None:
    """Whether any of the ratios is above the limit; None when none is known."""
    known = [ratio for ratio in ratios if ratio is not None]
    return max(known) > ratio_max if known else None


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
    summary: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """Keys in the order of the file; `summary` is that of the run. Raises GpubtError for a record that its schema refuses."""
    # A run on an explicit backend=cpu opens no CUDA context for its record
    status = CudaStatus(False, "not asked", driver_devices()) if config.backend.name == "cpu" else cuda_status()
    memory = meter.record(bars.nbytes, config.memory.ratio_max)
    record = {
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
        "trades": summary["n_trades"],
        "wall_clock_s": seconds,
        "phases": phases.record(),
        "backend": backend.name,
        "backend_reason": reason,
        "device": backend.device,
        "threads": backend.threads,
        "threads_asked": config.backend.threads,
        "mode": config.sim.mode,
        "seed": config.seed,
        "deterministic": config.deterministic,
        "cache": cache.stats(),
        "memory": memory,
        "digests": {
            "data": report.digest,
            "config": config_digest(config),
            "kernels": kernels_digest(),
            "ledger": summary["ledger_digest"],
        },
        "versions": {**versions(), **cuda_versions(status)},
        "hardware": hardware(status),
        "warnings": [*_cap_warning(config.backend.threads, backend.threads or cores()), *_memory_warning(memory)],
    }
    return sealed(record)


def sealed(record: dict[str, Any]) -> dict[str, Any]:
    """`record` in the types that JSON knows, with its criteria, of which the last to be judged is that it is valid. Raises GpubtError."""
    whole: dict[str, Any] = plain({**record, "criteria": run_criteria(record)})
    check_benchmark(whole)
    whole["criteria"]["SC-007"] = judged("SC-007", 0, f"version {SCHEMA_VERSION} of the schema")
    return whole


def _cap_warning(asked: int | None, used: int) -> list[str]:
    if asked is None or asked <= used:
        return []
    return [f"{CAP_WARNING}{asked} is more than can be used here: {used} threads ran"]


def _memory_warning(memory: dict[str, Any]) -> list[str]:
    """One sentence for the host and the device together."""
    if not memory["ratio_exceeded"]:
        return []
    over = [
        f"{place} memory was {memory[f'{place}_ratio']:.2f} times the bars"
        for place in ("host", "device")
        if (memory[f"{place}_ratio"] or 0.0) > memory["ratio_max"]
    ]
    return [f"peak {' and '.join(over)}, above memory.ratio_max={memory['ratio_max']:g}"]
