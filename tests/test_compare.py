"""`gpubt compare A B`: what is the same to the bit, what is within tolerance, and the first row that is neither."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import Cli

import gpubt
from gpubt.compare import Tolerances, compare
from gpubt.config import Synthetic
from gpubt.data.synthetic import SyntheticSource
from gpubt.errors import DataError
from gpubt.records.saved import read_run
from gpubt.simulate.layout import REASONS, TRADE
from gpubt.simulate.ledger import ledger_digest, to_table

pytest_plugins = ["cli_fixtures"]

BASE = ["data.frac=1/32", "backend=cpu", "costs.commission.rate=0.0005", "exits.stop.pct=0.01"]
LADDER = "exits.target.ladder=[{pct:0.01,share:0.5},{pct:0.02,share:0.5}]"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with ladders: positions of one row and of two."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    gpubt.run([*BASE, LADDER], folder=folder)
    return folder


def changed(run: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of the run with other rows, and the summary that belongs to them."""
    shutil.copytree(run, folder)
    columns = pq.read_table(folder / "trades.parquet").to_pydict()
    change(columns)
    schema = pq.read_schema(folder / "trades.parquet")
    pq.write_table(pa.table(columns, schema=schema), folder / "trades.parquet")
    summary = json.loads((folder / "summary.json").read_text())
    summary["ledger_digest"] = read_run(folder).digest()
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def put(name: str, row: int, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def apply(columns: dict[str, Any]) -> None:
        columns[name][row] = change(columns[name][row])

    return apply


def test_the_digest_of_the_file_is_the_summarys(run: Path) -> None:
    saved = read_run(run)
    assert saved.digest() == saved.summary["ledger_digest"]
    assert any(saved.ledger["leg"] > 0)
    metrics, account = saved.summary["metrics"], saved.account()
    assert account["n_trades"] == metrics["n_trades"] < saved.rows == saved.summary["fills"]
    assert account["win_rate"] == pytest.approx(metrics["win_rate"], rel=1e-12)
    assert account["bars_held"] == pytest.approx(metrics["average_bars_held"], rel=1e-12)
    assert account["pnl"] == pytest.approx(metrics["expectancy"] * metrics["n_trades"], rel=1e-9)


def test_event_and_bar_mode_are_the_same_to_the_bit(cli: Cli, run: Path, tmp_path: Path) -> None:
    gpubt.run([*BASE, LADDER, "sim.mode=bar"], folder=tmp_path / "bar")
    status, out, err = cli("compare", str(run), str(tmp_path / "bar"))
    assert (status, err) == (0, "")
    digest = read_run(run).summary["ledger_digest"][:16]
    assert out.endswith(f"\nthe same to the bit: ledger {digest}\n")
    assert "settings       sim.mode: event | bar\ndata           the same: " in out
    assert out.index("sim.mode") < out.index("total pnl")  # the settings come first
    rows = read_run(run).rows
    assert f"{rows:,} in both: {rows:,} the same to the bit, 0 within tolerance, 0 different" in out


def test_other_settings_give_the_first_difference(cli: Cli, run: Path, tmp_path: Path) -> None:
    gpubt.run([*BASE, LADDER, "exits.stop.pct=0.02", "data.frac=1/40"], folder=tmp_path / "other")
    status, out, _ = cli("compare", str(run), str(tmp_path / "other"))
    assert status == 3
    assert "exits.stop.pct: 0.01 | 0.02" in out and "data.frac: 1/32 | 1/40" in out and "data           different: " in out
    found = json.loads(cli("compare", str(run), str(tmp_path / "other"), "--json")[1])
    first, a, b = (found["first_difference"], *(read_run(folder) for folder in (run, tmp_path / "other")))
    names = ("side", "entry_bar", "exit_bar", "exit_reason")
    key = ("position", "leg")
    row = next(
        i
        for i in range(min(a.rows, b.rows))
        if any(a.ledger[name][i] != b.ledger[name][i] for name in (*key, *names)) or a.row(i)["pnl"] != b.row(i)["pnl"]
    )
    assert [first[name] for name in key] == [a.row(row)[name] for name in key]
    assert f"different, first in trade {first['position']}" in out
    assert f"gpubt explain {run} --trade {first['position']}" in out
    assert first["a"]["entry_time"].endswith("Z") and first["a"]["entry_time"] in out
    assert found["verdict"] == "different" and found["settings"]["exits.stop.pct"] == [0.01, 0.02]


CHANGES = [  # column, change, judged column that it is told of (None: within tolerance)
    ("entry_price", lambda x: x * (1 + 9e-7), None),
    ("entry_price", lambda x: x * (1 + 1.1e-6), "entry_price"),
    ("exit_price", lambda x: x * (1 - 1.1e-6), "exit_price"),
    ("exit_price", lambda x: float("nan"), "exit_price"),
    ("pnl", lambda x: x * (1 + 9e-5), None),
    ("pnl", lambda x: x * (1 + 1.1e-4), "pnl"),
    ("exit_bar", lambda x: x + 1, "exit_bar"),
    ("entry_bar", lambda x: x - 1, "entry_bar"),
    ("side", lambda x: "short" if x == "long" else "long", "side"),
    ("exit_reason", lambda x: "time", "exit_reason"),
    ("bars_held", lambda x: x + 1, None),
    ("bars_held", lambda x: x + 2, "bars_held"),
    ("units", lambda x: x * 2, None),  # told, not judged
    ("ambiguous", lambda x: not x, None),
]


@pytest.mark.parametrize(("name", "change", "told"), CHANGES)
def test_tolerances(cli: Cli, run: Path, tmp_path: Path, name: str, change: Callable[[Any], Any], told: str | None) -> None:
    other = changed(run, tmp_path / "other", put(name, 7, change))
    a, b = read_run(run), read_run(other)
    for found in (compare(a, b), compare(b, a)):
        assert found.agrees == (told is None) and not (found.identical and name != "bars_held")
        assert found.equal == a.rows - 1
        if told is None:
            assert found.first is None and found.columns == {}
        else:
            assert found.first is not None
            assert (found.first.column, found.columns) == (told, {told: 1})
            assert (found.first.position, found.first.leg) == (a.ledger["position"][7], a.ledger["leg"][7])
    if name in ("units", "ambiguous"):
        assert compare(a, b).told == {name: 1}
    status, out, _ = cli("compare", str(run), str(other))
    assert status == (0 if told is None else 3)
    assert ("the same" if told is None else f": {told} ") in out.splitlines()[-1 if told is None else -4]


def test_tolerances_are_options(cli: Cli, run: Path, tmp_path: Path) -> None:
    prices = changed(run, tmp_path / "prices", put("exit_price", 3, lambda x: x * 1.001))
    assert cli("compare", str(run), str(prices))[0] == 3
    assert cli("compare", str(run), str(prices), "--price", "0.01")[0] == 0
    pnl = changed(run, tmp_path / "pnl", put("pnl", 3, lambda x: x * (1 + 1e-9)))
    assert cli("compare", str(run), str(pnl))[0] == 0
    assert cli("compare", str(run), str(pnl), "--pnl", "0")[0] == 3
    held = changed(run, tmp_path / "held", put("bars_held", 3, lambda x: x + 5))
    assert cli("compare", str(run), str(held), "--duration", "5")[0] == 0


def test_a_trade_that_made_nothing_is_judged_by_its_notional(run: Path, tmp_path: Path) -> None:
    """What rounding leaves of a pnl of nothing has no relative size."""
    nothing = changed(run, tmp_path / "nothing", put("pnl", 3, lambda x: 0.0))
    rounded = changed(run, tmp_path / "rounded", put("pnl", 3, lambda x: 1e-11))
    assert compare(read_run(nothing), read_run(rounded)).agrees
    assert compare(read_run(nothing), read_run(rounded), Tolerances(pnl=0.0)).columns == {"pnl": 1}


def test_totals_are_judged_where_every_row_is_within_tolerance(cli: Cli, run: Path, tmp_path: Path) -> None:
    """Losses and gains cancel: the sum is further apart than its parts. And trades about nothing count as wins."""

    def cancel(columns: dict[str, Any], scale: float) -> None:
        rows = zip(columns["position"], columns["leg"], strict=True)
        columns["pnl"] = [0.0 if leg else 100.0 * scale if position % 2 else -100.0 for position, leg in rows]

    even = changed(run, tmp_path / "even", lambda columns: cancel(columns, 1.0))
    scaled = changed(run, tmp_path / "scaled", lambda columns: cancel(columns, 1.00005))
    found = compare(read_run(even), read_run(scaled))
    assert found.first is None and [figure.name for figure in found.figures if figure.agrees is False] == ["pnl"]
    status, out, _ = cli("compare", str(even), str(scaled))
    assert status == 3 and out.endswith("different: every row is within tolerance, but not total pnl\n")
    none, win = (
        changed(run, tmp_path / str(value), lambda columns, value=value: columns.update(pnl=[value] * len(columns["pnl"])))
        for value in (0.0, 1e-12)
    )
    assert [figure.name for figure in compare(read_run(none), read_run(win)).figures if figure.agrees is False] == ["win_rate"]


def test_rows_that_only_one_has(cli: Cli, run: Path, tmp_path: Path) -> None:
    def shorten(columns: dict[str, Any]) -> None:
        for values in columns.values():
            del values[5]

    short = changed(run, tmp_path / "short", shorten)
    row = read_run(run).row(5)
    for folders, missing in (((run, short), "A"), ((short, run), "B")):
        status, out, _ = cli("compare", *map(str, folders))
        assert status == 3
        place = f"trade {row['position']}" + (f", leg {row['leg']}" if row["leg"] else "")
        assert f"different, first in {place}, which is only in {missing}\n  {missing}  {row['side']}, in " in out
        assert f"{1 if missing == 'A' else 0} only in A, {1 if missing == 'B' else 0} only in B" in out


def test_runs_without_trades(cli: Cli, run: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        gpubt.run([*BASE, "data.frac=0.0002"], folder=tmp_path / name)
    assert read_run(tmp_path / "one").rows == 0
    status, out, _ = cli("compare", str(tmp_path / "one"), str(tmp_path / "two"))
    assert status == 0 and "the same to the bit" in out
    assert cli("compare", str(run), str(tmp_path / "one"))[0] == 3
    assert cli("compare", str(tmp_path / "one"), str(run), "--json")[0] == 3


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three symbols with a random walk each."""
    tables = []
    for i, name in enumerate(("AAA", "BBB", "CCC")):
        one = SyntheticSource(Synthetic(bars=1500, spacing="1h"), i, name).read(0, 1500)
        prices = {key: getattr(one, key) for key in ("open", "high", "low", "close")}
        tables.append(pa.table({"timestamp": pa.array(one.time, pa.timestamp("ns", "UTC")), "symbol": [name] * one.n, **prices}))
    path = tmp_path_factory.mktemp("symbols") / "bars.parquet"
    pq.write_table(pa.concat_tables(tables), path)
    return str(path)


def test_several_symbols(cli: Cli, bars: str, tmp_path: Path) -> None:
    base = ["data=parquet", f"data.path={bars}", "strategy.params.fast=5", "strategy.params.slow=15", "backend=cpu"]
    lists = {"all": "all", "order": "[BBB,CCC,AAA]", "two": "[AAA,CCC]"}
    for name, symbols in lists.items():
        gpubt.run([*base, f"data.symbols={symbols}"], folder=tmp_path / name)
    gpubt.run([*base, "data.symbols=all", "sim.mode=bar"], folder=tmp_path / "bar")
    saved = {name: read_run(tmp_path / name) for name in (*lists, "bar")}
    assert all(one.digest() == one.summary["ledger_digest"] for one in saved.values())
    assert compare(saved["all"], saved["bar"]).identical
    ordered = compare(saved["all"], saved["order"])  # another digest, the same rows
    assert ordered.agrees and not ordered.identical and ordered.equal == saved["all"].rows
    fewer = compare(saved["two"], saved["all"])
    assert fewer.first is not None and (fewer.first.symbol, fewer.first.position) == ("BBB", 0)
    assert fewer.only == (0, int(np.count_nonzero(saved["all"].ledger["symbol"] == 1))) and fewer.equal == saved["two"].rows
    status, out, _ = cli("compare", str(tmp_path / "two"), str(tmp_path / "all"))
    assert status == 3 and "different, first in BBB trade 0, which is only in B" in out
    assert f"gpubt explain {tmp_path / 'all'} --trade 0 --symbol BBB" in out


def test_one_symbol_under_two_names(bars: str, tmp_path: Path) -> None:
    """The same bars called otherwise: the ledger is the same, the data is not said to be."""
    table = pq.read_table(bars).slice(0, 1500).drop_columns(["symbol"])
    pq.write_table(table, tmp_path / "other.parquet")
    base = ["data=parquet", "strategy.params.fast=5", "strategy.params.slow=15", "backend=cpu"]
    gpubt.run([*base, f"data.path={bars}", "data.symbol=AAA"], folder=tmp_path / "a")
    gpubt.run([*base, f"data.path={tmp_path / 'other.parquet'}"], folder=tmp_path / "b")
    a, b = read_run(tmp_path / "a"), read_run(tmp_path / "b")
    assert a.symbols != b.symbols and compare(a, b).identical


def _break(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text) and None


def _without(column: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "trades.parquet"
        pq.write_table(pq.read_table(path).drop_columns([column]), path)

    return change


BROKEN: list[tuple[Callable[[Path], None], list[str]]] = [
    (lambda folder: (folder / "summary.json").unlink(), ["must be the folder of a finished run", "which has no summary.json"]),
    (lambda folder: shutil.rmtree(folder), ["must be the folder of a finished run", "no config.yaml and no trades.parquet"]),
    (_break("summary.json", "{"), ["summary.json is not JSON"]),
    (_break("summary.json", "[]"), ["summary.json must hold a JSON object, got list"]),
    (_break("summary.json", "{}"), ["summary.json is not the summary of a run: it has no symbol"]),
    (_break("benchmark.json", "no"), ["benchmark.json is not JSON"]),
    (_break("config.yaml", "a: ["), ["config.yaml can't be read as YAML"]),
    (_break("config.yaml", "- 1"), ["config.yaml must hold the configuration of a run, got list"]),
    (_break("trades.parquet", "PAR1"), ["trades.parquet can't be read as the ledger of a run"]),
    (_without("pnl"), ["trades.parquet is not the ledger of a run: it has no column pnl"]),
    (_without("symbol"), ["trades.parquet is not the ledger of a run: it has no column symbol"]),
]


@pytest.mark.parametrize(("damage", "pieces"), BROKEN)
def test_broken_folders_are_one_sentence(cli: Cli, run: Path, tmp_path: Path, damage: Callable[[Path], None], pieces: list[str]) -> None:
    shutil.copytree(run, tmp_path / "other")
    damage(tmp_path / "other")
    status, out, err = cli("compare", str(run), str(tmp_path / "other"))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert all(piece in err for piece in pieces), err


def test_a_ledger_that_is_not_its_summarys_is_refused(run: Path, tmp_path: Path) -> None:
    other = changed(run, tmp_path / "other", put("pnl", 3, lambda x: x * (1 + 1e-9)))
    shutil.copy(run / "summary.json", other / "summary.json")
    with pytest.raises(DataError, match=r"other/trades.parquet is not the ledger of its summary"):
        compare(read_run(run), read_run(other))
    shutil.copytree(run, tmp_path / "nulls")
    table = pq.read_table(run / "trades.parquet")
    pq.write_table(table.set_column(3, "side", pa.array([None] * len(table), pa.string())), tmp_path / "nulls" / "trades.parquet")
    with pytest.raises(DataError, match="its column side has nulls"):
        read_run(tmp_path / "nulls")
    strange = pa.array(["sideways"] * len(table))
    pq.write_table(table.set_column(3, "side", strange), tmp_path / "nulls" / "trades.parquet")
    with pytest.raises(DataError, match="it has the name 'sideways'"):
        read_run(tmp_path / "nulls")


@pytest.mark.parametrize(
    ("arguments", "piece"),
    [
        ([], "the following arguments are required: A, B"),
        (["--price", "x"], "--price must be a number of at least 0, got 'x'"),
        (["--pnl=-1"], "--pnl must be a number of at least 0, got '-1'"),
        (["--win-rate", "nan"], "--win-rate must be a number of at least 0, got 'nan'"),
        (["--duration", "inf"], "--duration must be a number of at least 0, got 'inf'"),
        (["--bars", "1"], "unrecognized arguments: --bars 1"),
    ],
)
def test_mistakes_are_one_sentence(cli: Cli, arguments: list[str], piece: str) -> None:
    status, out, err = cli("compare", *(["a", "b"] if arguments else []), *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert piece in err


def test_help_and_completion(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    status, out, _ = cli("compare", "--help")
    assert status == 0 and "3 different" in " ".join(out.split()) and "0.01 %" in out
    monkeypatch.setenv("COMP_LINE", "gpubt comp")
    assert cli("-sc", "query=bash")[1].split() == ["compare"]


def test_large_ledgers_take_no_loop(run: Path, tmp_path: Path) -> None:
    """300,000 rows, the generated columns of which a loop in Python would take seconds for."""
    n, rng = 300_000, np.random.default_rng(7)
    rows = np.zeros(n, TRADE)
    rows["position"], rows["entry_bar"], rows["units"] = np.arange(n), 2 * np.arange(n), 10.0
    rows["exit_bar"] = rows["entry_bar"] + rng.integers(0, 9, n)
    rows["side"], rows["reason"] = rng.integers(0, 2, n), rng.integers(1, len(REASONS) + 1, n)
    rows["entry_price"], rows["exit_price"] = 100 + rng.normal(size=(2, n))
    rows["pnl"], rows["r_multiple"] = rows["exit_price"] - rows["entry_price"], np.nan
    found = []
    for name, last in (("a", rows["exit_bar"][-1]), ("b", rows["exit_bar"][-1] + 1)):
        rows["exit_bar"][-1] = last
        shutil.copytree(run, tmp_path / name)
        summary = json.loads((run / "summary.json").read_text()) | {"symbol": "X", "ledger_digest": ledger_digest([rows])}
        (tmp_path / name / "summary.json").write_text(json.dumps(summary))
        pq.write_table(to_table(rows, np.arange(2 * n + 10), "X"), tmp_path / name / "trades.parquet")
        found.append(read_run(tmp_path / name))
    start = perf_counter()
    compared = compare(*found)
    assert perf_counter() - start < 5.0
    assert compared.first is not None and (compared.first.position, compared.first.column) == (n - 1, "exit_bar")
    assert (compared.matched, compared.different, compared.same_entries) == (n, 1, n)
