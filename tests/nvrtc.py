"""CUDA sources to PTX with NVRTC: its wheel is enough, no driver and no device. `python tests/nvrtc.py` writes what kernels may use at most
(`golden/kernel_budget.json`) from what they use now."""

from __future__ import annotations

import json
import re
from ctypes import CDLL, byref, c_char_p, c_int, c_size_t, c_void_p, create_string_buffer
from functools import cache
from pathlib import Path

import pytest

from gpubt.resources import kernel_sources

ARCH = "sm_90"  # that the budget is for
FLAGS = ("--std=c++17", "--fmad=false")


@cache
def library() -> CDLL | None:
    """NVRTC from the nvidia-cuda-nvrtc wheel, or None."""
    try:
        import nvidia
    except ImportError:
        return None
    names = sorted(path for root in nvidia.__path__ for path in Path(root).glob("*/lib/libnvrtc.so*"))
    return CDLL(str(names[0])) if names else None


def need(request: pytest.FixtureRequest) -> CDLL:
    """The library; without it the test is skipped with the reason, or fails under --require-nvrtc."""
    found = library()
    if found is None:
        reason = "no NVRTC library (package nvidia-cuda-nvrtc): the CUDA sources were not compiled for a device"
        (pytest.fail if request.config.getoption("--require-nvrtc", False) else pytest.skip)(reason)
    return found


def architectures() -> list[int]:
    """The compute capabilities that this NVRTC compiles for, ascending: 75, 80, ..."""
    nvrtc = library()
    assert nvrtc is not None
    count = c_int()
    assert nvrtc.nvrtcGetNumSupportedArchs(byref(count)) == 0
    archs = (c_int * count.value)()
    assert nvrtc.nvrtcGetSupportedArchs(archs) == 0
    return sorted(archs)


def compile(sources: str, arch: str) -> str:
    """The PTX of one translation unit for `arch` (sm_90, compute_75). Raises ValueError with the compiler's log."""
    return compiled(sources, arch)[0]


def version() -> str:
    """Of the library: other versions give a kernel other registers."""
    nvrtc, major, minor = library(), c_int(), c_int()
    assert nvrtc is not None
    nvrtc.nvrtcVersion(byref(major), byref(minor))
    return f"{major.value}.{minor.value}"


@cache
def compiled(sources: str, arch: str) -> tuple[str, str]:
    """PTX, and what the assembler says of each function."""
    nvrtc = library()
    assert nvrtc is not None
    program = c_void_p()
    assert nvrtc.nvrtcCreateProgram(byref(program), sources.encode(), b"gpubt.cu", 0, None, None) == 0
    try:
        options = [flag.encode() for flag in (*FLAGS, f"--gpu-architecture={arch}", "--ptxas-options=-v")]
        code = nvrtc.nvrtcCompileProgram(program, len(options), (c_char_p * len(options))(*options))
        if code:
            raise ValueError(f"NVRTC error {code} for {arch}:\n{_text(nvrtc, 'ProgramLog', program)}")
        return _text(nvrtc, "PTX", program), _text(nvrtc, "ProgramLog", program)
    finally:
        nvrtc.nvrtcDestroyProgram(byref(program))


def _text(nvrtc: CDLL, what: str, program: c_void_p) -> str:
    size = c_size_t()
    getattr(nvrtc, f"nvrtcGet{what}Size")(program, byref(size))
    text = create_string_buffer(size.value)
    getattr(nvrtc, f"nvrtcGet{what}")(program, text)
    return text.value.decode()


def resources(sources: str, arch: str) -> dict[str, dict[str, int]]:
    """By kernel: registers of a thread, bytes of its stack (of its own, and of all it calls as far as the assembler knows), bytes of shared
    memory of a block, and bytes that registers are spilled to, in the kernel and the functions that it calls."""
    found: dict[str, dict[str, int]] = {}
    for part in re.split(r"Compiling entry function '", compiled(sources, arch)[1])[1:]:
        used = re.search(r"Used (\d+) registers", part)
        assert used, part[:200]
        found[part[: part.index("'")]] = {
            "registers": int(used[1]),
            "stack": max(map(int, re.findall(r"(\d+) bytes (?:stack frame|cumulative stack)", part))),
            "shared": sum(map(int, re.findall(r"(\d+) bytes smem", part))),
            "spills": sum(map(int, re.findall(r"(\d+) bytes spill", part))),
        }
    return dict(sorted(found.items()))


BUDGET = Path(__file__).parent / "golden" / "kernel_budget.json"


def write_budget() -> None:
    """What kernels use now, rounded up: registers to the next multiple of 8, which they are given in, stack to the next of 64."""
    up = {"registers": 8, "stack": 64, "shared": 1, "spills": 1}
    found = resources("\n".join(kernel_sources().values()), ARCH)
    budget = {kernel: {name: -(-value // up[name]) * up[name] for name, value in own.items()} for kernel, own in found.items()}
    BUDGET.write_text(json.dumps({"arch": ARCH, "nvrtc": version(), "kernels": budget}, indent=1) + "\n")


if __name__ == "__main__":
    write_budget()
