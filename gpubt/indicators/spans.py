"""Windows gone through value by value, oldest first, in plain Python: the specification of their bits."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

Values = list[float]


def _mean(window: Values) -> float:
    total = 0.0
    for value in window:
        total = total + (value - window[0])
    return window[0] + total * (1.0 / len(window))


def _windows(x: Values, n: int) -> list[Values]:
    return [x[t - n + 1 : t + 1] for t in range(n - 1, len(x))]


def _deviation(values: list[Values], n: int) -> Values:
    out = []
    for window in _windows(values[0], n):
        mean, total = _mean(window), 0.0
        for value in window:
            total = total + abs(value - mean)
        out.append(total * (1.0 / n))
    return out


def _product(values: list[Values], n: int) -> Values:
    out = []
    for xs, ys in zip(_windows(values[0], n), _windows(values[1], n), strict=True):
        mean, other, total = _mean(xs), _mean(ys), 0.0
        for x, y in zip(xs, ys, strict=True):
            total = total + (x - mean) * (y - other)
        out.append(total * (1.0 / n))
    return out


def _rank(values: list[Values], n: int) -> Values:
    x = values[0]
    return [float(sum(before < x[t] for before in x[t - n : t])) * (100.0 / n) for t in range(n, len(x))]


def _age(x: Values, n: int, sign: float) -> Values:
    out = []
    for window in _windows(x, n):
        best, age = -inf, 0.0
        for i, value in enumerate(window):
            if sign * value >= best:
                best, age = sign * value, float(n - 1 - i)
        out.append(age)
    return out


SPANS: dict[str, Callable[[list[Values], int], Values]] = {
    "mean_deviation": _deviation,
    "covariance": _product,
    "percent_rank": _rank,
    "argmax": lambda values, n: _age(values[0], n, 1.0),
    "argmin": lambda values, n: _age(values[0], n, -1.0),
}
