"""Where compiled kernels and measurements are kept between runs."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import sys
import tempfile
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gpubt.hardware import cpu_features
from gpubt.resources import PACKAGE

KEPT = 3  # digests whose compiled code stays: switching between a few branches or environments recompiles nothing
GRACE = 3600.0  # seconds after its last use in which no folder is removed, for a run that may still be writing to it


def user_cache() -> Path:
    """The platform's folder for what can be made again, plus `gpubt`; `GPUBT_CACHE_DIR` overrides it."""
    own = os.environ.get("GPUBT_CACHE_DIR")
    if own:
        return Path(own).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "gpubt" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "gpubt"
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "gpubt"


def cache_dir() -> Path:
    """`user_cache()` made ready; if it can't be written, a folder for this process alone, and one line on stderr says so."""
    try:
        wanted = user_cache()
    except RuntimeError:  # no home folder
        wanted = Path("~/.cache/gpubt")
    return _writable(wanted)


@cache
def _writable(wanted: Path) -> Path:
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=wanted):
            return wanted
    except OSError as error:
        made = Path(tempfile.mkdtemp(prefix="gpubt-"))
        atexit.register(shutil.rmtree, made, ignore_errors=True)
        print(f"gpubt: the cache folder {wanted} can't be written ({error.strerror}): nothing is kept after this run", file=sys.stderr)
        return made


def kernel_files() -> list[Path]:
    """The files whose code numba compiles."""
    return [*sorted((PACKAGE / "backends" / "kernels").rglob("*.py")), PACKAGE / "simulate" / "layout.py"]


def numba_digest() -> str:
    """Of everything compiled code depends on: kernel sources, versions, CPU. numba's own cache misses changes in other files."""
    digest = hashlib.sha256()
    for path in kernel_files():
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    versions = " ".join(f"{name}={_version(name)}" for name in ("numba", "llvmlite", "numpy"))
    digest.update(f"{versions} python={sys.version} {cpu_features()}".encode())
    return digest.hexdigest()[:16]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def set_numba_cache() -> Path:
    """Point numba's disk cache at a folder named by `numba_digest`, before numba is imported; a NUMBA_CACHE_DIR of the user's stays."""
    own = os.environ.get("NUMBA_CACHE_DIR")
    root = cache_dir()
    if own and not (Path(own).parent == root and Path(own).name.startswith("numba-")):  # else inherited from a gpubt, perhaps another one
        return Path(own)
    folder = root / f"numba-{numba_digest()}"
    folder.mkdir(exist_ok=True)
    os.utime(folder)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if "numba" in sys.modules:  # imported by the user first: it read the variable then
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    _remove_old(root)
    return folder


def _remove_old(root: Path) -> None:
    """Remove the folders of other digests beyond the newest; another process may do the same at the same time."""
    try:
        dated = sorted(((path.stat().st_mtime, path) for path in root.glob("numba-*")), reverse=True)
    except OSError:
        return
    for modified, path in dated[KEPT:]:
        if time.time() - modified > GRACE:
            shutil.rmtree(path, ignore_errors=True)
