"""`profile=on` and `profile=nsys`: what they write, exactly when asked for, and what an attached profiler sees."""

from __future__ import annotations

import json
import pstats
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from host_runtime import HostRuntime, compiler

import gpubt
from gpubt import cli, nsight, phases, profiling
from gpubt.backends.cuda import CudaBackend
from gpubt.compose import configuration
from gpubt.pipeline import run_backtest

FILES = ("profile.json", "profile.txt", "profile.pstats")
RUN = ("data=synthetic", "data.synthetic.bars=5000", "backend=cpu", "costs.commission.rate=0.0001")
PHASES = ["slice", "ingest", "transfer", "indicators", "scan", "simulate", "metrics"]  # begun before the record is made, with write


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> gpubt.RunResult:
    return gpubt.run([*RUN, "profile=on"], folder=tmp_path_factory.mktemp("profiled"))


def test_the_files_appear_exactly_when_asked_for(profiled: gpubt.RunResult, tmp_path: Path) -> None:
    assert profiled.folder is not None
    assert all((profiled.folder / name).exists() for name in FILES)
    plain = gpubt.run(RUN, folder=tmp_path)
    assert plain.profile is None and not any((tmp_path / name).exists() for name in FILES)
    assert plain.summary["ledger_digest"] == profiled.summary["ledger_digest"] and plain.metrics == profiled.metrics


def test_hotspots_are_sorted_with_their_share_and_phases(profiled: gpubt.RunResult) -> None:
    assert profiled.folder is not None and profiled.profile is not None
    record = json.loads((profiled.folder / "profile.json").read_text())
    assert record == json.loads(json.dumps(profiled.profile))
    assert record["valid"] is True and record["reason"] is None
    hotspots = record["hotspots"]
    assert 10 <= len(hotspots) <= 25
    times = [row["cumulative_s"] for row in hotspots]
    assert times == sorted(times, reverse=True)
    for row in hotspots:
        assert 0.0 <= row["own_s"] <= row["cumulative_s"] and 0.0 <= row["percent"] <= 101.0 and row["calls"] >= 1
        assert row["percent"] == pytest.approx(100 * row["cumulative_s"] / record["seconds"])
        assert sum(row["phases"].values()) == pytest.approx(row["cumulative_s"], abs=1e-6)
        assert row["file"] is None or not row["file"].startswith("/")
    assert set(PHASES) <= set(record["phases"])
    assert profiled.benchmark["criteria"]["SC-008"]["passed"] is True


def test_kernels_have_their_own_table(profiled: gpubt.RunResult) -> None:
    assert profiled.profile is not None
    kernels = {row["name"]: row for row in profiled.profile["kernels"]}
    assert {"upload", "indicator ema", "masks", "simulate single", "block index", "account"} <= set(kernels)
    ema = kernels["indicator ema"]
    assert ema["calls"] == 2 and ema["bytes"] == 2 * 2 * 8 * 5000 and ema["bandwidth_share"] is None
    assert ema["bars_per_second"] == pytest.approx(2 * 5000 / ema["seconds"])
    times = [row["seconds"] for row in kernels.values()]
    assert times == sorted(times, reverse=True)


def test_the_table_and_the_statistics_can_be_read(profiled: gpubt.RunResult) -> None:
    assert profiled.folder is not None and profiled.profile is not None
    text = (profiled.folder / "profile.txt").read_text()
    assert "cumulative" in text and "indicator ema" in text
    assert all(row["function"] in text for row in profiled.profile["hotspots"])
    statistics = pstats.Stats(str(profiled.folder / "profile.pstats"))
    assert any(name == "simulate" for _, _, name in statistics.stats)  # type: ignore[attr-defined]


def test_too_few_hotspots_make_a_profile_invalid() -> None:
    profiler = profiling.Profiler(25)
    profiler.begin()
    profiler.end()
    record = profiler.record()
    assert record["valid"] is False and "fewer than 10" in record["reason"]
    assert "not valid" in next(profiling.lines(record))


