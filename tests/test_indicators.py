"""Indicators: the reference == numba in any number of parts == host-built CUDA in any launch shape, to the bit; and what they promise."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from math import fsum, sqrt
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
from host_runtime import HostRuntime, compiler

from gpubt.backends import cuda_indicators
from gpubt.errors import ConfigError
from gpubt.indicators import reference
from gpubt.indicators.definitions import COMPUTED, DEFINITIONS, Definition, first_valid, series
from gpubt.indicators.series import Series

Floats = NDArray[np.float64]
SHAPES = ((1, 1), (1, 32), (3, 64), (7, 96))
LENGTHS = (1, 2, 3, 5, 14, 20, 64, 200, 1023, 1024, 1025, 2000)
GENERATED = settings(deadline=None, derandomize=True, max_examples=150, suppress_health_check=list(HealthCheck))
NAMES = sorted(COMPUTED)
COUNTS = {name: len(d.inputs) if isinstance(d.inputs, tuple) else d.inputs for name, d in COMPUTED.items()}
CLOSE = Series("close")


def walk(rng: np.random.Generator, n: int) -> Floats:
    return 100.0 + np.cumsum(rng.normal(size=n)) * 0.1


KINDS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "walk": walk,
    "ties": lambda rng, n: np.round(walk(rng, n), 1),
    "runs": lambda rng, n: np.repeat(walk(rng, n), rng.integers(1, 60, n))[:n],
    "constant": lambda rng, n: np.full(n, rng.normal() * 1e5),
    "signs": lambda rng, n: rng.choice([-1.0, -0.0, 0.0, 1.0, 2.5], n),
    "extremes": lambda rng, n: rng.choice([-1.0, 1.0], n) * 10.0 ** rng.integers(-100, 100, n) * rng.random(n),
    "flat start": lambda rng, n: np.concatenate([np.full(n // 2, 7.0), walk(rng, n - n // 2)]),
}


def compute_numba(name: str, inputs: tuple[Floats, ...], first: int, params: tuple[float, ...], threads: int = 2) -> Floats:
    import numba

    from gpubt.backends.kernels import indicators

    before = numba.get_num_threads()
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    try:
        return indicators.compute(name, inputs, first, params, threads)
    finally:
        numba.set_num_threads(before)


def compute_host(shape: tuple[int, int], name: str, inputs: tuple[Floats, ...], first: int, params: tuple[float, ...]) -> Floats:
    runtime = HostRuntime(shape)
    arrays = tuple(map(runtime.to_device, inputs))
    return runtime.to_host(cuda_indicators.compute(runtime, name, arrays, len(inputs[0]), first, params))


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest) -> Callable[..., Floats]:
    if compiler() is None:
        reason = "no host C++ compiler: the CUDA sources were not run"
        (pytest.fail if request.config.getoption("--require-host-kernels", False) else pytest.skip)(reason)
    return compute_host


def same_bits(got: Floats, expected: Floats) -> None:
    assert got.dtype == np.float64 and len(got) == len(expected)
    np.testing.assert_array_equal(got.view(np.uint64), expected.view(np.uint64))


def parameters(definition: Definition, length: int, other: float) -> tuple[float, ...]:
    """`length` first where that is what it takes; `other` for the rest."""
    values = [length if p.whole and i == 0 else int(abs(other) * 10) if p.whole else other for i, p in enumerate(definition.params)]
    return tuple(max(value, p.minimum) for value, p in zip(values, definition.params, strict=True))


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, tuple[Floats, ...], int, tuple[float, ...]]:
    name = draw(st.sampled_from(NAMES))
    n = max(draw(st.one_of(st.sampled_from(LENGTHS), st.integers(1, 300))), 2 if name == "stddev" else 1)
    params = parameters(COMPUTED[name], n, draw(st.sampled_from([2.0, -1.0, 0.1, 1 / 3, -7.3])))
    first = draw(st.sampled_from([0, 0, 1, 13, 199]))
    near = st.builds(
        lambda unit, k, off: max(0, min(first + unit * k + off, 9000)), st.sampled_from([n, 1024]), st.integers(0, 9), st.integers(-2, 2)
    )
    bars = draw(st.one_of(st.integers(0, 3000), near))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    make = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    inputs = tuple(make(rng, bars) for _ in range(COUNTS[name]))
    if name == "atr":
        inputs = np.maximum(inputs[0], inputs[2]), np.minimum(inputs[1], inputs[2]), inputs[2]
    for x in inputs:
        x[:first] = np.nan
    return name, inputs, first, params


@GENERATED
@given(cases())
def test_numba_is_the_reference(case: tuple[str, tuple[Floats, ...], int, tuple[float, ...]]) -> None:
    name, inputs, first, params = case
    expected = reference.compute(*case)
    begin = first + COMPUTED[name].warmup(params)
    assert np.isnan(expected[:begin]).all() and np.isfinite(expected[begin:]).all()
    for threads in (1, 2, 3):
        same_bits(compute_numba(name, inputs, first, params, threads), expected)


@GENERATED
@given(case=cases())
def test_cuda_is_the_reference(host: Callable[..., Floats], case: tuple[str, tuple[Floats, ...], int, tuple[float, ...]]) -> None:
    expected = reference.compute(*case)
    for shape in SHAPES:
        same_bits(host(shape, *case), expected)


@pytest.mark.parametrize("name", NAMES)
def test_many_blocks_are_the_same_everywhere(host: Callable[..., Floats], name: str) -> None:
    bars = 70_001
    rng = np.random.default_rng(3)
    x = np.round(walk(rng, bars), 2)
    inputs = (x + rng.random(bars), x - rng.random(bars), x) if COUNTS[name] == 3 else (x, x[::-1].copy())[: COUNTS[name]]
    for n in (2, 14, 1000):
        params = parameters(COMPUTED[name], n, n / 3)
        expected = reference.compute(name, inputs, 0, params)
        same_bits(host((7, 96), name, inputs, 0, params), expected)
        for threads in (1, 2, 5):
            same_bits(compute_numba(name, inputs, 0, params, threads), expected)


def test_few_bars_are_worked_by_one_thread() -> None:
    from gpubt.backends.cpu import PARALLEL, CpuBackend

    backend, x = CpuBackend(2), np.round(walk(np.random.default_rng(8), PARALLEL), 1)
    before = numba.get_num_threads()
    for n, threads in ((PARALLEL - 1, 1), (PARALLEL, backend.threads)):
        with backend._parts(n) as parts:
            assert parts == threads == numba.get_num_threads()
        assert numba.get_num_threads() == before  # a user's own compiled code has the threads that it had
    for name in ("sma", "ema"):
        same_bits(backend.indicator(name, (x,), 0, (20,))[:-1], backend.indicator(name, (x[:-1],), 0, (20,)))


@pytest.mark.parametrize("own", [None, "active"])
def test_starting_threads_leaves_the_environment_alone(monkeypatch: pytest.MonkeyPatch, own: str | None) -> None:
    from gpubt.backends.cpu import CpuBackend

    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if own:
        monkeypatch.setenv("OMP_WAIT_POLICY", own)
    CpuBackend(1)
    assert os.environ.get("OMP_WAIT_POLICY") == own


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bars", [0, 1, 5, 40])
def test_a_series_shorter_than_the_warm_up_is_nan(host: Callable[..., Floats], name: str, bars: int) -> None:
    inputs = tuple(np.full(bars, 3.0) for _ in range(COUNTS[name]))
    for params in (parameters(COMPUTED[name], 41, 1.0), parameters(COMPUTED[name], 10**15, 1.0)):
        if COMPUTED[name].warmup(params) < bars:
            continue  # no length in it
        expected = np.full(bars, np.nan)
        same_bits(reference.compute(name, inputs, 0, params), expected)
        same_bits(compute_numba(name, inputs, 0, params), expected)
        same_bits(host((3, 64), name, inputs, 0, params), expected)


@pytest.mark.parametrize("name", ["sma", "ema", "wma", "highest", "lowest", "atr", "stddev"])
@pytest.mark.parametrize("value", [1.1, 60000.01, 1e-7])
def test_a_constant_series_gives_the_constant_exactly(name: str, value: float) -> None:
    x = np.full(5000, value)
    for n in (2, 7, 20, 333, 1024):
        got = compute_numba(name, (x, x, x) if name == "atr" else (x,), 0, (n,))
        exact = 0.0 if name in ("atr", "stddev") else value
        assert set(got[~np.isnan(got)].tolist()) == {exact}


def test_a_flat_stretch_inside_a_moving_series_is_exact() -> None:
    rng = np.random.default_rng(11)
    x = np.concatenate([walk(rng, 2503), np.full(301, 97.3), walk(rng, 2000)])
    for n in (3, 20, 50):
        window = slice(2503 + n - 1, 2503 + 301)
        assert (compute_numba("sma", (x,), 0, (n,))[window] == 97.3).all()
        assert (compute_numba("wma", (x,), 0, (n,))[window] == 97.3).all()
        assert (compute_numba("stddev", (x,), 0, (n,))[window] == 0.0).all()


def test_an_outlier_is_forgotten() -> None:
    x = np.full(1000, 0.1)
    x[500] = 1e15
    for name in ("sma", "wma"):
        assert (compute_numba(name, (x,), 0, (20,))[520:] == 0.1).all()


def test_extremes_have_no_negative_zero() -> None:
    for name in ("highest", "lowest"):
        assert not np.signbit(compute_numba(name, (np.full(100, -0.0),), 0, (3,))[2:]).any()


def test_nothing_drifts_over_seven_million_bars() -> None:
    rng = np.random.default_rng(5)
    x = 60_000.0 * np.exp(np.cumsum(rng.standard_normal(7_000_000) * 1e-4))
    for n in (20, 200):
        mean, deviation = compute_numba("sma", (x,), 0, (n,)), compute_numba("stddev", (x,), 0, (n,))
        weighted = compute_numba("wma", (x,), 0, (n,))
        for t in np.concatenate([rng.integers(n, len(x), 1000), [len(x) - 1]]):
            window = x[t - n + 1 : t + 1].tolist()
            exact = fsum(window) / n
            assert mean[t] == pytest.approx(exact, rel=1e-12, abs=0)
            assert weighted[t] == pytest.approx(fsum(w * v for w, v in enumerate(window, 1)) / (n * (n + 1) / 2), rel=1e-12, abs=0)
            spread = [value - window[-1] for value in window]
            variance = (fsum(d * d for d in spread) - fsum(spread) ** 2 / n) / n
            assert deviation[t] == pytest.approx(sqrt(variance), rel=1e-12, abs=0)


def test_indicators_of_indicators_warm_up_from_their_inputs() -> None:
    smooth = series("ema", [series("rsi", [CLOSE], [14])], [9])
    assert first_valid(smooth) == 14 + 8
    assert first_valid(series("sma", [series("atr", [], [5])], [3])) == 5 + 2
    assert first_valid(CLOSE) == 0
    x = np.round(walk(np.random.default_rng(4), 3000), 1)
    rsi = compute_numba("rsi", (x,), 0, (14,))
    got = compute_numba("ema", (rsi,), 14, (9,))
    assert np.isnan(got[:22]).all() and np.isfinite(got[22:]).all()
    same_bits(got[14:], reference.compute("ema", (rsi[14:],), 0, (9,)))


def test_inputs_of_other_layouts_are_taken() -> None:
    table = np.asfortranarray(np.round(np.random.default_rng(1).random((500, 4)), 3))
    x = table[:, 1]
    strided = np.ascontiguousarray(table)[:, 1]
    frozen = x.copy()
    frozen.flags.writeable = False
    for got in (strided, frozen):
        same_bits(compute_numba("sma", (got,), 0, (7,)), reference.compute("sma", (x,), 0, (7,)))


def test_canonical_series() -> None:
    assert series("atr", [], [14]) == series("atr", [Series("high"), Series("low"), CLOSE], [14.0])
    assert str(series("sma", [CLOSE], [20.0])) == "sma(close,20)"
    assert str(series("atr", [], [14])) == "atr(high,low,close,14)"
    assert DEFINITIONS["atr"].signature == "atr(length)" and DEFINITIONS["ema"].signature == "ema(x, length)"


MISTAKES: list[tuple[str, list[Series], list[Any], str]] = [
    ("ema", [CLOSE], [0], r"ema\(close, 0\): length must be an integer of at least 1, got 0"),
    ("ema", [CLOSE], [2.5], r"ema\(close, 2.5\): length must be an integer of at least 1, got 2.5"),
    ("ema", [CLOSE], [float("nan")], "length must be an integer"),
    ("ema", [CLOSE], [float("inf")], "length must be an integer"),
    ("ema", [CLOSE], [True], "length must be an integer"),
    ("stddev", [CLOSE], [1], r"stddev\(close, 1\): length must be an integer of at least 2, got 1"),
    ("ema", [CLOSE], [], r"ema\(close\): ema\(x, length\) takes 1 number, got 0"),
    ("ema", [CLOSE], [5, 6], r"takes 1 number, got 2"),
    ("ema", [], [5], r"ema\(5\): ema\(x, length\) takes 1 series, got 0"),
    ("ema", [CLOSE, CLOSE], [5], "takes 1 series, got 2"),
    ("ema", [Series("clsoe")], [5], r"unknown column 'clsoe'; accepted: .* \(did you mean close\?\)"),
    ("atr", [CLOSE], [14], r"atr\(close, 14\): atr always reads high, low, close; write atr\(length\)"),
    ("emma", [CLOSE], [14], r"unknown indicator 'emma'; accepted: .* \(did you mean ema\?\)"),
]


@pytest.mark.parametrize(("name", "inputs", "params", "message"), MISTAKES)
def test_mistakes_are_explained(name: str, inputs: list[Series], params: list[Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        series(name, inputs, params)
