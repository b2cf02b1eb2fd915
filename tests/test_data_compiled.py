"""The compiled passes over bars find and hash what the NumPy ones do."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpubt.backends.kernels import passes
from gpubt.config import Synthetic, Validation
from gpubt.data import compiled
from gpubt.data.bars import Bars
from gpubt.data.digest import BLOCK, digest
from gpubt.data.synthetic import SyntheticSource
from gpubt.data.validate import survey

N = BLOCK + 5000
BARS = SyntheticSource(Synthetic(bars=N), seed=4).read(0, N, {"volume"})
DROP = Validation(outliers="drop", negative_volume="drop")
value = st.sampled_from([-1.0, 0.0, -0.0, 1.0, 2.0, 3.0, 90.0, 1e300, np.nan, np.inf, -np.inf])


def both(bars: Bars) -> list[tuple[Any, Any, str]]:
    """What NumPy and the kernels find."""
    found = []
    for rows in (2**62, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compiled, "PARALLEL", rows)
            assert compiled.block_kernels(bars.n) is (None if rows else passes)
            report, wrong = survey(bars, 3, 3 + bars.n, DROP)
            found.append((report, None if wrong is None else wrong.tolist(), digest(bars, 3, 3 + bars.n)))
    return found


def test_sound_bars() -> None:
    plain, fast = both(BARS)
    assert plain == fast
    assert plain[0].digest == plain[2]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), value, value, value, value, value), min_size=1, max_size=9))
def test_bars_of_anything(rows: Any) -> None:
    columns = list(zip(*rows, strict=True))
    plain, fast = both(Bars("x", np.array(columns[0], np.int64), *(np.array(column, float) for column in columns[1:])))
    assert plain == fast


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["open", "high", "low", "close"]),
            st.sampled_from([0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, N - 2, N - 1]),
            st.sampled_from([0.5, 0.99, 1.01, 1.1, 2.0, np.nan]),
        ),
        max_size=4,
    )
)
def test_prints_at_the_edges_of_blocks(changes: list[tuple[str, int, float]]) -> None:
    columns = {name: column.copy() for name, column in BARS.columns().items()}
    for name, row, factor in changes:
        columns[name][row] *= factor
    plain, fast = both(Bars("x", **columns))
    assert plain == fast


def test_numba_is_not_imported_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiled.block_kernels(compiled.PARALLEL) is passes
    monkeypatch.delitem(sys.modules, "numba")
    assert compiled.block_kernels(compiled.PARALLEL) is None
