"""Indicators in plain Python: the specification of every bit, in the order that `docs/design.md` writes down.

Python's floats are the same float64 without fused multiply-add that the kernels use. Inputs are finite after their first `first` values,
and small enough that sums of their squares are finite too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.indicators.definitions import COMPUTED
from gpubt.indicators.recurrences import RECURRENCES
from gpubt.indicators.spans import SPANS

BLOCK = 1024  # values of a recurrence that are scanned from zero before the carried value enters
TINY = 1e-100  # below it a power of the recurrence counts as zero: no denormals

Floats = NDArray[np.float64]
Values = list[float]


def compute(name: str, inputs: tuple[NDArray[Any], ...], first: int, params: tuple[float, ...]) -> Floats:
    """Indicator `name` over equally long inputs (bars,) whose first `first` values are warm-up; float64 (bars,), NaN in the warm-up."""
    out = np.full(len(inputs[0]), np.nan)
    begin = first + COMPUTED[name].warmup(params)
    if begin < len(out):
        values = [np.asarray(x, np.float64)[first:].tolist() for x in inputs]
        wide = ELEMENTS.get(name) or RECURRENCES.get(name)
        out[begin:] = wide(values, params) if wide else FORMULAS[name](values, int(params[0]))
    return out


Step = Callable[[float, float, float], float]  # (accumulated so far, value, anchor) -> accumulated


def _halves(x: Values, n: int, start: float, step: Step) -> Iterator[tuple[float, float | None, float]]:
    """For each window: its anchor, what accumulates from the boundary back to its start (None: it begins there), and forward to its end."""
    for s in range(0, len(x), n):
        anchor = x[s]
        back = [start]  # back[j]: of the j values before the boundary
        for j in range(1, n if s else 1):
            back.append(step(back[-1], x[s - j], anchor))
        forward = start
        for t in range(s, min(s + n, len(x))):
            forward = step(forward, x[t], anchor)
            before = s + n - 1 - t
            if t >= n - 1:
                yield anchor, back[before] if before else None, forward


def _sums(x: Values, n: int, step: Step) -> Iterator[tuple[float, float]]:
    """The anchor of each window, and the sum over it."""
    for anchor, back, forward in _halves(x, n, 0.0, step):
        yield anchor, forward if back is None else back + forward


def _deviation(total: float, value: float, anchor: float) -> float:
    return total + (value - anchor)


def _square(total: float, value: float, anchor: float) -> float:
    return total + (value - anchor) * (value - anchor)


def _sma(values: list[Values], n: int) -> Values:
    inv = 1.0 / n
    return [anchor + total * inv for anchor, total in _sums(values[0], n, _deviation)]


def _wma(values: list[Values], n: int) -> Values:
    """Before the boundary the sum of the suffix sums has the weights 1, 2, ...; after it they begin with the number of values before it."""
    x, inv = values[0], 1.0 / (n * (n + 1) // 2)
    out = []
    for s in range(0, len(x), n):
        anchor, total = x[s], 0.0
        back = [0.0]  # back[j]: of the j values before the boundary, weighted 1 to j
        for j in range(1, n if s else 1):
            total = total + (x[s - j] - anchor)
            back.append(back[-1] + total)
        plain = weighted = 0.0
        for t in range(s, min(s + n, len(x))):
            before, deviation = s + n - 1 - t, x[t] - anchor
            plain, weighted = plain + deviation, weighted + (t - s + 1) * deviation
            if t >= n - 1:
                out.append(anchor + ((back[before] + weighted) + before * plain if before else weighted) * inv)
    return out


def _stddev(values: list[Values], n: int) -> Values:
    inv = 1.0 / n
    pairs = zip(_sums(values[0], n, _deviation), _sums(values[0], n, _square), strict=True)
    return [sqrt(_larger(0.0, (q - (total * total) * inv) * inv)) for (_, total), (_, q) in pairs]


def _extreme(x: Values, n: int, pick: Callable[[float, float], float], worst: float) -> Values:
    halves = _halves(x, n, worst, lambda best, value, _: pick(best, value))
    return [(forward if back is None else pick(back, forward)) + 0.0 for _, back, forward in halves]


def _larger(a: float, b: float) -> float:
    return b if b > a else a


def _lesser(a: float, b: float) -> float:
    return b if b < a else a


def _smooth(x: Values, n: int, k: float, anchored: bool) -> Values:
    """y = (1 - k) y' + k x by blocks, seeded with the mean of the first n; anchored: on deviations from a block's first value."""
    anchor = x[0] if anchored else 0.0
    total = 0.0
    for value in x[:n]:
        total = total + (value - anchor)
    out = [anchor + total * (1.0 / n)]
    b = 1.0 - k
    for start in range(n, len(x), BLOCK):
        anchor = x[start] if anchored else 0.0
        carried = out[-1]
        z, power = 0.0, 1.0
        for value in x[start : start + BLOCK]:
            z = b * z + k * (value - anchor)
            power = power * b
            power = 0.0 if power < TINY else power
            out.append(anchor + (z + power * (carried - anchor)))
    return out


def _ema(values: list[Values], n: int) -> Values:
    return _smooth(values[0], n, 2.0 / (n + 1), anchored=True)


def _rsi(values: list[Values], n: int) -> Values:
    changes = [now - before for before, now in zip(values[0], values[0][1:], strict=False)]
    up = _smooth([_larger(0.0, change) for change in changes], n, 1.0 / n, anchored=False)
    down = _smooth([_larger(0.0, -change) for change in changes], n, 1.0 / n, anchored=False)
    return [100.0 * (u / (u + d)) if u + d > 0.0 else 0.0 for u, d in zip(up, down, strict=True)]


def _atr(values: list[Values], n: int) -> Values:
    high, low, close = values
    ranges = [_larger(_larger(h - l, abs(h - c)), abs(l - c)) for h, l, c in zip(high[1:], low[1:], close, strict=False)]
    return _smooth(ranges, n, 1.0 / n, anchored=False)


def _roc(values: list[Values], n: int) -> Values:
    x = values[0]
    return [(now / then - 1.0) * 100.0 if then != 0.0 else 0.0 for then, now in zip(x, x[n:], strict=False)]


FORMULAS: dict[str, Callable[[list[Values], int], Values]] = {
    "sma": _sma,
    "ema": _ema,
    "rma": lambda values, n: _smooth(values[0], n, 1.0 / n, anchored=True),
    "wma": _wma,
    "rsi": _rsi,
    "atr": _atr,
    "stddev": _stddev,
    "highest": lambda values, n: _extreme(values[0], n, _larger, -np.inf),
    "lowest": lambda values, n: _extreme(values[0], n, _lesser, np.inf),
    "roc": _roc,
    **SPANS,
}

Params = tuple[float, ...]


def _stochastic(values: list[Values], params: Params) -> Values:
    return [100.0 * ((x - low) / (high - low)) if high - low != 0.0 else 0.0 for x, low, high in zip(*values, strict=True)]


ELEMENTS: dict[str, Callable[[list[Values], Params], Values]] = {
    "late_ema": lambda values, params: _ema([values[0][int(params[1]) :]], int(params[0])),
    "plus": lambda values, params: [x + params[0] * y for x, y in zip(*values, strict=True)],
    "times": lambda values, params: [x * y for x, y in zip(*values, strict=True)],
    "linear": lambda values, params: [params[0] * x + params[1] for x in values[0]],
    "over": lambda values, params: [x / params[0] for x in values[0]],
    "ratio": lambda values, params: [x / y if y != 0.0 else 0.0 for x, y in zip(*values, strict=True)],
    "efficiency": lambda values, params: [1.0 if y <= x or y == 0.0 else x / y for x, y in zip(*values, strict=True)],
    "magnitude": lambda values, params: [abs(x) for x in values[0]],
    "lag": lambda values, params: values[0][: len(values[0]) - int(params[0])],
    "stochastic": _stochastic,
    "larger": lambda values, params: [y if x < y else x if x >= y else nan for x, y in zip(*values, strict=True)],
    "smaller": lambda values, params: [y if y < x else x if y >= x else nan for x, y in zip(*values, strict=True)],
}
