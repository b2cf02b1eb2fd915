"""What the cost of a sweep grows with: the exponent of time over bars, distinct signals, exits a signal and trades, and what more threads
gain. `python -m bench.scaling [--rounds N]`

An exponent is the slope of log time over log size, all sizes: 0 is free, 1 is in proportion. Trades are varied by the lengths of the
averages, which cost the same at any length. Sweeps are from bars in memory to the table, every figure.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from bench.harness import paired, save
from bench.sweeps import Case

LEVELS = tuple(round(0.004 + 0.0002 * i, 6) for i in range(32))
FAST, SLOW = (5, 10, 15, 20), tuple(range(50, 150, 4))


def exits(count: int) -> tuple[tuple[float, float, float | None], ...]:
    """So many stops x 8 targets."""
    return tuple((stop, 2 * target, None) for stop in LEVELS[:count] for target in LEVELS[::4])


# size: case, by what grows
GROWTH: dict[str, dict[int, Case]] = {
    "bars": {n: Case(n, 1, FAST, SLOW) for n in (50_000, 100_000, 200_000, 400_000, 800_000)},
    "signals": {4 * n: Case(200_000, 1, FAST, tuple(range(50, 50 + 2 * n, 2))) for n in (8, 16, 32, 64, 128)},
    "exits of each signal": {8 * n: Case(200_000, 1, FAST[:2], (50, 90), exits(n)) for n in (2, 4, 8, 16, 32)},
    "trades": {k: Case(200_000, 1, tuple(k * f for f in (1, 2, 3, 4)), tuple(k * s for s in range(10, 35))) for k in (32, 16, 8, 4, 2)},
}
WIDE = Case(400_000, 1, FAST, SLOW, exits(4))  # for threads


@cache
def table(case: Case, threads: int | None = None) -> Callable[[], Any]:
    """The sweep of a case, composed."""
    from gpubt.data.bars import Bars
    from gpubt.sweep.definition import define
    from gpubt.sweep.run import table_of

    time = np.arange(case.bars, dtype=np.int64) * case.minutes * 60_000_000_000
    time.flags.writeable = False
    limit = [] if threads is None else [f"backend.threads={threads}"]
    return partial(table_of, define([*case.overrides(), *limit]), Bars("WALK", time, **case.columns))


def exponent(sizes: list[float], seconds: list[float]) -> float:
    """Slope of log time over log size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def main() -> None:
    """Time, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    from gpubt.hardware import cores

    growth: dict[str, dict[str, Any]] = {}
    results = {}
    for what, cases in GROWTH.items():
        timed = paired({f"{what}, {size:,}": table(case) for size, case in cases.items()}, options.rounds)
        sizes = [float(size) for size in cases]
        if what == "trades":
            sizes = [float(np.sum(np.asarray(table(case)()["n_trades"]))) for case in cases.values()]
        seconds = [row["median_s"] for row in timed.values()]
        growth[what] = {"sizes": sizes, "seconds": seconds, "exponent": exponent(sizes, seconds)}
        results |= timed
        print(f"{what:24} {sizes[0]:>12,.0f} to {sizes[-1]:>12,.0f}: exponent {growth[what]['exponent']:.2f}")
    counts = sorted({1, *(2**i for i in range(1, 7) if 2**i < cores()), cores()})
    timed = paired({f"threads, {count}": table(WIDE, count) for count in counts}, options.rounds)
    one = timed["threads, 1"]["median_s"]
    efficiency = {str(count): one / (count * timed[f"threads, {count}"]["median_s"]) for count in counts}
    print(f"threads: one {one * 1e3:.0f} ms, efficiency {efficiency}")
    workload = "200,000 bars x 100 crossovers unless told, one thing grown at a time"
    print(save("scaling", workload, results | timed, growth=growth, efficiency=efficiency))


if __name__ == "__main__":
    main()
