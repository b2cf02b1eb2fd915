"""Indicators that go through the bars one after the other, in plain Python: the specification of their bits.

`(values, params) -> values` over the valid values of each input; what a state begins with stands in `params` and the first values.
"""

from __future__ import annotations

from collections.abc import Callable

Values = list[float]
Params = tuple[float, ...]


def _cumulated(values: list[Values], params: Params) -> Values:
    out, total = [], 0.0
    for x in values[0]:
        total = total + x
        out.append(total)
    return out


def _wilder(values: list[Values], params: Params) -> Values:
    """A sum from which its mean is taken for each value added; it begins with length - 1 values (TA-Lib's directional movement)."""
    n = int(params[0])
    total = 0.0
    for x in values[0][: n - 1]:
        total = total + x
    out = []
    for x in values[0][n - 1 :]:
        total = (total - total / n) + x
        out.append(total)
    return out


def _on_balance(values: list[Values], params: Params) -> Values:
    close, volume = values
    total = volume[0]
    out = [total]
    for t in range(1, len(close)):
        if close[t] > close[t - 1]:
            total = total + volume[t]
        elif close[t] < close[t - 1]:
            total = total - volume[t]
        out.append(total)
    return out


def _anchored(values: list[Values], params: Params) -> Values:
    """Mean price by volume since the anchor's value changed; the price itself where nothing was traded."""
    price, volume, anchor = values
    out, money, traded = [], 0.0, 0.0
    for t in range(len(price)):
        if t > 0 and anchor[t] != anchor[t - 1]:
            money = traded = 0.0
        money, traded = money + price[t] * volume[t], traded + volume[t]
        out.append(money / traded if traded != 0.0 else price[t])
    return out


def _adaptive(values: list[Values], params: Params) -> Values:
    """Of x, from its value before the first, as fast as the efficiency says."""
    x, before, efficiency = values
    fast, slow = 2.0 / (params[0] + 1.0), 2.0 / (params[1] + 1.0)
    out, y = [], before[0]
    for t in range(len(x)):
        weight = efficiency[t] * (fast - slow) + slow
        y = y + (weight * weight) * (x[t] - y)
        out.append(y)
    return out


def _clear_of(stop: float, side: float, before: float, now: float) -> float:
    """A stop that is not inside the last two bars."""
    if side * (stop - before) > 0.0:
        stop = before
    return now if side * (stop - now) > 0.0 else stop


def _parabolic(values: list[Values], params: Params) -> Values:
    high, low = values
    step, most = min(params), params[1]
    fall, rise = low[0] - low[1], high[1] - high[0]
    side = -1.0 if fall > 0.0 and rise < fall else 1.0
    best, stop, speed = (high[1], low[0], step) if side > 0.0 else (low[1], high[0], step)
    out = []
    for t in range(1, len(high)):
        before = max(1, t - 1)
        against = (low[before], low[t]) if side > 0.0 else (high[before], high[t])
        if side * (against[1] - stop) <= 0.0:
            side = -side
            against = (low[before], low[t]) if side > 0.0 else (high[before], high[t])
            stop = _clear_of(best, side, *against)
            out.append(stop)
            best, speed = high[t] if side > 0.0 else low[t], step
        else:
            out.append(stop)
            reached = high[t] if side > 0.0 else low[t]
            if side * (reached - best) > 0.0:
                best, speed = reached, speed + step
                speed = most if speed > most else speed
        stop = _clear_of(stop + speed * (best - stop), side, *against)
    return out


def _trend(values: list[Values], params: Params) -> Values:
    """The band that follows (params[0] 0) or the direction (1): the lower one until a close is below it, then the upper. Neither moves
    away from the price unless the close before was beyond it."""
    close, upper, lower = values
    side, top, bottom = 1.0, upper[0], lower[0]
    out = []
    for t in range(len(close)):
        if t > 0:
            top = upper[t] if upper[t] < top or close[t - 1] > top else top
            bottom = lower[t] if lower[t] > bottom or close[t - 1] < bottom else bottom
            side = (1.0 if close[t] >= bottom else -1.0) if side > 0.0 else (1.0 if close[t] > top else -1.0)
        out.append(side if params[0] else bottom if side > 0.0 else top)
    return out


def _held(values: list[Values], params: Params) -> Values:
    """x where it is y, else what was held before; at first y."""
    out, held = [], values[1][0]
    for x, y in zip(*values, strict=True):
        held = x if x == y else held
        out.append(held)
    return out


RECURRENCES: dict[str, Callable[[list[Values], Params], Values]] = {
    "cumulated": _cumulated,
    "wilder": _wilder,
    "on_balance": _on_balance,
    "anchored": _anchored,
    "adaptive": _adaptive,
    "parabolic": _parabolic,
    "trend": _trend,
    "held": _held,
}
