"""`gpubt report` of a run: its figures are the run's, nothing in it can break out, and it is made without bars where there are none."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from by_hand import FLAT, write
from command_line import Cli
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

import gpubt
from gpubt.compose import configuration
from gpubt.data.bars import Bars
from gpubt.metrics.definitions import DEFINITIONS, markdown
from gpubt.records.arrow import plain
from gpubt.records.saved import read_run
from gpubt.report.html.account import Curve, by_month, read_curve, rolling_sharpe
from gpubt.report.html.again import again, overrides, written
from gpubt.report.html.levels import candles, histogram, kept
from gpubt.report.html.market import read_market
from gpubt.report.html.page import script_json
from gpubt.report.html.run import run_page
from gpubt.report.html.trades import chosen, excursions, exposure, reasons, trades_data

pytest_plugins = ["cli_fixtures"]

DOCS = Path(__file__).resolve().parents[1] / "docs"
EVIL = "</script><script>window.hacked=1</script>\u2028"
RUN = ("strategy=trend_pullback", "data.frac=1/8", "backend=cpu", "costs=us_equities")


class Page(HTMLParser):
    """Elements by name, and the texts of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements:
            self.texts.setdefault(self.elements[-1][0], []).append(data)

    @property
    def data(self) -> Any:
        """What the scripts read."""
        return json.loads(next(text for text in self.texts["script"] if text.startswith("{")))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


