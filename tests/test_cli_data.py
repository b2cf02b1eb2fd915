"""`gpubt data check` and `gpubt data convert`."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from command_line import Cli, files

from gpubt.data.clock import DAY
from gpubt.data.parquet import ParquetSource

pytest_plugins = ["cli_fixtures"]
ROWS = ["2020-01-01,1,2,1,1.5,7,1", "2020-01-02,1,2,1,1.5,8,2", "2020-01-03,1,0.5,1,1.5,-9,1", "2020-01-06,1,2,1,1.5,1,1"]


def csv(rows: list[str] = ROWS) -> str:
    Path("bars.csv").write_text("\n".join(["Date,open,high,low,close,volume,split", *rows]))
    return "bars.csv"


def test_check_prints_what_is_wrong(cli: Cli) -> None:
    status, out, err = cli("data", "check", csv())
    assert (status, err) == (2, "")
    assert out.startswith("bars: 4 of 4 bars, 2020-01-01T00:00:00Z to 2020-01-06T00:00:00Z, most of them 1d apart\n")
    table = [line.split()[:5] for line in out.splitlines()[3:6]]
    assert table == [
        ["high_below_low", "error", "1", "2", "2020-01-03T00:00:00Z"],
        ["gaps", "warn", "1", "3", "2020-01-06T00:00:00Z"],
        ["negative_volume", "warn", "1", "2", "2020-01-03T00:00:00Z"],
    ]
    assert "they can't be used: high_below_low" in out
    status, out, _ = cli("data", "check", "bars.csv", "data.validation.high_below_low=drop", "data.resample=7d")
    assert status == 0
    assert "they can be used" in out
    assert cli("data", "check", csv(ROWS[:2]))[:2] == (
        0,
        "bars: 2 of 2 bars, 2020-01-01T00:00:00Z to 2020-01-02T00:00:00Z, most of them 1d apart\nnothing is wrong with them\n",
    )


def test_convert(cli: Cli, tmp_path: Path) -> None:
    before = files(tmp_path)
    status, out, err = cli("data", "convert", csv(), "to/bars.parquet")
    assert (status, out, files(tmp_path) - before) == (2, "", {"bars.csv"})
    assert "have highs below lows (1, the first in row 2 at 2020-01-03T00:00:00Z)" in err
    status, out, err = cli("data", "convert", "bars.csv", "to/bars.parquet", "data.validation.high_below_low=drop")
    assert (status, err) == (0, "")
    assert "warning: bars were left out: highs below lows (1" in out
    assert out.endswith("to/bars.parquet: 3 bars of bars\n")
    table = pq.read_table("to/bars.parquet")
    assert table.schema.names == ["timestamp", "open", "high", "low", "close", "volume", "split"]
    assert table["split"].to_pylist() == [1.0, 2.0, 1.0]
    assert pq.ParquetFile("to/bars.parquet").metadata.row_group(0).column(1).compression == "ZSTD"
    again = ParquetSource(Path("to/bars.parquet")).read(0, 3, {"volume"})
    np.testing.assert_array_equal(again.volume, [7.0, 8.0, 1.0])
    cli("data", "convert", "to/bars.parquet", "week.parquet", "data.resample=7d", "data.symbol=WEEK", "data.adjust=split")
    week = pq.read_table("week.parquet")
    assert (week["symbol"].to_pylist(), week["close"].to_pylist()) == (["WEEK", "WEEK"], [0.75, 1.5])
    assert week["timestamp"].cast("int64").to_pylist() == [18256 * DAY, 18263 * DAY]  # weeks begin on Thursday, as 1970 did


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["data"], "the following arguments are required: check|convert"),
        (["data", "chek", "x"], "invalid choice: 'chek'"),
        (["data", "check"], "the following arguments are required: FILE"),
        (["data", "check", "none.csv"], "data.path=none.csv does not exist; give an existing CSV file"),
        (["data", "check", "none.parquet"], "give an existing Parquet file"),
        (["data", "check", "x.csv", "capital=5"], "gpubt data takes only data.key=value, got 'capital=5'"),
        (["data", "check", "x.csv", "data.fraq=5"], "unknown key data.fraq"),
    ],
)
def test_mistakes(cli: Cli, arguments: list[str], sentence: str) -> None:
    status, out, err = cli(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert sentence in err


def test_convert_leaves_nothing_where_it_can_not_write(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = csv(ROWS[:2])
    Path("to").mkdir()
    Path("to/bars.parquet").write_text("as it was")
    monkeypatch.setattr("gpubt.records.arrow.put_parquet", full)
    status, _, err = cli("data", "convert", path, "to/bars.parquet")
    assert (status, err) == (
        1,
        "gpubt: to/bars.parquet can't be written: No space left on device; choose another path (add debug=true for the traceback)\n",
    )
    assert [file.read_text() for file in Path("to").iterdir()] == ["as it was"]
