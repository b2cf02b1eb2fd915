"""The library of strategies: known ledgers on the sample, and two of them traded again by slow loops that share nothing with the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from reference_backend import ReferenceBackend

import gpubt
from gpubt.compose import configuration
from gpubt.pipeline import run_backtest
from gpubt.resources import folder

PAGE = Path(__file__).parent.parent / "docs" / "library.md"
# positions, ledger_hash and final equity over the first fifth of the sample, without costs
GOLDEN: dict[str, tuple[int, str, float]] = {
    "atr_channel": (985, "24016f9cf9406f82", 149157.35920964993),
    "bollinger_breakout": (1112, "40463d5e0418114a", 123167.04057540139),
    "buy_and_hold": (1, "cfbd1d07aa9ec1b8", 152058.82352941175),
    "chandelier": (923, "c321fdffef8046d7", 1058664.5236687148),
    "donchian_breakout": (757, "9fe3cae1efce632c", 244399.45579110653),
    "double_seven": (1061, "2029abb91ecaa464", 89865.13714126135),
    "dual_thrust": (2981, "72aa37a88611ba58", 302000.6064086345),
    "ema_cross": (525, "cf530e20ffa7fc82", 491929.55965031945),
    "inside_bar": (135, "3d983535a6cd13e8", 155460.27137763114),
    "macd_cross": (2299, "356dc3596f8b93bd", 143290.70399285373),
    "momentum": (597, "ba020b279a1bc48f", 120102.87600019391),
    "rsi2": (1396, "d5dcc77f84df74af", 294744.4544445423),
    "rsi_reversion": (733, "dc792d1724aa6a24", 62439.08409510917),
    "sma_cross": (83, "066b38940df56374", 185871.21847536464),
    "stochastic_reversion": (1667, "d0263749aec113c5", 18210.54059070649),
    "trend_pullback": (374, "8624c418ea15c115", 91083.19242367771),
    "triple_ema": (2212, "ab2a15f64189be71", 364687.173071329),
    "turtle": (464, "f8270cb0b138bb7b", 372684.30647182546),
    "turtle_short_term": (891, "a6459ab5b700a294", 359368.8066661819),
    "volatility_breakout": (8510, "ab650e936dea63f6", 27839.482281025586),
    "zscore_reversion": (1531, "fb2e733da47d0811", 129372.37555318167),
}


def test_every_strategy_that_ships_is_here_and_on_the_page() -> None:
    shipped = {path.stem for path in (folder("conf") / "strategy").glob("*.yaml")}
    assert shipped == set(GOLDEN)
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in sorted(shipped) if f"\n### {name}\n" not in page] == []
    paragraphs = page.split("\n### ")[1:]
    for paragraph in paragraphs:
        name = paragraph.split("\n")[0]
        listed = [param for param in configuration([f"strategy={name}"]).strategy.params if f"`{param}`" not in paragraph]
        assert listed == [], f"{name} says nothing of its parameters {listed}"
        assert "It fails" in paragraph, name


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    summary = gpubt.run([f"strategy={name}", "data.frac=0.2", "backend=cpu", "progress=false"]).summary
    assert (summary["n_trades"], summary["ledger_hash"], summary["metrics"]["final_equity"]) == GOLDEN[name]


@pytest.fixture(scope="module")
def bars() -> list[dict[str, Any]]:
    """The first 6,000 bars of the sample, as its file has them."""
    table = pq.read_table(folder("sample") / "sz000338_5m_2007-2020.parquet")
    return table.slice(0, 6000).select(["open", "high", "low", "close"]).to_pylist()


def ran(name: str, n: int) -> Any:
    result = gpubt.run([f"strategy={name}", f"data.frac={n}/150434", "backend=cpu", "progress=false"])
    assert result.summary["rows"] == n
    columns = ("side", "entry_bar", "entry_price", "exit_bar", "exit_price", "exit_reason")
    return [tuple(row[column] for column in columns) for row in result.trades.to_pylist()], result.metrics["final_equity"]


def test_sma_cross_by_hand(bars: list[dict[str, Any]]) -> None:
    """Sums of whole cents, so that the averages are compared exactly."""
    cents = [round(100 * bar["close"]) for bar in bars]

    def above(t: int) -> int:
        return 200 * sum(cents[t - 49 : t + 1]) - 50 * sum(cents[t - 199 : t + 1])

    trades, equity, entry = [], 100_000.0, None
    for t in range(200, len(bars) - 1):
        at = t + 1, bars[t + 1]["open"]
        if entry is None and above(t) > 0 >= above(t - 1):
            entry = at
        elif entry is not None and above(t) < 0 <= above(t - 1):
            trades.append(("long", *entry, *at, "signal"))
            equity *= at[1] / entry[1]
            entry = None
    if entry is not None:
        last = len(bars) - 1, bars[-1]["close"]
        trades.append(("long", *entry, *last, "end_of_data"))
        equity *= last[1] / entry[1]
    found, final = ran("sma_cross", len(bars))
    assert found == trades and len(trades) > 10
    assert final == pytest.approx(equity, rel=1e-12)


def test_inside_bar_by_hand(bars: list[dict[str, Any]]) -> None:
    """Entries at the next open, the stop at the mother bar's other end, the target twice as far; in one bar the stop comes first."""
    trades: list[tuple[Any, ...]] = []
    equity, position, pending = 100_000.0, None, None
    for t, bar in enumerate(bars):
        if pending is not None:
            side, stop = pending
            if position is not None and position["side"] != side:
                equity = _close(trades, position, t, bar["open"], "signal", equity)
                position = None
            if position is None and (bar["open"] - stop) * side > 0:
                position = {"side": side, "bar": t, "price": bar["open"], "stop": stop, "target": bar["open"] + 2.0 * (bar["open"] - stop)}
        if position is not None and (out := _touched(position, bar)):
            equity = _close(trades, position, t, *out, equity)
            position = None
        pending = _signal(bars, t)
    if position is not None:
        equity = _close(trades, position, len(bars) - 1, bars[-1]["close"], "end_of_data", equity)
    found, final = ran("inside_bar", len(bars))
    assert [one[:2] + one[3:4] + one[5:] for one in found] == [one[:2] + one[3:4] + one[5:] for one in trades] and len(trades) > 10
    assert [one[4] for one in found] == pytest.approx([one[4] for one in trades], rel=1e-12)
    assert final == pytest.approx(equity, rel=1e-9)


