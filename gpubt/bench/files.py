"""The files that a benchmark reads: the seeded walk as minutes, in Parquet and CSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpubt.bench.workloads import walk

MINUTE = 60_000_000_000  # nanoseconds
START = 1_500_000_000_000_000_000  # a time in 2017


def bar_files(folder: Path, bars: int, *, text: bool = True) -> dict[str, Path]:
    """`parquet` and, with `text`, `csv` of the first `bars` minutes of the walk."""
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    time = pa.array(START + np.arange(bars, dtype=np.int64) * MINUTE, pa.timestamp("ns", "UTC"))
    table = pa.table({"timestamp": time, **walk(bars)})
    paths = {"parquet": folder / f"walk-{bars}.parquet"}
    pq.write_table(table, paths["parquet"], compression="zstd")
    if text:
        paths["csv"] = folder / f"walk-{bars}.csv"
        csv.write_csv(table, paths["csv"])
    return paths
