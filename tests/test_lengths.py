"""Many lengths of an indicator at once: what each is alone, to the bit, everywhere and in any launch shape, in the launches of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_indicators import COUNTS, KINDS, SHAPES, same_bits, walk

from gpubt.backends import cuda_indicators
from gpubt.indicators import reference
from gpubt.indicators.cache import IndicatorCache
from gpubt.indicators.definitions import series
from gpubt.indicators.series import COLUMNS, Series
from gpubt.phases import part, profiled_by

NAMES = sorted(cuda_indicators.LENGTHS)
EDGES = (2, 3, 15, 16, 17, 31, 32, 33, 48, 49, 241, 511, 512, 1023, 1024, 1025)  # of tiles and blocks

Works = list[tuple[str, tuple[Any, ...], int, tuple[int, ...]]]


@st.composite
def works(draw: st.DrawFn) -> Works:
    """Calls of one or two indicators over the same bars; warm-up and number of bars are round the edges of what a lane, a warp and a block
    take."""
    first, longest = draw(st.sampled_from([0, 0, 1, 13, 199])), draw(st.sampled_from(EDGES))
    lengths = draw(st.lists(st.sampled_from([*(n for n in EDGES if n <= longest), longest // 2 + 1]), min_size=1, max_size=8, unique=True))
    blocks = draw(st.sampled_from([1, 2, 3, 5, 9, 31, 32, 33, 40])) * draw(st.sampled_from([longest, 16, 64, 1024]))
    bars = max(0, first + longest + min(blocks, 7000) + draw(st.integers(-2, 2)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    make = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    x, y, z = (make(rng, bars) for _ in range(3))
    columns = np.maximum(x, z), np.minimum(y, z), z
    for column in columns:
        column[:first] = np.nan
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2))
    return [(name, columns[-COUNTS[name] :], first, (n,)) for n in lengths for name in names]


@settings(deadline=None, max_examples=100)
@given(work=works())
def test_lengths_together_are_the_reference(host_backend: Callable[..., Any], work: Works) -> None:
    expected = [reference.compute(*one) for one in work]
    for shape in SHAPES:
        backend = host_backend(shape)
        placed = {id(x): backend.place(x) for one in work for x in one[1]}
        given = [(name, tuple(placed[id(x)] for x in inputs), first, params) for name, inputs, first, params in work]
        for got, wanted in zip(backend.together(given, len(work[0][1][0])), expected, strict=True):
            same_bits(backend.fetch(got), wanted)


def test_lengths_together_on_every_backend(backend: Any) -> None:
    """More warps than a launch has, rows of windows that are not full, and lengths that warm up for all of the bars."""
    bars = 40_007
    x = np.round(walk(np.random.default_rng(3), bars), 2)
    columns = x + 0.25, x - 0.5, x
    calls = [(name, columns[-COUNTS[name] :], 0, (n,)) for name in NAMES for n in (5, 16, 21, 200, 1300, bars, bars + 1)]
    placed = {id(column): backend.place(column) for column in columns}
    given = [(name, tuple(placed[id(column)] for column in inputs), first, params) for name, inputs, first, params in calls]
    for got, call in zip(backend.together(given, bars), calls, strict=True):
        same_bits(backend.fetch(got), reference.compute(*call))


@pytest.mark.parametrize(("name", "launches"), [("sma", 1), ("stddev", 1), ("lowest", 1), ("ema", 3), ("atr", 4), ("rsi", 4)])
def test_many_lengths_are_launched_once(host_backend: Callable[..., Any], name: str, launches: int) -> None:
    backend = host_backend()
    columns = tuple(backend.place(walk(np.random.default_rng(1), 3000)) for _ in range(COUNTS[name]))
    for lengths in ((7,), (7, 8, 8, 30)):
        backend.launches()
        made = backend.together([(name, columns, 0, (n,)) for n in lengths], 3000)
        assert sum(own["calls"] for own in backend.launches().values()) == launches and len(made) == len(lengths)


def test_what_is_not_alike_is_computed_apart(host_backend: Callable[..., Any]) -> None:
    backend = host_backend()
    x, y = (backend.place(walk(np.random.default_rng(i), 300)) for i in range(2))
    work = [("sma", (x,), 0, (5,)), ("sma", (y,), 0, (5,)), ("sma", (x,), 2, (5,)), ("plus", (x, y), 0, (2.0,)), ("sma", (x,), 0, (6,))]
    for got, call in zip(backend.together(work, 300), work, strict=True):
        same_bits(got, reference.compute(*call))


class Watcher:
    """What a profiled run reports to."""

    def enter(self, name: str) -> None:
        """A part begins."""

    def leave(self) -> None:
        """It ends."""


def test_a_sweeps_indicators_are_made_in_few_launches_and_counted_once_each(host_backend: Callable[..., Any]) -> None:
    backend, bars = host_backend(), 2000
    columns = {name: backend.place(walk(np.random.default_rng(1), bars)) for name in COLUMNS}
    wanted = [series(name, [Series("close")], [n]) for name in ("sma", "ema") for n in range(5, 25)]
    cache = IndicatorCache(backend.indicator, columns, "digest", "host", 8 * bars * len(wanted))
    with profiled_by(Watcher()), part("sweep"):
        cache.prepare(wanted, lambda work: backend.together(work, bars))
    assert {name: own["calls"] for name, own in backend.launches().items()} == {
        name: 1 for name in ("window_mean", "smooth_ends", "smooth_carry", "smooth_values")
    }
    stats = cache.stats()
    assert stats["misses"] == 40 and stats["computed"] == list(map(str, wanted)) and stats["bytes"] == 8 * bars * 40
    for one in wanted:
        same_bits(cache.get(one), reference.compute(one.name, (columns["close"],), 0, one.params))
