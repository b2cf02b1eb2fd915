"""The one screen: what stands on it, that it fits, and how figures are written."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from sample_result import METRICS, result

from gpubt.backends import get_backend
from gpubt.config import Backend, Commission, Config, Costs, Data, Sim
from gpubt.report.next_command import next_command
from gpubt.report.numbers import milliseconds, moment, number, percent, size
from gpubt.report.terminal import render

NO_TRADES = {**dict.fromkeys(METRICS), "n_trades": 0, "ambiguous_exits": 0, "total_return": 0.0}


def screen(capsys: pytest.CaptureFixture[str], *args: object, **kwargs: object) -> list[str]:
    render(*args, **kwargs)  # type: ignore[arg-type]
    return capsys.readouterr().out.splitlines()


def test_the_screen_has_what_a_run_came_to(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(screen(capsys, result(Path("/results/one"), skipped={"size_zero": 3, "levels": 0}, warnings=["peak memory is high"])))
    for piece in (
        "2,301,455 of 6,904,365 bars,", "2017-08-17 04:00 to 2022-01-01 00:00 UTC", "ema_cross      fast=20, slow=50",
        "+12.35%        +450.00%", "-17.25%         -83.00%", "daily returns, 365 a year", "1,234, win rate 45.1%, profit factor 1.09",
        "bars held 71.2 on average", "12 of 1,234 trades (0.97%)", "size zero 3", "457 ms in all, slice 0.0 ms", "write 86.1 ms",
        "peak 223.7 MiB (1.21 x the bars), device n/a", "cpu, auto: CuPy is not installed", "0123456789abcdef", "/results/one/",
        "peak memory is high", "gpubt run costs=binance_spot",
    ):  # fmt: skip
        assert piece in text
    assert "levels" not in text
    assert "\x1b" not in text  # piped: no colours


@pytest.mark.parametrize("width", [80, 120])
def test_it_fits_one_screen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    many = {name: 1.25 for name in ("fast_length", "slow_length", "trend_length", "threshold", "lookback", "multiple", "reward", "risk")}
    rows = screen(capsys, result(params=many, skipped=dict.fromkeys(many, 5), warnings=["a warning of some length " * 4] * 9))
    assert len(rows) <= 40
    assert max(len(row) for row in rows if not row.startswith("next")) <= min(width, 100)
    assert all(row == row.rstrip() for row in rows)


def test_a_run_without_trades_has_no_figures(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(screen(capsys, result(metrics=NO_TRADES, strategy="a_name_longer_than_the_column", buy_and_hold={}, params={})))
    assert "nan" not in text
    assert "Sharpe ratio                n/a" in text
    assert "0 of 0 trades (n/a)" in text
    assert "a_name_longer_than_the_column" in text


def test_what_only_some_runs_have_is_shown_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    band = {policy: {"total_return": part, "max_drawdown": -part} for policy, part in (("stop_first", 0.12345), ("target_first", 0.25))}
    money = {**METRICS, "carry": -1234.5, "shortfall": 67.25}
    rows = screen(capsys, result(metrics=money, fills=1801, band=band, skipped={"blackout": 2}, warnings=["someone else pays"]))
    text = "\n".join(rows)
    for piece in (
        "1,234 in 1,801 fills, win rate 45.1%", "carry -1,234.50", "shortfall 67.25",
        "band           stop first: total return +12.35%, max drawdown -12.35%,\n",
        "               target first: total return +25.00%, max drawdown -25.00%\n",
    ):  # fmt: skip
        assert piece in text
    assert len(rows) <= 40
    plain = "\n".join(screen(capsys, result(metrics={**METRICS, "carry": 0.0, "shortfall": 0.0}, fills=METRICS["n_trades"])))
    assert not any(word in plain for word in ("fills", "carry", "shortfall", "band"))


def test_a_first_run_says_that_it_compiles(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpubt.progress.shown", lambda: True)  # a person at a terminal
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    get_backend(Backend(name="cpu"), work=1)
    assert capsys.readouterr().err.splitlines() == ["gpubt: compiling the kernels for this machine, once; gpubt warmup compiles them all"]
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "simulate.walk-185.py311.nbi").touch()
    get_backend(Backend(name="cpu"), work=1)
    assert capsys.readouterr().err == ""


def test_text_of_users_is_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    assert any("[red]X[/]" in row for row in screen(capsys, result(symbol="[red]X[/]")))


def test_the_next_command_keeps_what_was_typed() -> None:
    summary = {"n_trades": 5, "annualisation": 365.0}
    free, charged = Config(), Config(costs=Costs(commission=Commission(rate=0.001)))
    typed, _ = next_command(free, summary, ["strategy=rsi_reversion", "hydra.run.dir=x", "data.path='a b'"])
    assert typed == """gpubt run strategy=rsi_reversion 'data.path='"'"'a b'"'"'' costs=binance_spot"""
    assert next_command(free, {**summary, "annualisation": 252.0}, [])[0] == "gpubt run costs=us_equities"
    assert next_command(free, {**summary, "annualisation": 260.0}, [])[0] == "gpubt run costs=fx"
    assert next_command(charged, summary, ["costs=fx"])[0] == "gpubt run costs=fx data.frac=1/2 data.portion=2"
    half = Config(costs=charged.costs, data=Data(frac="1/2"))
    assert next_command(half, summary, ["sim.mode=event"])[0] == "gpubt run sim.mode=bar"
    dense = Config(costs=charged.costs, data=Data(frac=0.5), sim=Sim(mode="bar"))
    assert next_command(dense, summary, [])[0] == "gpubt run -m sim.same_bar=stop_first,target_first"
    assert next_command(free, {"n_trades": 0}, ["strategy=ema_cross"])[0] == "gpubt run strategy=trend_pullback"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (percent(0.1234), "+12.34%"), (percent(-0.5), "-50.00%"), (percent(12.3456, 1), "+1,234.6%"), (percent(None), "n/a"),
        (percent(math.nan), "n/a"), (percent(0.5, 0, sign=False), "50%"), (number(1234567), "1,234,567"), (number(1234.5), "1,234.50"),
        (number(math.inf), "n/a"), (size(None), "n/a"), (size(512), "512 B"), (size(1536), "1.5 KiB"), (size(3 * 2**40), "3.0 TiB"),
        (milliseconds(0.00042), "0.4 ms"), (milliseconds(0.123), "123 ms"), (milliseconds(12.34), "12.3 s"), (milliseconds(None), "n/a"),
        (milliseconds(343.4), "5 min 43 s"), (milliseconds(33_658.0), "9 h 20 min"),
        (moment("2020-01-31T12:00:00+00:00"), "2020-01-31 12:00"), (moment("2020-01-31T12:00:05Z"), "2020-01-31 12:00:05"),
        (moment(None), "n/a"), (moment("2020-01-31T12:00:00.000000000"), "2020-01-31 12:00"),
    ],
)  # fmt: skip
def test_figures_are_written_as_people_read_them(written: str, expected: str) -> None:
    assert written == expected
