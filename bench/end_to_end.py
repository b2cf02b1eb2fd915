"""One strategy from a file to its figures, as a process, against vectorbt. `python -m bench.end_to_end [--bars N]` (extra `parity`)

The same SMA 20/50 crossover, long, one unit (all-in trading would be ruined by its fees), filled at the close, 0.05 % commission. Trades
and final equity must agree first. Then the wall time and the peak memory of each process, from Parquet and from CSV, and gpubt over
fractions of the Parquet file.
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
    *("strategy=ema_cross", "strategy.side=long", "strategy.indicators.fast_ema='sma(close, fast)'"),
    *(
        "strategy.indicators.slow_ema='sma(close, slow)'",
        "entry.at=close",
        "costs.commission.rate=0.0005",
        "backend=cpu",
        "progress=false",
        "sizing.fixed_units=1",
        "capital=1e8",
    ),
]

VECTORBT = """
import json, resource, sys
import pandas as pd, vectorbt as vbt
path = sys.argv[1]
df = pd.read_parquet(path) if path.endswith("parquet") else pd.read_csv(path, parse_dates=["timestamp"])
close = df.set_index("timestamp")["close"]
fast, slow = vbt.MA.run(close, 20), vbt.MA.run(close, 50)
options = dict(size=1.0, init_cash=1e8, fees=0.0005, freq="1min")
pf = vbt.Portfolio.from_signals(close, fast.ma_crossed_above(slow), fast.ma_crossed_below(slow), **options)
figures = dict(trades=int(pf.trades.count()), final_equity=float(pf.final_value()))
figures |= dict(sharpe=float(pf.sharpe_ratio()), drawdown=float(pf.max_drawdown()), win_rate=float(pf.trades.win_rate()))
print(json.dumps(figures | {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""

GPUBT = """
import json, resource, sys
from gpubt.cli import main
status = main(["run", *sys.argv[1:]])
summary = json.load(open(sys.argv[-1].partition("=")[2] + "/summary.json"))
figures = dict(trades=summary["n_trades"], final_equity=summary["metrics"]["final_equity"])
print(json.dumps(figures | {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def process(script: str, *arguments: str) -> dict[str, Any]:
    """The figures that a process prints on its last line."""
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
    for key, row in figures.items():
        results[key]["peak_mib"] = row["peak_mib"]
    mine, theirs = figures["gpubt, Parquet"], figures["vectorbt, Parquet"]
    assert mine["trades"] == theirs["trades"], (mine, theirs)
    assert abs(mine["final_equity"] / theirs["final_equity"] - 1.0) < 1e-9, (mine, theirs)
    show(results, "vectorbt, Parquet")
    print(save("end-to-end", f"SMA 20/50 crossover, {options.bars} bars, whole processes", results, trades=mine["trades"]))


if __name__ == "__main__":
    main()
