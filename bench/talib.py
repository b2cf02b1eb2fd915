"""Every indicator that TA-Lib has too, over millions of rows, with TA-Lib's values. `python -m bench.talib [--rows N] [--bars FILE]`

Generated bars, and the minutes of BTCUSDT where they are beside the checkout. A difference beyond what `bench.talib_pairs` allows, and
gives a reason for, ends it with exit status 1. Times are of the generated bars, of one thread, TA-Lib's and gpubt's in turn.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import paired, save
from bench.talib_pairs import OTHERWISE, PAIRS, Columns, Floats, Pair, Params, cached
from gpubt.bench.timing import Times

BARS = Path(__file__).resolve().parents[2] / "shared" / "data" / "btcusdt_binance_1m_2017-2025.parquet"  # beside the checkout
LIMIT = 1e-9  # relative: rows further apart are counted


def main() -> int:
    """Compare, time, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000, help="generated rows")
    parser.add_argument("--bars", type=Path, default=BARS, metavar="FILE", help="Parquet with high, low, close, volume")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    import numba

    numba.set_num_threads(1)
    data = {"generated": generated(options.rows)}
    if options.bars.is_file():
        data[options.bars.stem] = real(options.bars)
    else:
        print(f"{options.bars} is not there: not compared over real bars")
    made = {name: list(compared(columns, options.rounds if name == "generated" else 1)) for name, columns in data.items()}
    lengths = " and ".join(f"{len(columns['close']):,} rows {name}" for name, columns in data.items())
    workload = f"{len({row['name'] for row, _ in made['generated']})} indicators of TA-Lib {_version()} over {lengths}, one thread"
    results = {name: total([times[name] for _, times in made["generated"]]) for name in ("gpubt", "TA-Lib")}
    rows = {name: [row for row, _ in pairs] for name, pairs in made.items()}
    peers = {pair.name: {"function": pair.function, "why": pair.why} for pair in PAIRS}
    print(save("talib", workload, results, agreement=rows, peers=peers, otherwise=OTHERWISE))
    beyond = [(name, row) for name, some in rows.items() for row in some if row["beyond"]]
    for name, row in beyond:
        print(f"{row['name']}({row['params']}) of {name}: {row['beyond']} rows are further from TA-Lib's than allowed", file=sys.stderr)
    return int(bool(beyond))


def compared(columns: Columns, rounds: int) -> Iterator[tuple[dict[str, Any], Times]]:
    """Of each pair with each of its parameters what `differences` says with both medians, and all times of both over `rounds`."""
    import talib

    for pair in filter(lambda pair: hasattr(talib, pair.function), PAIRS):
        for params in pair.params:
            cache = cached(columns, 1)
            calls = {"gpubt": pair.ours(columns, params, 1), "TA-Lib": pair.theirs(talib, columns, cache, params)}
            found = differences(pair, params, calls["gpubt"](), calls["TA-Lib"](), columns, cache.get(pair.x[0]))
            print(f"{pair.call(params):26} differ {found['differ']:>9,} relative {found['relative']:.1e} absolute {found['absolute']:.1e}")
            times = paired(calls, rounds)
            medians = {f"{name}_s": row["median_s"] for name, row in times.items()}
            yield {"name": pair.name, "params": ", ".join(f"{value:g}" for value in params), **found, **medians}, times


def total(times: list[dict[str, float]]) -> dict[str, float]:
    """All indicators together."""
    return {key: sum(row[key] for row in times) for key in times[0]}


def differences(pair: Pair, params: Params, got: Floats, expected: Floats, columns: Columns, read: Floats) -> dict[str, Any]:
    """`rows` that have numbers in both; how many `differ` by more than 1e-9 of the value; and of those that are `sure` the largest
    difference, `relative` and `absolute`, and how many are `beyond` what is allowed. A warm-up of another length is beyond, too."""
    sure = np.ones(len(got), np.bool_) if pair.sure is None else pair.sure(columns, params)
    sure[: np.argmax(~np.isnan(got))] = True
    missing = int(np.count_nonzero((np.isnan(got) != np.isnan(expected)) & sure))
    both = ~np.isnan(got) & ~np.isnan(expected)
    sure, got, expected = sure[both], got[both], expected[both]
    apart = np.abs(got - expected)
    with np.errstate(invalid="ignore"):  # infinite where TA-Lib has divided by 0
        relative = np.divide(apart, np.maximum(np.abs(got), np.abs(expected)), out=np.zeros(len(got)), where=apart != 0.0)
    return {
        "rows": len(got),
        "differ": int(np.count_nonzero(~(relative <= LIMIT))),
        "sure": int(np.count_nonzero(sure)),
        "relative": float(np.max(relative[sure], initial=0.0)),
        "absolute": float(np.max(apart[sure], initial=0.0)),
        "beyond": missing + int(np.count_nonzero(apart[sure] > pair.allowed(expected[sure], columns, read))),
    }


def generated(rows: int) -> Columns:
    """A walk of 0.1 % a row about 100, all on one day."""
    rng = np.random.default_rng(20)
    close = 100.0 * np.exp(np.cumsum(rng.standard_normal(rows) * 1e-3))
    high, low = close * (1 + rng.random(rows) * 1e-3), close * (1 - rng.random(rows) * 1e-3)
    return _one_day({"high": high, "low": low, "close": close, "volume": rng.integers(0, 1000, rows) * 1.0})


def real(file: Path, group: int | None = None) -> Columns:
    """The bars of a Parquet file, all or those of one row group, as of one day."""
    import pyarrow.parquet as pq

    names, source = ["high", "low", "close", "volume"], pq.ParquetFile(file)
    table = source.read(columns=names) if group is None else source.read_row_group(group % source.num_row_groups, columns=names)
    return _one_day({name: table[name].to_numpy() for name in names})


def _one_day(columns: Columns) -> Columns:
    """TA-Lib's VWAP knows no days."""
    return columns | {name: np.ones(len(columns["close"])) for name in ("day", "month")}


def _version() -> str:
    import talib

    return str(talib.__version__)


if __name__ == "__main__":
    sys.exit(main())
