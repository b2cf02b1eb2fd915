"""Where `conf` and `kernels` are: inside the package when installed from a wheel, beside it in a checkout or editable install."""

from __future__ import annotations

from pathlib import Path

from gpubt.errors import GpubtError

PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The resource folder `name` (`conf`, `kernels`, `sample`). Raises GpubtError when the installation lacks it."""
    for root in (PACKAGE, PACKAGE.parent):
        if (root / name).is_dir():
            return root / name
    raise GpubtError(f"this installation of gpubt lacks its folder {name!r}: reinstall the package")


def kernel_sources() -> dict[str, str]:
    """CUDA sources by file name, `common.cuh` first: one translation unit when joined in this order."""
    root = folder("kernels")
    names = ["common.cuh", *sorted(path.name for path in root.glob("*.cu"))]
    return {name: (root / name).read_text(encoding="utf-8") for name in names}
