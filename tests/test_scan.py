"""Signals: the tree evaluated with NumPy == the mask program in numba == in host-built CUDA, to the bit, over generated rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from host_runtime import HostRuntime, compiler
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpubt.backends import cuda_scan
from gpubt.backends.base import Backend
from gpubt.backends.cpu import CpuBackend
from gpubt.backends.cuda import CudaBackend
from gpubt.backends.kernels import scan
from gpubt.config import Rules, Strategy
from gpubt.errors import ConfigError
from gpubt.indicators.series import Series
from gpubt.resources import folder
from gpubt.strategy import program as p
from gpubt.strategy.compile import Signals, compile_strategy
from gpubt.strategy.functions import READINGS
from gpubt.strategy.grammar import parse_rule
from gpubt.strategy.grid import grid
from gpubt.strategy.lower import lower
from gpubt.strategy.reference import evaluate

KEYS = ("long_entry", "long_exit", "short_entry", "short_exit")
SIZES = (1, 2, 63, 64, 65, 127, 128, 129, 500, 1023, 1024, 1025, 2048, 2049, 3000)
SHAPES = ((1, 1), (1, 32), (3, 64), (7, 96))
Masks = dict[str, NDArray[np.bool_]]
generated = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])

leaves = st.sampled_from(["open", "close", "ema(close, 3)", "rsi(close, 2)", "0", "1.5", "-2", "close", "ema(close, 3)"])
lags = st.sampled_from([0, 1, 2, 5, 63, 64, 65, 130])
spans = st.sampled_from([1, 2, 3, 7, 64, 100])
numbers = st.recursive(
    leaves,
    lambda x: st.one_of(
        st.builds("({} {} {})".format, x, st.sampled_from("+-*/"), x),
        st.builds("-{}".format, x),
        st.builds("abs({})".format, x),
        st.builds("{}({}, {})".format, st.sampled_from(["max", "min"]), x, x),
        st.builds("shift({}, {})".format, x, lags),
    ),
    max_leaves=4,
)
operators = st.sampled_from([">", ">=", "<", "<=", "==", "!="])
comparisons = st.one_of(
    st.builds("{} {} {}".format, numbers, operators, numbers),
    st.builds("{} {} {} {} {}".format, numbers, operators, numbers, operators, numbers),
    st.builds(
        "{}({}, {}{})".format,
        st.sampled_from(["crosses_above", "crosses_below"]),
        numbers,
        leaves,
        st.sampled_from(["", ", strict", ", latched", ", reading=latched"]),
    ),
    st.builds("{}({}, {})".format, st.sampled_from(["rising", "falling"]), leaves, spans),
    st.builds("between({}, {}, {})".format, numbers, leaves, leaves),
    st.sampled_from(["True", "False"]),
)
rules = st.recursive(
    comparisons,
    lambda x: st.one_of(
        st.builds("({} {} {})".format, x, st.sampled_from(["and", "or"]), x),
        st.builds("(not {})".format, x),
        st.builds("shift({}, {})".format, x, lags),
        st.builds("within({}, {})".format, x, spans),
    ),
    max_leaves=5,
)
maybe = st.one_of(st.none(), rules)


class Arrays(dict[Series, NDArray[np.float64]]):
    """Seeded values for any series: ties, zeros of both signs, an indicator's warm-up, a rare NaN after it."""

    def __init__(self, n: int, seed: int) -> None:
        super().__init__()
        self.n, self.seed = n, seed

    def __missing__(self, series: Series) -> NDArray[np.float64]:
        rng = np.random.default_rng([self.seed, *str(series).encode()])
        values = rng.integers(-2, 4, self.n) * rng.choice([0.5, -0.5, 1.0])
        if not series.is_column:
            values[: rng.integers(0, 12)] = np.nan
            values[rng.random(self.n) < 0.01] = np.nan
        self[series] = values
        return values


def unpacked(mask: NDArray[np.uint64], n: int) -> NDArray[np.bool_]:
    """The bars of a mask, after a look at the bits past the end."""
    assert mask.shape == (p.words(n),)
    assert mask.dtype == np.uint64
    bits = np.unpackbits(mask.view(np.uint8), bitorder="little").astype(bool)
    assert not bits[n:].any()
    return bits[:n]


