"""Parquet files: exactly the rows, row groups and columns that are asked for, and clear words for files that can't be used."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpubt.config import Data, Synthetic
from gpubt.data.bars import Bars
from gpubt.data.parquet import ParquetSource
from gpubt.data.source import open_source
from gpubt.data.synthetic import SyntheticSource
from gpubt.errors import ConfigError, DataError

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
N, GROUP = 10_000, 1_000
BARS = SyntheticSource(Synthetic(bars=N), seed=3).read(0, N, {"volume"})


def table(bars: Bars = BARS, time: str = "timestamp", unit: str = "ns", zone: str | None = "UTC") -> pa.Table:
    columns: dict[str, Any] = bars.columns()
    return pa.table({time: pa.array(columns.pop("time")).cast(pa.timestamp("ns")).cast(pa.timestamp(unit, zone)), **columns})


def write(path: Path, rows: pa.Table, group: int = GROUP, **options: Any) -> ParquetSource:
    pq.write_table(rows, path, row_group_size=group, **options)
    return ParquetSource(path)


def same(bars: Bars, expected: Bars, lo: int, hi: int) -> None:
    for name, column in bars.columns().items():
        np.testing.assert_array_equal(column, expected.columns()[name][lo:hi], strict=True)
        assert column.flags.c_contiguous
        assert column.ctypes.data % 64 == 0


@pytest.mark.parametrize(("lo", "hi"), [(0, N), (0, 1), (N - 1, N), (999, 1001), (2000, 3000), (2500, 2600), (1, N - 1)])
def test_reads_exactly_the_rows(tmp_path: Path, lo: int, hi: int) -> None:
    source = write(tmp_path / "bars.parquet", table())
    assert (source.rows_available, source.symbol) == (N, "bars")
    bars = source.read(lo, hi, {"close", "volume"})
    same(bars, BARS, lo, hi)
    assert source.read(lo, hi).volume is None
    assert bars.nbytes == (hi - lo) * 6 * 8


def test_reads_only_the_row_groups_and_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "bars.parquet", table())
    asked: list[tuple[list[int], list[str]]] = []
    original = pq.ParquetFile.iter_batches

    def spy(self: Any, size: int, row_groups: list[int], columns: list[str]) -> Any:
        asked.append((row_groups, columns))
        return original(self, size, row_groups=row_groups, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", spy)
    before = source.bytes_read
    source.read(2999, 4001)
    assert asked == [([2, 3, 4], ["timestamp", "open", "high", "low", "close"])]
    chunks = [pq.ParquetFile(source.path).metadata.row_group(g).column(c).total_compressed_size for g in (2, 3, 4) for c in range(5)]
    assert source.bytes_read - before == sum(chunks)
    asked.clear()
    assert source.span() == (BARS.time[0], BARS.time[-1])
    assert source.row_at(int(BARS.time[2000])) == 2000  # the first of a row group: statistics are enough
    assert not asked
    assert source.row_at(int(BARS.time[2345])) == 2345
    assert asked == [([2], ["timestamp"])]


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_row_at(tmp_path: Path, statistics: bool, unit: str) -> None:
    source = write(tmp_path / "bars.parquet", table(unit=unit), write_statistics=statistics)
    for row in (0, 1, 999, 1000, 1001, 5500, N - 1):
        time = int(BARS.time[row])
        assert [source.row_at(time - 1), source.row_at(time), source.row_at(time + 1)] == [row, row, row + 1]
    assert source.row_at(-(2**62)) == 0
    assert source.row_at(2**62) == N


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_time_units(tmp_path: Path, unit: str, zone: str | None) -> None:
    same(write(tmp_path / "bars.parquet", table(time="DateTime", unit=unit, zone=zone)).read(5, 3000), BARS, 5, 3000)


def test_other_types(tmp_path: Path) -> None:
    days = pa.array([date(1999, 12, 31), date(2000, 1, 3)])
    prices = {
        "Open": pa.array([Decimal("1.10005"), Decimal("0.29")], pa.decimal128(12, 5)),
        "HIGH": pa.array([1.5, 2.25], pa.float32()),
        "low": pa.array([1, 0], pa.int32()),
        "Close": pa.array([Decimal("123456789012345678.5"), None], pa.decimal128(30, 5)),
        "volume": pa.nulls(2, pa.float64()),
    }
    bars = write(tmp_path / "bars.parquet", pa.table({"Date": days, **prices})).read(0, 2, {"volume"})
    assert bars.time.tolist() == [946598400 * 10**9, 946857600 * 10**9]
    assert (bars.open.tolist(), bars.high.tolist(), bars.low.tolist()) == ([1.10005, 0.29], [1.5, 2.25], [1.0, 0.0])
    assert bars.close[0] == 123456789012345678.5
    assert np.isnan(bars.close[1])
    assert bars.volume is not None
    assert np.isnan(bars.volume).all()
    integers = table().set_column(0, "time", pa.array(BARS.time))
    same(write(tmp_path / "int.parquet", integers).read(0, N), BARS, 0, N)


def test_decimals_round_once(tmp_path: Path) -> None:
    cents = np.random.default_rng(1).integers(1, 10**9, N)
    values = [Decimal(int(cent)).scaleb(-5) for cent in cents]
    rows = table().set_column(4, "close", pa.array(values, pa.decimal128(20, 5)))
    assert write(tmp_path / "bars.parquet", rows).read(0, N).close.tolist() == [float(str(value)) for value in values]


def swapped(column: str, values: pa.Array) -> pa.Table:
    return table().set_column(table().schema.names.index(column), column, values)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (table().drop_columns(["high"]), "has no column high; it has timestamp, open, low, close, volume"),
        (table().rename_columns(["when", "open", "high", "low", "close", "volume"]), "has no column timestamp/time/datetime/date"),
        (table().append_column("CLOSE", pa.array(BARS.close)), "several columns that could be close: close, CLOSE"),
        (swapped("close", pa.array(["1.0"] * N)), "column close must be numbers, it is string"),
        (swapped("timestamp", pa.array([True] * N)), "column timestamp must be times, dates, ISO text or numbers"),
        (table().slice(0, 0), "has no rows"),
    ],
)
def test_schema_errors(tmp_path: Path, rows: pa.Table, message: str) -> None:
    with pytest.raises(DataError, match=message):
        write(tmp_path / "bars.parquet", rows)


def test_value_errors(tmp_path: Path) -> None:
    times = table().column("timestamp").to_pylist()
    times[1234] = None
    with pytest.raises(DataError, match="column timestamp has 1 nulls, the first in row 1234"):
        write(tmp_path / "null.parquet", swapped("timestamp", pa.array(times, pa.timestamp("ns", "UTC")))).read(0, N)
    with pytest.raises(DataError, match="outside the years 1678 to 2261"):
        write(tmp_path / "far.parquet", swapped("timestamp", pa.array([2**60] * N, pa.timestamp("us")))).read(0, N)
    with pytest.raises(DataError, match="beyond 2\\^53"):
        write(tmp_path / "big.parquet", swapped("close", pa.array([2**53 + 1] * N))).read(0, N)
    with pytest.raises(DataError, match="has no column volume"):
        write(tmp_path / "less.parquet", table().drop_columns(["volume"])).read(0, N, {"volume"})
    with pytest.raises(DataError, match="not in order of time"):
        write(tmp_path / "back.parquet", table().take(pa.array(np.arange(N)[::-1].copy()))).row_at(0)


def test_file_errors(tmp_path: Path) -> None:
    good = tmp_path / "good.parquet"
    write(good, table())
    whole = good.read_bytes()
    cases = {
        "empty": (b"", r"is empty \(0 bytes\)"),
        "text": (b"timestamp,open\n", "is not a Parquet file"),
        "cut": (whole[:-1000], "is truncated"),
        "short": (b"PAR1", "damaged"),
        "footer": (whole[:-400] + bytes(392) + whole[-8:], "damaged"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=message):
            ParquetSource(tmp_path / name)
    with pytest.raises(DataError, match="does not exist"):
        ParquetSource(tmp_path / "none.parquet")
    with pytest.raises(DataError, match="is a directory"):
        ParquetSource(tmp_path)


def test_damaged_pages(tmp_path: Path) -> None:
    source = write(tmp_path / "bars.parquet", table(), compression="zstd")
    content = bytearray(source.path.read_bytes())
    chunk = source.metadata.row_group(3).column(2)
    content[chunk.data_page_offset : chunk.data_page_offset + 200] = b"\xff" * 200
    source.path.write_bytes(content)
    source = ParquetSource(source.path)
    source.read(0, 2000)
    with pytest.raises(DataError, match="damaged"):
        source.read(0, N)
    source = write(tmp_path / "checked.parquet", table(), compression="none", use_dictionary=False, write_page_checksum=True)
    content = bytearray(source.path.read_bytes())
    content[source.metadata.row_group(3).column(2).data_page_offset + 1000] ^= 1  # one bit of one price
    source.path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        ParquetSource(source.path).read(0, N)


def test_pandas_is_not_loaded() -> None:
    """Arrow's `to_numpy` and `scalar` import it where it is installed, for 0.3 s and 40 MiB."""
    code = "import sys, gpubt.config as c, gpubt.data.source as d; s = d.open_source(c.Data(), 0); s.row_at(10**18); s.read(0, 9)"
    subprocess.run([sys.executable, "-c", f"{code}; assert 'pandas' not in sys.modules"], check=True)


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "bars.parquet", table())

    def refused(*args: Any) -> None:  # as for anyone but the superuser after chmod 0
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(DataError, match="can't be read: Permission denied"):
        ParquetSource(source.path)


