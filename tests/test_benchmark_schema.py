"""`benchmark.json` keeps to its published schema: on every kind of run, at every write; and what a criterion is."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sample_result import benchmark_record

import gpubt
from gpubt.compose import configuration
from gpubt.config import Synthetic
from gpubt.data.synthetic import SyntheticSource
from gpubt.errors import GpubtError
from gpubt.pipeline import run_backtest
from gpubt.records.folder import run_folder
from gpubt.records.schema import SCHEMA_VERSION, benchmark_schema, check_benchmark, violation

PAGE = Path(__file__).resolve().parents[1] / "docs" / "output.md"
KINDS = {
    "event mode": [],
    "bar mode": ["sim.mode=bar", "data.frac=1/3", "data.portion=2"],
    "overlapping": ["positions=overlapping", "exits.stop.atr=2", "exits.target.r=2"],
    "both policies": ["sim.same_bar=band", "exits.stop.pct=0.001", "exits.target.pct=0.001"],
    "no trade": ["strategy.params.slow=9999"],
}


@pytest.fixture(scope="module")
def validate() -> Callable[[Any], None]:
    """Another author's validator, of the draft that the schema names."""
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(benchmark_schema())
    validator = jsonschema.Draft202012Validator(benchmark_schema())
    return lambda record: validator.validate(record)


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """A file of two symbols."""
    tables = []
    for seed, name in enumerate(("AAA", "BBB")):
        read = SyntheticSource(Synthetic(bars=700, spacing="1h"), seed, name).read(0, 700)
        columns = {key: getattr(read, key) for key in ("open", "high", "low", "close")}
        tables.append(pa.table({"timestamp": pa.array(read.time, pa.timestamp("ns", "UTC")), "symbol": [name] * 700, **columns}))
    pq.write_table(pa.concat_tables(tables), tmp_path / "bars.parquet")
    return tmp_path / "bars.parquet"


def held(folder: Path, validate: Callable[[Any], None]) -> dict[str, Any]:
    """The record in a run's folder, which must be valid."""
    record: dict[str, Any] = json.loads((folder / "benchmark.json").read_text(encoding="utf-8"))
    validate(record)
    check_benchmark(record)
    assert record["schema_version"] == SCHEMA_VERSION
    assert record["criteria"]["SC-007"] | {"note": ""} == {
        "name": "schema_violations", "value": 0, "bound": "at_most", "limit": 0, "unit": "violations", "passed": True, "note": "",
    }  # fmt: skip
    return record


@pytest.mark.parametrize("kind", KINDS)
def test_records_of_one_symbol(kind: str, tmp_path: Path, validate: Callable[[Any], None]) -> None:
    result = gpubt.run(["data=synthetic", "data.synthetic.bars=3000", *KINDS[kind]], folder=tmp_path)
    record = held(tmp_path, validate)
    assert record == result.benchmark
    assert record["digests"]["ledger"] == result.summary["ledger_digest"] and record["trades"] == result.metrics["n_trades"]
    assert [key for key, one in record["criteria"].items() if one["passed"]] == ["SC-007"]  # nothing else was measured, so nothing passes


def test_the_record_of_a_list(tmp_path: Path, validate: Callable[[Any], None]) -> None:
    (tmp_path / "entries.csv").write_text("bar,side\n10,long\n20,short\n", encoding="utf-8")
    lists = ["positions=list", f"entries.path='{tmp_path / 'entries.csv'}'"]
    gpubt.run(["data=synthetic", "data.synthetic.bars=3000", *lists], folder=tmp_path / "run")
    assert held(tmp_path / "run", validate)["trades"] == 2


def test_the_record_of_several_symbols(bars: Path, tmp_path: Path, validate: Callable[[Any], None]) -> None:
    result = gpubt.run(["data=parquet", f"data.path={bars}", "data.symbols=all"], folder=tmp_path / "run")
    record = held(tmp_path / "run", validate)
    assert record["symbol"] == "2 symbols" and record["rows"] == 1400 and record["digests"]["ledger"] == result.summary["ledger_digest"]
    assert record["phases"]["simulate"]["calls"] == 2 and record["phases"]["simulate"]["host_peak_bytes"] is not None