def packed(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    padded = np.zeros(p.words(len(bits)) * 64, bool)
    padded[: len(bits)] = bits
    return np.packbits(padded, bitorder="little").view(np.uint64)


def numba_compare(threads: int, code: Any, constants: Any, series: Any, n: int) -> NDArray[np.uint64]:
    return scan.compare(code, constants, series, n, threads)


@cache
def backends() -> dict[str, tuple[Callable[..., Any], Callable[..., Any]]]:
    """compare and combine, both with the number of bars last, by name."""
    found: dict[str, Any] = {f"numba, {threads} parts": (partial(numba_compare, threads), scan.combine) for threads in (1, 2)}
    for shape in SHAPES if compiler() else ():
        runtime = HostRuntime(shape)
        found[f"host {shape}"] = (partial(cuda_scan.compare, runtime), partial(cuda_scan.combine, runtime))
    return found


def scanned(name: str, signals: Signals, arrays: Mapping[Series, NDArray[np.float64]], n: int) -> Masks:
    """The signals that backend `name` finds."""
    compare, combine = backends()[name]
    masks = p.run(
        lower(signals), lambda series: [arrays[one] for one in series], lambda *args: compare(*args, n), lambda *args: combine(*args, n)
    )
    assert list(masks) == [key for key in KEYS if getattr(signals, key) is not None]
    return {key: unpacked(masks[key], n) if key in masks else np.zeros(n, bool) for key in KEYS}


def compiled(texts: tuple[str | None, ...]) -> Signals:
    """The signals of four rules; assumes that they are no more than the grammar takes."""
    try:
        return Signals(*(None if text is None else parse_rule(text, {}) for text in texts))
    except ConfigError as error:
        assume(not re.search("division by zero|too complex", str(error)))
        raise


def check(signals: Signals, n: int, seed: int) -> Masks:
    """Every backend against the reference."""
    arrays = Arrays(n, seed)
    want = evaluate(signals, arrays.__getitem__, n)
    for name in backends():
        got = scanned(name, signals, arrays, n)
        for key in KEYS:
            differ = np.flatnonzero(got[key] != want[key])
            assert not len(differ), (name, key, n, differ[:5])
    for name, backend in whole_backends().items():
        for member in gridded(backend, signals, arrays, n):
            for key in KEYS:
                assert (member[key] == want[key]).all(), (name, key, n)
    return want


@cache
def whole_backends() -> dict[str, Backend]:
    """By name, those that can do many programs at once."""
    hosts = {f"host {shape}": CudaBackend(HostRuntime(shape)) for shape in SHAPES} if compiler() else {}
    return {"numba": CpuBackend(1), **hosts}


def gridded(backend: Backend, signals: Signals, arrays: Mapping[Series, NDArray[np.float64]], n: int) -> list[Masks]:
    """The signals as three members of a grid of programs."""
    found = backend.scan_grid(grid(lower(signals), []), [0, 0, 0], lambda series: [arrays[one] for one in series], n)
    return [{key: unpacked(np.ascontiguousarray(member[key]), n) for key in KEYS} for member in found]


@settings(generated, max_examples=250)
@given(st.tuples(rules, maybe, maybe, maybe), st.sampled_from(SIZES), st.integers(0, 2**32))
def test_every_backend_equals_the_reference(texts: tuple[str | None, ...], n: int, seed: int) -> None:
    check(compiled(texts), n, seed)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(
    "text",
    [
        "not close > 1",
        "not rsi(close, 2) > 1",
        "shift(close, 1) != close",
        "within(not rsi(close, 2) > 1, 70)",
        "rising(rsi(close, 2), 3) or close > 2",
        "shift(shift(close, 64) > 0, 64)",
        "shift(not ema(close, 3) > close, 1025)",
        "(close - close) / (open - open) != 1",
        "not (close / 0.5 - (open / 0.25 - (open - (close - (open - (close - (open - 1)))))) > 0)",
        "1 / (0 * -close) > 0 or 1 / abs(0 * -close) < 0",
        "1 / max(0 * -close, 0 * open) > 0 or 1 / min(0 * close, 0 * -open) < 0",
        "max((close - close) / (open - open), close) > 0 or min(close, 0 / (open - open)) < 1",
        "True",
        "False or not close > 9",
    ],
)
def test_at_the_edges_of_words_and_tiles(text: str, n: int) -> None:
    check(compiled((text, "close < 0", "open > 0", None)), n, 7)


def test_means_what_the_contract_says() -> None:
    """Worked by hand: warm-up, ties, and who wins on one bar."""
    a, b = Series("close"), Series("ema", (Series("close"),), (3,))
    arrays = {a: np.array([5.0, 5, 1, 2, 3, 3, 1, 4]), b: np.array([np.nan, 2, 2, 2, 2, 3, 3, 3])}

    def bars(*texts: str | None) -> list[list[int]]:
        signals = compiled((*texts, *[None] * (4 - len(texts))))
        want = evaluate(signals, arrays.__getitem__, 8)
        got = scanned("numba, 1 parts", signals, arrays, 8)
        assert all((got[key] == want[key]).all() for key in KEYS)
        return [np.flatnonzero(want[key]).tolist() for key in KEYS]

    assert bars("crosses_above(close, ema(close, 3))")[0] == [4, 7]
    assert bars("crosses_below(close, ema(close, 3))")[0] == [2, 6]
    assert bars("crosses_above(close, ema(close, 3), strict)")[0] == [7]
    assert bars("crosses_above(close, ema(close, 3), latched)")[0] == [4, 7]
    assert bars("crosses_below(close, ema(close, 3), strict)")[0] == [2]
    assert bars("crosses_below(close, ema(close, 3), latched)")[0] == [2, 6]
    assert bars("not close > ema(close, 3)")[0] == [2, 3, 5, 6]
    assert bars("shift(not close > ema(close, 3), 1)")[0] == [3, 4, 6, 7]
    assert bars("within(close == 5, 2)")[0] == [1, 2]
    assert bars("within(close > ema(close, 3), 2)")[0] == [2, 4, 5, 7]
    assert bars("rising(close, 2)")[0] == [4]
    assert bars("falling(close)")[0] == [2, 6]
    assert bars("shift(close, 2) > close")[0] == [2, 3, 6]
    assert bars("close >= 3", "close == 3", "close == 4", "close == 1") == [[0, 1], [4, 5], [], [2, 6]]


def test_readings_of_a_crossing() -> None:
    """Touches from below, and a gap in the numbers: a > b on 1, 4, 6, 9; a < b on 0, 3, 8; equal on 2, 5; NaN on 7."""
    a = np.array([1.0, 3, 2, 1, 3, 2, 3, np.nan, 1, 3])
    arrays = {Series("ema", (Series("close"),), (3,)): a, Series("close"): np.full(10, 2.0)}

    def bars(name: str, reading: str, key: str) -> list[int]:
        text = f"{name}(ema(close, 3), close{reading})"
        signals = Signals(parse_rule(text, {}, cross=key), None, None, None)
        want = evaluate(signals, arrays.__getitem__, 10)["long_entry"]
        for backend in backends():
            np.testing.assert_array_equal(scanned(backend, signals, arrays, 10)["long_entry"], want)
        return np.flatnonzero(want).tolist()

    assert [bars("crosses_above", "", key) for key in READINGS] == [[1, 4, 6, 9], [1, 4, 9], [1, 4, 9]]
    assert [bars("crosses_below", "", key) for key in READINGS] == [[3], [], [3, 8]]
    a[[0, 3]] = np.nan, 2.0
    assert [bars("crosses_above", f", {reading}", "strict") for reading in READINGS] == [[4, 6, 9], [9], [9]]
    a[8] = 2.0
    assert [bars("crosses_below", f", reading={reading}", "latched") for reading in READINGS] == [[], [], []]


@settings(generated, max_examples=60)
@given(st.tuples(rules, maybe, maybe, maybe), st.sampled_from(SIZES[2:9]), st.integers(0, 2**32), st.data())
def test_the_future_never_changes_a_signal(texts: tuple[str | None, ...], n: int, seed: int, data: st.DataObject) -> None:
    signals = compiled(texts)
    now = data.draw(st.integers(0, n - 1))
    arrays, others = Arrays(n, seed), Arrays(n, seed + 1)
    joined = {series: np.concatenate([arrays[series][: now + 1], others[series][now + 1 :]]) for series in signals.series()}
    want, got = evaluate(signals, arrays.__getitem__, n), evaluate(signals, joined.__getitem__, n)
    found = scanned("numba, 2 parts", signals, joined, n)
    for key in KEYS:
        assert (want[key][: now + 1] == got[key][: now + 1]).all()
        assert (want[key][: now + 1] == found[key][: now + 1]).all()


def latched(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Bar by bar: a, where the last earlier bar with either had b."""
    out, state = np.zeros(len(a), bool), False
    for t in range(len(a)):
        out[t] = a[t] and state
        state = bool(b[t] or (state and not a[t]))
    return out


@pytest.mark.parametrize("share", [0.5, 0.01, 0.0003, 0.0])
@pytest.mark.parametrize("n", [1, 64, 2048, 2049, 20_000])
def test_a_latch_remembers_over_words_and_chunks(n: int, share: float) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.random(n) < share, rng.random(n) < share
    a[-1] = b[0] = True
    for name, (_, combine) in backends().items():
        np.testing.assert_array_equal(unpacked(combine("latch", packed(a), packed(b), 0, n), n), latched(a, b), name)


@pytest.mark.parametrize("n", [1, 64, 100, 640])
@pytest.mark.parametrize("k", [0, 1, 63, 64, 65, 128, 1000])
def test_mask_operations(n: int, k: int) -> None:
    rng = np.random.default_rng(n * 1001 + k)
    a, b = rng.random(n) < 0.5, rng.random(n) < 0.5
    moved, alone = np.zeros(n, bool), np.zeros(n, bool)
    if k < n:
        moved[k:], alone[k:] = b[: n - k], a[: n - k]
    want = {"and": a & moved, "or": a | moved, "andnot": a & ~moved, "not": ~a, "shift": alone, "latch": latched(a, moved)}
    assert tuple(want) == p.COMBINE
    for name, (_, combine) in backends().items():
        for op, bits in want.items():
            second = packed(b) if op not in ("not", "shift") else None
            assert (unpacked(combine(op, packed(a), second, k, n), n) == bits).all(), (name, op)


def test_equal_parts_are_computed_once() -> None:
    cross = Strategy(long=Rules("crosses_above(ema(close, 2), ema(close, 5))", "crosses_below(ema(close, 2), ema(close, 5))"))
    cross.short = Rules(cross.long.exit, cross.long.entry)
    program = lower(compile_strategy(cross))
    assert len(program.compares) == 1  # one pass over the two averages
    assert len(program.compares[0].targets) == 4  # > <= < >=
    assert [step.op for step in program.combines] == ["and", "and", "andnot", "andnot", "andnot", "andnot"]
    by_hand = "ema(close, 2) > ema(close, 5) and shift(ema(close, 2), 1) <= shift(ema(close, 5), 1)"
    assert lower(compiled((by_hand, None, None, None))) == lower(compiled((cross.long.entry, None, None, None)))


def test_validity_is_computed_only_where_nothing_implies_it() -> None:
    def checks(text: str) -> int:
        return sum(row[0] == p.VALID for step in lower(compiled((text, None, None, None))).compares for row in step.code)

    assert checks("crosses_above(close, open) and rising(high, 9)") == 0
    assert checks("crosses_above(close, open, latched)") == 0
    assert checks("close > open or (close > 1 and open > 1)") == 0
    assert checks("close > open or close > 1") == 1
    assert checks("not close > open") == 2
    assert checks("close != open and close > 1") == 1
    assert checks("close > open and shift(not close > 1, 1)") == 1


def test_kernels_have_the_codes_of_the_program() -> None:
    source = (folder("kernels") / "scan.cu").read_text()
    codes, operations = re.findall(r"enum \{ (.*?) \};", source)
    assert codes.split(", ") == [f"OP_{name}" for name in p.OPCODES]
    assert operations.split(", ") == [f"MASK_{name.upper()}" for name in p.COMBINE]
    assert f"LATCH_CHUNK = {cuda_scan.LATCH_CHUNK}," in source
