"""Reference == numba == host-built CUDA (== CUDA where a device answers), in both modes, to the bit, over generated inputs."""

from __future__ import annotations

from typing import Any

import cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpubt.backends.base import Backend
from gpubt.metrics import reference as account
from gpubt.simulate import layout as k

SIZES = (1, 2, 3, 5, 63, 64, 65, 128, 200, 500)


def bits(rows: np.ndarray, name: str) -> np.ndarray:
    """Bit patterns, with -0.0 as 0.0 and one NaN."""
    values = rows[name].copy()
    if values.dtype.kind == "f":
        values += 0.0
        values[np.isnan(values)] = np.nan
    return values.view(np.int64)


def assert_same(want: np.ndarray, got: np.ndarray, what: str) -> None:
    assert len(want) == len(got), (what, len(want), len(got))
    for name in want.dtype.names or ():
        differ = np.flatnonzero(bits(want, name) != bits(got, name))
        assert not len(differ), (what, name, int(differ[0]), want[differ[0]], got[differ[0]])


def check(backend: Backend, seed: int, n: int, positions: str) -> None:
    """One generated case against the reference, in both modes."""
    rng = np.random.default_rng(seed)
    case, ends, risk_free = cases.case(rng, n, positions), cases.period_ends(rng, n), float(rng.choice([0.0, 1e-4]))
    want = case.reference()
    tally = account.tally(want.trades, want.equity, ends.tolist(), case.params["capital"], risk_free)
    for mode in ("event", "bar"):
        market, ledger = case.on(backend, mode)
        got, equity = backend.account(market, ledger, ends, cases.as_record(k.PARAMS, [case.params]), risk_free, mode)
        assert_same(cases.as_record(k.TRADE, want.trades), backend.trades(ledger), f"{positions} {mode} trade")
        assert ledger.skipped.tolist() == want.skipped
        assert_same(cases.as_record(k.TALLY, [tally]), got, f"{positions} {mode} tally")
        np.testing.assert_array_equal(equity, [want.equity[end] for end in ends])  # exact; overflow gives NaN in all


@pytest.mark.parametrize("positions", ["single", "overlapping", "list"])
@settings(max_examples=300)
@given(seed=st.integers(0, 2**32 - 1), n=st.sampled_from(SIZES))
def test_a_backend_equals_the_reference_to_the_bit(backend: Backend, positions: str, seed: int, n: int) -> None:
    check(backend, seed, n, positions)


@pytest.mark.parametrize("seed", range(4))
def test_blocks_of_4096_bars_are_skipped_without_a_trace(backend: Backend, seed: int) -> None:
    check(backend, seed, 20_000, "single")
    check(backend, 100 + seed, 9_000, "list")
    check(backend, 200 + seed, 9_000, "overlapping")


@pytest.mark.parametrize("shape", [(1, 1), (1, 32), (7, 96), (132, 256)])
def test_the_launch_shape_never_changes_a_bit(host_backend: Any, shape: tuple[int, int]) -> None:
    for seed in range(10):
        check(host_backend(shape), seed, 300, ("single", "list", "overlapping")[seed % 3])


def test_the_c_structs_are_the_records() -> None:
    from gpubt.resources import kernel_sources

    assert k.c_structs() in kernel_sources()["common.cuh"]


def test_the_header_has_the_codes_of_the_layout() -> None:
    import re

    from gpubt.resources import kernel_sources

    text = kernel_sources()["common.cuh"]
    for enum in re.findall(r"^enum \{ (.*) \};", text, re.M):
        value = -1
        for item in enum.split(", "):
            name, _, number = item.partition(" = ")
            value = int(number) if number else value + 1
            assert getattr(k, name) == value, name
