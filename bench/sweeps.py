"""Sweeps from bars in memory to the table in memory against the plain numba loop that a good engineer writes in an hour.
`python -m bench.sweeps [crossovers long daily exits] [--rounds N]`

The loop gives final equity and trades of each set, from averages that it also computes; gpubt every figure, drawdown by bar among them.
The configuration is composed beforehand.
Both agree on every set first: trades exactly, final equity to 1e-9.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.harness import paired, save, show
from bench.workloads import walk

LOOP, GPUBT = "plain numba loop, final equity only", "gpubt, every figure"
MINUTE = 60_000_000_000
FEE = 0.001


@dataclass(frozen=True)
class Case:
    """`fast` x `slow` averages, x exits (stop, target, trailing stop as fractions, None for none) filled at the next open."""

    bars: int
    minutes: int
    fast: tuple[int, ...]
    slow: tuple[int, ...]
    exits: tuple[tuple[float, float, float | None], ...] = ()
    sigma: float = 1e-3

    @cached_property
    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Read-only: validated once."""
        columns = walk(self.bars, self.sigma)
        for column in columns.values():
            column.flags.writeable = False
        return columns

    @property
    def sets(self) -> int:
        """Number of sets."""
        return len(self.fast) * len(self.slow) * max(1, len(self.exits))

    def overrides(self) -> list[str]:
        """What stands after `gpubt sweep`."""

        def listed(values: Any) -> str:
            return ",".join("null" if value is None else repr(value) for value in values)

        axes = [f"strategy.params.fast={listed(self.fast)}", f"strategy.params.slow={listed(self.slow)}"]
        for i, name in enumerate(("stop", "target", "trailing")):
            if self.exits:
                axes.append(f"exits.{name}.pct={listed(dict.fromkeys(row[i] for row in self.exits))}")
        return [
            *("strategy=ema_cross", "strategy.side=long", "strategy.indicators.fast_ema='sma(close, fast)'", "backend=cpu"),
            *("strategy.indicators.slow_ema='sma(close, slow)'", f"costs.commission.rate={FEE}", "progress=false"),
            f"entry.at={'next_open' if self.exits else 'close'}",
            *axes,
        ]


STOPS, TARGETS, TRAILS = (0.002, 0.004, 0.006, 0.008, 0.01), (0.004, 0.008, 0.012, 0.016), (None, 0.005)
CASES = {
    "crossovers": Case(100_000, 1, tuple(range(5, 105, 5)), tuple(range(110, 610, 10))),
    "long": Case(500_000, 1, tuple(range(5, 105, 5)), tuple(range(110, 210, 10))),
    "daily": Case(2_520, 1440, tuple(range(5, 105)), tuple(range(110, 210)), sigma=1e-2),
    "exits": Case(
        *(100_000, 1, tuple(range(5, 30, 5)), tuple(range(50, 100, 10))),
        exits=tuple((stop, target, trail) for stop in STOPS for target in TARGETS for trail in TRAILS),
    ),
}


def loop(o: Any, h: Any, low: Any, c: Any, fast: Any, slow: Any, pairs: Any, exits: Any, at_open: bool, equity: Any, trades: Any) -> None:
    """Long only, all in, a fee on both sides; stop first, gaps fill at the open."""
    n = len(c)
    for s in prange(len(pairs)):
        f, g = fast[pairs[s, 0]], slow[pairs[s, 1]]
        stop, target, trail = exits[s, 0], exits[s, 1], exits[s, 2]
        cash, units, price, best, count = 100_000.0, 0.0, 0.0, 0.0, 0
        enter, leave = False, False
        for t in range(1, n):
            fill = -1.0
            if at_open and enter and units == 0.0:
                price = best = o[t]
                units, count = cash / (price * (1.0 + FEE)), count + 1
            elif leave and units > 0.0:
                fill = o[t]
            if units > 0.0 and fill < 0.0:
                level = max(price * (1.0 - stop), best * (1.0 - trail))
                aim = price * (1.0 + target)
                if low[t] <= level:
                    fill = min(o[t], level)
                elif h[t] >= aim:
                    fill = max(o[t], aim)
                best = max(best, h[t])
            above = f[t] > g[t] and f[t - 1] <= g[t - 1]
            below = f[t] < g[t] and f[t - 1] >= g[t - 1]
            if units > 0.0 and fill < 0.0 and (t == n - 1 or (below and not at_open)):
                fill = c[t]
            if fill >= 0.0:
                cash, units = units * fill * (1.0 - FEE), 0.0
            enter, leave = above and units == 0.0 and t < n - 1, below and units > 0.0
            if not at_open and enter:
                price = c[t]
                units, count = cash / (price * (1.0 + FEE)), count + 1
        equity[s], trades[s] = cash, count


