"""Whole runs over generated bars and configurations: reference == numba == host-built CUDA, in both modes. `make fuzz N=100000 SEED=7`

A case is one integer; `python tests/fuzz.py 1 --seed CASE` repeats it. A configuration that the engine refuses with a sentence is a result
too: it must be refused by all.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from host_runtime import HostRuntime
from reference_backend import ReferenceBackend

from gpubt.backends.base import Backend
from gpubt.config import (
    At,
    Blackout,
    BreakEven,
    Carry,
    Commission,
    Config,
    Costs,
    Entries,
    Entry,
    Exits,
    Metrics,
    OrderLevel,
    Rules,
    Session,
    Sim,
    Sizing,
    Slippage,
    Stop,
    Strategy,
    Target,
    Trailing,
)
from gpubt.data.bars import Bars
from gpubt.errors import GpubtError
from gpubt.pipeline import run_backtest

SIZES = (1, 2, 3, 10, 63, 64, 65, 128, 130, 200)
SHAPES = ((1, 1), (1, 32), (3, 64), (7, 96))
MINUTE = 60_000_000_000

NUMBERS = (
    "open", "high", "low", "close", "sma(close, 3)", "sma(close, 10)", "ema(close, 4)", "ema(high, 9)", "rsi(close, 5)", "atr(4)",
    "stddev(close, 5)", "highest(high, 6)", "lowest(low, 6)", "roc(close, 3)", "shift(close, 2)", "shift(highest(high, 5), 1)",
    "sma(rsi(close, 3), 2)", "wma(close, 5)", "bbands_upper(close, 6, 1.5)", "bbands_lower(close, 6, 2)", "macd_hist(close, 3, 6, 2)",
    "stoch_k(5, 2)", "stoch_d(4, 2, 2)", "sma((high + low) / 2, 4)", "(high + low) / 2", "close - ema(close, 3)", "volume",
)  # fmt: skip
LEVELS = ("close", "sma(close, 5)", "50", "30", "0", "0.5", "ema(close, 7)")


def pick(rng: np.random.Generator, *values: Any) -> Any:
    """One of `values`, as it is."""
    return values[int(rng.integers(len(values)))]


def bars(rng: np.random.Generator) -> Bars:
    """Ties, gaps in price and time, flat runs, constant series, zero ranges, extreme prices, NaN volume."""
    n = int(rng.choice(SIZES))
    sigma, scale, tick = rng.choice([0.0, 1e-4, 1e-2, 0.1]), rng.choice([1e-8, 1.0, 100.0, 1e9]), rng.choice([0.0, 0.01, 0.25])

    def snap(x: np.ndarray) -> np.ndarray:
        return np.maximum(np.round(x / tick) * tick, tick) if tick else x

    close = snap(100.0 * np.exp(np.cumsum(rng.standard_normal(n) * sigma * (rng.random(n) < rng.choice([1.0, 0.2])))))
    opened = snap(np.append(100.0, close[:-1]) * np.exp(rng.standard_normal(n) * sigma * 3 * (rng.random(n) < rng.choice([0.0, 0.2, 1.0]))))
    spread = np.abs(rng.standard_normal((2, n))) * sigma * rng.choice([0.0, 1.0, 3.0])
    high = np.maximum(snap(np.maximum(opened, close) * (1 + spread[0])), np.maximum(opened, close))
    low = np.minimum(snap(np.minimum(opened, close) / (1 + spread[1])), np.minimum(opened, close))
    volume = np.where(rng.random(n) < rng.choice([0.0, 0.1]), np.nan, rng.integers(0, 5, n).astype(float))
    spacing = MINUTE * rng.choice([1, 60, 1440])
    times = np.cumsum(spacing * rng.choice([1, 1, 1, 7], n)).astype(np.int64)
    return Bars("FUZZ", times, *(column * scale for column in (opened, high, low, close)), volume=volume)


def rule(rng: np.random.Generator, depth: int = 0) -> str:
    """A rule of the grammar."""
    kind = int(rng.integers(0, 9 if depth < 2 else 5))
    a, b = pick(rng, *NUMBERS), pick(rng, *NUMBERS, *LEVELS)
    if kind < 2:
        return f"{a} {pick(rng, '>', '>=', '<', '<=', '==', '!=')} {b}"
    if kind < 4:
        return f"{pick(rng, 'crosses_above', 'crosses_below')}({a}, {b})"
    if kind == 4:
        return f"{pick(rng, 'rising', 'falling')}({a}, {pick(rng, 1, 2, 3)})"
    if kind == 5:
        return f"(not {rule(rng, depth + 1)})"
    if kind == 6:
        return f"within({rule(rng, depth + 1)}, {pick(rng, 1, 3, 65)})"
    return f"({rule(rng, depth + 1)} {pick(rng, 'and', 'or')} {rule(rng, depth + 1)})"


def some(rng: np.random.Generator, names: tuple[str, ...], *values: float) -> dict[str, float]:
    """One of `names` with one of `values`, or none of them."""
    return {} if rng.random() < 0.4 else {pick(rng, *names): pick(rng, *values)}


def expressions(rng: np.random.Generator) -> dict[str, str]:
    """The price of a level for each side."""
    bases = ("close", "low", "high", "sma(close, 4)", "lowest(low, 5)", "highest(high, 5)")
    return {side: f"{pick(rng, *bases)} {pick(rng, '+', '-')} {pick(rng, 0, 0.01, 1)}" for side in ("long", "short")}


def level(rng: np.random.Generator, names: tuple[str, ...]) -> dict[str, Any]:
    """One kind of level with a value, or expressions, or none."""
    return expressions(rng) if rng.random() < 0.15 else some(rng, names, 0.001, 0.02, 1.0)


def ladder(rng: np.random.Generator, names: tuple[str, ...]) -> list[dict[str, float]]:
    """Rungs of one kind."""
    count, kind = int(rng.integers(1, 4)), pick(rng, *names)
    share = pick(rng, 1 / count, 0.2)
    return [{kind: 0.002 * (i + 1) if kind == "pct" else 0.3 * (i + 1), "share": share} for i in range(count)]


def entry_of(rng: np.random.Generator, single: bool) -> Entry:
    """An order and its level, seldom without."""
    order = pick(rng, "market", "market", "limit", "stop", "stop_limit")
    names = ("pct", "offset", "atr")
    needs = {"market": (), "limit": ("limit",), "stop": ("stop",), "stop_limit": ("limit", "stop")}[order]
    return Entry(
        order,
        pick(rng, "next_open", "close"),
        valid_bars=pick(rng, None, 1, 5) if needs else None,
        cooldown=pick(rng, 0, 0, 1, 5) if single else 0,
        reentry_same_bar=pick(rng, True, False),
        beyond_stop=pick(rng, "skip", "enter"),
        **{name: OrderLevel(**(level(rng, names) or {"pct": 0.01})) for name in needs},
    )


def calendars(rng: np.random.Generator) -> tuple[Session, Blackout]:
    """Trading hours and blackouts, mostly none."""
    hours = pick(rng, None, None, "00:10-01:30", "22:00-03:00")
    days = pick(rng, None, None, ["mon", "thu"])
    session = Session(
        pick(rng, None, None, "00:00-02:00", "20:00-10:00"),
        pick(rng, None, None, ["thu", "fri"]),
        pick(rng, None, "Asia/Tokyo"),
        pick(rng, False, True),
    )
    return session, Blackout(hours, days, pick(rng, None, "Europe/Berlin"))


def configuration(rng: np.random.Generator) -> Config:
    """Any configuration of the simulation, accepted or not."""
    optional = [rule(rng) if rng.random() < 0.7 else None for _ in range(4)]
    stop = level(rng, ("pct", "offset", "atr"))
    levels = ("pct", "offset", "atr", *(["r"] if stop else []))
    target = {"ladder": ladder(rng, levels)} if rng.random() < 0.2 else level(rng, levels)
    session, blackout = calendars(rng)
    exits = Exits(
        Stop(**stop),
        Target(**target),
        Trailing(
            **(t := some(rng, ("pct", "offset", "atr"), 0.001, 0.02, 0.9)),
            activation=pick(rng, None, 0.01) if t else None,
            basis=pick(rng, None, "prior", "same_bar"),
        ),
        BreakEven(**(e := some(rng, levels, 0.001, 0.02, 1.0)), plus=pick(rng, None, 0.001, -0.001) if e else None),
        max_bars=pick(rng, None, 1, 2, 30),
        atr_length=pick(rng, None, 1, 5),
        anchor=pick(rng, None, "fill", "signal_close"),
        gap=pick(rng, None, "open", "level"),
        exposed=pick(rng, None, "entry_bar", "next_bar"),
    )
    sizes = some(rng, ("percent_equity", "fixed_units", "fixed_cash"), 0.5, 1.0, 2.5)
    positions = pick(rng, "single", "single", "overlapping", "list")
    single = positions == "single"
    entry = entry_of(rng, single)
    plain = entry.order == "market"
    opposite = (None, "ignore", "reverse", *(["close"] if single else []))
    return Config(
        strategy=Strategy("fuzz", "", {}, {}, pick(rng, "both", "long", "short"), Rules(*optional[:2]), Rules(*optional[2:])),
        exits=exits,
        sizing=Sizing(
            **({"risk_percent": 0.01} if stop and rng.random() < 0.2 else sizes),
            lot=pick(rng, None, 0.1),
            max_leverage=pick(rng, None, 2.0, 20.0),
            maintenance=pick(rng, None, 0.05),
            liquidation=pick(rng, None, False),
        ),
        costs=Costs(
            Commission(pick(rng, 0.0, 0.001), pick(rng, 0.0, 0.01), pick(rng, 0.0, 1.0), pick(rng, 0.0, 2.0)),
            Slippage(pick(rng, 0.0, 0.0005, 0.03), pick(rng, 0.0, 1.0), 0.01, pick(rng, 0.0, 0.0, 0.1)),
            pick(rng, 0.0, 0.0, 0.02),
            Carry(**some(rng, ("annual", "per_bar"), 0.0001, -0.0001)),
            Carry(**some(rng, ("annual", "per_bar"), 0.0001, 0.01)),
        ),
        session=session,
        blackout=blackout,
        cross=pick(rng, "default", "strict", "latched"),
        pyramiding=pick(rng, 1, 1, 2, 3) if single and plain and not target.get("ladder") else 1,
        end_of_data=pick(rng, "close_with_costs", "close_with_costs", "close_free"),
        entry=entry,
        exit=At(pick(rng, None, "next_open", "close")),
        time=At(pick(rng, None, "open", "close")),
        positions=positions,
        max_open=pick(rng, None, 1, 3) if positions == "overlapping" and plain else None,
        on_opposite=pick(rng, *opposite),
        capital=pick(rng, 100_000.0, 500.0),
        sim=Sim(same_bar=pick(rng, "stop_first", "target_first", "ohlc", "olhc", "adaptive", "band")),
        metrics=Metrics(pick(rng, "auto", "daily", "bar"), pick(rng, 0.0, 0.02)),
    )


def entries(rng: np.random.Generator, data: Bars, folder: Path) -> Entries:
    """A table of entries beside the case, with some of the optional columns."""
    n = int(rng.integers(0, data.n + 2))
    table: dict[str, Any] = {"bar": rng.integers(0, data.n, n), "side": rng.choice(["long", "short"], n).tolist()}
    for name, values in (("stop_pct", [0.01, np.nan]), ("target_pct", [0.02, np.nan]), ("size", [1.0, np.nan])):
        if rng.random() < 0.5:
            table[name] = rng.choice(values, n)
    path = folder / "entries.parquet"
    pq.write_table(pa.table(table), path)
    return Entries(str(path))


def outcome(config: Config, data: Bars, backend: Backend) -> Any:
    """All that a run says of itself, or the sentence with which it is refused."""
    try:
        result = run_backtest(config, backend=backend, bars=data)
    except GpubtError as error:
        return type(error).__name__, str(error)
    summary = {key: value for key, value in result.summary.items() if key != "warnings"}
    return repr(summary), result.equity, result.trades


def check(case: int, folder: Path, sanitize: bool = False) -> bool:
    """Run one case on everything; AssertionError names it. Whether it was a run, not a refusal."""
    from gpubt.backends.cpu import CpuBackend
    from gpubt.backends.cuda import CudaBackend

    rng = np.random.default_rng(case)
    data, config = bars(rng), configuration(rng)
    if config.positions == "list":
        config = replace(config, entries=entries(rng, data, folder))
    want = outcome(config, data, ReferenceBackend(config))
    mode = "event" if case % 2 else "bar"
    for at in (mode, "event" if mode == "bar" else "bar"):
        now = replace(config, sim=replace(config.sim, mode=at))
        backends: list[Backend] = [CudaBackend(HostRuntime(SHAPES[case % len(SHAPES)], sanitize))]
        if not sanitize:
            backends.append(CpuBackend(1 + case % 2))
        for backend in backends:
            got = outcome(now, data, backend)
            assert got == want, f"case {case}: {backend.name} in {at} mode differs\n{config}\n{got}\n{want}"
    return len(want) == 3


def main() -> int:
    """Run the cases; 1 at the first that differs."""
    import tempfile

    from gpubt.caches import set_numba_cache

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=int, nargs="?", default=1000)
    parser.add_argument("--seed", type=int, default=0, help="the first case")
    parser.add_argument("--sanitize", action="store_true", help="AddressSanitizer and UBSan in the host-built kernels (preload libasan)")
    options = parser.parse_args()
    set_numba_cache()
    started, runs = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        for case in range(options.seed, options.seed + options.cases):
            try:
                runs += check(case, Path(folder), options.sanitize)
            except Exception as error:
                print(f"case {case}: {error}")
                return 1
    print(f"{options.cases} cases agree, {runs} of them runs, in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
