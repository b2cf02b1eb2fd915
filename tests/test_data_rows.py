"""Which rows a run uses: exact fractions, portions, periods, and the question on a terminal."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import pairwise
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpubt.config import Data, Synthetic
from gpubt.data.rows import ask_fraction, parse_fraction, portion_rows, resolve_rows
from gpubt.data.source import open_source
from gpubt.errors import ConfigError

MINUTE = 60 * 10**9


@pytest.mark.parametrize(
    ("given_", "exact"),
    [
        (0.1, Fraction(1, 10)),
        ("0.1", Fraction(1, 10)),
        ("1/3", Fraction(1, 3)),
        (" 2 / 6 ", Fraction(1, 3)),
        (1, Fraction(1)),
        (1.0, Fraction(1)),
        ("1e-3", Fraction(1, 1000)),
        (1e-05, Fraction(1, 100_000)),
        (".5", Fraction(1, 2)),
        ("1.", Fraction(1)),
    ],
)
def test_fraction_is_exact(given_: object, exact: Fraction) -> None:
    assert parse_fraction(given_) == exact


BAD = [0, 1.5, -0.1, "0/3", "1/0", "4/3", "nan", float("inf"), "", None, True, "half", "1/3/4", "1e-999999999", "0x1", "ask"]


@pytest.mark.parametrize("bad", BAD)
def test_fraction_refused(bad: object) -> None:
    with pytest.raises(ConfigError, match=r"^data\.frac must be in \(0, 1\], got"):
        parse_fraction(bad)


@given(n=st.integers(0, 10**9), k=st.integers(1, 1000))
def test_portions_tile(n: int, k: int) -> None:
    edges = [portion_rows(n, Fraction(1, k), portion) for portion in range(1, k + 1)]
    assert edges[0][0] == 0
    assert edges[-1][1] == n
    assert all(before[1] == after[0] for before, after in pairwise(edges))


@given(n=st.integers(1, 10**9), frac=st.fractions(Fraction(1, 10**6), 1).filter(lambda f: f > 0), data=st.data())
def test_portion_bounds(n: int, frac: Fraction, data: st.DataObject) -> None:
    portion = data.draw(st.integers(1, floor(1 / frac)))
    lo, hi = portion_rows(n, frac, portion)
    assert 0 <= lo <= hi <= n
    assert abs((hi - lo) - frac * n) < 1
    with pytest.raises(ConfigError, match=r"^data\.portion must be in"):
        portion_rows(n, frac, floor(1 / frac) + 1)


def resolve(**keys: object) -> tuple[int, int]:
    data = Data(source="synthetic", synthetic=Synthetic(bars=1000, start="2020-01-01T00:00:00"), **keys)  # type: ignore[arg-type]
    return resolve_rows(open_source(data, 0), data)


def test_period_then_fraction() -> None:
    assert resolve() == (0, 1000)
    assert resolve(frac="1/3", portion=2) == (333, 666)
    assert resolve(start="2020-01-01T01:00", end="2020-01-01T02:00") == (60, 120)
    assert resolve(start="2020-01-01T01:00", end="2020-01-01T02:00", frac=0.5, portion=2) == (90, 120)
    assert resolve(start="2020-01-01T02:00+01:00") == (60, 1000)  # the offset counts
    assert resolve(start="2019-01-01", end="2020-01-01T00:00:30") == (0, 1)  # end is exclusive, start before the first bar
    assert resolve(end="9999-12-31") == (0, 1000)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"start": "2021-01-01"}, r"data\.start=2021-01-01 selects no bar; there are 1000 from 2020-01-01T00:00:00Z to 2020-01-01T16:39"),
        ({"start": "0001-01-01", "end": "0002-01-01"}, "selects no bar"),
        ({"start": "2020-01-02", "end": "2020-01-01"}, r"data\.start must be before data\.end"),
        ({"start": "January"}, r"data\.start must be an ISO time .* got 'January'"),
        ({"frac": "1/2000"}, "selects no row of 1000"),
        ({"frac": 0.5, "portion": 3}, r"data\.portion must be in \[1, 2\] with data\.frac=1/2, got 3"),
    ],
)
def test_empty_or_wrong_selection(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(**keys)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "answer", "questions"),
    [
        ("\n", ("1.0", 1), 1),
        ("1\n", ("1.0", 1), 1),
        ("0.25\n3\n", ("0.25", 3), 2),
        ("1/3\n\n", ("1/3", 1), 2),
        ("2\n0.5\n2\n", ("0.5", 2), 3),
    ],
)
def test_ask(typed: str, answer: tuple[str, int], questions: int) -> None:
    prompts = io.StringIO()
    assert ask_fraction(Terminal(typed), prompts) == answer
    assert prompts.getvalue().count("]: ") == questions


def test_ask_explains_and_gives_up() -> None:
    prompts = io.StringIO()
    with pytest.raises(ConfigError, match=r"data\.portion must be in \[1, 2\]"):
        ask_fraction(Terminal("1.5\n0.5\n3\n"), prompts)
    assert "data.frac must be in (0, 1], got 1.5" in prompts.getvalue()
    with pytest.raises(ConfigError, match="got no answer"):
        ask_fraction(Terminal(""), prompts)
    with pytest.raises(ConfigError, match="needs a terminal"):
        ask_fraction(io.StringIO("0.5\n"), prompts)
