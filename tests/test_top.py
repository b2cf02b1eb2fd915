"""`gpubt top`: the best sets of a sweep, their neighbours, what axes explain, on tables whose answers are known by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import Cli
from pyarrow import csv

from gpubt.errors import ConfigError, DataError, InputError
from gpubt.metrics.figures import figures
from gpubt.report.top import lines
from gpubt.simulate.layout import TALLY
from gpubt.sweep.ranking import BEST
from gpubt.sweep.reading import Results, read_sweep
from gpubt.sweep.top import Top, best

pytest_plugins = ["cli_fixtures"]

FAST, SLOW, STOP, POLICY = "strategy.params.fast", "strategy.params.slow", "exits.stop.pct", "sim.same_bar"
THREE: dict[str, list[Any]] = {FAST: [5, 10, 20], SLOW: [50, 100, 200]}
Values = Mapping[str, Any]


def combined(axes: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    return {key: list(column) for key, column in zip(axes, zip(*product(*axes.values()), strict=True), strict=True)}


def table(columns: Values, given: Values) -> pa.Table:
    """The columns of a sweep's table: those of the axes, and figures, which are 0 where none are given."""
    n = len(next(iter(columns.values())))
    rows: dict[str, Any] = {"set": pa.array(np.arange(n)), **{key: pa.array(values) for key, values in columns.items()}}
    for name in BEST:
        kind = pa.int64() if name in ("n_trades", "ambiguous_exits", "max_drawdown_bars") else pa.float64()
        rows[name] = pa.array(given.get(name, np.zeros(n)), kind)
    rows["ledger_hash"] = pa.array([f"{i:016x}" for i in range(n)])
    for name in ("block_return", "block_square"):
        rows[name] = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(2.0 * n)), 2)
    return pa.table(rows)


def about(axes: Mapping[str, list[Any]], n: int, **more: Any) -> dict[str, Any]:
    return {"version": 1, "axes": dict(axes), "where": None, "sets": n, "dropped": 0, "symbol": "AAA", "rows": 1000, **more}


def sweep(folder: Path, axes: Mapping[str, list[Any]], given: Values, columns: Values | None = None, **more: Any) -> Path:
    """A finished sweep: every combination, or `columns`."""
    rows = table(columns or combined(axes), given)
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, folder / "results.parquet")
    (folder / "sweep.json").write_text(json.dumps(about(axes, len(rows), **more)))
    return folder


def top(folder: Path, by: str = "sharpe_ratio", n: int = 20, where: str | None = None, **more: Any) -> Top:
    return best(read_sweep(folder), by, n, where, **more)[0]


def sets(found: Top) -> list[int]:
    return [row["set"] for row in found.rows]


def near(found: Top, number: int) -> dict[str, Any]:
    (row,) = (row for row in found.rows if row["set"] == number)
    return dict(row["neighbours"])


def test_every_figure_has_a_direction() -> None:
    assert list(BEST) == list(figures(np.zeros(1, TALLY)[0], capital=1.0, bars=1, periods=0, per_year=252.0))


@pytest.mark.parametrize(
    ("by", "values", "order", "ascending"),
    [
        ("sharpe_ratio", [1.0, None, 3.0, 2.0, math.inf, 2.0, -1.0, 0.0, None], [4, 2, 3, 5, 0, 7, 6, 1, 8], [6, 7, 0, 3, 5, 2, 4, 1, 8]),
        ("max_drawdown", [-0.5, -0.1, -0.9, -0.2, -0.3, -0.4, -0.6, -0.7, -0.8], [1, 3, 4, 5, 0, 6, 7, 8, 2], [2, 8, 7, 6, 0, 5, 4, 3, 1]),
        ("fees", [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], [8, 7, 6, 5, 4, 3, 2, 1, 0], [8, 7, 6, 5, 4, 3, 2, 1, 0]),
    ],
)
def test_the_best_come_first_and_null_last(tmp_path: Path, by: str, values: list[Any], order: list[int], ascending: list[int]) -> None:
    folder = sweep(tmp_path, THREE, {by: values})
    assert sets(top(folder, by)) == order
    assert sets(top(folder, by, 2)) == order[:2]
    assert sets(top(folder, by, ascending=True)) == ascending


