"""What is built and installed: wheel, sdist and editable install each carry conf, kernels and sample, and run outside the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("build")
pytest.importorskip("hatchling")

ROOT = Path(__file__).resolve().parents[1]
CARRIED = ("conf/config.yaml", "conf/strategy/ema_cross.yaml", "kernels/common.cuh", "kernels/simulate.cu", "sample/README.md")

pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="these tests build from a checkout")


def call(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Standard output of a command that must succeed, run with neither the checkout nor this test's settings in its environment."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "NUMBA_CACHE_DIR")}
    run = subprocess.run([*map(str, command)], cwd=cwd, env={**inherited, **environment}, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{command}\n{run.stdout}\n{run.stderr}"
    return run.stdout


def build(source: Path, out: Path, kind: str) -> Path:
    call(sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", out, source, cwd=out)
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("sdist"), "sdist")


def installed(folder: Path, *what: str | Path) -> Path:
    """The `bin` of a new environment in which only `what` is installed, and the dependencies of this one can be imported."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    site = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed", "--disable-pip-version-check")
    call(python, "-m", "pip", "install", "--quiet", *offline, *what, cwd=folder)
    return folder / "bin"


def backtest(programs: Path, folder: Path, cache: Path, *overrides: str) -> dict[str, object]:
    """`gpubt run` there; its summary."""
    folder.mkdir()
    call(programs / "gpubt", "run", "backend=cpu", "hydra.run.dir=run", *overrides, cwd=folder, GPUBT_CACHE_DIR=str(cache))
    files = {path.name for path in (folder / "run").iterdir()}
    assert files >= {"trades.parquet", "equity.parquet", "summary.json", "config.yaml", "benchmark.json"}
    summary: dict[str, object] = json.loads((folder / "run" / "summary.json").read_text(encoding="utf-8"))
    return summary


def home(programs: Path, cwd: Path) -> Path:
    """Where gpubt is imported from."""
    return Path(call(programs / "python", "-c", "import gpubt; print(gpubt.__file__)", cwd=cwd).strip()).parent


def test_the_wheel_carries_what_a_run_needs(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"gpubt/{name}" for name in (*CARRIED, "py.typed", "__init__.py")} <= names
    assert any(name.startswith("gpubt/sample/") and name.endswith(".parquet") for name in names)
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"gpubt"}
    assert {f"gpubt/report/html/assets/{name}" for name in ("report.css", "charts.js", "run.js", "candles.js", "sweep.js")} <= names
    assert not any("__pycache__" in name or name.endswith((".pyc", ".nbi", ".nbc")) for name in names)
    metadata = zipfile.ZipFile(wheel).read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert "License-Expression: MIT" in metadata and "Requires-Python: >=3.11" in metadata
    core = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert not any("pandas" in line or "cupy" in line for line in core)


def test_the_sdist_builds_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    assert all((source / name).is_file() for name in (*CARRIED, "gpubt/py.typed", "LICENSE", "README.md", "tests/conftest.py", "Makefile"))
    (tmp_path / "out").mkdir()
    again = build(source, tmp_path / "out", "wheel")
    first, second = (
        {name: zipfile.ZipFile(path).read(name) for name in zipfile.ZipFile(path).namelist() if "RECORD" not in name}
        for path in (wheel, again)
    )
    assert first == second


@pytest.mark.skipif(os.name != "posix", reason="the layout of POSIX environments")
def test_the_wheel_runs_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    programs = installed(tmp_path / "env", wheel)
    assert (tmp_path / "env") in home(programs, tmp_path).parents
    assert call(programs / "gpubt", "--version", cwd=tmp_path).startswith("gpubt 0.")
    synthetic = backtest(programs, tmp_path / "synthetic", tmp_path / "cache", "data=synthetic", "data.synthetic.bars=20000")
    sample = backtest(programs, tmp_path / "sample", tmp_path / "cache", "data.frac=0.1")
    assert synthetic["ledger_digest"] != sample["ledger_digest"]


@pytest.mark.skipif(os.name != "posix", reason="the layout of POSIX environments")
def test_an_editable_install_finds_the_folders_beside_the_package(tmp_path: Path) -> None:
    programs = installed(tmp_path / "env", "--editable", ROOT)
    assert home(programs, tmp_path) == ROOT / "gpubt"
    cache = Path(os.environ.get("NUMBA_CACHE_DIR", tmp_path / "cache")).parent  # compiled by the other tests already
    backtest(programs, tmp_path / "sample", cache, "data.frac=0.1")
