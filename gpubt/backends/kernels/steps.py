"""A user's step of a recurrence as a loop over the bars, compiled when it is first needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

EXACT: dict[str, Any] = {"error_model": "numpy"}


def loop(step: Callable[..., Any], size: int, inputs: int) -> Callable[..., Any]:
    """A function of so many arrays and the parameters: `size` numbers of state, zeros before the first bar."""
    one = njit(**EXACT)(step)

    @njit(**EXACT)
    def single(x, params):
        state, out = np.zeros(size), np.empty(len(x))
        for t in range(len(x)):
            out[t] = one(state, x[t], *params)
        return out

    @njit(**EXACT)
    def double(x, y, params):
        state, out = np.zeros(size), np.empty(len(x))
        for t in range(len(x)):
            out[t] = one(state, x[t], y[t], *params)
        return out

    @njit(**EXACT)
    def triple(x, y, z, params):
        state, out = np.zeros(size), np.empty(len(x))
        for t in range(len(x)):
            out[t] = one(state, x[t], y[t], z[t], *params)
        return out

    chosen = (single, double, triple)[inputs - 1]
    return lambda *given: chosen(*given[:inputs], given[inputs:])
