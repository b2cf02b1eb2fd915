"""Arithmetic as a series of its own, so that an indicator can be computed over it: `sma((high + low) / 2, 20)`."""

from __future__ import annotations

from gpubt.errors import ConfigError
from gpubt.indicators.series import Series
from gpubt.strategy.expr import Absolute, Arithmetic, Load, Negate, Number, Numeric

PARTS = 1_000  # series that one series may be written with: names repeat what they stand for, so that short texts can grow without bound
LARGER = {"max": "larger", "min": "smaller"}


def as_series(x: Numeric) -> Series:
    """The series with the values of `x`, which reads at least one, in the same arithmetic.

    Raises ConfigError for a division by a series: where that is 0 the result has no value, and an average would never lose it.
    """
    match x:
        case Load():
            return x.series if x.shift == 0 else Series("lag", (x.series,), (x.shift,))
        case Negate():
            return _line(x.x, -1.0, 0.0)
        case Absolute():
            return Series("magnitude", (as_series(x.x),))
        case Arithmetic():
            return _arithmetic(x.op, x.a, x.b)
        case Number():
            raise ConfigError("an indicator needs a series, found a constant")


def checked(series: Series) -> Series:
    """`series`, or ConfigError if it is written with too many parts."""
    if (found := series.parts()) > PARTS:
        raise ConfigError(f"an indicator of {found} parts with names written out, at most {PARTS}: make it shorter")
    return series


def _arithmetic(op: str, a: Numeric, b: Numeric) -> Series:
    if op in LARGER:
        return Series(LARGER[op], (_beside(a, b), _beside(b, a)))
    if op == "/":
        if not isinstance(b, Number):
            raise ConfigError("an indicator can't be computed over a division by a series, which may be 0; divide by a constant")
        return Series("over", (as_series(a),), (b.value,))
    if op == "*":
        if isinstance(b, Number):
            return _line(a, b.value, 0.0)
        return _line(b, a.value, 0.0) if isinstance(a, Number) else Series("times", (as_series(a), as_series(b)))
    sign = 1.0 if op == "+" else -1.0
    if isinstance(b, Number):
        return _line(a, 1.0, sign * b.value)
    return _line(b, sign, a.value) if isinstance(a, Number) else Series("plus", (as_series(a), as_series(b)), (sign,))


def _beside(x: Numeric, other: Numeric) -> Series:
    """`x` as a series; a constant as one that is there when `other` is."""
    return _line(other, 0.0, x.value) if isinstance(x, Number) else as_series(x)


def _line(x: Numeric, k: float, c: float) -> Series:
    return Series("linear", (as_series(x),), (k, c))
