"""5,000 generated runs, the same ones every time: all implementations agree, none crashes. A part of them under sanitizers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CASES, CHUNK = 5_000, 500
SANITIZED = 150


@pytest.mark.parametrize("first", range(0, CASES, CHUNK))
def test_generated_runs_agree(host_backend: Any, tmp_path: Path, first: int) -> None:
    import fuzz

    runs = sum(fuzz.check(case, tmp_path) for case in range(first, first + CHUNK))
    assert runs > CHUNK // 2  # the others were refused, with one sentence, by all


def test_generated_runs_are_clean_under_sanitizers(host_backend: Any) -> None:
    libraries = [sanitizer("libasan.so"), sanitizer("libubsan.so")]
    if not all(libraries):
        pytest.skip("the host compiler's AddressSanitizer and UBSan libraries are not installed")
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",
    }
    command = [sys.executable, str(Path(__file__).with_name("fuzz.py")), str(SANITIZED), "--seed", "50000", "--sanitize"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{SANITIZED} cases agree" in done.stdout


def sanitizer(name: str) -> str:
    """The path of a compiler library, or nothing."""
    from host_runtime import compiler

    path = subprocess.run([compiler() or "cc", f"-print-file-name={name}"], capture_output=True, text=True, check=False).stdout.strip()
    return path if os.path.isabs(path) and os.path.exists(path) else ""
