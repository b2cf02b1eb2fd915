"""Rules evaluated with plain NumPy on whole arrays: the specification of every signal.

A rule is false on each bar where a series that it reads, at a shift that it reads, is NaN or lies before the first bar. From the raw rules
of the two sides the effective entries follow: an exit rule of the same side, or an entry rule of the other side, on the same bar cancels
an entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.indicators.series import Series
from gpubt.strategy import expr as e
from gpubt.strategy.compile import Signals

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Get = Callable[[Series], Floats]

ARITHMETIC: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "max": lambda a, b: np.where(a < b, b, np.where(a >= b, a, np.nan)),  # a where they are equal, as zeros of two signs are
    "min": lambda a, b: np.where(b < a, b, np.where(b >= a, a, np.nan)),
}
COMPARE: dict[str, Callable[..., Any]] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


def evaluate(signals: Signals, get: Get, n: int) -> dict[str, Bools]:
    """The effective signals over `n` bars: long_entry, long_exit, short_entry, short_exit. `get` gives a series' `n` values."""
    le, lx, se, sx = (_signal(rule, get, n) for rule in (signals.long_entry, signals.long_exit, signals.short_entry, signals.short_exit))
    return {"long_entry": le & ~lx & ~se, "long_exit": lx, "short_entry": se & ~sx & ~le, "short_exit": sx}


def measure(name: str, held: Bools, first: int, params: tuple[float, ...]) -> Floats:
    """The values of a series made from a rule: of `since` bars since it last held (before it ever did, as if it had on the bar before
    `first`), of `count` on how many of the last `params[0]` bars it held. NaN where that looks before bar `first`."""
    out = np.full(len(held), np.nan)
    last = first - 1
    for t in range(first, len(held)):
        if name == "since":
            last = t if held[t] else last
            out[t] = t - last
        elif t - first + 1 >= params[0]:
            out[t] = np.sum(held[t + 1 - int(params[0]) : t + 1])
    return out


def _signal(rule: e.Rule | None, get: Get, n: int) -> Bools:
    if rule is None:
        return np.zeros(n, np.bool_)
    with np.errstate(all="ignore"):
        return _holds(rule, get, n) & _valid(rule, get, n)


def _valid(rule: e.Rule, get: Get, n: int) -> Bools:
    valid = np.ones(n, np.bool_)
    for series, bits in e.reads(rule).items():
        for shift in range(bits.bit_length()):
            if bits >> shift & 1:
                valid &= ~np.isnan(_ago(get(series), shift, np.nan))
    return valid


def _ago(values: NDArray[Any], k: int, before: Any) -> NDArray[Any]:
    """`values` of `k` bars ago, `before` where there are none."""
    moved = np.full_like(values, before)
    if k < values.size:
        moved[k:] = values[: values.size - k]
    return moved


def _holds(rule: e.Rule, get: Get, n: int) -> Bools:
    match rule:
        case e.Constant():
            return np.full(n, rule.value, np.bool_)
        case e.Compare():
            return np.asarray(COMPARE[rule.op](_number(rule.a, get, n), _number(rule.b, get, n)), np.bool_)
        case e.Latched():
            return _latched(_number(rule.a, get, n), _number(rule.b, get, n))
        case e.And():
            return _holds(rule.a, get, n) & _holds(rule.b, get, n)
        case e.Or():
            return _holds(rule.a, get, n) | _holds(rule.b, get, n)
        case e.Not():
            return ~_holds(rule.rule, get, n)
        case e.Shifted():
            return _ago(_holds(rule.rule, get, n), rule.k, False)
        case e.Within():
            held = _holds(rule.rule, get, n)
            return np.asarray(np.any([_ago(held, k, False) for k in range(rule.n)], axis=0))
        case e.All():
            held = _holds(rule.rule, get, n)
            return np.asarray(np.all([_ago(held, k, False) for k in range(rule.n)], axis=0))


def _latched(a: Floats, b: Floats) -> Bools:
    out = np.zeros(len(a), np.bool_)
    below = False  # on the last bar on which they differed
    for t in range(len(a)):
        out[t] = a[t] > b[t] and below
        if a[t] > b[t] or a[t] < b[t]:
            below = bool(a[t] < b[t])
    return out


def _number(x: e.Numeric, get: Get, n: int) -> Floats:
    match x:
        case e.Number():
            return np.full(n, x.value)
        case e.Load():
            return _ago(get(x.series), x.shift, np.nan)
        case e.Negate():
            return -_number(x.x, get, n)
        case e.Absolute():
            return np.abs(_number(x.x, get, n))
        case e.Arithmetic():
            return np.asarray(ARITHMETIC[x.op](_number(x.a, get, n), _number(x.b, get, n)))
