"""The backend fixture: one test body, run on numba, on the host-built CUDA kernels, and on a device where one answers."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile(
    "gpubt", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("gpubt")

REQUIRE = {
    "--require-host-kernels": "fail, not skip, without a host C++ compiler",
    "--require-nvrtc": "fail, not skip, without the NVRTC library",
    "--require-browser": "fail, not skip, without Chromium, its driver and selenium",
    "--require-gpu": "fail, not skip, without a CUDA device and CuPy",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    for option, about in REQUIRE.items():
        parser.addoption(option, action="store_true", help=about)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "gpu: runs on a CUDA device")


def miss(config: pytest.Config, option: str, reason: str) -> None:
    """Skip with the reason, or fail where the option says that it must run."""
    if config.getoption(option):
        pytest.fail(f"{option}: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def host_backend(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes a CUDA backend over the host-built kernels: `host_backend((grid, block))`."""
    import host_runtime

    if host_runtime.compiler() is None:
        miss(request.config, "--require-host-kernels", "no host C++ compiler: the CUDA sources were not run")
    from gpubt.backends.cuda import CudaBackend

    return lambda shape=(3, 64): CudaBackend(host_runtime.HostRuntime(shape))


@pytest.fixture(scope="session", params=["cpu", "host", pytest.param("cuda", marks=pytest.mark.gpu)])
def backend(request: pytest.FixtureRequest) -> Any:
    """Every backend that can run here."""
    if request.param == "cpu":
        from gpubt.backends.cpu import CpuBackend

        return CpuBackend(2)
    if request.param == "host":
        return request.getfixturevalue("host_backend")()
    from gpubt.device import cuda_status

    status = cuda_status()
    if not status.available:
        miss(request.config, "--require-gpu", status.reason)
    from gpubt.backends.cuda import CudaBackend
    from gpubt.backends.cupy_runtime import CupyRuntime

    return CudaBackend(CupyRuntime())


@pytest.fixture(scope="session", autouse=True)
def own_caches() -> Iterator[None]:
    """Break-even figures and the like of the user's machine stay out of the tests; compiled kernels are kept."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("GPUBT_CACHE_DIR")
        from gpubt.device import set_numba_cache

        set_numba_cache()
        os.environ["GPUBT_CACHE_DIR"] = folder
        yield
        if before is None:
            del os.environ["GPUBT_CACHE_DIR"]
        else:
            os.environ["GPUBT_CACHE_DIR"] = before
