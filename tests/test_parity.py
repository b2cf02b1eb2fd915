"""Other engines' trades, kept from runs of those engines themselves (`make parity` runs them again), against gpubt's."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import parity

CASES = [(engine, name) for engine in parity.ENGINES for name in parity.WORKS if name not in parity.WITHOUT[engine]]


@pytest.mark.parametrize(("engine", "name"), CASES)
def test_every_trade_is_the_rivals(engine: str, name: str) -> None:
    kept = pq.read_table(parity.golden(engine, name))
    theirs = {column: np.array(kept[column]) for column in parity.COLUMNS}
    equity = float(kept.schema.metadata[b"final_equity"])
    mine, my_equity = parity.ours(engine, parity.WORKS[name])
    assert parity.compare(theirs, mine, equity, my_equity) == []
    assert len(mine["pnl"]) > 200  # trades on both sides of everything
