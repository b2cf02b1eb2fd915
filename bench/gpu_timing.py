"""One piece of work on both backends of one machine, in growing sizes: wall time, the device's time by its events, memory peaks."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.harness import seconds
from bench.lease import Plan
from gpubt.errors import GpubtError

if TYPE_CHECKING:
    from gpubt.backends.base import Backend

ROUNDS, PATIENCE = 5, 5.0  # calls after the first one, at most, and seconds after which there are no more


@dataclass(frozen=True)
class Work:
    """`on(backend)` makes of a size a call; `units(size)` is how much that is, in `unit`; what `same(backend, result)` gives of the
    smallest size must be equal on both backends (None: nothing to compare). `bars` and `sets` are in the record only."""

    name: str
    unit: str
    bars: int
    sizes: tuple[int, ...]
    units: Callable[[int], float]
    on: Callable[[Backend], Callable[[int], Callable[[], Any]]]
    same: Callable[[Backend, Any], Any] | None = None


def grown(work: Work, plan: Plan) -> Iterator[dict[str, Any]]:
    """Each size on cuda and then on the CPU, while time and memory are enough; then whether the results of the smallest are equal."""
    backends = {name: made(name) for name in ("cuda", "cpu")}
    calls = {name: work.on(backend) for name, backend in backends.items()}
    last: dict[str, tuple[int, float]] = {}
    results = {}
    for size in work.sizes:
        for name, backend in list(backends.items()):
            before, took = last.get(name, (size, 0.0))
            try:
                if not plan.fits(took * work.units(size) / work.units(before)):
                    raise GpubtError("no time")
                row, result = measured(backend, calls[name](size))
            except GpubtError as error:  # also of a device that has not the memory: no fault of its results
                yield {"what": f"{work.name}, {name}, {size:,}", "result": f"left out: {error}", "left_out": True}
                del backends[name]
                continue
            last[name] = size, row["best_s"]
            if size == work.sizes[0] and work.same is not None:
                results[name] = work.same(backend, result)
            del result
            yield described(work, name, size, row)
    if len(results) == 2:
        yield {"what": f"{work.name}: results", "equal": results["cpu"] == results["cuda"]}


def made(name: str) -> Backend:
    """A backend with memory of its own, so that its peak is this work's."""
    from gpubt.backends import get_backend
    from gpubt.config import Backend as Wanted

    return get_backend(Wanted(name=name), work=0, kernels="lanes")[0]


def measured(backend: Backend, call: Callable[[], Any]) -> tuple[dict[str, Any], Any]:
    """Seconds of the first call and of further ones, peaks in bytes; on a device, of one more call, seconds of the kernels by its events.
    And what the first call gave."""
    from gpubt.memory import host_peak_bytes, reset_host_peak

    def whole() -> Any:
        found = call()
        backend.wait()
        return found

    reset_host_peak()
    results: list[Any] = []
    first = seconds(lambda: results.append(whole()))
    times: list[float] = []
    while len(times) < ROUNDS and first + sum(times) < PATIENCE:
        times.append(seconds(whole))
    times = times or [first]
    kernels = by_kernel(backend, whole)
    memory = backend.memory()
    row = {
        "first_s": first,
        "best_s": min(times),
        "median_s": statistics.median(times),
        "rounds": len(times),
        "device_s": sum(own["seconds"] for own in kernels.values()) if kernels else None,
        "kernels": kernels,
        "host_peak_bytes": host_peak_bytes(),
        "device_peak_bytes": None if memory is None else memory["peak"],
        "device_process_bytes": None if memory is None else memory.get("process"),
    }
    return row, results[0]


class Watcher:
    """What a runtime times its launches for."""

    def enter(self, name: str) -> None:
        """A phase begins."""

    def leave(self) -> None:
        """It ends."""


def by_kernel(backend: Backend, call: Callable[[], Any]) -> dict[str, dict[str, float]]:
    """Calls and seconds of each kernel in one call, by the device's events; nothing without a device."""
    from gpubt.phases import profiled_by

    if backend.memory() is None:
        return {}
    backend.launches()
    with profiled_by(Watcher()):
        call()
    found = backend.launches()
    return {name: {"calls": own["calls"], "seconds": own["seconds"]} for name, own in found.items()}


def described(work: Work, backend: str, size: int, row: dict[str, Any]) -> dict[str, Any]:
    """A measurement with its rates."""
    units, device = work.units(size), row["device_s"]
    rate = units / row["best_s"]
    on_device = units / device if device else None
    text = f"{row['best_s'] * 1e3:,.1f} ms, {rate:.3g} {work.unit}/s"
    text += f"; kernels {device * 1e3:,.1f} ms, {on_device:.3g} {work.unit}/s" if device else ""
    return {
        "what": f"{work.name}, {backend}, {size:,}",
        "work": work.name,
        "backend": backend,
        "bars": work.bars,
        "size": size,
        "unit": work.unit,
        **row,
        "per_second": rate,
        "per_second_device": on_device,
        "result": text,
    }
