"""Several symbols in one run: each as in its own run, totals that add up, the same on every backend."""

from __future__ import annotations

import json
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import gpubt
from gpubt.backends.base import Backend
from gpubt.compose import configuration
from gpubt.config import Synthetic
from gpubt.data.synthetic import SyntheticSource
from gpubt.errors import ConfigError
from gpubt.pipeline import run_backtest
from gpubt.records.folder import RunFolder

NAMES = ("AAA", "BBB", "CCC")
EQUITIES = Path(__file__).resolve().parents[2] / "shared" / "data" / "us_equities_daily_1999-2021.parquet"
COSTS = ["costs.commission.rate=0.0005", "strategy.params.fast=5", "strategy.params.slow=15"]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three symbols of other lengths, which begin and end on other days."""
    tables = []
    for i, name in enumerate(NAMES):
        bars = SyntheticSource(Synthetic(bars=900 + 300 * i, spacing="1h", start=f"2020-01-0{1 + 3 * i}T00:00:00"), i, name).read(
            0, 900 + 300 * i
        )
        columns = {key: getattr(bars, key) for key in ("open", "high", "low", "close")}
        tables.append(pa.table({"timestamp": pa.array(bars.time, pa.timestamp("ns", "UTC")), "symbol": [name] * bars.n, **columns}))
    target = tmp_path_factory.mktemp("symbols") / "bars.parquet"
    pq.write_table(pa.concat_tables(tables), target, row_group_size=500)
    return str(target)


def overrides(path: str, symbols: str = "data.symbols=all") -> list[str]:
    return ["data=parquet", f"data.path={path}", symbols, *COSTS]


def test_a_band_is_of_the_total_too(path: str) -> None:
    bracket = ["exits.stop.pct=0.0005", "exits.target.pct=0.0005"]
    both = gpubt.run([*overrides(path), *bracket, "sim.same_bar=band"])
    for policy, metrics in both.summary["band"].items():
        assert metrics == gpubt.run([*overrides(path), *bracket, f"sim.same_bar={policy}"]).metrics
    assert both.summary["band"]["stop_first"] == both.metrics != both.summary["band"]["target_first"]


def test_each_symbol_is_its_own_run_and_totals_add_up(path: str) -> None:
    result = gpubt.run(overrides(path))
    single = {name: gpubt.run([*overrides(path, f"data.symbol={name}")]) for name in NAMES}
    assert result.symbols is not None and result.symbols["symbol"].to_pylist() == list(NAMES)
    for i, name in enumerate(NAMES):
        row = result.symbols.slice(i, 1).to_pylist()[0]
        assert row["ledger_digest"] == single[name].summary["ledger_digest"]
        assert {key: row[key] for key in single[name].metrics} == single[name].metrics
        own = result.trades.filter(pc.equal(result.trades["symbol"].cast(pa.string()), name))
        assert own.drop_columns("symbol").equals(single[name].trades.drop_columns("symbol"))
    for key in ("n_trades", "fees", "ambiguous_exits", "final_equity"):
        assert result.metrics[key] == pytest.approx(sum(run.metrics[key] for run in single.values()))
    assert result.metrics["total_return"] == pytest.approx(np.mean([run.metrics["total_return"] for run in single.values()]))
    assert result.summary["buy_and_hold"]["total_return"] == pytest.approx(
        np.mean([run.summary["buy_and_hold"]["total_return"] for run in single.values()])
    )
    assert result.equity["equity"][-1].as_py() == result.metrics["final_equity"]


def test_total_equity_is_the_sum_day_by_day(path: str) -> None:
    result = gpubt.run(overrides(path))
    curves = [gpubt.run(overrides(path, f"data.symbol={name}")).equity for name in NAMES]
    for time, equity in zip(result.equity["time"].to_pylist(), result.equity["equity"].to_pylist(), strict=True):
        want = 0.0
        for curve in curves:
            days = [t.date() for t in curve["time"].to_pylist()]
            before = [value for day, value in zip(days, curve["equity"].to_pylist(), strict=True) if day <= time.date()]
            want += before[-1] if before else 100_000.0
        assert equity == want


def test_every_backend_has_the_same_totals(path: str, backend: Backend) -> None:
    want = gpubt.run(overrides(path))
    got = run_backtest(configuration(overrides(path)), backend=backend)
    assert got.summary == want.summary and got.equity == want.equity and got.symbols == want.symbols


def test_the_order_given_decides_digest_and_hash_and_one_symbol_keeps_its_trades(path: str) -> None:
    one, other = (gpubt.run(overrides(path, f"data.symbols=[{names}]")) for names in ("AAA,BBB", "BBB,AAA"))
    assert one.summary["ledger_digest"] != other.summary["ledger_digest"] and one.summary["ledger_hash"] != other.summary["ledger_hash"]
    alone = gpubt.run(overrides(path, "data.symbols=[BBB]"))
    single = gpubt.run(overrides(path, "data.symbol=BBB"))
    for key in ("ledger_digest", "ledger_hash"):
        assert alone.summary[key] == single.summary[key]


def test_the_folder_has_the_symbols(path: str, tmp_path: Path) -> None:
    result = gpubt.run(overrides(path), folder=tmp_path)
    assert pq.read_table(tmp_path / "symbols.parquet").equals(result.symbols)
    record = json.loads((tmp_path / "benchmark.json").read_text())
    assert record["rows"] == 900 + 1200 + 1500 and record["phases"]["simulate"]["calls"] == 3
    assert len(pq.read_table(tmp_path / "trades.parquet")) == record["trades"] == result.metrics["n_trades"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["data.symbols=[AAA,XXX]"], "has no XXX; it has AAA, BBB, CCC"),
        (["data.symbols=[AAA,BBB]", "data=synthetic"], "needs data.source=parquet"),
        (["data.symbols=[AAA,AAA]"], "has a name twice"),
        (["data.symbols=5"], "must be a list of names or all, got 5"),
        (["data.symbols=all", "data.symbol=AAA"], "exclude each other"),
        (["data.symbols=all", "equity=bar"], "equity=bar runs one symbol"),
        (["data.symbols=all", "positions=list", "entries.path=x.csv"], "positions=list runs one symbol"),
    ],
)
def test_what_can_not_be_is_refused(path: str, more: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        gpubt.run(["data=parquet", f"data.path={path}", *more, *COSTS])


@pytest.mark.skipif(not EQUITIES.exists(), reason="the real bars beside the checkout are absent")
def test_real_equities_adjusted_for_splits() -> None:
    result: Any = gpubt.run(["data=parquet", f"data.path={EQUITIES}", "data.symbols=[A,ADI,AEP]", "data.adjust=split", "costs=us_equities"])
    assert result.symbols.num_rows == 3 and result.summary["returns"] == "bar"
    assert result.metrics["n_trades"] == sum(result.symbols["n_trades"].to_pylist())


def test_a_file_of_one_symbol_and_bars_from_memory_are_refused(tmp_path: Path) -> None:
    bars = SyntheticSource(Synthetic(bars=100), 1, "ONE").read(0, 100)
    columns = {key: getattr(bars, key) for key in ("open", "high", "low", "close")}
    pq.write_table(pa.table({"timestamp": pa.array(bars.time, pa.timestamp("ns", "UTC")), **columns}), tmp_path / "one.parquet")
    with pytest.raises(ConfigError, match="has no symbol column"):
        gpubt.run(overrides(str(tmp_path / "one.parquet"), "data.symbols=[A,B]"))
    with pytest.raises(ConfigError, match="bars from memory are of one symbol"):
        gpubt.run(["data.symbols=[A,B]"], bars=bars)


def test_the_table_of_symbols_has_one_schema_whatever_the_run(path: str) -> None:
    short, whole = gpubt.run([*overrides(path), "data.frac=0.005"]), gpubt.run(overrides(path))
    assert short.symbols is not None and whole.symbols is not None
    assert short.symbols["win_rate"].null_count == 3 and short.symbols.schema == whole.symbols.schema


def test_an_error_names_its_symbol(path: str) -> None:
    with pytest.raises(ConfigError, match=r"^BBB: .* selects no bar"):
        gpubt.run([*overrides(path), "data.end=2020-01-03"])


def test_the_record_of_the_total_counts_its_own_files(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = RunFolder.trades

    def slowly(self: Any, *arguments: Any) -> Any:
        sleep(0.2)
        return write(self, *arguments)

    monkeypatch.setattr(RunFolder, "trades", slowly)
    record = gpubt.run(overrides(path), folder=tmp_path / "run").benchmark
    assert record["phases"]["write"]["seconds"] > 0.2
    assert record["wall_clock_s"] > 0.2
