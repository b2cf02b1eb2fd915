"""Other symbols' columns in rules: aligned without a look ahead, the same everywhere, part of the data's identity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpubt import cli
from gpubt.backends.base import Backend
from gpubt.compose import configuration
from gpubt.data.load import load, select
from gpubt.errors import ConfigError, DataError
from gpubt.pipeline import run_backtest
from gpubt.strategy.plan import plan

N, MINUTE = 4000, 60_000_000_000
EXIT = "close < btc.low * 0 + sma(close, 30)"
ENTRY = "btc.close > ema(btc.close, 9) and crosses_above(close, sma(close, 20))"


def table(symbol: str, times: np.ndarray, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 1e-3, len(times))))
    first = np.concatenate([close[:1], close[:-1]])
    prices = {"open": first, "high": np.maximum(first, close), "low": np.minimum(first, close), "close": close}
    named = {"timestamp": times.astype("datetime64[ns]"), "symbol": pa.array([symbol] * len(times))}
    return pa.table({**named, **prices, "volume": np.arange(len(times)) * 1.0})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    grid = 1_600_000_000 * 10**9 // (5 * MINUTE) * 5 * MINUTE + np.arange(N) * 5 * MINUTE
    btc = grid[200:][rng.random(N - 200) < 0.8]  # begins later, with holes
    pq.write_table(pa.concat_tables([table("BTC", btc, 1), table("ETH", grid, 2)]), tmp_path / "bars.parquet")
    (tmp_path / "strategy").mkdir()
    rules = f'long:\n  entry: "{ENTRY.replace("9", "n")}"\n  exit: "{EXIT}"\n'
    (tmp_path / "strategy" / "pair.yaml").write_text(f"name: pair\nside: long\nparams: {{n: 9}}\n{rules}")
    return tmp_path


def words(folder: Path, *more: str) -> list[str]:
    data = ["data=parquet", f"data.path={folder / 'bars.parquet'}", "data.symbol=ETH", "+data.others.btc.symbol=BTC"]
    return [*data, "strategy=pair", *more]


def test_a_row_sees_the_last_bar_that_has_ended(folder: Path) -> None:
    config = configuration(words(folder), str(folder))
    loaded = load(config, select(config), plan(config).columns)
    other = pq.read_table(folder / "bars.parquet", filters=[("symbol", "=", "BTC")])
    times, close = other["timestamp"].cast(pa.int64()).to_numpy(), other["close"].to_numpy()
    for t in (0, 199, 200, 201, 1000, N - 1):
        before = np.flatnonzero(times <= loaded.bars.time[t])
        got = loaded.columns["btc.close"][t]
        assert np.isnan(got) if not len(before) else got == close[before[-1]]


def test_every_backend_gives_one_ledger(folder: Path, backend: Backend) -> None:
    config = configuration(words(folder), str(folder))
    result = run_backtest(config, backend=backend)
    assert result.summary["n_trades"] > 10
    assert result.summary["ledger_hash"] == run_backtest(config).summary["ledger_hash"]


def test_a_row_of_a_sweep_is_its_run_and_nothing_sees_the_future(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    given = [*words(folder), "--config-dir", str(folder)]
    assert cli.main(["sweep", *given, "strategy.params.n=3,5,8,13", "--out", "swept", "progress=false"]) == 0
    assert cli.main(["replay", "swept", "--row", "2"]) == 0
    assert cli.main(["check", "lookahead", *given]) == 0


def test_a_few_rows_beside_daily_bars(tmp_path: Path) -> None:
    """How long the other's bars are does not depend on how few of them are read: on Monday the last one that has ended is Friday's."""
    days = np.array([0, 1, 4, 5, 6, 7, 8, 11, 12], np.int64) * 86_400 * 10**9  # from a Thursday on, no weekends
    monday = days[2] + np.arange(60) * MINUTE
    pq.write_table(pa.concat_tables([table("BTC", days, 1), table("ETH", monday, 2)]), tmp_path / "bars.parquet")
    (tmp_path / "strategy").mkdir()
    (tmp_path / "strategy" / "pair.yaml").write_text('name: pair\nside: long\nlong:\n  entry: "close > btc.close"\n')
    config = configuration(words(tmp_path), str(tmp_path))
    loaded = load(config, select(config), plan(config).columns)
    friday = table("BTC", days, 1)["close"][1].as_py()
    assert (loaded.columns["btc.close"] == friday).all()
    assert loaded.report.notes == ()


@pytest.mark.parametrize(("away", "told"), [(400, "has no bars so early"), (-400, "has bars from")])
def test_one_that_is_not_there_is_told(away: int, told: str, folder: Path) -> None:
    bars = pq.read_table(folder / "bars.parquet").to_pydict()
    moved = [
        time + np.timedelta64(away if symbol == "BTC" else 0, "D") for time, symbol in zip(bars["timestamp"], bars["symbol"], strict=True)
    ]
    pq.write_table(pa.table(bars | {"timestamp": moved}), folder / "bars.parquet")
    result = run_backtest(configuration(words(folder), str(folder)))
    assert any(f"data.others.btc {told}" in line for line in result.summary["warnings"])
    assert any("4,000 of 4,000 rows see none of it" in line for line in result.summary["warnings"])


def test_its_bars_are_part_of_the_digest(folder: Path) -> None:
    config = configuration(words(folder), str(folder))
    before = run_backtest(config).summary["data_digest"]
    bars = pq.read_table(folder / "bars.parquet")
    moved = bars.set_column(5, "close", pa.array(np.where(np.arange(len(bars)) < 50, bars["high"], bars["close"].to_numpy())))
    pq.write_table(moved, folder / "bars.parquet")
    assert run_backtest(config).summary["data_digest"] != before


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        (["+data.others.btc.symbol=XRP"], DataError | ConfigError, "data.others.btc: data.symbol=XRP is not in"),
        (["+data.others.close.symbol=BTC"], ConfigError, "data.others.close: an alias must be a name that is no column"),
        (["+data.others.btc.frac=0.5"], ConfigError, "data.others.btc.frac is unknown; accepted: source, path, symbol"),
    ],
)
def test_mistakes_are_one_sentence(folder: Path, more: list[str], error: type[Exception], message: str) -> None:
    given = [word for word in words(folder) if "others" not in word or "frac" in more[0]]
    with pytest.raises((ConfigError, DataError), match=message):
        run_backtest(configuration([*given, *more], str(folder)))


def test_unknown_symbols_and_columns_have_a_caret(folder: Path) -> None:
    for text, message in (
        ("bct.close > 1", r"unknown symbol 'bct'; did you mean btc\?|unknown symbol 'bct'; accepted: btc"),
        ("btc.price > 1", "btc has no 'price'"),
    ):
        with pytest.raises(ConfigError, match=message):
            run_backtest(configuration([*words(folder), f'strategy.long.entry="{text}"'], str(folder)))
