"""The folder of a sweep: part files, resuming after any interruption to the identical table, and what is refused."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import gpubt
from gpubt import cli
from gpubt.sweep import run as sweeping
from gpubt.sweep.store import Store

ROOT = Path(gpubt.__file__).parents[1]
SWEEP = (
    *("data=synthetic", "data.synthetic.bars=20000", "backend=cpu", "progress=false", "strategy.params.fast=range(3,33)"),
    *("strategy.params.slow=range(40,80,2)", "exits.stop.pct=0.002,0.004,0.01", "costs.commission.rate=0.0002"),
)
SETS = 30 * 20 * 3


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed sweep."""
    folder = tmp_path_factory.mktemp("whole") / "sweep"
    assert cli.main(["sweep", *SWEEP, "--out", str(folder)]) == 0
    return folder


def test_a_sweep_leaves_its_table_and_what_it_is(whole: Path) -> None:
    assert sorted(path.name for path in whole.iterdir()) == ["results.parquet", "sweep.json"]
    about = json.loads((whole / "sweep.json").read_text())
    assert about["sets"] == SETS and about["overrides"] == list(SWEEP) and list(about["data"]) == ["SYNTHETIC"]
    assert about["axes"]["exits.stop.pct"] == [0.002, 0.004, 0.01]
    table = pq.read_table(whole / "results.parquet")
    assert table["set"].to_pylist() == list(range(SETS))
    assert pq.read_metadata(whole / "results.parquet").num_row_groups == 1


def parts_of(folder: Path) -> int:
    return len(list((folder / "parts").glob("[0-9]*.parquet")))