@pytest.fixture(autouse=True)
def without_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its five megabytes take long to parse; tests/test_report_browser.py has them."""
    monkeypatch.setattr("gpubt.report.html.page._plotly", lambda: "0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("run")
    gpubt.run([*RUN], folder=made)
    return made


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.integers(4, 40))
def test_a_level_keeps_ends_and_extremes(values: list[float], most: int) -> None:
    array = np.array(values)
    rows = kept(array, most)
    assert len(rows) <= max(most, 4) and (np.diff(rows) > 0).all()
    assert rows[0] == 0 and rows[-1] == len(array) - 1
    assert array[rows].min() == array.min() and array[rows].max() == array.max()
    assert len(array) > most or len(rows) == len(array)


@given(st.integers(1, 200), st.integers(1, 50))
def test_candles_lose_no_extreme(n: int, most: int) -> None:
    rng = np.random.default_rng(n)
    low, high = rng.uniform(1, 2, n), rng.uniform(2, 3, n)
    bars = Bars("A", np.arange(n), low, high, low, high)
    size, level = candles(bars, most)
    assert len(level["open"]) == math.ceil(n / size) <= most
    assert level["open"][0] == low[0] and level["close"][-1] == high[-1]
    for i, start in enumerate(range(0, n, size)):
        assert (level["low"][i], level["high"][i]) == (low[start : start + size].min(), high[start : start + size].max())


@settings(max_examples=40)
@given(st.recursive(st.none() | st.text() | st.floats(allow_nan=False, allow_infinity=False), st.lists, max_leaves=8))
def test_data_can_not_leave_its_element(value: Any) -> None:
    text = script_json(value)
    assert json.loads(text) == value and text.isascii() and not set("<>&") & set(text)


def test_a_histogram_counts_everything_once() -> None:
    values = np.concatenate([np.random.default_rng(1).normal(size=5000), [np.nan, 1e9, -1e9]])
    found = histogram(values)
    assert sum(found["counts"]) == 5002 and len(found["edges"]) == len(found["counts"]) + 1
    assert sum(histogram(np.array([0.5, 0.5]))["counts"]) == 2
    assert histogram(np.array([]))["counts"] == []


def test_months_and_years_by_hand() -> None:
    """100 to 110 in January, 99 in February of the next year; March has no bars."""
    days = np.array(["2020-01-10", "2020-01-31", "2021-02-01", "2021-04-30"], "datetime64[D]").astype(np.int64)
    curve = Curve(days * 86_400 * 10**9, np.array([105.0, 110.0, 99.0, 99.0]), days, np.arange(4), 100.0, 365.0, 0.0)
    (first, months, one), (second, others, two) = by_month(curve)
    assert (first, second) == (2020, 2021)
    assert months == [pytest.approx(0.1)] + [None] * 11 and one == pytest.approx(0.1)
    assert others[:4] == [None, pytest.approx(-0.1), None, pytest.approx(0.0)] and two == pytest.approx(-0.1)


def test_figures_of_the_page_are_those_of_the_run(folder: Path) -> None:
    saved = read_run(folder)
    metrics, curve = saved.summary["metrics"], read_curve(saved)
    yearly = math.prod(1.0 + value for _, _, value in by_month(curve) if value is not None) - 1.0
    assert yearly == pytest.approx(metrics["total_return"], rel=1e-12)
    whole = rolling_sharpe(replace(curve, per_year=2.0 * len(curve.returns)))  # a window of all returns
    assert whole["value"] == [pytest.approx(metrics["sharpe_ratio"] * math.sqrt(2.0 * len(curve.returns) / curve.per_year), rel=1e-4)]
    market = read_market(saved, "SZ000338", curve.time)
    assert not isinstance(market, str)
    assert market.held[-1] / 1e5 - 1.0 == pytest.approx(saved.summary["buy_and_hold"]["total_return"])
    shares, bars = exposure(saved, market.run.bars, "SZ000338"), market.run.bars
    months = np.unique(bars.time.astype("datetime64[ns]").astype("datetime64[M]"), return_counts=True)[1]
    exposed = sum(count * (a + b) for count, a, b in zip(months.tolist(), shares["long"], shares["short"], strict=True))
    assert exposed / bars.n == pytest.approx(metrics["exposure"], rel=1e-3)
    assert sum(one["count"] for one in reasons(saved)) == metrics["n_trades"] == excursions(saved)["of"]
    assert sum(one["pnl"] for one in reasons(saved)) == pytest.approx(metrics["final_equity"] - 1e5)


def test_trades_with_their_bars_levels_and_events(folder: Path) -> None:
    saved = read_run(folder)
    market = read_market(saved, "SZ000338", read_curve(saved).time)
    assert not isinstance(market, str)
    rows = chosen(saved, "SZ000338", 20)
    share = saved.positions["pnl"] / saved.positions["notional"]
    assert len(rows) == len(set(rows.tolist())) == 20
    assert {int(np.argmax(share)), int(np.argmin(share))} <= set(rows.tolist())
    for trade in trades_data(saved, market.run, rows):
        window, side = trade["window"], 1 if trade["side"] == "long" else -1
        assert {trade["entry_bar"], trade["exit_bar"]} <= set(window["bar"])
        entry = next(fill for fill in trade["fills"] if fill["what"] == "entry")
        assert entry["bar"] == trade["entry_bar"]
        stop = trade["stops"][window["bar"].index(trade["entry_bar"])]
        assert side * (entry["price"] - stop) > 0 and side * (trade["targets"][0] - entry["price"]) > 0
        held = [level is not None for level in trade["stops"]]
        assert held == [trade["entry_bar"] <= bar <= trade["exit_bar"] for bar in window["bar"]]
        assert trade["events"][0]["text"].startswith(f"{trade['side']} signal")
        low = np.array(window["l"])
        assert low.tolist() == pytest.approx(market.run.bars.low[window["bar"]].tolist())


def test_the_page_holds_together(folder: Path) -> None:
    text = run_page(folder, most=5)
    page = Page(text)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids)) and page.count("script") == 3
    targets = {attributes["href"] for tag, attributes in page.elements if tag == "a"}
    assert {target for target in targets if target} <= {f"#{name}" for name in ids}
    assert not any(attributes.get("src") for _, attributes in page.elements) and len(page.data["trades"]) == 5
    assert all(f"{one.label}<span" in text for name, one in DEFINITIONS.items() if name in read_run(folder).summary["metrics"])


def test_text_from_data_and_configuration_is_escaped(tmp_path: Path) -> None:
    given = {
        "strategy": {"name": f"<b>{EVIL}", "about": EVIL, "long": {"entry": "close > sma(close, 5)", "exit": "close < sma(close, 5)"}},
        "data": {"source": "synthetic", "symbol": EVIL, "synthetic": {"bars": 3000}},
        "backend": "cpu",
    }
    gpubt.run(given, folder=tmp_path)
    page = Page(run_page(tmp_path, most=3))
    assert page.count("script") == 3 and page.count("b") == len(by_month(read_curve(read_run(tmp_path))))  # years are bold
    assert "".join(page.texts["h1"]) == f"<b>{EVIL} on {EVIL}"
    assert len(page.data["trades"]) == 3


def test_without_the_bars_it_says_so(tmp_path: Path) -> None:
    """The file is gone, then another is in its place."""
    path = tmp_path / "bars.parquet"
    columns = ("timestamp", "open", "high", "low", "close")
    table = pq.read_table(DOCS.parent / "sample" / "sz000338_5m_2007-2020.parquet").slice(0, 3000)
    table = table.select([name for name in table.column_names if name in columns])
    pq.write_table(table, path)
    gpubt.run(["data=parquet", f"data.path={path}", "backend=cpu"], folder=tmp_path / "run")
    assert Page(run_page(tmp_path / "run", most=2)).data["bars"] is not None
    path.unlink()
    page = run_page(tmp_path / "run")
    assert Page(page).data["bars"] is None and "Without candles" in page and str(path) in page
    pq.write_table(table.slice(0, 2000), path)
    assert "the bars are no longer those of the run" in run_page(tmp_path / "run")


def test_several_symbols(tmp_path: Path) -> None:
    bars = {name: [FLAT] * 3 + [(100, 105 + i, 99, 104), (104, 106, 90, 95)] * 20 for i, name in enumerate(("A", "B"))}
    path = tmp_path / "bars.parquet"
    tables = []
    for name, rows in bars.items():
        write(tmp_path / f"{name}.parquet", rows, symbol=[name] * len(rows))
        tables.append(pq.read_table(tmp_path / f"{name}.parquet"))
    pq.write_table(pa.concat_tables(tables), path)
    rule = {"name": "x", "long": {"entry": "close > open", "exit": "close < open"}}
    data = {"source": "parquet", "path": str(path), "symbols": ["A", "B"]}
    gpubt.run({"strategy": rule, "data": data, "backend": "cpu"}, folder=tmp_path / "run")
    for symbol in ("A", None):
        page = Page(run_page(tmp_path / "run", symbol=symbol))
        assert page.data["bars"]["bars"] == 43 and page.data["trades"]
        assert page.data["account"]["capital"] == 200_000.0
    saved = read_run(tmp_path / "run")
    market = read_market(saved, "A", read_curve(saved).time)
    assert not isinstance(market, str)
    assert market.held[-1] / 2e5 - 1.0 == pytest.approx(saved.summary["buy_and_hold"]["total_return"])


def test_a_run_without_trades_and_one_by_bar(tmp_path: Path) -> None:
    never = {"strategy": {"name": "never", "long": {"entry": "close > 1e9"}}, "backend": "cpu", "data": {"frac": "1/64"}, "equity": "bar"}
    gpubt.run(never, folder=tmp_path)
    text = run_page(tmp_path)
    assert "The run has no trades." in text and Page(text).data["account"]["points"] == read_run(tmp_path).summary["rows"]


@pytest.mark.parametrize(
    "given",
    [
        ["strategy=trend_pullback", "exits.stop.pct=0.01", "data.frac=1/3", "session.hours=09:30-15:00", "session.days=[mon,tue]"],
        ["exits.stop.long='lowest(low, 20)'", "exits.stop.short='highest(high, 20)'", "sim.same_bar=band"],
        ["exits.stop.pct=0.01", "exits.target.ladder=[{r: 1, share: 0.5}, {r: 3, share: 0.5}]", "strategy.params.fast=7"],
    ],
)
def test_the_command_gives_the_configuration(given: list[str]) -> None:
    config = plain(configuration(given))
    typed = overrides(config)
    assert typed is not None and plain(configuration(typed)) == config
    assert shlex.split(again(config, "config.yaml"))[:2] == ["gpubt", "run"]


@given(st.recursive(st.text("ab1e.5/:,{}[]()='\" é%@+-_", min_size=1), st.lists, max_leaves=4))
def test_values_as_overrides(value: Any) -> None:
    assert OverridesParser.create().parse_override(f"key={written(value)}").value() == value


def test_python_where_no_command_gives_it(tmp_path: Path) -> None:
    """No override can express a text that ends in a backslash."""
    config = plain(configuration({"strategy": {"name": "own", "about": "a\\", "long": {"entry": "close > open"}}}))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    program, option, code = shlex.split(again(config, str(tmp_path / "config.yaml")))
    assert (program, option) == ("python", "-c") and str(tmp_path / "config.yaml") in code
    compile(code, "command", "exec")
    assert plain(configuration(yaml.safe_load((tmp_path / "config.yaml").read_text()))) == config


def test_definitions_are_the_documents(folder: Path) -> None:
    assert set(read_run(folder).summary["metrics"]) == set(DEFINITIONS)
    assert markdown() in (DOCS / "semantics.md").read_text(encoding="utf-8"), "print it: python -m gpubt.metrics.definitions"


def test_the_command_writes_and_refuses(cli: Cli, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    status, text, _ = cli("report", str(folder), "--out", str(out), "--trades", "2")
    assert status == 0 and str(out) in text and out.stat().st_size < 10_000_000
    for arguments, sentence in (
        (("nowhere",), "which is no folder"),
        ((str(tmp_path),), "has no config.yaml"),
        ((str(folder), "--symbol", "SZ00033"), "did you mean SZ000338?"),
        ((str(folder), "--trades", "-1"), "--trades must be at least 0"),
        ((str(folder), "--out", str(tmp_path)), "choose another file with --out"),
    ):
        status, _, err = cli("report", *arguments)
        assert status == 2 and sentence in err and err.count("\n") == 1


def test_report_on_writes_it_with_the_run(cli: Cli) -> None:
    status, _, err = cli("run", "report=on", "data.frac=1/64", "backend=cpu", "hydra.run.dir=run")
    assert (status, err) == (0, "") and Path("run/report.html").stat().st_size > 1e5


def test_a_result_in_a_notebook() -> None:
    result = gpubt.run({"data": {"source": "synthetic", "symbol": EVIL, "synthetic": {"bars": 3000}}, "backend": "cpu"})
    text = result._repr_html_()
    assert "&lt;/script&gt;" in text and "<script" not in text and text.count("<polyline") == 1
    equity, drawdown, trades = result.plot().data
    assert max(drawdown.y) <= 0.0 and len(trades.x) == result.trades.num_rows and len(equity.x) <= result.equity.num_rows
