"""Numbers made of rules: worked by hand, against loops over random rules on every backend, in sweeps."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from host_runtime import HostRuntime, compiler
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference_backend import ReferenceBackend
from test_scan import compiled, generated, rules

import gpubt
from gpubt.backends.base import Backend
from gpubt.backends.cpu import CpuBackend
from gpubt.backends.cuda import CudaBackend
from gpubt.compose import configuration
from gpubt.config import Config
from gpubt.data.bars import Bars
from gpubt.errors import ConfigError
from gpubt.indicators.cache import IndicatorCache
from gpubt.indicators.definitions import first_valid
from gpubt.indicators.series import Series
from gpubt.pipeline import run_backtest
from gpubt.strategy.expr import Load
from gpubt.strategy.grammar import parse_number, parse_rule
from gpubt.strategy.lower import lower
from gpubt.strategy.text import written

SIZES = (1, 2, 63, 64, 65, 500, 2047, 2048, 2049, 5000)
SHAPES = ((1, 1), (3, 64))


@cache
def backends() -> dict[str, Backend]:
    hosts = {f"host {shape}": CudaBackend(HostRuntime(shape)) for shape in SHAPES} if compiler() else {}
    return {"reference": ReferenceBackend(Config()), "numba": CpuBackend(1), **hosts}


def columns(n: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """Prices with many ties, so that rules hold rarely and often."""
    rng = np.random.default_rng(seed)
    return {name: rng.integers(-2, 4, n) * rng.choice([0.5, 1.0]) for name in ("open", "high", "low", "close", "volume")}


def made(backend: Backend, own: dict[str, NDArray[np.float64]]) -> IndicatorCache:
    on_device = {name: backend.place(column) for name, column in own.items()} if backend.name == "cuda" else own
    return IndicatorCache(backend.indicator, on_device, "digest", backend.device, 2**30)


def series(text: str) -> Series:
    found = parse_number(text, {})
    assert isinstance(found, Load), text
    return found.series


def values(name: str, one: Series, own: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.array(backends()[name].fetch(made(backends()[name], own).get(one)))


def held(text: str, own: dict[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Where a rule holds, by the numba backend."""
    n, cached = len(own["close"]), made(backends()["numba"], own)
    signals = compiled((text, None, None, None))
    mask = backends()["numba"].scan(lower(signals), lambda wanted: [cached.get(one) for one in wanted], n)["long_entry"]
    return np.unpackbits(mask.view(np.uint8), bitorder="little")[:n].astype(bool)


def test_by_hand() -> None:
    own = columns(9, 1) | {"close": np.array([1.0, 5, 5, 1, 1, 1, 5, 1, 5]), "open": np.full(9, 2.0)}
    nan = np.nan
    for name in backends():
        assert values(name, series("since(close > open)"), own).tolist() == [1, 0, 0, 1, 2, 3, 0, 1, 0]
        np.testing.assert_array_equal(values(name, series("since(shift(close, 2) > 4)"), own), [nan, nan, 1, 0, 0, 1, 2, 3, 0])
        np.testing.assert_array_equal(values(name, series("count(close > open, 3)"), own), [nan, nan, 2, 2, 1, 0, 1, 1, 2])
        np.testing.assert_array_equal(values(name, series("count(sma(close, 2) > 3, 2)"), own), [nan, nan, 1, 1, 0, 0, 0, 0, 0])
    assert np.flatnonzero(held("since(close > open) >= 2 and count(close > 0, 3) == 3", own)).tolist() == [4, 5]


@settings(generated, max_examples=60)
@given(rules, st.sampled_from(SIZES), st.integers(0, 2**32), st.sampled_from([1, 2, 3, 63, 64, 65, 200]))
def test_every_backend_equals_the_reference(rule: str, n: int, seed: int, length: int) -> None:
    compiled((rule, None, None, None))
    own = columns(n, seed)
    for text in (f"since({rule})", f"count({rule}, {length})"):
        try:
            found = parse_number(text, {})
        except ConfigError as error:
            assert "never holds" in str(error) or "too complex" in str(error) or "parts" in str(error)
            continue
        if not isinstance(found, Load):
            continue
        want = values("reference", found.series, own)
        assert np.isnan(want[: first_valid(found.series)]).all()
        assert not np.isnan(want[first_valid(found.series) :]).any()
        for name in backends():
            np.testing.assert_array_equal(values(name, found.series, own), want, name)


