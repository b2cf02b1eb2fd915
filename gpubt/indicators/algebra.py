"""Series as the formulas of compounds write them: sums, products, quotients and averages of series."""

from __future__ import annotations

from gpubt.indicators.series import Series


def plus(x: Series, y: Series, k: float = 1.0) -> Series:
    """x + k * y."""
    return Series("plus", (x, y), (k,))


def minus(x: Series, y: Series) -> Series:
    """x - y."""
    return plus(x, y, -1.0)


def times(x: Series, y: Series) -> Series:
    """x * y."""
    return Series("times", (x, y))


def line(x: Series, k: float, c: float = 0.0) -> Series:
    """k * x + c."""
    return Series("linear", (x,), (float(k), float(c)))


def ratio(x: Series, y: Series) -> Series:
    """x / y, 0 where y is 0."""
    return Series("ratio", (x, y))


def size(x: Series) -> Series:
    """|x|."""
    return Series("magnitude", (x,))


def lag(x: Series, bars: int) -> Series:
    """x of some bars ago."""
    return Series("lag", (x,), (bars,))


def change(x: Series) -> Series:
    """x less its value one bar ago."""
    return minus(x, lag(x, 1))


def over(name: str, x: Series, *params: float) -> Series:
    """The indicator `name` of one series: `over("sma", x, 20)`."""
    return Series(name, (x,), params)