def test_where_takes_figures_axes_and_the_set(tmp_path: Path) -> None:
    given = {"sharpe_ratio": list(range(9)), "n_trades": list(range(0, 900, 100)), "win_rate": [None, *[0.5] * 8]}
    folder = sweep(tmp_path, THREE, given)
    for where, left in {
        "trades > 650": [8, 7],
        "n_trades > 650 and fast == 20": [8, 7],
        "strategy_params_slow == 50 and set > 0": [6, 3],
        "win_rate < 1 and fast * 10 == slow": [4, 8],
        "not (win_rate >= 0) or trades == 100": [1, 0],
    }.items():
        found = top(folder, where=where)
        assert sets(found) == sorted(left, reverse=True), where
        assert (found.left, found.sets) == (len(left), 9)
    assert sets(top(folder, "trades", 1)) == [8]


def test_text_and_null_are_values_of_an_axis(tmp_path: Path) -> None:
    axes = {STOP: [None, 0.01, 0.02], POLICY: ["stop_first", "target_first"]}
    folder = sweep(tmp_path, axes, {"sharpe_ratio": [0, 1, 2, 3, 4, 5]})
    assert sets(top(folder, where="same_bar == 'stop_first'")) == [4, 2, 0]
    assert sets(top(folder, where="pct > 0")) == [5, 4, 3, 2]
    found = top(folder)
    assert [row["axes"][STOP] for row in found.rows] == [0.02, 0.02, 0.01, 0.01, None, None]
    # of null and text there is no step: 0.01 has 0.02 alone beside it, null nothing
    assert [near(found, i)["count"] for i in range(6)] == [0, 0, 1, 1, 1, 1]
    assert near(found, 2)["mean"] == 4.0 and near(found, 0)["mean"] is None and near(found, 0)["shape"] is None
    assert found.importance[POLICY] == pytest.approx(0.25 / (35 / 12))
    assert found.importance[STOP] == pytest.approx(1 - 0.25 / (35 / 12))


def test_an_axis_that_is_a_prefix_of_another_is_read_alone(tmp_path: Path) -> None:
    axes = {"exits.stop": [1, 2], "exits.stop.pct": [3, 4]}
    found = top(sweep(tmp_path, axes, {"sharpe_ratio": [0, 1, 2, 3]}))
    assert found.rows[0]["axes"] == {"exits.stop": 2, "exits.stop.pct": 4}
    assert found.short == {"exits.stop": "stop", "exits.stop.pct": "pct"}


def test_importance_by_hand(tmp_path: Path) -> None:
    additive = [a + b for a in (0.0, 1.0, 2.0) for b in (0.0, 3.0, 6.0)]  # variances 2/3 and 6
    assert top(sweep(tmp_path / "a", THREE, {"sharpe_ratio": additive})).importance == pytest.approx({FAST: 0.1, SLOW: 0.9})
    crossed = [a * b for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)]  # neither explains anything alone
    found = top(sweep(tmp_path / "b", THREE, {"sharpe_ratio": crossed}))
    assert found.importance == pytest.approx({FAST: 0.0, SLOW: 0.0}, abs=1e-15)
    assert "remainder      100.0%  interactions of axes" in "\n".join(lines(found, 140))
    # rows without the figure, and those that the condition leaves out, don't count
    lacking = [*additive[:6], None, math.inf, None]
    assert top(sweep(tmp_path / "c", THREE, {"sharpe_ratio": lacking})).importance == pytest.approx({FAST: 1 / 25, SLOW: 24 / 25})
    found = top(tmp_path / "a", where="fast == 10")
    assert found.importance == pytest.approx({FAST: 0.0, SLOW: 1.0}, abs=1e-15)
    assert top(sweep(tmp_path / "d", THREE, {"sharpe_ratio": [0.1] * 9})).importance == {}
    huge = [1e300 * value for value in additive]
    assert top(sweep(tmp_path / "e", THREE, {"sharpe_ratio": huge})).importance == pytest.approx({FAST: 0.1, SLOW: 0.9})


