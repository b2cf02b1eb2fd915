"""Compiled twins of the NumPy passes over many bars."""

from __future__ import annotations

import sys
from typing import Any

from gpubt.data.threads import PARALLEL


def block_kernels(rows: int) -> Any | None:
    """The module `gpubt.backends.kernels.passes` for many rows where numba is there already, as it is with the CPU backend; else None.

    Importing numba takes longer than the kernels save.
    """
    if rows < PARALLEL or "numba" not in sys.modules:
        return None
    from gpubt.backends.kernels import passes

    return passes