def crossings(close: Any, fast: Any, slow: Any, pairs: Any, equity: Any, trades: Any) -> None:
    """The same without exits, filled at the close: a comparison a bar, and a branch that is seldom taken."""
    for s in prange(len(pairs)):
        equity[s], trades[s] = one_set(close, fast[pairs[s, 0]], slow[pairs[s, 1]])


def one_set(close: Any, f: Any, g: Any) -> tuple[float, int]:
    """Final equity and trades of one crossover. (A function of its own: numba compiles the loop in it five times as fast.)"""
    n = len(close)
    cash, units, count, up = 100_000.0, 0.0, 0, False
    for t in range(1, n):
        above = f[t] > g[t]
        if above != up:
            if above:
                if f[t - 1] <= g[t - 1] and t < n - 1:
                    units = cash / (close[t] * (1.0 + FEE))
                    count += 1
            elif units > 0.0:
                cash, units = units * close[t] * (1.0 - FEE), 0.0
            up = above
    return cash if units == 0.0 else units * close[n - 1] * (1.0 - FEE), count


prange = range  # numba's, when compiled


def averages(close: NDArray[np.float64], lengths: tuple[int, ...]) -> NDArray[np.float64]:
    """Simple moving averages, a row a length."""
    total = np.concatenate([[0.0], np.cumsum(close)])
    out = np.full((len(lengths), len(close)), np.nan)
    for row, n in zip(out, lengths, strict=True):
        row[n - 1 :] = (total[n:] - total[:-n]) / n
    return out


def plain(case: Case) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Final equity and trades of each set."""
    exits = case.exits or ((np.inf, np.inf, np.inf),)
    rows = [(i, j, *exit) for i in range(len(case.fast)) for j in range(len(case.slow)) for exit in exits]
    table = np.array([[np.inf if value is None else value for value in row] for row in rows], float)
    equity, trades = np.empty(len(rows)), np.empty(len(rows), np.int64)
    columns = [case.columns[name] for name in ("open", "high", "low", "close")]
    means = averages(case.columns["close"], case.fast), averages(case.columns["close"], case.slow)
    pairs = table[:, :2].astype(np.int64)
    if case.exits:
        compiled(loop)(*columns, *means, pairs, table[:, 2:].copy(), True, equity, trades)
    else:
        compiled(crossings)(case.columns["close"], *means, pairs, equity, trades)
    return equity, trades


@cache
def compiled(function: Any) -> Any:
    """A loop for all cores."""
    import numba

    global one_set, prange
    prange = numba.prange
    if not hasattr(one_set, "py_func"):
        one_set = numba.njit(error_model="numpy")(one_set)
    return numba.njit(parallel=True, error_model="numpy")(function)  # on as many threads as numba is left with: all


def main() -> None:
    """Compare, time, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    from gpubt.data.bars import Bars
    from gpubt.sweep.definition import define
    from gpubt.sweep.run import table_of

    for name in options.cases:
        case = CASES[name]
        time = np.arange(case.bars, dtype=np.int64) * case.minutes * MINUTE
        time.flags.writeable = False
        bars = Bars("WALK", time, **case.columns)
        definition = define(case.overrides())
        table = table_of(definition, bars)
        equity, trades = plain(case)
        got = np.asarray(table["final_equity"]), np.asarray(table["n_trades"])
        assert (got[1] == trades).all(), f"{(got[1] != trades).sum()} of {len(trades)} sets have other trades"
        assert np.allclose(got[0], equity, rtol=1e-9, atol=0.0)
        results = paired(
            {LOOP: lambda case=case: plain(case), GPUBT: lambda d=definition, b=bars: table_of(d, b)},
            options.rounds,
        )
        work = case.bars * case.sets
        print(f"\n{name}: {case.bars:,} bars x {case.sets:,} sets, {trades.mean():.0f} trades each")
        show(results, LOOP)
        rates = {key: work / row["median_s"] for key, row in results.items()}
        print(", ".join(f"{key} {rate:.2g} bar-sets/s" for key, rate in rates.items()))
        print(
            save(
                f"sweeps-{name}",
                f"{case.bars:,} bars x {case.sets:,} sets, {trades.mean():.0f} trades each",
                results,
                bar_sets_per_second=rates,
            )
        )


if __name__ == "__main__":
    main()