def test_the_record_of_the_cuda_backend(host_backend: Any, tmp_path: Path, validate: Callable[[Any], None]) -> None:
    run_backtest(configuration(["data=synthetic", "data.synthetic.bars=3000"]), backend=host_backend(), folder=tmp_path)
    record = held(tmp_path, validate)
    assert record["threads"] is None and record["memory"]["device_peak_bytes"] > 0 and record["memory"]["device_ratio"] is None


def changed(*keys: str, value: Any = None) -> dict[str, Any]:
    """The sample record with the value at nested keys replaced, or taken out (no value)."""
    record = copy.deepcopy(benchmark_record())
    inner = record
    for key in keys[:-1]:
        inner = inner[key]
    inner.pop(keys[-1], None)
    if value is not None:
        inner[keys[-1]] = value
    return record


WRONG = [
    *(changed(key) for key in benchmark_schema()["required"]),
    *(changed("memory", key) for key in benchmark_record()["memory"]),
    *(changed("criteria", key) for key in benchmark_record()["criteria"]),
    *(changed("criteria", "SC-001", key) for key in benchmark_record()["criteria"]["SC-001"]),
    changed("phases", "scan"),
    changed("phases", "scan", "host_peak_bytes"),
    changed("phases", "scan", "calls", value=0),
    changed("surprise", value=1),
    changed("schema_version", value=1),
    changed("schema_version", value="2"),
    changed("rows", value=-1),
    changed("rows", value=1.5),
    changed("rows", value=True),
    changed("frac", value=0.25),
    changed("mode", value="tick"),
    changed("wall_clock_s", value="1 s"),
    changed("first_timestamp", value="yesterday"),
    changed("digests", "ledger", value="0123"),
    changed("memory", "host_peak_bytes", value="many"),
    changed("threads", value=0),
    changed("warnings", value=["twice", "twice"]),
    changed("criteria", "SC-013", value=benchmark_record()["criteria"]["SC-001"]),
    changed("criteria", "SC-001", "passed", value=True),  # a pass of something that was not measured
    changed("criteria", "SC-001", "passed", value=False),
    changed("criteria", "SC-001", "bound", value="about"),
]


@pytest.mark.parametrize("record", WRONG, ids=range(len(WRONG)))
def test_what_breaks_the_schema_is_refused_by_both_validators(record: dict[str, Any], validate: Callable[[Any], None]) -> None:
    assert violation(record) is not None
    from jsonschema import ValidationError

    with pytest.raises(ValidationError):
        validate(record)


def test_the_sample_is_valid(validate: Callable[[Any], None]) -> None:
    validate(benchmark_record())
    assert violation(benchmark_record()) is None


def test_a_wrong_record_is_not_written_and_nothing_else_is(tmp_path: Path) -> None:
    record = changed("memory", "host_ratio", value="high")
    wrong = r"benchmark\.v2\.json.*memory\.host_ratio must be"
    with pytest.raises(GpubtError, match=wrong), run_folder(tmp_path) as folder:
        folder.log(["{}"])
        folder.benchmark(record)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_record_is_not_made() -> None:
    with pytest.raises(GpubtError, match="threads"):
        benchmark_record(threads=0)


@pytest.mark.skipif(not PAGE.exists(), reason="the pages are in a checkout")
def test_the_page_names_the_file_and_every_key() -> None:
    text = PAGE.read_text(encoding="utf-8")
    schema = benchmark_schema()
    assert f"gpubt/schemas/benchmark.v{SCHEMA_VERSION}.json" in text
    names = [*schema["required"], *schema["properties"]["memory"]["required"], *schema["properties"]["criteria"]["required"]]
    assert [name for name in names if f"`{name}`" not in text] == []
