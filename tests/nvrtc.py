"""CUDA sources to PTX with NVRTC: its wheel is enough, no driver and no device."""

from __future__ import annotations

from ctypes import CDLL, byref, c_char_p, c_int, c_size_t, c_void_p, create_string_buffer
from functools import cache
from pathlib import Path

import pytest

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


@cache
def compile(sources: str, arch: str) -> str:
    """The PTX of one translation unit for `arch` (sm_90, compute_75). Raises ValueError with the compiler's log."""
    nvrtc = library()
    assert nvrtc is not None
    program = c_void_p()
    assert nvrtc.nvrtcCreateProgram(byref(program), sources.encode(), b"gpubt.cu", 0, None, None) == 0
    try:
        options = [flag.encode() for flag in (*FLAGS, f"--gpu-architecture={arch}")]
        code = nvrtc.nvrtcCompileProgram(program, len(options), (c_char_p * len(options))(*options))
        if code:
            raise ValueError(f"NVRTC error {code} for {arch}:\n{_text(nvrtc, 'ProgramLog', program)}")
        return _text(nvrtc, "PTX", program)
    finally:
        nvrtc.nvrtcDestroyProgram(byref(program))


def _text(nvrtc: CDLL, what: str, program: c_void_p) -> str:
    size = c_size_t()
    getattr(nvrtc, f"nvrtcGet{what}Size")(program, byref(size))
    text = create_string_buffer(size.value)
    getattr(nvrtc, f"nvrtcGet{what}")(program, text)
    return text.value.decode()