def _signal(bars: list[dict[str, Any]], t: int) -> tuple[int, float] | None:
    """Side, +1 or -1, and stop."""
    if t < 2:
        return None
    mother, inside, bar = bars[t - 2 : t + 1]
    if not (inside["high"] < mother["high"] and inside["low"] > mother["low"]):
        return None
    if bar["close"] > mother["high"]:
        return 1, mother["low"]
    return (-1, mother["high"]) if bar["close"] < mother["low"] else None


def _touched(position: dict[str, Any], bar: dict[str, Any]) -> tuple[float, str] | None:
    side = position["side"]
    against, favour = (bar["low"], bar["high"]) if side > 0 else (bar["high"], bar["low"])
    for level, extreme, reason, toward in ((position["stop"], against, "stop", -1), (position["target"], favour, "target", 1)):
        if (bar["open"] - level) * side * toward >= 0:
            return bar["open"], reason
        if reason == "stop" and (bar["open"] - position["target"]) * side >= 0:
            return bar["open"], "target"
        if (extreme - level) * side * toward >= 0:
            return level, reason
    return None


def _close(trades: list[tuple[Any, ...]], position: dict[str, Any], t: int, price: float, reason: str, equity: float) -> float:
    side = position["side"]
    trades.append(({1: "long", -1: "short"}[side], position["bar"], position["price"], t, price, reason))
    return equity * (1 + side * (price / position["price"] - 1))


@pytest.mark.parametrize("name", ["buy_and_hold", "dual_thrust", "inside_bar", "chandelier"])
def test_every_backend_trades_what_the_first_four_did_not_need(name: str, backend: Any) -> None:
    """A rule that reads nothing, ranges of ranges, stops from expressions, trailing stops."""
    config = configuration([f"strategy={name}", "data.frac=0.01", "progress=false"])
    digests = {run_backtest(config, backend=one).summary["ledger_digest"] for one in (backend, ReferenceBackend(config))}
    assert len(digests) == 1
