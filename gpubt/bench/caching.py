"""What the indicator cache saves: the same indicators asked for again, kept and not kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpubt.backends.base import Backend
from gpubt.bench.simulations import waited
from gpubt.bench.timing import Times, paired
from gpubt.bench.workloads import walk
from gpubt.indicators.cache import IndicatorCache
from gpubt.indicators.series import Series
from gpubt.records.criteria import judged

CLOSE = Series("close")
WANTED = (
    *(Series("ema", (CLOSE,), (length,)) for length in (20, 50)),
    Series("rsi", (CLOSE,), (14,)),
    Series("atr", (Series("high"), Series("low"), CLOSE), (14,)),
)
KEPT, COMPUTED = "indicators, cache on", "indicators, cache off"


def cache_times(backend: Backend, bars: int, rounds: int) -> Times:
    """Seconds of four indicators asked for again, with room for them in the cache and with none; the first calls compute in both."""
    market = backend.upload(walk(bars))

    def case(budget: int) -> Callable[[], Any]:
        cache = IndicatorCache(backend.indicator, market.columns, "walk", backend.device, budget)
        return waited(backend, lambda: [cache.get(series) for series in WANTED])

    return paired({KEPT: case(len(WANTED) * 8 * bars), COMPUTED: case(0)}, rounds)


def saving(times: Times) -> dict[str, Any]:
    """SC-004."""
    share = 1.0 - times[KEPT]["median_s"] / times[COMPUTED]["median_s"]
    return judged("SC-004", share, f"{len(WANTED)} indicators asked for again")
