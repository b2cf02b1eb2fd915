"""Several steps of arithmetic in one pass: to the bit what one step after the other gives, on every backend."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_compounds import CLOSE, bars, compound, values

from gpubt.backends.base import Backend
from gpubt.backends.cpu import CpuBackend
from gpubt.backends.cuda import CudaBackend
from gpubt.indicators import reference
from gpubt.indicators.cache import IndicatorCache
from gpubt.indicators.definitions import COMPOUNDS, first_valid
from gpubt.indicators.elements import ELEMENTS
from gpubt.indicators.fused import LAG, LEAVES, STEPS, STEPWISE, fused
from gpubt.indicators.series import Series

N = 3000


def fusing(backend: Backend, one: Series) -> tuple[np.ndarray, list[str]]:
    """Its values where steps are put together, and what was computed."""
    columns = {name: backend.place(column) for name, column in bars(N).items()}
    kept = IndicatorCache(backend.indicator, columns, "data", "here", 2**30, fuse=backend.fused)
    return backend.fetch(kept.get(one)), kept.stats()["computed"]


@cache
def expected(one: Series) -> np.ndarray:
    return values(one, bars(N), reference.compute)


def same(backend: Backend, one: Series) -> None:
    np.testing.assert_array_equal(fusing(backend, one)[0].view(np.uint64), expected(one).view(np.uint64), str(one))


@pytest.mark.parametrize("name", sorted(COMPOUNDS))
def test_every_compound(name: str, host_backend: Callable[..., CudaBackend]) -> None:
    for threads in (1, 2):
        same(CpuBackend(threads), compound(name))
    same(host_backend(), compound(name))


LEAF = st.sampled_from([Series(name) for name in ("open", "high", "low", "close", "volume")] + [Series("sma", (CLOSE,), (5,))])
NUMBER = st.sampled_from([-1.0, 0.5, 2.0, 3.0])


def grown(inner: st.SearchStrategy[Series]) -> st.SearchStrategy[Series]:
    def element(name: str) -> st.SearchStrategy[Series]:
        definition = ELEMENTS[name]
        assert isinstance(definition.inputs, int)
        numbers = st.integers(0, 7) if name == LAG else NUMBER
        return st.builds(
            lambda x, p: Series(name, x, p), st.tuples(*[inner] * definition.inputs), st.tuples(*[numbers] * len(definition.params))
        )

    return st.one_of([element(name) for name in sorted({*STEPWISE, LAG})])


@settings(max_examples=150)
@given(st.recursive(LEAF, grown, max_leaves=12), st.integers(1, 3))
def test_trees(one: Series, threads: int) -> None:
    if not one.is_column:
        same(CpuBackend(threads), one)


@settings(max_examples=40)
@given(st.recursive(LEAF, grown, max_leaves=8))
def test_trees_on_a_device(one: Series) -> None:
    if not one.is_column:
        same(device(), one)


@cache
def device() -> CudaBackend:
    from host_runtime import HostRuntime, compiler

    if not compiler():
        pytest.skip("no C++ compiler")
    return CudaBackend(HostRuntime())


def test_few_arrays_are_made() -> None:
    assert len(fusing(CpuBackend(), compound("adx", (14,)))[1]) < 10


def test_what_is_kept_is_not_made_again() -> None:
    high, low = Series("high"), Series("low")
    both = Series("plus", (high, low), (1.0,))
    middle = Series("linear", (both,), (0.5, 0.0))
    program = fused(middle, lambda series: False)
    assert program is not None and [leaf.series for leaf in program.leaves] == [high, low] and len(program.steps) == 2
    assert fused(middle, lambda series: series == both) is None  # then it is one step over what is there
    typical = Series("over", (Series("plus", (both, CLOSE), (1.0,)),), (3.0,))
    program = fused(typical, lambda series: series == both)
    assert program is not None and [leaf.series for leaf in program.leaves] == [both, CLOSE]


def test_what_is_too_large_is_made_step_by_step() -> None:
    one = CLOSE
    for i in range(STEPS + 1):
        one = Series("linear", (one,), (1.5, float(i)))
    assert fused(one, lambda series: False) is None
    same(CpuBackend(), one)
    wide = Series("sma", (CLOSE,), (2,))
    for length in range(3, LEAVES + 4):
        wide = Series("plus", (wide, Series("sma", (CLOSE,), (length,))), (1.0,))
    assert fused(wide, lambda series: False) is None
    same(CpuBackend(), wide)
    assert fused(Series("plus", (CLOSE, Series("open")), (1.0,)), lambda series: False) is None  # one step
    assert first_valid(wide) == LEAVES + 2
