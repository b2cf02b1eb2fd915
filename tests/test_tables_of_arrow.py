"""Arrow tables from NumPy and back, as pyarrow itself makes them, and without pandas."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from gpubt.records.tables import column, hex_texts, taken, texts, values_of


@given(st.lists(st.floats(width=64), max_size=30))
def test_numbers_there_and_back(values: list[float]) -> None:
    array = column(np.array(values, np.float64), pa.float64())
    array.validate(full=True)
    assert array.null_count == np.isnan(values).sum()
    np.testing.assert_array_equal(values_of(pa.chunked_array([array[:3], array[3:]])), np.array(values, np.float64))


@given(st.lists(st.one_of(st.none(), st.text(max_size=5)), max_size=30))
def test_texts(names: list[str | None]) -> None:
    array = texts(names)
    array.validate(full=True)
    assert array.to_pylist() == names


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
def test_whole_numbers_places_and_digits(values: list[int]) -> None:
    array = column(np.array(values, np.int64), pa.int64())
    assert array.to_pylist() == values == values_of(pa.chunked_array([array])).tolist()
    assert hex_texts(np.array(values, np.int64)).to_pylist() == [f"{value & (2**64 - 1):016x}" for value in values]
    places = np.arange(len(values))[::-1]
    assert taken(array, places).to_pylist() == values[::-1]


def test_no_command_of_sweeps_loads_pandas(tmp_path: Path) -> None:
    """Where it is installed, it takes longer to import than most of what they do."""
    (tmp_path / "pandas.py").write_text("raise SystemExit('pandas was imported')")
    code = (
        "import sys; from gpubt.cli import main; run = lambda line: main(line.split()) and sys.exit(1)\n"
        "run('sweep strategy.params.fast=3,5,8 exits.stop.pct=0.01,null data.frac=0.02 progress=false --out swept')\n"
        "for line in ('top swept --export rows.csv', 'replay swept --row 2', 'report swept'): run(line)\n"
    )
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join([str(tmp_path), root, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
