"""Every CUDA source compiles for the devices it is meant for, and nothing in them is contracted to a fused multiply-add."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import nvrtc

from gpubt.resources import kernel_sources

FUSED = re.compile(r"\bfma\.r[nzmp]\.f64")


@pytest.fixture(autouse=True)
def library(request: pytest.FixtureRequest) -> None:
    nvrtc.need(request)


def archs() -> list[str]:
    """The oldest that the installed NVRTC compiles for, and Hopper; with GPUBT_ARCHS=all (`make check-archs`) all that it knows."""
    if not nvrtc.library():
        return ["oldest", "sm_90"]
    known = [f"sm_{arch}" for arch in nvrtc.architectures()]
    return known if os.environ.get("GPUBT_ARCHS") == "all" else [known[0], "sm_90"]


@pytest.mark.parametrize("arch", archs())
def test_all_sources_compile_without_fused_multiply_add(arch: str) -> None:
    sources = "\n".join(kernel_sources().values())
    ptx = nvrtc.compile(sources, arch)
    assert not FUSED.findall(ptx)
    assert len(ptx) < 1_200_000  # 1.7 MB, when every call of the simulation was inlined, took 20 s to compile; 0.9 MB take 6 s
    assert set(re.findall(r"^KERNEL (\w+)\(", sources, re.M)) == set(re.findall(r"\.entry (\w+)\(", ptx))


def test_the_search_for_fused_multiply_add_finds_one() -> None:
    ptx = nvrtc.compile('extern "C" __global__ void f(double *x) { x[0] = fma(x[0], x[1], x[2]); }', "sm_90")
    assert FUSED.search(ptx)


def test_a_mistake_is_reported_with_the_compilers_words() -> None:
    with pytest.raises(ValueError, match="undefined_name"):
        nvrtc.compile('extern "C" __global__ void f(double *x) { x[0] = undefined_name; }', "sm_90")


def test_no_kernel_takes_more_of_a_multiprocessor_than_its_budget() -> None:
    """Registers and stack decide how many threads are there to hide waits. After a deliberate change: `python tests/nvrtc.py`."""
    budget = json.loads(nvrtc.BUDGET.read_text())
    if nvrtc.version() != budget["nvrtc"]:
        pytest.skip(f"the budget is of NVRTC {budget['nvrtc']}, installed is {nvrtc.version()}")
    found = nvrtc.resources("\n".join(kernel_sources().values()), budget["arch"])
    assert set(found) == set(budget["kernels"])
    for kernel, used in found.items():
        assert all(used[name] <= most for name, most in budget["kernels"][kernel].items()), (kernel, used)
