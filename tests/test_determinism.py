"""Two runs are equal to the byte, ledger and metrics, whatever the number of threads or the launch shape."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gpubt.compose import configuration
from gpubt.pipeline import run_backtest

ROOT = Path(__file__).resolve().parents[1]
RULES = ["strategy=trend_pullback", "exits.stop.atr=2", "exits.target.r=1.5", "costs.commission.rate=0.0005", "progress=false"]
# Enough bars that indicators, passes and validation are shared out, and enough entries for the list; four threads whatever the machine has
THREADS = """
import sys, json
from pathlib import Path
import gpubt.data.threads, gpubt.backends.cpu
gpubt.data.threads.cores = gpubt.backends.cpu.cores = lambda: 4
import gpubt
folder, *overrides = sys.argv[1:]
entries = Path(folder, "entries.csv")
entries.write_text("bar,side,stop_pct\\n" + "".join(f"{50 + 60 * i},{'long' if i % 3 else 'short'},0.0{1 + i % 7}\\n" for i in range(4900)))
data = ["data=synthetic", "data.synthetic.bars=300000", "backend=cpu"]
kinds = {"rules": [], "list": ["positions=list", f"entries.path='{entries}'"]}
for kind, more in kinds.items():
    for threads in (1, 2, 4, 4):
        out = Path(folder, "run")
        result = gpubt.run([*data, *overrides, *more, f"backend.threads={threads}"], folder=out)
        assert result.benchmark["threads"] == threads, result.benchmark["threads"]
        files = [(out / name).read_bytes().hex() for name in ("trades.parquet", "equity.parquet")]
        print(json.dumps([kind, result.metrics["n_trades"], hash(tuple(files)), result.summary]))
"""


def test_one_two_and_four_threads_write_the_same_bytes(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "NUMBA_NUM_THREADS": "4"}
    command = [sys.executable, "-c", THREADS, str(tmp_path), *RULES]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    for kind in ("rules", "list"):
        first, *others = [run for run in runs if run[0] == kind]
        assert first[1] > 500 and len(others) == 3
        assert all(other == first for other in others)


def test_launch_shapes_write_the_same_bytes(host_backend: Any, tmp_path: Path) -> None:
    config = configuration(["data=synthetic", "data.synthetic.bars=20000", *RULES])
    written = []
    for number, shape in enumerate([(1, 1), (1, 32), (3, 64), (3, 64), (7, 33), (16, 256)]):
        result = run_backtest(config, backend=host_backend(shape), folder=tmp_path / str(number))
        files = [(tmp_path / str(number) / name).read_bytes() for name in ("trades.parquet", "equity.parquet")]
        written.append((files, result.summary))
    assert written[0][1]["n_trades"] > 20
    assert all(other == written[0] for other in written[1:])


@pytest.mark.gpu
def test_two_runs_on_a_device_write_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("cupy")
    config = configuration(["data=synthetic", "data.synthetic.bars=20000", "backend=cuda", *RULES])
    both = [run_backtest(config, folder=tmp_path / str(number)).summary for number in range(2)]
    assert both[0] == both[1]
    assert (tmp_path / "0" / "trades.parquet").read_bytes() == (tmp_path / "1" / "trades.parquet").read_bytes()
