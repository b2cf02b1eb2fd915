"""The indicator cache: what it computes and when, what it lets go of, and what it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gpubt.errors import ConfigError, DataError
from gpubt.indicators import reference
from gpubt.indicators.cache import IndicatorCache
from gpubt.indicators.definitions import series
from gpubt.indicators.series import COLUMNS, Series

BARS = 100
ONE = BARS * 8  # bytes of one array
CLOSE = Series("close")


def sma(n: int, over: Series = CLOSE) -> Series:
    return series("sma", [over], [n])


def columns(bars: int = BARS) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {name: 100 + np.cumsum(rng.normal(size=bars)) for name in COLUMNS}


def make(budget: int = 10 * ONE, compute: Any = reference.compute) -> IndicatorCache:
    return IndicatorCache(compute, columns(), "digest", "host", budget)


def figures(cache: IndicatorCache, *names: str) -> tuple[Any, ...]:
    stats = cache.stats()
    return tuple(stats[name] for name in names)


def test_computes_once_and_counts() -> None:
    cache = make()
    assert figures(cache, "hits", "misses", "bytes", "computed", "seconds") == (0, 0, 0, [], 0.0)
    first = cache.get(sma(5))
    assert cache.get(sma(5)) is first
    np.testing.assert_array_equal(first, reference.compute("sma", (columns()["close"],), 0, (5,)))
    assert figures(cache, "hits", "misses", "evictions", "bytes", "peak_bytes") == (1, 1, 0, ONE, ONE)
    assert cache.stats()["computed"] == ["sma(close,5)"]
    assert cache.stats()["seconds"] > 0


def test_columns_are_handed_out_as_they_are() -> None:
    own = columns()
    cache = IndicatorCache(reference.compute, own, "digest", "host", ONE)
    assert cache.get(CLOSE) is own["close"]
    assert figures(cache, "hits", "misses", "bytes") == (0, 0, 0)


def test_nested_inputs_are_computed_shared_and_counted_from_their_first_value() -> None:
    cache = make()
    rsi = series("rsi", [CLOSE], [14])
    outer, other = cache.get(sma(3, rsi)), cache.get(sma(4, rsi))
    inner = reference.compute("rsi", (columns()["close"],), 0, (14,))
    np.testing.assert_array_equal(outer, reference.compute("sma", (inner,), 14, (3,)))
    np.testing.assert_array_equal(other, reference.compute("sma", (inner,), 14, (4,)))
    assert cache.stats()["computed"] == ["rsi(close,14)", "sma(rsi(close,14),3)", "sma(rsi(close,14),4)"]
    assert figures(cache, "hits", "misses") == (1, 3)


def test_the_least_recently_used_goes_first() -> None:
    cache = make(budget=2 * ONE)
    for n in (2, 3, 2, 4, 2, 3):  # 4 replaces 3, then 3 replaces 4
        cache.get(sma(n))
    assert cache.stats()["computed"] == ["sma(close,2)", "sma(close,3)", "sma(close,4)", "sma(close,3)"]
    assert figures(cache, "hits", "misses", "evictions", "bytes", "peak_bytes") == (2, 4, 2, 2 * ONE, 2 * ONE)


def test_inputs_stay_while_they_are_read() -> None:
    inner = sma(2)
    kept: list[bool] = []

    def compute(name: str, inputs: tuple[Any, ...], first: int, params: tuple[float, ...]) -> Any:
        if first:
            kept.append(cache.key(inner) in cache._kept)
        return reference.compute(name, inputs, first, params)

    cache = make(budget=2 * ONE, compute=compute)
    cache.get(inner)
    cache.get(sma(9))
    cache.get(sma(3, inner))  # both slots are taken: sma(9), the more recent before this, has to go
    assert kept == [True]
    assert cache.stats()["computed"] == ["sma(close,2)", "sma(close,9)", "sma(sma(close,2),3)"]
    cache.get(inner)
    assert figures(cache, "evictions", "bytes") == (1, 2 * ONE)


def test_a_budget_of_one_array_still_computes_chains() -> None:
    cache = make(budget=ONE)
    cache.get(sma(3, sma(2)))
    assert figures(cache, "evictions", "bytes", "peak_bytes") == (1, ONE, 2 * ONE)


def test_what_never_fits_is_computed_and_not_kept() -> None:
    cache = make(budget=ONE - 1)
    assert cache.get(sma(5)) is not cache.get(sma(5))
    assert figures(cache, "hits", "misses", "evictions", "bytes", "peak_bytes") == (0, 2, 0, 0, ONE)
    assert len(make(budget=0).get(sma(3, sma(2)))) == BARS


def test_a_failed_computation_leaves_the_cache_as_it_was() -> None:
    def compute(name: str, inputs: tuple[Any, ...], first: int, params: tuple[float, ...]) -> Any:
        if first:
            raise MemoryError
        return reference.compute(name, inputs, first, params)

    cache = make(budget=ONE, compute=compute)
    with pytest.raises(MemoryError):
        cache.get(sma(3, sma(2)))
    assert cache.stats()["computed"] == ["sma(close,2)"]
    cache.get(sma(4))  # the input of the failed one is not held any more
    assert figures(cache, "evictions", "bytes") == (1, ONE)


def test_other_data_is_refused() -> None:
    cache = make()
    cache.check("digest", columns())
    with pytest.raises(DataError, match="serves data set digest, got columns of another"):
        cache.check("another", columns())
    with pytest.raises(DataError, match="of 100 bars, got column open of 99 bars"):
        cache.check("digest", columns(99))
    with pytest.raises(DataError, match="of 100 bars, got column close of 99 bars"):
        IndicatorCache(reference.compute, {"open": np.ones(100), "close": np.ones(99)}, "digest", "host", ONE)
    with pytest.raises(DataError, match="columns of float64, got column close of float32"):
        IndicatorCache(reference.compute, {"close": np.ones(9, np.float32)}, "digest", "host", ONE)


def test_the_key_names_the_data_the_type_and_the_device() -> None:
    assert make().key(sma(5)) == ("digest", sma(5), "float64", "host")


def test_a_column_that_the_bars_lack_is_named() -> None:
    cache = IndicatorCache(reference.compute, {"close": np.ones(9)}, "digest", "host", ONE)
    with pytest.raises(ConfigError, match="the bars have no column 'volume'; accepted: close"):
        cache.get(sma(3, Series("volume")))


def test_no_bars() -> None:
    cache = IndicatorCache(reference.compute, {"close": np.empty(0)}, "digest", "host", ONE)
    assert len(cache.get(sma(5))) == 0


@dataclass
class DeviceArray:
    """An array that is not NumPy's: only what the cache may use."""

    length: int
    nbytes: int = ONE
    dtype: str = "float64"

    def __len__(self) -> int:
        return self.length


def test_arrays_of_a_device_are_kept_by_their_bytes() -> None:
    def compute(name: str, inputs: tuple[Any, ...], first: int, params: tuple[float, ...]) -> DeviceArray:
        return DeviceArray(BARS)

    cache = IndicatorCache(compute, {"close": DeviceArray(BARS)}, "digest", "cuda:0", ONE)
    assert cache.get(sma(2)) is cache.get(sma(2))
    cache.get(sma(3))
    assert figures(cache, "hits", "misses", "evictions", "bytes") == (1, 2, 1, ONE)
