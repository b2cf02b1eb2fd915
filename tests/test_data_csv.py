"""CSV files of every make give the same bars, and clear words where they can't."""

from __future__ import annotations

import errno
import gzip
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpubt.config import Data
from gpubt.data.bars import Bars
from gpubt.data.csv_file import CsvSource
from gpubt.data.epoch import epoch_nanoseconds
from gpubt.data.parquet import ParquetSource
from gpubt.data.source import open_source
from gpubt.data.validate import validate
from gpubt.errors import ConfigError, DataError

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
DIRTY = SHARED / "dirty"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no real bars in ../shared/data")
T0 = 1_577_836_800  # 2020-01-01, seconds
ROWS = [(T0 + 60 * i, 10.0 + i, 12.0 + i, 9.0 + i, 11.5 + i, 100.0 * i) for i in range(6)]
HEADER = ["timestamp", "open", "high", "low", "close", "volume"]


def lines(separator: str = ",", header: list[str] | None = HEADER, rows: Any = ROWS, end: str = "\n") -> bytes:
    table = ([header] if header else []) + [[str(value) for value in row] for row in rows]
    return "".join(separator.join(row) + end for row in table).encode()


def written(folder: Path, content: bytes, name: str = "bars.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def read(path: Path, **options: Any) -> Bars:
    source = CsvSource(path, **options)
    return source.read(0, source.rows_available, {"volume"})


def expect(bars: Bars, rows: Any = ROWS) -> None:
    columns = list(zip(*rows, strict=True))
    assert bars.time.tolist() == [int(second) * 10**9 for second in columns[0]]
    for name, column in zip(HEADER[1:], columns[1:], strict=True):
        assert bars.columns()[name].tolist() == list(column)
        assert bars.columns()[name].ctypes.data % 64 == 0


def zst(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


MAKES = {
    "plain": lines(),
    "no line end": lines()[:-1],
    "crlf": lines(end="\r\n"),
    "bom": b"\xef\xbb\xbf" + lines(),
    "bom and crlf without header": b"\xef\xbb\xbf" + lines(header=None, end="\r\n"),
    "semicolon": lines(";"),
    "decimal comma": lines(";").replace(b".", b","),
    "tab": lines("\t"),
    "quoted": lines(header=[f'"{name}"' for name in HEADER], rows=[[f'"{value}"' for value in row] for row in ROWS]),
    "no header": lines(header=None),
    "binance": lines(header=None, rows=[(*row, 1, 2, 3, 4, 5, 0) for row in ROWS]),
    "capitals": lines(header=[name.upper() for name in HEADER]),
    "blank lines": b"\n\n" + lines().replace(b"\n", b"\n\n", 3) + b"\n\r\n\n",
    "gzip": gzip.compress(lines()),
    "zstd": zst(lines()),
    "milliseconds": lines(rows=[(row[0] * 1000, *row[1:]) for row in ROWS]),
    "fractions of seconds": lines(rows=[(f"{row[0]}.0", *row[1:]) for row in ROWS]),
    "iso": lines(rows=[(f"2020-01-01T00:0{i}:00", *row[1:]) for i, row in enumerate(ROWS)]),
    "iso with a space": lines(rows=[(f"2020-01-01 00:0{i}", *row[1:]) for i, row in enumerate(ROWS)]),
    "iso with Z": lines(rows=[(f"2020-01-01T00:0{i}:00Z", *row[1:]) for i, row in enumerate(ROWS)]),
    "iso with offset": lines(rows=[(f"2020-01-01T05:3{i}:00+05:30", *row[1:]) for i, row in enumerate(ROWS)]),
    "iso without header": lines(header=None, rows=[(f"2020-01-01T00:0{i}:00", *row[1:]) for i, row in enumerate(ROWS)]),
    "two units": lines(rows=[(row[0] * (1000 if i < 3 else 10**6), *row[1:]) for i, row in enumerate(ROWS)]),
}


@pytest.mark.parametrize("make", MAKES)
def test_every_make_gives_the_same_bars(tmp_path: Path, make: str) -> None:
    expect(read(written(tmp_path, MAKES[make])))


def test_rows_are_selected_before_they_are_kept(tmp_path: Path) -> None:
    source = CsvSource(written(tmp_path, lines(), "mine.csv.gz"))
    assert (source.symbol, source.rows_available, source.has("volume"), source.has("split")) == ("mine", 6, True, False)
    assert source.span() == (T0 * 10**9, (T0 + 300) * 10**9)
    assert [source.row_at((T0 + second) * 10**9) for second in (-1, 0, 1, 300, 301)] == [0, 0, 1, 5, 6]
    assert source.read(2, 4).close.tolist() == [13.5, 14.5]
    assert source.read(2, 4).volume is None
    assert source.bytes_read >= len(lines())


def test_header_can_be_said(tmp_path: Path) -> None:
    path = written(tmp_path, lines(header=["1", "2", "3", "4", "5", "6"]))
    order = ["time", "open", "high", "low", "close", "volume"]
    expect(read(path, header=True, columns=dict(zip(order, "123456", strict=True))))
    with pytest.raises(DataError, match="column time has 1 in row 0, which is no time"):
        read(path, header="false")
    with pytest.raises(ConfigError, match=r"data\.header must be auto, true or false, got maybe"):
        read(path, header="maybe")


def test_columns_of_a_file_without_header(tmp_path: Path) -> None:
    path = written(tmp_path, lines(header=None, rows=[(row[5], *row[1:5], row[0], "x") for row in ROWS]))
    expect(read(path, columns=["volume", "open", "high", "low", "close", "time", "note"]))
    with pytest.raises(DataError, match=r"has 7 columns and no header; name them in order with data\.columns="):
        read(path)
    with pytest.raises(ConfigError, match=r"data\.columns lists 2 columns, .* has 7"):
        read(path, columns=["time", "open"])


def test_column_mapping(tmp_path: Path) -> None:
    path = written(tmp_path, lines(header=["Date", "open", "high", "low", "Adj Close", "volume"]))
    mapping = {"time": "Date", "close": "Adj Close"}
    expect(read(path, columns=mapping))
    with pytest.raises(DataError, match=r"has no column Nope, which data\.columns gives for close; it has Date, open"):
        read(path, columns={"close": "Nope"})
    with pytest.raises(ConfigError, match=r"data\.columns has no field 'clos'; .*did you mean close"):
        read(path, columns={"clos": "x"})
    with pytest.raises(ConfigError, match="must map fields to columns"):
        read(path, columns=5)
    table = pa.table({"Date": [row[0] for row in ROWS], **{name: [row[i] for row in ROWS] for i, name in enumerate(HEADER) if i}})
    table = table.rename_columns(["Date", "open", "high", "low", "Adj Close", "volume"])
    expect(Bars.from_arrow(table, columns=mapping))
    pq.write_table(table, tmp_path / "bars.parquet")
    source = ParquetSource(tmp_path / "bars.parquet", columns=mapping)
    expect(source.read(0, 6, {"volume"}))
    assert source.row_at((T0 + 60) * 10**9) == 1


def test_several_symbols(tmp_path: Path) -> None:
    rows = [(*row, name) for name in ("AA", "BB") for row in ROWS]
    path = written(tmp_path, lines(header=[*HEADER, "symbol"], rows=rows))
    source = CsvSource(path, "BB")
    assert (source.symbol, source.rows, source.rows_available) == ("BB", range(6, 12), 6)
    expect(source.read(0, 6, {"volume"}))
    assert source.read(1, 3).close.tolist() == [12.5, 13.5]
    assert source.row_at((T0 + 60) * 10**9) == 1
    with pytest.raises(ConfigError, match=r"data\.symbol must choose one of the symbols in .*; it has AA, BB"):
        CsvSource(path)
    with pytest.raises(ConfigError, match=r"data\.symbol=CC is not in .*; it has AA, BB"):
        CsvSource(path, "CC")
    with pytest.raises(DataError, match="the 12 rows of AA lie apart"):
        CsvSource(written(tmp_path, lines(header=[*HEADER, "symbol"], rows=rows + rows[:6])), "AA")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"\n\n", "has no rows"),
        (lines(rows=[]), "has one line, 'timestamp,open,high,low,close,volume', and no rows"),
        (b"{\nError Message\n}", "has no column timestamp/time/datetime/date; it has {"),
        (b"\x00\x01\x02binary", "is binary"),
        (b"\xff\xfetime,open\n", "is binary or not UTF-8"),
        (b"PAR1....PAR1", "is a Parquet file; read it with data=parquet"),
        (gzip.compress(lines())[:-20], "can't be read as CSV"),
        (b"time,open\r2020,1\r", "carriage return alone"),
        (lines(header=["time", "open", "high", "low", "last", "volume"]), "has no column close"),
        (lines(header=["time", "open", "high", "low", "close", "CLOSE"]), "several columns that could be close"),
        (lines().replace(b"13.5", b"abc"), "CSV conversion error to double: invalid value 'abc'"),
        (lines() + b"1,2\n", "Expected 6 columns, got 2"),
        (lines(rows=[(20200101, *row[1:]) for row in ROWS]), "column timestamp has 20200101 in row 0, which is no time"),
        (lines(rows=[("", *ROWS[0][1:]), *ROWS]), "column timestamp has 1 nulls, the first in row 0"),
        (lines(rows=[(f"2020-01-0{i + 1}" if i < 4 else "soon", *row[1:]) for i, row in enumerate(ROWS)]), "has 'soon' in row 4"),
        (lines(rows=[(f"2020-01-0{i + 1}T00:00:00{'Z' * (i > 2)}", *row[1:]) for i, row in enumerate(ROWS)]), "in row 3, which is no ISO"),
    ],
)
def test_what_can_not_be_read(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(written(tmp_path, content))


def test_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="does not exist; give an existing CSV file"):
        CsvSource(tmp_path / "none.csv")
    with pytest.raises(DataError, match="is a directory"):
        CsvSource(tmp_path)
    with pytest.raises(DataError, match="is not a Parquet file; read CSV with data=csv"):
        ParquetSource(written(tmp_path, lines(), "bars.csv.gz"))
    with pytest.raises(ConfigError, match=r"data\.source=csv needs data\.path, a CSV file"):
        open_source(Data(source="csv"), seed=0)

    def refused(*args: Any) -> None:  # as for anyone but the superuser after chmod 0
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(DataError, match="can't be read: Permission denied"):
        CsvSource(tmp_path / "bars.csv")