def test_several_symbols_have_one_profile(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from gpubt.data.synthetic import SyntheticSource

    bars = SyntheticSource(configuration(["data=synthetic", "data.synthetic.bars=500"]).data.synthetic, 7).read(0, 500, ())
    tables = [
        pa.table({"symbol": [name] * 500, "timestamp": pa.array(bars.time, pa.timestamp("ns", "UTC")), **_prices(bars)}) for name in "AB"
    ]
    pq.write_table(pa.concat_tables(tables), tmp_path / "two.parquet")
    folder = tmp_path / "run"
    gpubt.run(["data=parquet", f"data.path={tmp_path / 'two.parquet'}", "data.symbols=all", "profile=on"], folder=folder)
    kernels = {row["name"]: row["calls"] for row in json.loads((folder / "profile.json").read_text())["kernels"]}
    assert kernels["upload"] == 2 and kernels["simulate single"] == 2


def _prices(bars: Any) -> dict[str, Any]:
    return {name: getattr(bars, name) for name in ("open", "high", "low", "close")}


def test_kernels_of_a_device_are_timed_by_it() -> None:
    if compiler() is None:
        pytest.skip("no host C++ compiler")
    config = configuration([*RUN, "profile=on"])
    result = run_backtest(config, backend=CudaBackend(HostRuntime()))
    assert result.profile is not None
    names = {row["name"] for row in result.profile["kernels"]}
    assert {"simulate", "account", "count_signals"} <= names and "simulate single" not in names
    assert all(result.benchmark["phases"][name]["device_seconds"] >= 0.0 for name in PHASES[2:])
    assert result.benchmark["phases"]["slice"]["device_seconds"] is None


class StandInNvtx:
    """The annotations of the nvtx module, as a list of what opened and closed, with depth."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, str, int | None]] = []
        self.depth = 0

    @contextmanager
    def annotate(self, message: str, *, domain: str, payload: int | None) -> Iterator[None]:
        assert domain == "gpubt"
        self.seen.append((self.depth, message, payload))
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1


def test_ranges_are_the_phases_of_the_record_with_kernels_nested_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    nvtx = StandInNvtx()
    monkeypatch.setattr(phases, "_nvtx", lambda: nvtx)
    result = gpubt.run(RUN)
    assert nvtx.depth == 0
    recorded = result.benchmark["phases"]
    outermost = [name for depth, name, _ in nvtx.seen if depth == 0]
    nested = [name for depth, name, _ in nvtx.seen if depth > 0 and name in recorded]
    assert list(dict.fromkeys(name for _, name, _ in nvtx.seen if name in recorded)) == list(recorded)
    assert set(outermost) <= set(recorded) and set(nested) == {"indicators"}
    assert len([name for _, name, _ in nvtx.seen if name in recorded]) == sum(phase["calls"] for phase in recorded.values())
    inside = {name: depth for depth, name, _ in nvtx.seen}
    assert inside["upload"] == inside["simulate single"] == inside["account"] == 1
    assert inside["indicator ema"] > inside["masks"] == 1 and inside["block index"] == 2
    payloads = {name: payload for _, name, payload in nvtx.seen}
    assert payloads["ingest"] == payloads["indicator ema"] == payloads["simulate single"] == 5000


def test_nsys_runs_the_same_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    tool = tmp_path / "bin" / "nsys"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/seen\nexit ${{NSYS_STATUS:-0}}\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")
    folder = tmp_path / "run"
    assert cli.main(["run", *RUN, "profile=nsys", f"hydra.run.dir={folder}"]) == 0
    seen = (tmp_path / "seen").read_text()
    assert seen.startswith("profile -t cuda,nvtx") and f"{sys.executable} -m gpubt run {RUN[0]}" in seen and "profile=nsys" not in seen
    assert f"nsys profile -t cuda,nvtx --force-overwrite true -o {folder}/nsys" in capsys.readouterr().out
    monkeypatch.setenv("NSYS_STATUS", "3")
    assert cli.main(["run", *RUN, "profile=nsys", f"hydra.run.dir={folder}"]) == 1
    assert "nsys ended with exit status 3" in capsys.readouterr().err


def test_without_nsys_the_command_is_printed_and_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(nsight.shutil, "which", lambda _: None)
    assert cli.main(["run", *RUN, "profile=nsys", f"hydra.run.dir={tmp_path}"]) == 2
    captured = capsys.readouterr()
    assert captured.out.startswith("nsys profile -t cuda,nvtx") and "nsight-systems" in captured.err and captured.err.count("\n") == 1


def test_the_folder_of_the_report_is_that_of_the_run(tmp_path: Path) -> None:
    typed = nsight.command(["strategy=ema_cross", "profile=nsys", "profile.mode=nsys"], tmp_path)
    assert typed[-2:] == ["strategy=ema_cross", f"hydra.run.dir={tmp_path}"] and str(tmp_path / "nsys") in typed


def test_a_wrong_profile_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", *RUN, "profile=full"]) == 2
    assert cli.main(["run", *RUN, "profile.hotspots=3"]) == 2
    assert capsys.readouterr().err.count("\n") == 2