def several(names: list[str], kind: pa.DataType | None = None) -> pa.Table:
    return pa.concat_tables([table().append_column("Symbol", pa.array([name] * N).cast(kind or pa.string())) for name in names])


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_several_symbols(tmp_path: Path, statistics: bool, kind: pa.DataType) -> None:
    path = tmp_path / "bars.parquet"
    names = ["AAA", "BBB", "CCC"]
    pq.write_table(several(names, kind=kind).slice(500), path, row_group_size=3000, write_statistics=statistics)
    for name, skipped in zip(names, (500, 0, 0), strict=True):
        source = ParquetSource(path, name)
        assert (source.symbol, source.rows_available) == (name, N - skipped)
        assert source.span() == (BARS.time[skipped], BARS.time[-1])
        assert source.row_at(int(BARS.time[7777])) == 7777 - skipped
        same(source.read(100, 9000), BARS, 100 + skipped, 9000 + skipped)
    with pytest.raises(ConfigError, match=r"data\.symbol must choose one of the symbols in .*, got null; it has AAA, BBB, CCC"):
        ParquetSource(path)
    with pytest.raises(ConfigError, match=r"data\.symbol=BB is not in .*; it has AAA, BBB, CCC \(did you mean BBB\?\)"):
        ParquetSource(path, "BB")


