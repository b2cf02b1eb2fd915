"""Candle patterns: bars drawn by hand, and TA-Lib's engulfing pattern on random bars."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gpubt.strategy.candles import PATTERNS
from gpubt.strategy.compile import Signals
from gpubt.strategy.grammar import parse_rule
from gpubt.strategy.reference import evaluate

Bar = tuple[float, float, float, float]  # open, high, low, close

DRAWN: list[tuple[str, list[Bar], list[Bar]]] = [  # pattern, bars of which the last shows it, bars of which the last does not
    ("doji()", [(10, 12, 8, 10.25)], [(10, 12, 8, 10.5)]),
    ("doji(0)", [(10, 12, 8, 10)], [(10, 12, 8, 10.1)]),
    ("hammer()", [(10, 11.1, 7, 11)], [(10, 11.1, 8.5, 11)]),
    ("hammer(shadow=1)", [(10, 11.1, 8.5, 11)], [(10, 12, 8.5, 11)]),
    ("hammer()", [(10, 10, 7, 10)], [(10, 10, 10, 10)]),
    ("shooting_star()", [(10, 13, 8.9, 9)], [(10, 11, 8.9, 9)]),
    ("inside_bar()", [(1, 5, 1, 2), (2, 4, 2, 3)], [(1, 5, 1, 2), (2, 5, 2, 3)]),
    ("outside_bar()", [(2, 4, 2, 3), (1, 5, 1, 2)], [(2, 4, 1, 3), (1, 5, 1, 2)]),
    ("engulfing_bullish()", [(5, 6, 3, 4), (4, 7, 3, 6)], [(5, 6, 3, 4), (4, 7, 3, 5)]),
    ("engulfing_bearish()", [(4, 6, 3, 5), (6, 7, 3, 4)], [(5, 6, 3, 4), (6, 7, 3, 4)]),
    ("harami_bullish()", [(6, 7, 3, 4), (4, 6, 4, 5)], [(6, 7, 3, 4), (4, 6, 4, 6)]),
    ("harami_bearish()", [(4, 7, 3, 6), (5, 6, 4, 4)], [(4, 7, 3, 6), (7, 8, 4, 5)]),
    ("morning_star()", [(10, 10, 5, 6), (6, 6, 4, 5), (6, 9, 6, 9)], [(10, 10, 5, 6), (6, 6, 4, 5), (6, 9, 6, 8)]),
    ("morning_star(0.5)", [(10, 10, 5, 6), (7, 7, 4, 5), (6, 9, 6, 9)], [(10, 10, 5, 6), (7.1, 7.5, 4, 5), (6, 9, 6, 9)]),
    ("evening_star()", [(6, 10, 5, 10), (10, 12, 9, 11), (10, 10, 6, 7)], [(6, 10, 5, 10), (10, 12, 9, 11), (10, 10, 6, 8)]),
    ("three_white_soldiers()", [(1, 3, 1, 3), (2, 4, 2, 4), (3, 5, 3, 5)], [(1, 3, 1, 3), (2, 4, 2, 4), (4.5, 5, 3, 5)]),
    ("three_black_crows()", [(5, 5, 3, 3), (4, 4, 2, 2), (3, 3, 1, 1)], [(5, 5, 3, 3), (4, 4, 2, 3), (3, 3, 1, 1)]),
]


def found(text: str, bars: NDArray[np.float64]) -> NDArray[np.bool_]:
    columns = dict(zip(("open", "high", "low", "close"), bars.T, strict=True))
    rule = parse_rule(text, {})
    return evaluate(Signals(rule, None, None, None), lambda series: columns[series.name], len(bars))["long_entry"]


def test_every_pattern_is_drawn() -> None:
    assert {text.partition("(")[0] for text, _, _ in DRAWN} == PATTERNS.keys()


@pytest.mark.parametrize(("text", "shows", "lacks"), DRAWN)
def test_drawn(text: str, shows: list[Bar], lacks: list[Bar]) -> None:
    assert found(text, np.array(shows, float))[-1]
    assert not found(text, np.array(lacks, float))[-1]


def drawn_at_random(n: int) -> NDArray[np.float64]:
    """Bars on a coarse grid of prices, so that ends of bodies often meet."""
    rng = np.random.default_rng(1)
    opened, closed = rng.integers(10, 15, (2, n)).astype(float)
    return np.stack(
        [opened, np.maximum(opened, closed) + rng.integers(0, 3, n), np.minimum(opened, closed) - rng.integers(0, 3, n), closed], axis=1
    )


def test_engulfing_as_talib() -> None:
    talib = pytest.importorskip("talib")
    bars = drawn_at_random(3000)
    bars = bars[bars[:, 0] != bars[:, 3]]  # bars without a body are rising ones there, and neither here
    theirs = talib.CDLENGULFING(*bars.T.copy())
    np.testing.assert_array_equal(found("engulfing_bullish()", bars), theirs > 0)
    np.testing.assert_array_equal(found("engulfing_bearish()", bars), theirs < 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("hammer()", "shooting_star()"),
        ("engulfing_bullish()", "engulfing_bearish()"),
        ("harami_bullish()", "harami_bearish()"),
        ("morning_star(0.6)", "evening_star(0.6)"),
        ("three_white_soldiers()", "three_black_crows()"),
        ("inside_bar()", "inside_bar()"),
        ("doji()", "doji()"),
    ],
)
def test_prices_upside_down(one: str, other: str) -> None:
    bars = drawn_at_random(3000)
    assert found(one, bars).any()
    np.testing.assert_array_equal(found(one, bars), found(other, -bars[:, [0, 2, 1, 3]]))
