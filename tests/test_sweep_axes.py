"""The axes of a sweep: Hydra's grammar, exact decimals, constraints, and what can't be an axis."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpubt.errors import ConfigError
from gpubt.sweep.axes import Axis, Interval, decimal_range, split
from gpubt.sweep.definition import define
from gpubt.sweep.space import condition, grid, sample


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("exits.stop.pct=0.1,0.2,0.3", (0.1, 0.2, 0.3)),
        ("exits.stop.pct=range(0.1,0.5,0.1)", (0.1, 0.2, 0.3, 0.4)),
        ("exits.stop.pct=range(0.4,0.1,-0.1)", (0.4, 0.3, 0.2)),
        ("strategy.params.fast=range(5,20,5)", (5, 10, 15)),
        ("strategy.params.fast=range(3)", (0, 1, 2)),
        ("exits.stop.pct=choice(0.01,0.02)", (0.01, 0.02)),
        ("exits.stop.pct=0.01,null", (0.01, None)),
        ("sim.same_bar=ohlc,olhc", ("ohlc", "olhc")),
        ("strategy.params.fast=sort(20,5,10)", (5, 10, 20)),
    ],
)
def test_values_are_as_written(text: str, values: tuple[object, ...]) -> None:
    fixed, axes = split(["strategy=ema_cross", text])
    assert fixed == ["strategy=ema_cross"]
    assert axes == [Axis(text.partition("=")[0], values)]
    assert [type(value) for value in axes[0].values] == [type(value) for value in values]


@given(st.integers(-500, 500), st.integers(1, 60), st.integers(1, 40), st.integers(0, 4), st.booleans())
def test_decimal_steps_have_no_tail(start: int, step: int, count: int, places: int, down: bool) -> None:
    unit = Decimal(1).scaleb(-places)
    first, by = start * unit, step * unit * (-1 if down else 1)
    got = decimal_range(float(first), float(first + by * count), float(by))
    assert got == [float(first + by * i) for i in range(count)]


def test_an_interval_is_for_random_search() -> None:
    _, axes = split(["exits.stop.pct=interval(0.01,0.02)"])
    assert axes == [Interval("exits.stop.pct", 0.01, 0.02)]
    with pytest.raises(ConfigError, match="needs sweep=random or sweep=optuna"):
        grid(axes)
    with pytest.raises(ConfigError, match="lower end first"):
        split(["exits.stop.pct=interval(0.02,0.01)"])


def test_an_interval_is_of_whole_numbers_where_its_key_is() -> None:
    found = define(["sweep=random", "strategy.params.fast=interval(5,60)", "exits.stop.pct=interval(0,1)", "exits.max_bars=interval(2,9)"])
    whole = {axis.key: axis.whole for axis in found.axes if isinstance(axis, Interval)}
    assert whole == {"strategy.params.fast": True, "exits.stop.pct": False, "exits.max_bars": True}


@pytest.mark.parametrize(
    ("texts", "wrong"),
    [
        (["data.frac=0.5,1"], "gpubt run -m data.frac=0.5,1"),
        (["backend=cpu,cuda"], "can't differ between the sets of one sweep"),
        (["strategy=ema_cross,rsi_reversion"], "gpubt run -m"),
        (["capital=1,2", "capital=3,4"], "capital is given twice"),
        (["capital=1,1"], "has a value twice"),
        (["exits.stop.pct=range(1,1)"], "has no value"),
        (["strategy.params.fast=range(5,60"], "strategy.params.fast"),
        ([], "needs an axis"),
        (["exits.stop.pct=a,b"], "exits.stop.pct"),
        (["strategy.params.slwo=5,6"], "slwo"),
        (["capital=-1,5"], "capital"),
        (["sim.same_bar=band", "capital=1,2"], "sim.same_bar=stop_first,target_first"),
        (["equity=bar", "capital=1,2"], "gpubt replay"),
        (["strategy.params.fast=0,5"], "length"),
        (["exits.target.r=1,2"], "set 0"),
    ],
)
def test_what_is_no_sweep_is_one_sentence(texts: list[str], wrong: str) -> None:
    from gpubt.sweep.variants import checked

    with pytest.raises(ConfigError) as caught:
        found = define(texts)
        list(checked(found.variants, found.space()))
    assert wrong in str(caught.value)


def test_a_grid_is_every_combination_the_last_axis_fastest() -> None:
    space = grid([Axis("a.x", (1, 2)), Axis("b.y", ("p", "q", "r"))])
    assert space.n == 6 and [space.values(i) for i in (0, 1, 5)] == [
        {"a.x": 1, "b.y": "p"},
        {"a.x": 1, "b.y": "q"},
        {"a.x": 2, "b.y": "r"},
    ]


def test_constraints_leave_sets_out_and_count_them() -> None:
    axes = [Axis("strategy.params.fast", (5, 10, 20)), Axis("strategy.params.slow", (10, 20))]
    space = grid(axes, "fast < slow")
    assert space.dropped == 3 and [tuple(space.values(i).values()) for i in range(space.n)] == [(5, 10), (5, 20), (10, 20)]
    assert grid(axes, "strategy_params_fast * 2 == slow or not fast > 5").n == 3
    with pytest.raises(ConfigError, match="leaves no set"):
        grid(axes, "fast > 100")


@pytest.mark.parametrize(
    "text", ["fast <", "quick > 1", "fast < slow; 1", "__import__('os')", "fast.real > 1", "[fast]", "lambda: 1", "fast < 'a'"]
)
def test_a_condition_is_no_python(text: str) -> None:
    with pytest.raises(ConfigError, match=r"sweep\.where"):
        condition(text, "sweep.where", {"fast": np.array([1, 2]), "slow": np.array([3, 4])})


def test_random_search_is_the_same_for_a_seed() -> None:
    axes = [Interval("a.x", 1, 6), Interval("b.y", 0.0, 1.0), Axis("c.z", ("p", "q"))]
    one, same, other = (sample(axes, 50, seed) for seed in (1, 1, 2))
    rows = [[space.values(i) for i in range(space.n)] for space in (one, same, other)]
    assert rows[0] == rows[1] != rows[2]
    assert {type(row["a.x"]) for row in rows[0]} == {int} and {row["a.x"] for row in rows[0]} == {1, 2, 3, 4, 5, 6}
    assert all(0.0 <= row["b.y"] <= 1.0 for row in rows[0])
    assert sample([Axis("c.z", (1, 2))], 50, 1).n == 2  # equal draws are one set