def test_importance_of_draws_is_not_that_every_number_has_one_set(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    x, y = random.uniform(size=5000), random.uniform(size=5000)
    axes = {"a.x": [0.0, 1.0], "a.y": [0.0, 1.0]}  # the ends of their intervals
    folder = sweep(tmp_path, axes, {"sharpe_ratio": 3 * x + y}, {"a.x": x, "a.y": y}, method="random")
    found = top(folder)
    assert found.sampled and found.importance == pytest.approx({"a.x": 0.9, "a.y": 0.1}, abs=0.01)
    assert near(found, sets(found)[0]) == {"count": 0, "possible": 4, "mean": None, "worst": None, "difference": None, "shape": None}
    assert "none: draws seldom lie one step apart" in "\n".join(lines(found, 140))


def test_neighbours_by_hand(tmp_path: Path) -> None:
    values = [0.0, 4.0, 0.0, 1.0, 9.0, 2.0, 0.0, 3.0, 8.0]
    found = top(sweep(tmp_path, THREE, {"sharpe_ratio": values}), where="sharpe_ratio > 5")  # neighbours are there all the same
    assert near(found, 4) == {"count": 4, "possible": 4, "mean": 2.5, "worst": 1.0, "difference": -6.5, "shape": "spike"}
    assert near(found, 8) == {"count": 2, "possible": 4, "mean": 2.5, "worst": 2.0, "difference": -5.5, "shape": "slope"}
    low = near(top(tmp_path, "fees"), 0)
    assert (low["mean"], low["worst"], low["shape"]) == (0.0, 0.0, "plateau")
    costs = top(sweep(tmp_path / "fees", THREE, {"fees": [10 - value for value in values]}), "fees", 1)
    assert near(costs, 4) == {"count": 4, "possible": 4, "mean": 7.5, "worst": 9.0, "difference": 6.5, "shape": "spike"}
    lacking = top(sweep(tmp_path / "null", THREE, {"sharpe_ratio": [0, None, 0, 1, 9, 2, 0, 3, 8]}), n=1)
    assert near(lacking, 4) | {"shape": ""} == {"count": 3, "possible": 4, "mean": 2.0, "worst": 1.0, "difference": -7.0, "shape": ""}


def test_a_plateau_is_told_from_a_spike(tmp_path: Path) -> None:
    axes = {"a.x": list(range(21)), "a.y": list(range(21))}
    x, y = (np.array(column) for column in combined(axes).values())
    hill = np.exp(-((x - 5) ** 2 + (y - 5) ** 2) / 18.0)
    values = hill + 1.2 * ((x == 16) & (y == 16))
    found = top(sweep(tmp_path, axes, {"sharpe_ratio": values}), n=2)
    assert [(row["axes"], row["neighbours"]["shape"]) for row in found.rows] == [
        ({"a.x": 16, "a.y": 16}, "spike"),
        ({"a.x": 5, "a.y": 5}, "plateau"),
    ]


def test_a_step_is_one_of_the_grid_though_no_set_was_kept_of_it(tmp_path: Path) -> None:
    columns = {FAST: [5, 20, 20], SLOW: [50, 50, 100]}
    found = top(sweep(tmp_path, THREE, {"sharpe_ratio": [1, 2, 3]}, columns, dropped=6))
    assert [near(found, i)["count"] for i in range(3)] == [0, 1, 1]


def test_neighbours_are_those_of_a_search_through_all_rows(tmp_path: Path) -> None:
    """On a grid with holes, with so many drawn levels that a set's number would not fit 64 bits."""
    random = np.random.default_rng(5)
    axes: dict[str, list[Any]] = {f"a.x{i}": list(range(4)) for i in range(3)} | {POLICY: ["a", "b"]}
    keep = random.random(128) < 0.7
    columns = {key: [value for value, kept in zip(column, keep, strict=True) if kept] for key, column in combined(axes).items()}
    values = random.normal(size=int(keep.sum()))
    for wide in (0, 1, 3):
        extra = {f"b.w{i}": [7.0] * len(values) for i in range(wide)}
        levels = {key: [7.0, *(1000 + np.arange(3_000_000)).tolist()] for key in extra}
        results = read_sweep(sweep(tmp_path / str(wide), axes, {"sharpe_ratio": values}, columns | extra))
        results.about = results.about | {"axes": axes | levels}
        results.keys = tuple(axes) + tuple(levels)
        found = best(results, "sharpe_ratio", 1000, None)[0]
        rows = list(zip(*columns.values(), strict=True))
        for row in found.rows:
            own = rows[row["set"]]
            beside = [
                values[i]
                for i, other in enumerate(rows)
                if own[3] == other[3] and sum(abs(a - b) for a, b in zip(own[:3], other[:3], strict=True)) == 1
            ]
            assert row["neighbours"]["count"] == len(beside)
            if beside:
                assert (row["neighbours"]["worst"], row["neighbours"]["mean"]) == (min(beside), pytest.approx(np.mean(beside)))


def test_one_screen(cli: Cli, tmp_path: Path) -> None:
    given = {"sharpe_ratio": [0, 4, 0, 1, 9, 2, 0, 3, None], "n_trades": [1234] * 9, "max_drawdown": [-0.25] * 9}
    folder = sweep(tmp_path / "a b", THREE, given)
    status, out, err = cli("top", str(folder), "--n", "2", "--where", "fast < slow", "--by", "sharpe_ratio")
    assert (status, err) == (0, "")
    assert (
        out
        == (
            "sweep          9 sets, AAA, 1,000 bars\n"
            "where          fast < slow: 9 sets\n"
            "sharpe_ratio   higher is better: best 9.00, median 1.50, worst 0.00; 1 without it\n\n"
            "set  fast  slow  sharpe_ratio  total_return  max_drawdown  n_trades  win_rate"
            "  neighbours  their mean  their worst  difference  shape\n"
            "  4    10   100          9.00        +0.00%       -25.00%     1,234     0.00%"
            "      4 of 4        2.50         1.00       -6.50  slope\n"
            "  1     5   100          4.00        +0.00%       -25.00%     1,234     0.00%"
            "      3 of 4        3.00         0.00       -1.00  slope\n\n"
            "neighbours     sets one step away on one numeric axis, those too that --where leaves out\n"
            "               difference: their mean less the set's own figure\n"
            "               spike: over a quarter of all sets lie between the two; plateau: nor between it and their worst\n\n"
        )
        + out[out.index("importance") :]
    )
    assert "share of the variance of sharpe_ratio that an axis explains alone" in out
    assert out.endswith(f"next           gpubt replay '{folder}' --row 4    # the first of these alone, as a run\n")


def test_a_narrow_screen_has_two_tables(tmp_path: Path) -> None:
    axes = {**THREE, STOP: [0.005, 0.01], "exits.target.pct": [0.1, 0.2], POLICY: ["stop_first"]}
    found = top(sweep(tmp_path, axes, {"sharpe_ratio": np.arange(36)}), n=3)
    assert found.short == {FAST: "fast", SLOW: "slow", STOP: "exits_stop_pct", "exits.target.pct": "exits_target_pct", POLICY: "same_bar"}
    text = list(lines(found, 100))
    heads = [line.split() for line in text if "sharpe_ratio" in line and "set" in line.split()[0]]
    assert len(heads) == 2 and heads[0][:7] == ["set", "fast", "slow", "exits_stop_pct", "exits_target_pct", "same_bar", "sharpe_ratio"]
    assert heads[1][:3] == ["set", "sharpe_ratio", "neighbours"]
    assert max(map(len, text[: text.index("") + 12])) <= 100


def test_json_is_what_is_on_the_screen(cli: Cli, tmp_path: Path) -> None:
    folder = sweep(tmp_path / "s", THREE, {"sharpe_ratio": [0, 4, 0, 1, 9, 2, 0, 3, None], "annual_return": [math.inf] * 9})
    status, out, _ = cli("top", str(folder), "--n", "1", "--json")
    found = json.loads(out)
    assert status == 0 and found["rows"][0]["set"] == 4 and found["rows"][0]["axes"] == {FAST: 10, SLOW: 100}
    assert found["rows"][0]["neighbours"]["mean"] == 2.5 and found["rows"][0]["ledger_hash"] == f"{4:016x}"
    assert found["rows"][0]["figures"]["n_trades"] == 0 and found["rows"][0]["figures"]["annual_return"] is None
    assert found["interactions"] == pytest.approx(1 - sum(found["importance"].values()))
    assert (found["sets"], found["lacking"], found["next"]) == (9, 1, f"gpubt replay {folder} --row 4")


def test_exports_hold_every_row_in_order(cli: Cli, tmp_path: Path) -> None:
    folder = sweep(tmp_path / "s", {**THREE, STOP: [None, 0.1]}, {"sharpe_ratio": [*range(17), None], "n_trades": range(18)})
    status, out, _ = cli("top", str(folder), "--n", "1", "--where", "trades > 3", "--export", "out/x.parquet")
    assert status == 0 and "exported       out/x.parquet, 14 rows" in out
    order = [*range(16, 3, -1), 17]
    written = pq.read_table(tmp_path / "out" / "x.parquet")
    assert written.equals(pq.read_table(folder / "results.parquet").take(order))
    assert cli("top", str(folder), "--where", "trades > 3", "--export", "x.csv")[0] == 0
    rows = csv.read_csv(tmp_path / "x.csv", convert_options=csv.ConvertOptions(column_types={"ledger_hash": pa.string()}))
    assert rows["set"].to_pylist() == order and rows[STOP].to_pylist()[:2] == [None, 0.1]
    assert "block_return" not in rows.column_names and rows["sharpe_ratio"].to_pylist()[-1] is None
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["x.parquet"]
    before = (folder / "results.parquet").read_bytes()
    status, _, err = cli("top", str(folder), "--export", str(folder / "results.parquet"))
    assert status == 2 and "would replace the sweep's own rows" in err and (folder / "results.parquet").read_bytes() == before


@pytest.mark.parametrize("column", ["data.symbol", "symbol"])
def test_several_symbols(tmp_path: Path, column: str) -> None:
    axes = {"data.symbol": ["AAA", "BBB"], **THREE} if column == "data.symbol" else THREE
    columns = combined(THREE)
    twice = {key: values * 2 for key, values in columns.items()}
    names = {column: ["AAA"] * 9 + ["BBB"] * 9}
    given = {"sharpe_ratio": [*range(9), *(-20 - np.arange(9))]}
    folder = sweep(tmp_path, axes, given, names | twice, symbol=None, rows=None, data={"AAA": {"rows": 500}, "BBB": {"rows": 700}})
    with pytest.raises(ConfigError, match="--symbol must name one of the 2 symbols of this sweep; accepted: AAA, BBB"):
        read_sweep(folder)
    with pytest.raises(ConfigError, match=r"did you mean AAA\?"):
        read_sweep(folder, symbol="AAB")
    found = best(read_sweep(folder, symbol="BBB"), "sharpe_ratio", 20, None)[0]
    assert (found.symbol, found.bars, found.sets, sets(found)) == ("BBB", 700, 9, list(range(9, 18)))
    assert near(found, 13)["mean"] == -24.0 and found.rows[4]["figures"]["sharpe_ratio"] == -24.0
    assert set(found.short) == {FAST, SLOW} == set(found.importance)


def parts_of(folder: Path, whole: pa.Table, pieces: list[list[int]]) -> None:
    (folder / "parts").mkdir()
    for piece in pieces:
        part = whole.take(piece)
        if not any(value is not None for value in part[STOP].to_pylist()):
            part = part.set_column(part.column_names.index(STOP), STOP, pa.nulls(len(piece)))
        pq.write_table(part, folder / "parts" / f"{piece[0]:09d}-{piece[-1]:09d}-{len(piece)}.parquet")


def test_an_unfinished_sweep_is_refused_or_read_as_far_as_it_is(cli: Cli, tmp_path: Path) -> None:
    axes = {STOP: [None, 0.1], FAST: [5, 10, 20]}
    folder = sweep(tmp_path / "s", axes, {"sharpe_ratio": [3, 1, 2, 9, 8, 7]})
    whole = pq.read_table(folder / "results.parquet")
    (folder / "results.parquet").unlink()
    with pytest.raises(InputError, match="--partial reads"):
        read_sweep(folder)
    with pytest.raises(InputError, match="has no rows yet"):
        read_sweep(folder, partial=True)
    parts_of(folder, whole, [[1, 2], [0, 3, 5]])  # the first has nulls alone
    status, out, err = cli("top", str(folder))
    assert (status, out) == (2, "") and f"gpubt sweep --resume {folder} finishes it" in err
    found = best(read_sweep(folder, partial=True), "sharpe_ratio", 20, None)[0]
    assert sets(found) == [3, 5, 0, 2, 1] and found.partial
    assert near(found, 3)["count"] == 0  # 10 is a step of the grid, though its set is not done
    status, out, _ = cli("top", str(folder), "--partial")
    assert status == 0 and out.startswith("sweep          5 sets of 6 so far, AAA, 1,000 bars\n")
    next((folder / "parts").iterdir()).write_bytes(b"PAR1 and no more")
    status, _, err = cli("top", str(folder), "--partial")
    assert status == 2 and err.count("\n") == 1 and f"gpubt sweep --resume {folder} simulates its sets again" in err


def test_mistakes_are_one_sentence(cli: Cli, tmp_path: Path) -> None:
    folder = str(sweep(tmp_path / "s", THREE, {"sharpe_ratio": np.arange(9)}))
    for arguments, says in {
        ("nowhere",): "DIR must be the folder of a sweep, got 'nowhere', which is no folder",
        (str(tmp_path),): "which has no sweep.json",
        (folder, "--by", "sharpe"): "did you mean sharpe_ratio?",
        (folder, "--n", "0"): "--n must be at least 1, got 0",
        (folder, "--where", "trades > 100"): "--where 'trades > 100' leaves no set of 9",
        (folder, "--where", "fats > 1"): "--where has no 'fats'",
        (folder, "--where", "fast > 'a'"): "it mixes text and numbers",
        (folder, "--where", "1 % 0 < fast"): "can't be worked out",
        (folder, "--where", "__import__('os')"): "--where",
        (folder, "--export", "x.xlsx"): "--export must end in .csv or .parquet, got 'x.xlsx'",
        (folder, "--symbol", "BBB"): "--symbol has no 'BBB'; accepted: AAA",
    }.items():
        status, out, err = cli("top", *arguments)
        assert (status, out, err.count("\n")) == (2, "", 1), arguments
        assert says in err, arguments


@pytest.mark.parametrize("broken", ["results", "cut", "json", "axes", "column"])
def test_broken_files_are_named(tmp_path: Path, broken: str) -> None:
    folder = sweep(tmp_path, THREE, {"sharpe_ratio": np.arange(9)})
    results, described = folder / "results.parquet", folder / "sweep.json"
    whole = results.read_bytes()
    {
        "results": lambda: results.write_bytes(b"no Parquet"),
        "cut": lambda: results.write_bytes(b"PAR1" + bytes(len(whole) - 3000) + whole[-2996:]),
        "json": lambda: described.write_text("{"),
        "axes": lambda: described.write_text('{"axes": []}'),
        "column": lambda: described.write_text(json.dumps(about({**THREE, STOP: [1]}, 9))),
    }[broken]()
    with pytest.raises(DataError, match="sweep.json" if broken in ("json", "axes", "column") else "results.parquet"):
        top(folder)


def test_a_large_sweep_is_read_in_seconds(tmp_path: Path) -> None:
    axes = {FAST: list(range(100)), SLOW: list(range(200)), STOP: [0.005, 0.01, 0.02, None, 0.05], POLICY: ["stop_first", "target_first"]}
    columns = combined(axes)
    values = np.random.default_rng(1).normal(size=200_000)
    folder = sweep(tmp_path, axes, {"sharpe_ratio": values, "n_trades": np.arange(200_000)}, columns)
    started = perf_counter()
    found = top(folder, where="trades > 1000 and fast < slow")
    assert perf_counter() - started < 3.0
    assert found.rows[0]["figures"]["sharpe_ratio"] == max(
        value for i, value in enumerate(values) if i > 1000 and columns[FAST][i] < columns[SLOW][i]
    )


def test_columns_are_read_when_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = Results.columns
    monkeypatch.setattr(Results, "columns", lambda self, names: read.extend(names) or original(self, names))
    results = read_sweep(sweep(tmp_path, THREE, {"sharpe_ratio": np.arange(9)}))
    best(results, "sharpe_ratio", 1, "trades >= 0")
    assert "block_return" not in read and read.count("sharpe_ratio") == 2