def test_a_file_that_changes_is_refused(tmp_path: Path) -> None:
    source = CsvSource(written(tmp_path, lines()))
    source.read(0, 6)
    with source.path.open("ab") as file:
        file.write(lines(header=None))
    with pytest.raises(DataError, match="was changed while it was read"):
        source.read(0, 6)
    source.path.unlink()
    with pytest.raises(DataError):
        source.read(0, 6)


@pytest.mark.parametrize("count", [1, 2])
def test_few_bars(tmp_path: Path, count: int) -> None:
    bars = read(written(tmp_path, lines(rows=ROWS[:count])))
    expect(bars, ROWS[:count])
    assert validate(bars, 0, count)[1].findings == ()


def test_time_zone(tmp_path: Path) -> None:
    def path(*times: str) -> Path:
        return written(tmp_path, lines(rows=[(time, *row[1:]) for time, row in zip(times, ROWS, strict=False)]))

    bars = read(path("2021-03-13", "2021-03-14 01:59", "2021-03-14 03:00", "2021-11-07 02:00"), time_zone="America/New_York")
    want = ["2021-03-13T05:00", "2021-03-14T06:59", "2021-03-14T07:00", "2021-11-07T07:00"]
    assert bars.time.view("M8[ns]").astype("M8[m]").astype(str).tolist() == want
    with pytest.raises(DataError, match=r"2021-03-14T02:30:00 in row 1 does not exist in data\.time_zone=America/New_York"):
        read(path("2021-03-13", "2021-03-14 02:30"), time_zone="America/New_York")
    with pytest.raises(DataError, match=r"2021-11-07T01:00:00 in row 1 exists twice"):
        read(path("2021-11-07 00:59", "2021-11-07 01:00"), time_zone="America/New_York")
    assert read(path("2021-11-07T01:00:00Z"), time_zone="America/New_York").time[0] == 1636246800 * 10**9
    with pytest.raises(ConfigError, match=r"data\.time_zone must be a name that this system knows.*got 'Mars'"):
        read(path("2021-11-07"), time_zone="Mars")


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(365 * 86400, (2**63 - 1) // 10**9), st.sampled_from([1, 10**3, 10**6, 10**9])), min_size=1))
def test_each_value_tells_its_unit(values: list[tuple[int, int]]) -> None:
    mixed = np.array([second * unit for second, unit in values], np.int64)
    assert epoch_nanoseconds(mixed, "t", 0).tolist() == [second * 10**9 for second, _ in values]
    rounded = epoch_nanoseconds(mixed.astype(float), "t", 0)
    assert np.abs(rounded - np.array([second * 10**9 for second, _ in values])).max() <= 2000


@pytest.mark.parametrize("value", [0, -1, 10**10, 2 * 10**13, 86400, 20200101])
def test_values_that_are_no_time(value: int) -> None:
    with pytest.raises(DataError, match=f"column t has {value} in row 8, which is no time"):
        epoch_nanoseconds(np.array([T0, value], np.int64), "t", 7)


@pytest.mark.parametrize(
    "times",
    [
        pa.array([row[0] for row in ROWS], pa.int32()),
        pa.array([row[0] * 1000 for row in ROWS], pa.uint64()),
        pa.array([float(row[0]) for row in ROWS]),
        pa.array([f"2020-01-01 00:0{i}" for i in range(6)]),
        pa.array([f"2020-01-01T00:0{i}Z" for i in range(6)], pa.large_string()),
        pa.array([f"2020-01-01T00:0{i}:00" for i in range(6)], pa.string_view()),
        pa.array([str(row[0]) for row in ROWS]).dictionary_encode(),
    ],
)
def test_times_of_any_kind_from_arrow(times: pa.Array) -> None:
    table = pa.table({"time": times} | {name: [row[i] for row in ROWS] for i, name in enumerate(HEADER) if i})
    expect(Bars.from_arrow(table))
    expect(Bars.from_arrow(pa.concat_tables([table.slice(0, 2), table.slice(2, 0), table.slice(2)])))


price = st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(max_examples=1000)
@given(
    rows=st.lists(st.tuples(st.integers(T0, 4 * T0), price, price, price, price, price), min_size=1, max_size=12),
    separator=st.sampled_from([",", ";", "\t"]),
    header=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    codec=st.sampled_from([bytes, gzip.compress, zst]),
)
def test_round_trip(rows: Any, separator: str, header: bool, end: str, codec: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        expect(read(written(Path(folder), codec(lines(separator, HEADER if header else None, rows, end)))), rows)


@shared
@pytest.mark.parametrize("name", ["2018-02-08_outage", "2018-02-09_outage", "2024-12-31_milliseconds", "2025-01-01_microseconds"])
def test_raw_files_of_an_exchange(name: str) -> None:
    bars = read(DIRTY / f"binance_btcusdt_{name}.csv")
    assert str(bars.time.view("M8[ns]")[-1])[:10] == name[:10]
    whole = ParquetSource(SHARED / "btcusdt_binance_1m_2017-2025.parquet")
    lo = whole.row_at(int(bars.time[0]))
    same = whole.read(lo, lo + bars.n, {"volume"})
    for column, values in bars.columns().items():
        np.testing.assert_array_equal(values, same.columns()[column])
    assert validate(bars, 0, bars.n)[1].findings == ()


@shared
def test_a_unit_that_changes_inside_one_file(tmp_path: Path) -> None:
    parts = [DIRTY / f"binance_btcusdt_{day}.csv" for day in ("2024-12-31_milliseconds", "2025-01-01_microseconds")]
    bars = read(written(tmp_path, b"".join(part.read_bytes() for part in parts)))
    assert (bars.n, set(np.diff(bars.time).tolist())) == (2880, {60 * 10**9})


@shared
def test_an_error_body_saved_as_csv() -> None:
    with pytest.raises(DataError, match=r"has no column timestamp/time/datetime/date; it has \{"):
        read(DIRTY / "daily_error_body_saved_as_csv_BF.B.csv")