def test_one_symbol_or_none(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    for statistics in (True, False):
        pq.write_table(several(["AAA"]), path, write_statistics=statistics)
        assert ParquetSource(path).symbol == ParquetSource(path, "AAA").symbol == "AAA"
        with pytest.raises(ConfigError, match="it has AAA"):
            ParquetSource(path, "BBB")
    pq.write_table(several(["AAA", "BBB", "AAA"]), path)
    with pytest.raises(DataError, match="the 20000 rows of AAA lie apart"):
        ParquetSource(path, "AAA")
    pq.write_table(table(), path)
    assert ParquetSource(path, "MINE").symbol == "MINE"  # a label where the file has no symbols


def test_open_source() -> None:
    sample = open_source(Data(), seed=0)
    assert (sample.symbol, sample.rows_available) == ("SZ000338", 150_434)
    assert len(sample.read(0, 100)) == 100
    with pytest.raises(ConfigError, match=r"data\.symbol must be SZ000338"):
        open_source(Data(symbol="MSFT"), seed=0)
    with pytest.raises(ConfigError, match=r"needs data\.path"):
        open_source(Data(source="parquet"), seed=0)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no real bars in ../shared/data")
def test_real_files() -> None:
    bitcoin = ParquetSource(SHARED / "btcusdt_binance_1m_2017-2025.parquet")
    assert bitcoin.rows_available == 4_351_448
    lo = bitcoin.row_at(1_580_000_000 * 10**9)
    bars = bitcoin.read(lo, lo + 1000)
    assert bars.time[0] >= 1_580_000_000 * 10**9 > bitcoin.read(lo - 1, lo).time[0]
    stock = ParquetSource(SHARED / "us_equities_daily_1999-2021.parquet", "ADI")
    whole = pq.read_table(stock.path, filters=[("symbol", "==", "ADI")])
    same(stock.read(0, stock.rows_available, {"volume"}), Bars.from_arrow(whole), 0, stock.rows_available)
    with pytest.raises(ConfigError, match="it has A, ADI, "):
        ParquetSource(stock.path)
