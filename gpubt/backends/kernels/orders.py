"""Resting orders and entry signals in numba: when an order is placed, what it fills at, what ends it. Arguments as in `simulate.py`."""

from __future__ import annotations

import numpy as np
from numba import njit

from gpubt.backends.kernels.bits import INNER, read
from gpubt.backends.kernels.market import bit, optional
from gpubt.backends.kernels.position import level, skip
from gpubt.simulate import layout as k

NEVER = np.int64(2**62)


@njit(**INNER)
def falls_to(p, s, price):
    """Whether a limit order (or a stop-limit order that is armed) fills at `price` or better."""
    if p.order == k.LIMIT:
        return s.order_side * (price - s.order_level) <= 0.0
    return s.armed != 0 and s.order_side * (price - s.order_limit) <= 0.0


@njit(**INNER)
def fill_inside(x, p, s, t):
    """The price within bar `t` at which the resting order fills, and whether as a rising (STOP_ORDER) or falling (LIMIT) price, for a buy;
    MARKET: it does not."""
    side, limit = s.order_side, s.order_level if p.order == k.LIMIT else s.order_limit
    against, favourable = (read(x.low, t), read(x.high, t)) if side > 0 else (read(x.high, t), read(x.low, t))
    if p.order != k.STOP_ORDER and falls_to(p, s, against):
        return limit, k.LIMIT
    if p.order == k.LIMIT or s.armed != 0 or side * (favourable - s.order_level) < 0.0:
        return 0.0, k.MARKET
    if p.order == k.STOP_ORDER:
        return s.order_level, k.STOP_ORDER
    s.armed = 1
    if side * (limit - s.order_level) >= 0.0:
        return s.order_level, k.STOP_ORDER
    return limit, k.LIMIT if side * (read(x.close, t) - limit) <= 0.0 else k.MARKET


@njit(**INNER)
def wants(x, t):
    """The side that wants in at the close of bar `t`, or 0."""
    return 1 if bit(x.long_entry, t) else -1 if bit(x.short_entry, t) else 0


@njit(**INNER)
def refusal(x, n, p, t):
    """Why no entry may follow a signal at the close of bar `t`, or -1."""
    at_close = p.order == k.MARKET and p.entry_at == k.AT_CLOSE
    if t == n - 1:
        return k.AT_END
    if bit(x.session, t):
        return k.AT_SESSION_END
    return k.BLACKOUT if bit(x.blackout, t if at_close else t + 1) else -1


@njit(**INNER)
def place(x, p, s, t, side):
    """A resting order from the signal at `t`; it is live from the next row on."""
    atr, long = optional(x.atr, t), side > 0
    direction = -side if p.order == k.LIMIT else side
    rule = optional(x.long_order if long else x.short_order, t)
    price = level(p.order_kind, p.order_value, read(x.close, t), direction, atr, 0.0, rule)
    limit = price
    if p.order == k.STOP_LIMIT:
        limit = level(p.limit_kind, p.limit_value, price, side, atr, 0.0, optional(x.long_limit if long else x.short_limit, t))
    if np.isnan(price) or np.isnan(limit):
        return skip(s, k.NAN_LEVEL)
    s.order_side, s.order_signal, s.armed = side, t, 0
    s.order_level, s.order_limit = price, limit
    s.order_last = t + p.valid_bars if p.valid_bars > 0 else NEVER


@njit(**INNER)
def tend(x, n, s, t):
    """What ends a resting order at the close of bar `t`."""
    side, wanted = s.order_side, wants(x, t)
    if s.alone != 0 and wanted == side:
        wanted = 0
    code = -1
    if t >= s.order_last:
        code = k.EXPIRED
    elif bit(x.session, t) or bit(x.long_exit if side > 0 else x.short_exit, t) or wanted == -side:
        code = k.CANCELLED
    elif wanted != 0:
        code = k.REPLACED
    elif t == n - 1:
        code = k.AT_END
    if code >= 0:
        s.order_side = 0
        skip(s, code)