@settings(generated, max_examples=30)
@given(
    st.sampled_from(["close > ema(close, 3)", "crosses_above(close, open)", "not rsi(close, 2) > 50"]),
    st.integers(1, 70),
    st.integers(0, 99),
)
def test_agree_with_what_masks_say(rule: str, length: int, seed: int) -> None:
    own = columns(300, seed)
    np.testing.assert_array_equal(held(f"count({rule}, {length}) >= 1", own), held(f"within({rule}, {length})", own))
    np.testing.assert_array_equal(held(f"since({rule}) == 0", own), held(rule, own))
    by_since = held(f"since({rule}) < {length} and count({rule}, {length}) >= 0", own)
    np.testing.assert_array_equal(by_since, held(f"within({rule}, {length})", own))


@pytest.mark.parametrize(
    "text", ["since(count(close > open, 5) >= 3)", "sma(count(close > open, 1), 20)", "since(since(close > open) > 3)"]
)
def test_numbers_of_rules_of_numbers_of_rules(text: str) -> None:
    own = columns(400, 3)
    for name in backends():
        np.testing.assert_array_equal(values(name, series(text), own), values("reference", series(text), own))


@settings(generated, max_examples=100)
@given(rules)
def test_written_is_read_as_the_same(text: str) -> None:
    rule = compiled((text, None, None, None)).long_entry
    assert rule is not None
    assert parse_rule(written(rule), {}) == rule
    both = parse_rule("count(close > 1, 3) > max(since(rising(close, 2)), min(-close, 0.5)) / 2", {})
    assert parse_rule(written(both), {}) == both


def test_constants_and_what_never_holds() -> None:
    assert parse_rule("since(3 > 2) == 0 and count(True, 4) == 4 and count(False, 4) == 0", {}) == parse_rule("True", {})
    with pytest.raises(ConfigError, match=r"since\(\) of a rule that never holds at column 5"):
        parse_rule("1 > since(2 > 3)", {})
    with pytest.raises(ConfigError, match="needs a rule as 'rule', found a series"):
        parse_rule("since(close) > 3", {})
    names = {"x": parse_number("sma(" * 15 + "close" + ", 2)" * 15, {})}
    with pytest.raises(ConfigError, match="an indicator of 1121 parts with names written out, at most 1000"):
        parse_rule(f"since({' and '.join(['x > x'] * 35)}) > 3", names)
    parse_rule(f"since({' and '.join(['x > x'] * 30)}) > 3", names)


def test_rules_in_rules_stay_small() -> None:
    """Each name stands for all that the ones before it read: a text that grows without bound is refused, and quickly."""
    names = {"x": parse_number("close", {})}
    with pytest.raises(ConfigError, match="parts with names written out"):
        for _ in range(20):
            names["x"] = parse_number("count(x > 1 and x > 2 and x > 3, 5)", names)


def test_a_sweep_is_its_runs(tmp_path: Path) -> None:
    n, own = 600, columns(600, 8)
    close = 100 + np.cumsum(own["close"])
    bars = Bars("TEST", np.arange(n) * 60 * 10**9, close, close + 1, close - 1, close + 0.5)
    (tmp_path / "strategy").mkdir()
    rules = "entry: 'count(close > ema(close, fast), 5) >= most', exit: since(falling(close)) > fast"
    (tmp_path / "strategy" / "mine.yaml").write_text(f"name: mine\nparams: {{fast: 3, most: 2}}\nlong: {{{rules}}}\n")
    axes = {"fast": [2, 3, 5], "most": [1, 4]}
    table = gpubt.run_sweep(
        ["strategy=mine", *(f"strategy.params.{key}={','.join(map(str, axis))}" for key, axis in axes.items())],
        bars=bars,
        config_dir=tmp_path,
    )
    assert len(set(table["ledger_hash"].to_pylist())) == 6
    for row in table.to_pylist():
        params = [f"strategy.params.{key}={row[f'strategy.params.{key}']}" for key in axes]
        result = gpubt.run(["strategy=mine", *params], bars=bars, config_dir=tmp_path)
        assert result.summary["ledger_hash"] == row["ledger_hash"]


@pytest.mark.parametrize("name", ["reference", "numba", "host (3, 64)"])
def test_whole_runs_agree(name: str) -> None:
    if name not in backends():
        pytest.skip("no host C++ compiler")
    entry = "count(close > sma(close, 10), 6) >= 4 and since(engulfing_bearish()) > 3 and hour >= 8 and max(open, close) > shift(close, 2)"
    exits = "since(close > open) >= 3 or hammer() or sma(count(rising(close), 1), 5) < 0.3"
    given = {
        "strategy": {"name": "mine", "long": {"entry": entry, "exit": exits}},
        "data": {"source": "synthetic", "synthetic": {"bars": 3000}},
    }
    config = configuration(given)
    backend = ReferenceBackend(config) if name == "reference" else backends()[name]
    result = run_backtest(config, backend=backend)
    assert result.summary["n_trades"] > 50
    assert result.summary["ledger_digest"] == gpubt.run(given).summary["ledger_digest"]
