"""One strategy from a file to its figures against vectorbt, in process and as a process. `python -m bench.end_to_end` (extra `parity`)

The same SMA 20/50 crossover, long, one unit (all-in trading would be ruined by its fees), with RSI and ATR in the rule, stop, target and
0.05 % commission, filled as vectorbt does. Trades and final equity must agree. Then wall time and peak memory of each process, from
Parquet and from CSV, and gpubt over fractions of the Parquet file; "in process" is the same again where everything is loaded and warm.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.harness import paired, save, show

OVERRIDES = [
    *("conventions=vectorbt", "strategy=ema_cross", "strategy.side=long", "backend=cpu", "progress=false"),
    *("strategy.indicators.fast_ema='sma(close, fast)'", "strategy.indicators.slow_ema='sma(close, slow)'"),
    "strategy.long.entry='crosses_above(fast_ema, slow_ema) and rsi(close, 14) > 0 and atr(14) > 0'",
    *("strategy.params.fast=20", "strategy.params.slow=50", "exits.stop.pct=0.005", "exits.target.pct=0.01"),
    *("costs.commission.rate=0.0005", "sizing.fixed_units=1", "capital=1e8"),
]
AGAIN = 3  # runs in the process, after the first

VECTORBT = """
import json, resource, statistics, sys, time
import pandas as pd, vectorbt as vbt
path = sys.argv[1]
def run():
    df = pd.read_parquet(path) if path.endswith("parquet") else pd.read_csv(path, parse_dates=["timestamp"])
    df = df.set_index("timestamp")
    close = df["close"]
    fast, slow = vbt.MA.run(close, 20), vbt.MA.run(close, 50)
    alive = (vbt.RSI.run(close, 14).rsi > 0) & (vbt.ATR.run(df["high"], df["low"], close, 14).atr > 0)
    entries, exits = fast.ma_crossed_above(slow) & alive, fast.ma_crossed_below(slow)
    entries.iloc[-1] = exits.iloc[-1] = False
    options = dict(open=df["open"], high=df["high"], low=df["low"], sl_stop=0.005, tp_stop=0.01, size=1.0, init_cash=1e8, fees=0.0005)
    pf = vbt.Portfolio.from_signals(close, entries, exits, freq="1min", **options)
    figures = dict(trades=int(pf.trades.count()), final_equity=float(pf.final_value()))
    return figures | dict(sharpe=float(pf.sharpe_ratio()), drawdown=float(pf.max_drawdown()), win_rate=float(pf.trades.win_rate()))
figures = run()
figures["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
"""

GPUBT = """
import json, resource, statistics, sys, time
from gpubt.cli import main
main(["run", *sys.argv[1:]])
summary = json.load(open(sys.argv[-1].partition("=")[2] + "/summary.json"))
figures = dict(trades=summary["n_trades"], final_equity=summary["metrics"]["final_equity"])
figures["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
import gpubt
def run():
    gpubt.run([a for a in sys.argv[1:] if not a.startswith("hydra.")])
"""

WARM = f"""
times = []
for _ in range({AGAIN}):
    start = time.perf_counter()
    run()
    times.append(time.perf_counter() - start)
figures["in_process_s"] = statistics.median(times)
"""


def process(script: str, *arguments: str) -> dict[str, Any]:
    """The figures that a process prints on its last line."""
    script += "print(json.dumps(figures))"
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True, env=dict(os.environ))
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def files(folder: Path, bars: int) -> tuple[Path, Path]:
    """The same synthetic minutes as Parquet and as CSV."""
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    from gpubt.config import Synthetic
    from gpubt.data.synthetic import SyntheticSource

    columns = SyntheticSource(Synthetic(bars=bars), 42, "SYNTHETIC").read(0, bars, {"volume"}).columns()
    table = pa.table({"timestamp": pa.array(columns.pop("time"), pa.timestamp("ns")), **columns})
    parquet, text = folder / "bars.parquet", folder / "bars.csv"
    pq.write_table(table, parquet, compression="zstd")
    csv.write_csv(table, text)
    return parquet, text


def main() -> None:
    """Compare, time, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=6_900_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parquet, text = files(folder, options.bars)
        figures: dict[str, dict[str, Any]] = {}

        def case(key: str, script: str, *arguments: str) -> Callable[[], None]:
            def run() -> None:
                figures[key] = process(script, *arguments)

            return run

        def gpubt(key: str, *overrides: str) -> Callable[[], None]:
            return case(key, GPUBT, *OVERRIDES, *overrides, f"hydra.run.dir={folder / 'out'}")

        cases = {
            "gpubt, Parquet": gpubt("gpubt, Parquet", "data=parquet", f"data.path={parquet}"),
            "gpubt, CSV": gpubt("gpubt, CSV", "data=csv", f"data.path={text}"),
            "vectorbt, Parquet": case("vectorbt, Parquet", VECTORBT, str(parquet)),
            "vectorbt, CSV": case("vectorbt, CSV", VECTORBT, str(text)),
            **{
                f"gpubt, Parquet, frac={frac}": gpubt(
                    f"gpubt, Parquet, frac={frac}", "data=parquet", f"data.path={parquet}", f"data.frac={frac}"
                )
                for frac in ("1/4", "1/2", "3/4")
            },
        }
        results = paired(cases, options.rounds)
        warm = {
            "gpubt": process(GPUBT + WARM, *OVERRIDES, "data=parquet", f"data.path={parquet}", f"hydra.run.dir={folder / 'out'}"),
            "vectorbt": process(VECTORBT + WARM, str(parquet)),
        }
    for key, row in figures.items():
        results[key]["peak_mib"] = row["peak_mib"]
    mine, theirs = figures["gpubt, Parquet"], figures["vectorbt, Parquet"]
    assert mine["trades"] == theirs["trades"], (mine, theirs)
    assert abs(mine["final_equity"] / theirs["final_equity"] - 1.0) < 1e-9, (mine, theirs)
    show(results, "vectorbt, Parquet")
    seconds = {name: row["in_process_s"] for name, row in warm.items()}
    print(f"in process, Parquet: gpubt {seconds['gpubt']:.3f} s, vectorbt {seconds['vectorbt']:.3f} s")
    text = f"SMA 20/50 crossover with RSI, ATR, stop, target and fees, {options.bars} bars, whole processes"
    print(save("end-to-end", text, results, trades=mine["trades"], in_process_s=seconds))


if __name__ == "__main__":
    main()