def interrupted(folder: Path, more_parts: int, after: float, how: signal.Signals, *more: str) -> int:
    """A sweep process that writes parts often and is stopped, `after` seconds after it has written some more; its exit status."""
    new = folder.exists() and (folder / "sweep.json").exists()
    where = ["--resume", str(folder)] if new else [*SWEEP, "--out", str(folder)]
    code = (
        # a shell starts what runs in the background with Ctrl-C ignored
        "import signal, sys, time; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from gpubt.sweep import run, engine, store; run.PATIENCE = 0.0; engine.SETS = 60\n"
        "add = store.Store.add; store.Store.add = lambda *given: (add(*given), time.sleep(0.02))\n"
        "from gpubt import cli; sys.exit(cli.main(sys.argv[1:]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, "sweep", *where, *more], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wanted = parts_of(folder) + more_parts
    while process.poll() is None and parts_of(folder) < wanted:
        time.sleep(0.002)
    time.sleep(after)
    process.send_signal(how)
    return process.wait()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_killed_at_any_moment_it_goes_on_to_the_identical_table(whole: Path, tmp_path: Path) -> None:
    rng, folder, seen = random.Random(11), tmp_path / "sweep", set()
    for attempt in range(10):
        how = signal.SIGKILL if attempt % 3 else signal.SIGINT
        threads = [f"backend.threads={1 + attempt % 2}"] if attempt > 2 else []
        status = interrupted(folder, rng.randrange(1, 5), rng.uniform(0.0, 0.05), how, *threads)
        done = int(Store(folder).done(SETS).sum()) if folder.exists() else 0
        seen.add(done)
        assert status in (0, 130, -signal.SIGKILL, -signal.SIGINT)  # the last: before Python has begun
        if status == 0:
            break
    assert cli.main(["sweep", "--resume", str(folder)]) == 0
    assert (folder / "results.parquet").read_bytes() == (whole / "results.parquet").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["results.parquet", "sweep.json"]
    assert len(seen) > 2  # it was interrupted in between


def test_chunks_of_another_size_and_broken_parts_make_the_same_file(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gpubt.sweep import engine

    folder = tmp_path / "sweep"
    monkeypatch.setattr(sweeping, "PATIENCE", 0.0)
    monkeypatch.setattr(engine, "SETS", 100)
    add, parts = Store.add, []

    def fail_at_five(self: Store, table: object) -> None:
        if len(parts) == 5:
            raise KeyboardInterrupt
        add(self, table)  # type: ignore[arg-type]
        parts.append(table)

    monkeypatch.setattr(Store, "add", fail_at_five)
    assert cli.main(["sweep", *SWEEP, "--out", str(folder)]) == 130
    monkeypatch.setattr(Store, "add", add)
    files = sorted((folder / "parts").iterdir())
    assert len(files) == 5
    files[2].write_bytes(files[2].read_bytes()[:1000])
    (folder / "parts" / ".half.tmp").write_bytes(b"half")
    (folder / ".results.parquet.x.tmp").write_bytes(b"half")
    monkeypatch.setattr(engine, "SETS", 333)
    capsys.readouterr()
    assert cli.main(["sweep", "--resume", str(folder), "memory.host=4000"]) == 0
    assert f"{SETS - 4 * len(parts[0]):,} simulated" in capsys.readouterr().out
    assert (folder / "results.parquet").read_bytes() == (whole / "results.parquet").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["results.parquet", "sweep.json"]


def test_a_finished_sweep_is_resumed_without_work(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (whole / "results.parquet").stat().st_mtime_ns
    assert cli.main(["sweep", "--resume", str(whole)]) == 0
    assert "0 simulated" in capsys.readouterr().out and (whole / "results.parquet").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        (["costs.commission.rate=0.01"], "config_digest"),
        (["strategy.params.extra=1"], "extra"),
        (["--out", "elsewhere"], "--resume goes on"),
    ],
)
def test_another_sweep_is_not_resumed(whole: Path, capsys: pytest.CaptureFixture[str], more: list[str], wrong: str) -> None:
    assert cli.main(["sweep", "--resume", str(whole), *more]) == 2
    error = capsys.readouterr().err
    assert wrong in error and error.count("\n") == 1


def test_other_bars_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path, folder = tmp_path / "bars.parquet", tmp_path / "sweep"
    result = gpubt.run(["data=synthetic", "data.synthetic.bars=500", "equity=bar"])
    columns = {name: result.equity["equity"] for name in ("open", "high", "low", "close")}
    import pyarrow as pa

    table = pa.table({"timestamp": result.equity["time"], **columns})
    pq.write_table(table, path)
    sweep = ["data=parquet", f"data.path={path}", "strategy.params.fast=3,5", "backend=cpu"]
    with monkeypatch.context() as patched:
        patched.setattr(Store, "finish", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        assert cli.main(["sweep", *sweep, "--out", str(folder)]) == 130
    for part in (folder / "parts").iterdir():
        part.unlink()
    pq.write_table(table.slice(0, 400), path)
    assert cli.main(["sweep", "--resume", str(folder)]) == 2
    assert "had digest" in capsys.readouterr().err


def test_a_used_folder_is_refused_and_a_folder_that_is_no_sweep(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sweep", *SWEEP, "--out", str(whole)]) == 2
    assert "holds a sweep already" in capsys.readouterr().err
    assert cli.main(["sweep", "--resume", str(tmp_path)]) == 2
    assert "has no sweep.json" in capsys.readouterr().err


def test_nothing_is_left_where_nothing_could_be_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sweep", *SWEEP, "exits.stop.pct=7,8", "--out", str(tmp_path / "sweep")]) == 2
    assert cli.main(["sweep", "--out", str(tmp_path / "sweep")]) == 2
    assert not (tmp_path / "sweep").exists()


def test_a_plan_is_printed_and_nothing_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sweep", *SWEEP, "--dry-run", "--out", str(tmp_path / "sweep"), "sweep.where='fast * 2 < slow'"]) == 0
    out = capsys.readouterr().out
    assert "more left out by sweep.where" in out and "distinct signals" in out and "bar-sets/s" in out and "memory" in out
    assert not (tmp_path / "sweep").exists()


MEMORY = """
import resource, sys
from gpubt import cli
from gpubt.memory import host_peak_bytes
status = cli.main(["sweep", *sys.argv[2:], "--out", sys.argv[1]])
print(status, host_peak_bytes())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a process from /proc")
def test_memory_does_not_grow_with_the_number_of_sets(tmp_path: Path) -> None:
    big = ("data=synthetic", "data.synthetic.bars=200000", "backend=cpu", "progress=false", "memory.host=700")
    few, many = ("strategy.params.fast=range(3,8)",), ("strategy.params.fast=range(3,33)", "exits.stop.pct=range(0.001,0.04,0.001)")
    peaks = []
    for i, axes in enumerate((few, many)):
        command = [sys.executable, "-c", MEMORY, str(tmp_path / str(i)), *big, *axes, "strategy.params.slow=40,60"]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
        status, peak = done.stdout.splitlines()[-1].split()
        assert status == "0"
        peaks.append(int(peak))
    assert peaks[1] < peaks[0] + 150 * 2**20 and peaks[1] < 700 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of the address space")
def test_under_a_memory_limit_it_finishes_or_is_refused_before_it_starts(tmp_path: Path) -> None:
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))\n{MEMORY}"
    sweep = ("data=synthetic", "data.synthetic.bars=300000", "backend=cpu", "progress=false", "exits.stop.pct=0.002,0.01")
    axes = ("strategy.params.fast=range(3,23)", "strategy.params.slow=range(40,90)")
    start = time.perf_counter()
    for gib, more, wanted in ((2.5, (), "0"), (2.5, ("memory.host=20",), "2")):
        code, folder = limited.replace("BYTES", str(int(gib * 2**30))), str(tmp_path / f"{len(more)}")
        command = [sys.executable, "-c", code, folder, *sweep, *axes, *more]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
        assert done.stdout.splitlines()[-1].split()[0] == wanted, done.stderr
        if wanted == "2":
            assert "memory.host has 20" in done.stderr and not (tmp_path / "1").exists()
    assert time.perf_counter() - start < 300
