"""Bars read and validated by several threads: the same arrays, the same digest, the same error."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from time import sleep

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpubt.config import Data, Synthetic, Validation
from gpubt.data import parquet, threads
from gpubt.data.bars import Bars
from gpubt.data.digest import digest
from gpubt.data.parquet import ParquetSource
from gpubt.data.source import open_source
from gpubt.data.validate import survey
from gpubt.errors import DataError

N = 200_000
BARS = open_source(Data(source="synthetic", synthetic=Synthetic(bars=N)), seed=1).read(0, N, {"volume"})


@pytest.fixture(params=[1, 2, 3])
def count(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """So many threads, however few rows and cores there are."""
    monkeypatch.setattr(threads, "PARALLEL", 0)
    monkeypatch.setattr(threads, "cores", lambda: request.param)
    monkeypatch.setattr(parquet, "PART", 30_000)
    assert threads.threads_for(1) == request.param
    return int(request.param)


def stored(path: Path, bars: Bars, group: int) -> Path:
    pq.write_table(pa.table(bars.columns()), path, row_group_size=group)
    return path


@pytest.mark.parametrize("group", [7_000, 30_000, N])
@pytest.mark.parametrize(("lo", "hi"), [(0, N), (29_999, 30_001), (12_345, 187_654), (5, 5)])
def test_every_row_in_its_place(tmp_path: Path, count: int, group: int, lo: int, hi: int) -> None:
    source = ParquetSource(stored(tmp_path / "bars.parquet", BARS, group))
    bars = source.read(lo, hi, {"volume"})
    for name, column in BARS.columns().items():
        np.testing.assert_array_equal(bars.columns()[name], column[lo:hi])
    groups = range(lo // group, -(-hi // group)) if lo < hi else range(0)
    metadata = source.metadata
    stored_bytes = sum(metadata.row_group(i).column(j).total_compressed_size for i in groups for j in range(metadata.num_columns))
    assert source.bytes_read == metadata.serialized_size + stored_bytes


def test_the_first_error_is_the_one_that_is_told(tmp_path: Path, count: int) -> None:
    table = pa.table(BARS.columns())
    for name, row in (("open", 150_000), ("time", 90_000)):
        values = pa.array(BARS.columns()[name], mask=np.arange(N) == row)
        table = table.set_column(table.schema.get_field_index(name), name, values)
    pq.write_table(table, tmp_path / "bars.parquet", row_group_size=30_000)
    with pytest.raises(DataError, match="column time has 1 nulls, the first in row 90000"):
        ParquetSource(tmp_path / "bars.parquet").read(0, N)


def test_errors_leave_what_has_not_begun() -> None:
    begun: list[int] = []
    gate = Event()

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            gate.wait(10)
            raise ValueError("one")
        if item == 2:
            gate.set()
            raise ValueError("two")
        sleep(0.01)
        return item

    with pytest.raises(ValueError, match="one"):
        threads.mapped(work, range(50), 2)
    assert len(begun) < 50
    assert threads.mapped(str, range(50), 3) == [str(item) for item in range(50)]


def test_a_run_may_have_fewer_threads() -> None:
    assert threads.threads_for(threads.PARALLEL - 1) == 1
    with threads.thread_limit(1):
        assert threads.threads_for(threads.PARALLEL) == 1
    assert threads.threads_for(threads.PARALLEL) >= 1


def test_threads_find_what_one_finds(count: int) -> None:
    columns = {name: column.copy() for name, column in BARS.columns().items()}
    for name, row, value in (("high", 70_000, 1e-3), ("low", 140_000, np.nan), ("high", 150_000, 2e4), ("volume", 199_999, -1.0)):
        columns[name][row] = value
    columns["time"][65_536] = columns["time"][65_535]
    bars = Bars("X", **columns)
    report, wrong = survey(bars, 7, 7 + N, Validation(high_below_low="drop", nan="drop"))
    found = {finding.name: (finding.count, finding.first_row - 7) for finding in report.findings}
    assert found.pop("gaps") == (1, 65_537)
    assert found == {
        "duplicates": (1, 65_536),
        "nan": (1, 140_000),
        "high_below_low": (1, 70_000),
        "outliers": (1, 150_000),
        "negative_volume": (1, 199_999),
    }
    assert wrong is not None
    assert np.flatnonzero(wrong).tolist() == [70_000, 140_000]
    assert report.digest == digest(bars, 7, 7 + N)
