"""Indicators against TA-Lib, another author's: the same warm-up, and values within what `bench.talib_pairs` allows for a reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.talib import BARS, differences, generated, real
from bench.talib_pairs import PAIRS, Columns, Pair, Params, cached

talib = pytest.importorskip("talib", reason="TA-Lib is not installed: indicators were not compared with it")


def minutes() -> Columns:
    if not BARS.exists():
        pytest.skip(f"{BARS.name} is not beside the checkout: TA-Lib was not compared on real bars")
    return {name: column[-50_000:].copy() for name, column in real(BARS, group=-2).items()}


SOURCES: dict[str, Callable[[], Columns]] = {"generated": lambda: generated(50_000), "real": minutes}


@pytest.fixture(scope="module", params=sorted(SOURCES))
def columns(request: pytest.FixtureRequest) -> Columns:
    return SOURCES[request.param]()


@pytest.mark.parametrize(("pair", "params"), [pytest.param(pair, params, id=pair.call(params)) for pair in PAIRS for params in pair.params])
def test_as_talib(columns: Columns, pair: Pair, params: Params) -> None:
    if not hasattr(talib, pair.function):
        pytest.skip(f"TA-Lib {talib.__version__} has no {pair.function}")
    cache = cached(columns, 2)
    got, expected = pair.ours(columns, params, 2)(), pair.theirs(talib, columns, cache, params)()
    found = differences(pair, params, got, expected, columns, cache.get(pair.x[0]))
    assert found["beyond"] == 0, found
    assert found["sure"] > 1000
    assert pair.why or not found["differ"]
