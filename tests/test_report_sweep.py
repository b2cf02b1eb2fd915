"""`gpubt report` of a sweep: its surfaces and its figures of chance are those of the rows."""

from __future__ import annotations

import math
import shlex
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from command_line import Cli
from hypothesis import given, settings
from hypothesis import strategies as st
from test_report import Page

from gpubt.commands.sweep import main as sweep
from gpubt.errors import ConfigError, InputError
from gpubt.report.html.surfaces import groups, surfaces
from gpubt.report.html.sweep import sweep_page
from gpubt.sweep.chance import by_chance, deflated, expected_maximum, mean_correlation, periods_of
from gpubt.sweep.reading import read_sweep

pytest_plugins = ["cli_fixtures"]

AXES = ("strategy.params.fast=range(5,30,5)", "strategy.params.slow=20,40,60", "exits.target.pct=null,0.01")
GIVEN = ("backend=cpu", "data.frac=1/16", "progress=false", *AXES, 'sweep.where="fast < slow"')


@pytest.fixture(autouse=True)
def without_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes long to parse."""
    monkeypatch.setattr("gpubt.report.html.page._plotly", lambda: "0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sweeps") / "one"
    assert sweep([*GIVEN, "--out", str(made)]) == 0
    return made


def test_surfaces_are_the_rows_aggregated(folder: Path) -> None:
    results = read_sweep(folder)
    rows = pq.read_table(folder / "results.parquet").to_pylist()
    axes = [groups(results, axis, results.short()[axis.key]) for axis in results.axes]
    chosen = 7
    for surface in surfaces(results, axes, ["sharpe_ratio", "n_trades"], [chosen]):
        one, other = (axes[i] for i in surface["axes"])
        (rest,) = (axis.key for axis in axes if axis not in (one, other))
        for x, column in enumerate(one.labels):
            for y, line in enumerate(other.labels):
                inside = [row for i, row in enumerate(rows) if (one.of[i], other.of[i]) == (x, y)]
                cell = x * len(other.labels) + y
                assert all(str(row[one.key]) == column for row in inside if row[one.key] is not None) and line
                for name in ("sharpe_ratio", "n_trades"):
                    values = [row[name] for row in inside]
                    for how, compute in (("mean", np.mean), ("lowest", np.min), ("highest", np.max)):
                        got = surface["figures"][name][how][cell]
                        assert got is None if not values else got == pytest.approx(compute(values), rel=1e-3)
                held = [row["sharpe_ratio"] for row in inside if row[rest] == rows[chosen][rest]]
                assert surface["slices"][0][cell] == (pytest.approx(held[0], rel=1e-3) if held else None)


def test_the_page_and_its_commands(folder: Path) -> None:
    text = sweep_page(folder)
    page = Page(text)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids)) and page.count("script") == 3
    rows = pq.read_table(folder / "results.parquet").to_pylist()
    best = max(rows, key=lambda row: row["sharpe_ratio"])["set"]
    assert page.data["through"][0] == best and f"gpubt replay {shlex.quote(str(folder))} --row {best}<" in text
    assert [sum(one["counts"]) for one in page.data["histograms"]] == [len(rows)] * len(page.data["histograms"])
    assert len(page.data["cloud"]["own"]) == len(rows)
    assert "fast &lt; slow" in text


def test_chance_of_a_sweep(folder: Path) -> None:
    found = by_chance(read_sweep(folder))
    rows = pq.read_table(folder / "results.parquet").to_pylist()
    assert found is not None and found.sets == len(rows)
    assert found.spread == pytest.approx(np.std([row["sharpe_ratio"] for row in rows], ddof=1))
    assert found.best == max(row["sharpe_ratio"] for row in rows) and 1.0 <= found.independent <= len(rows)
    assert found.periods is not None and 150 < found.periods < 250  # 9,402 bars of five minutes, 48 a day


@settings(max_examples=20)
@given(st.integers(2, 400), st.floats(0.01, 5.0))
def test_expected_maximum_against_draws(sets: int, spread: float) -> None:
    """The formula is an approximation: within 5 % or 0.05 deviations of the mean of drawn maxima."""
    draws = np.random.default_rng(sets).normal(size=(2000, sets)).max(axis=1).mean()
    assert expected_maximum(sets, spread) / spread == pytest.approx(draws, rel=0.05, abs=0.08)
    assert expected_maximum(1, spread) == 0.0


@settings(max_examples=25)
@given(st.integers(3, 3000), st.sampled_from([252.0, 365.0, 225.58]), st.floats(-0.5, 0.5))
def test_periods_are_told_by_the_sums(periods: int, per_year: float, drift: float) -> None:
    returns = np.random.default_rng(periods).normal(drift, 1.0, (5, periods)) * 0.01
    mean, deviation = returns.mean(axis=1), returns.std(axis=1, ddof=1)
    sharpe, volatility = mean / deviation * math.sqrt(per_year), deviation * math.sqrt(per_year)
    found = periods_of(volatility, sharpe, returns.sum(axis=1), (returns * returns).sum(axis=1))
    assert found == (periods, pytest.approx(per_year, rel=1e-6))


def test_correlation_and_the_deflated_ratio() -> None:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(50, 16))
    pairs = np.corrcoef(rows)[np.triu_indices(50, 1)].mean()
    assert mean_correlation(rows) == pytest.approx(max(0.0, pairs))
    common = rows[:1] + 0.1 * rows
    assert mean_correlation(common) == pytest.approx(np.corrcoef(common)[np.triu_indices(50, 1)].mean())
    assert mean_correlation(np.ones((3, 4))) == 0.0
    # by hand: 1 a year over 252 daily returns against 0 is about one standard error of sqrt(T - 1) * SR
    assert deflated(1.0, 0.0, 253, 252.0) == pytest.approx(0.8412, abs=5e-4)
    assert deflated(1.0, 1.0, 253, 252.0) == 0.5


def test_a_sampled_sweep_of_one_axis(tmp_path: Path) -> None:
    out = tmp_path / "random"
    draws = ["sweep=random", "sweep.sets=60", "strategy.params.fast=interval(3.0,40.0)", "sweep.blocks=4"]
    assert sweep([*GIVEN[:3], *(text.replace("3.0,40.0", "3,90") for text in draws), "--out", str(out)]) == 0
    page = Page(sweep_page(out, by="total_return"))
    (axis,) = page.data["axes"]
    assert len(axis["labels"]) <= 60 and page.data["surfaces"][0]["axes"] == [0]
    assert page.data["by"] == "total_return"


def test_refusals(folder: Path, cli: Cli, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean sharpe_ratio"):
        sweep_page(folder, by="sharp_ratio")
    with pytest.raises(ConfigError, match="--symbol has no 'X'"):
        sweep_page(folder, symbol="X")
    with pytest.raises(InputError, match="nothing"):
        from gpubt.report.html.write import write_report

        write_report(tmp_path / "nothing")
    status, out, _ = cli("report", str(folder))
    assert status == 0 and "report.html" in out and (folder / "report.html").is_file()


def test_report_on_writes_it_with_the_sweep(cli: Cli) -> None:
    status, out, _ = cli("sweep", "report=on", *GIVEN[:3], "strategy.params.fast=5,6", "--out", "here")
    assert status == 0 and "here/report.html" in out and Path("here/report.html").is_file()
