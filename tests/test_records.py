"""Files of a run: whole or not there, and the same figures in every one."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from sample_result import benchmark_record

from gpubt.config import Config, Stop
from gpubt.device import CudaStatus
from gpubt.errors import GpubtError, InputError
from gpubt.records import environment
from gpubt.records.arrow import atomic, plain, write_json, write_parquet
from gpubt.records.folder import RunFolder, run_folder
from gpubt.resolve import resolve

TABLE = pa.table({"bar": [1, 2, 3], "pnl": [0.5, -0.25, 1e-300]})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_atomic_replaces_only_on_success(tmp_path: Path) -> None:
    path = tmp_path / "new" / "summary.json"
    with atomic(path) as temporary:
        temporary.write_text("first")
        assert not path.exists()
    for error in (KeyboardInterrupt, ValueError, SystemExit):
        with pytest.raises(error), atomic(path) as temporary:
            temporary.write_text("half")
            raise error
    assert path.read_text() == "first"
    assert names(path.parent) == ["summary.json"]


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX's")
def test_files_have_the_usual_permissions(tmp_path: Path) -> None:
    write_json({}, tmp_path / "summary.json")
    (tmp_path / "plain").touch()
    assert stat.S_IMODE((tmp_path / "summary.json").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_what_cannot_be_written_is_one_sentence_with_the_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file.summary\.json can't be written: .*hydra\.run\.dir"):
        write_json({}, tmp_path / "file" / "summary.json")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_is_not_the_inputs_fault(tmp_path: Path) -> None:
    with pytest.raises(GpubtError, match=r"trades\.parquet can't be written: No space") as caught, atomic(tmp_path / "trades.parquet"):
        Path("/dev/full").write_text("x" * 100_000)
    assert not isinstance(caught.value, InputError)
    assert names(tmp_path) == []


def test_json_knows_no_nan_and_keeps_the_order(tmp_path: Path) -> None:
    values = {
        "z": np.float64("nan"),
        "a": [np.inf, -np.inf, 0.1],
        "n": np.int64(7),
        "flag": np.bool_(True),
        "array": np.array([1.5, np.nan]),
        "when": datetime(2020, 1, 1, tzinfo=UTC),
        "path": Path("a") / "b",
        "stop": Stop(pct=0.02),
        "name": "Zürich",
    }
    write_json(values, tmp_path / "x.json")
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    read = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert list(read) == list(values)
    assert read["z"] is None and read["a"] == [None, None, 0.1] and read["n"] == 7 and read["flag"] is True
    assert read["array"] == [1.5, None] and read["when"] == "2020-01-01T00:00:00+00:00" and read["path"] == os.path.join("a", "b")
    assert read["stop"] == {"pct": 0.02, "offset": None, "atr": None, "long": None, "short": None}
    assert '\n  "z": null' in text and text.endswith("}\n") and "Zürich" in text


def test_parquet_is_exact_compressed_and_streams(tmp_path: Path) -> None:
    write_parquet(TABLE, tmp_path / "a.parquet")
    write_parquet((TABLE.schema, (batch for batch in TABLE.to_batches(max_chunksize=1))), tmp_path / "b.parquet")
    assert pq.read_table(tmp_path / "a.parquet").equals(TABLE) and pq.read_table(tmp_path / "b.parquet").equals(TABLE)
    meta = pq.read_metadata(tmp_path / "b.parquet")
    assert meta.num_row_groups == 3 and meta.row_group(0).column(0).compression == "ZSTD"
    write_parquet(TABLE.slice(0, 0), tmp_path / "empty.parquet")
    assert pq.read_table(tmp_path / "empty.parquet").schema == TABLE.schema


def fill(folder: RunFolder, config: Config, trades: pa.Table = TABLE) -> None:
    folder.trades(lambda: trades)
    folder.equity((TABLE.schema, TABLE.to_batches()))
    folder.config(config)
    folder.benchmark(benchmark_record())
    folder.summary({"n_trades": 3, "metrics": {"sharpe_ratio": float("nan")}})


def test_the_run_folder_holds_the_files(tmp_path: Path) -> None:
    config = resolve(Config(seed=7))
    with run_folder(tmp_path / "run") as folder:
        fill(folder, config)
        assert all(name.startswith(".") for name in names(tmp_path / "run"))
    assert names(tmp_path / "run") == ["benchmark.json", "config.yaml", "equity.parquet", "summary.json", "trades.parquet"]
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["metrics"] == {"sharpe_ratio": None}
    assert pq.read_table(tmp_path / "run" / "trades.parquet").equals(TABLE)
    written = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert written == plain(config) and written["seed"] == 7


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_run_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    with run_folder(tmp_path) as folder:
        fill(folder, Config())
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    with pytest.raises(error), run_folder(tmp_path) as folder:
        fill(folder, Config(seed=1), TABLE.slice(1))
        raise error
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with run_folder(None) as folder:
        fill(folder, Config())
    assert names(tmp_path) == []


def test_an_interrupt_while_a_table_streams_leaves_nothing(tmp_path: Path) -> None:
    def batches():  # type: ignore[no-untyped-def]
        yield from TABLE.to_batches()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), run_folder(tmp_path) as folder:
        folder.equity((TABLE.schema, batches()))
    assert names(tmp_path) == []


def test_the_config_digest_is_of_the_values() -> None:
    config = resolve(Config())
    digest = environment.config_digest(config)
    assert digest == environment.config_digest(resolve(Config())) == environment.config_digest(plain(config))
    assert len(digest) == 64
    assert digest != environment.config_digest(replace(config, seed=43))


def test_the_kernels_digest_is_of_both_kinds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = environment.kernels_digest.__wrapped__()
    monkeypatch.setattr(environment, "kernel_sources", lambda: {"common.cuh": "// other"})
    assert environment.kernels_digest.__wrapped__() != first
    monkeypatch.undo()
    (tmp_path / "bits.py").write_text("pass")
    monkeypatch.setattr(environment, "PACKAGE", tmp_path)
    monkeypatch.setattr(environment, "kernel_files", lambda: [tmp_path / "bits.py"])
    assert environment.kernels_digest.__wrapped__() != first
    assert environment.kernels_digest.__wrapped__() == environment.kernels_digest.__wrapped__()


def test_versions_and_hardware_are_what_runs() -> None:
    found = environment.versions()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["numpy"] == np.__version__ and found["pyarrow"] == pa.__version__
    assert {"gpubt", "numba", "llvmlite", "hydra-core", "psutil", "rich"} <= set(found)
    machine = environment.hardware(CudaStatus(False, "none", [{"name": "NVIDIA X"}]))
    assert machine["cores"] >= 1 and machine["memory_bytes"] > 2**28 and machine["cpu"] and machine["gpus"] == [{"name": "NVIDIA X"}]
    assert "gpus" not in environment.hardware()
    assert environment.cuda_versions(CudaStatus(False, "none", [{"name": "NVIDIA X", "driver": "580.1"}])) == {"driver": "580.1"}
    json.dumps([found, machine], allow_nan=False)
