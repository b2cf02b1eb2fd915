"""Linear recurrences in numba (ema, Wilder's smoothing in rsi and atr), by blocks that depend on each other only through one value.

Blocks are scanned several side by side: one waits for its addition while the others add.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from gpubt.backends.kernels.bits import OPTIONS
from gpubt.backends.kernels.windows import larger

Floats = NDArray[np.float64]

BLOCK = 1024  # as in the reference
TINY = 1e-100
LANES = 8  # blocks that are scanned side by side
RAW, RISES, FALLS, RANGES = range(4)  # what is smoothed


@njit(**OPTIONS)
def _values(what: int, high: Floats, low: Floats, close: Floats, start: int, values: Floats) -> None:
    """What a recurrence smooths, from bar `start` on; the series itself comes in place of all three columns."""
    count = len(values)
    now = close[start : start + count]
    if what == RAW:
        for i in range(count):
            values[i] = now[i]
        return
    before = close[start - 1 : start - 1 + count]
    if what == RANGES:
        h, l = high[start : start + count], low[start : start + count]
        for i in range(count):
            values[i] = larger(larger(h[i] - l[i], abs(h[i] - before[i])), abs(l[i] - before[i]))
    else:
        for i in range(count):
            rise = now[i] - before[i]
            values[i] = larger(0.0, rise if what == RISES else -rise)


@njit(**OPTIONS)
def _scan(what: int, high: Floats, low: Floats, close: Floats, start: int, k: float, z: Floats, anchors: Floats) -> None:
    """z = (1 - k) z + k (value - anchor), from zero, in each of the blocks that begin at `start`; z (LANES, BLOCK), zero past the end."""
    b = 1.0 - k
    for lane in range(LANES):
        begin = start + lane * BLOCK
        count = max(0, min(BLOCK, len(close) - begin))
        row = z[lane, :count]
        _values(what, high, low, close, begin, row)
        anchors[lane] = a = row[0] if what == RAW and count else 0.0
        for i in range(count):
            row[i] = k * (row[i] - a)
        for i in range(count, BLOCK):
            z[lane, i] = 0.0
    z0, z1, z2, z3, z4, z5, z6, z7 = z
    y0 = y1 = y2 = y3 = y4 = y5 = y6 = y7 = 0.0
    for i in range(BLOCK):
        y0, y1, y2, y3 = b * y0 + z0[i], b * y1 + z1[i], b * y2 + z2[i], b * y3 + z3[i]
        y4, y5, y6, y7 = b * y4 + z4[i], b * y5 + z5[i], b * y6 + z6[i], b * y7 + z7[i]
        z0[i], z1[i], z2[i], z3[i], z4[i], z5[i], z6[i], z7[i] = y0, y1, y2, y3, y4, y5, y6, y7


@njit(**OPTIONS)
def _seed(what: int, high: Floats, low: Floats, close: Floats, first: int, n: int) -> float:
    values = np.empty(n)
    _values(what, high, low, close, first, values)
    a = values[0] if what == RAW else 0.0
    total = 0.0
    for value in values:
        total = total + (value - a)
    return a + total * (1.0 / n)


@njit(**OPTIONS)
def _powers(b: float) -> Floats:
    powers = np.empty(BLOCK)
    p = 1.0
    for i in range(BLOCK):
        p = p * b
        if p < TINY:
            p = 0.0
        powers[i] = p
    return powers


@njit(**OPTIONS)
def _strength(up: float, down: float) -> float:
    total = up + down
    return 100.0 * (up / total) if total > 0.0 else 0.0


@njit(**OPTIONS)
def _emit(z: Floats, anchors: Floats, carried: Floats, powers: Floats, begin: int, out: Floats) -> None:
    """The outputs of a group of scanned blocks; `carried` (channels,) is the last output before it, and then of it."""
    for lane in range(LANES):
        y = out[begin + lane * BLOCK : begin + (lane + 1) * BLOCK]
        count = len(y)
        if count == 0:
            break
        if len(carried) == 1:
            row, a = z[0, lane], anchors[0, lane]
            deviation = carried[0] - a
            for i in range(count):
                y[i] = a + (row[i] + powers[i] * deviation)
            carried[0] = y[count - 1]
        else:  # rises and falls: their anchors are zero
            ups, downs, up, down = z[0, lane], z[1, lane], carried[0], carried[1]
            for i in range(count):
                y[i] = _strength(ups[i] + powers[i] * up, downs[i] + powers[i] * down)
            carried[0] = ups[count - 1] + powers[count - 1] * up
            carried[1] = downs[count - 1] + powers[count - 1] * down


@njit(**OPTIONS)
def _look_ahead(what: int, high: Floats, low: Floats, close: Floats, begin: int, k: float, ends: Floats, anchors: Floats) -> None:
    """Only what the next blocks need of the groups from bar `begin` on: the end of each block's scan, and its anchor."""
    z = np.empty((LANES, BLOCK))
    for g in range(len(ends) // LANES):
        _scan(what, high, low, close, begin + g * LANES * BLOCK, k, z, anchors[g * LANES : (g + 1) * LANES])
        for lane in range(LANES):
            ends[g * LANES + lane] = z[lane, BLOCK - 1]


@njit(**OPTIONS)
def _work(
    what: int, high: Floats, low: Floats, close: Floats, begin: int, end: int, k: float, powers: Floats, carried: Floats, out: Floats
) -> None:
    """The outputs of the groups of blocks that start in [begin, end), from what is `carried` into them."""
    z, anchors = np.empty((len(carried), LANES, BLOCK)), np.empty((len(carried), LANES))
    for start in range(begin, end, LANES * BLOCK):
        for c in range(len(carried)):
            _scan(what + c, high, low, close, start, k, z[c], anchors[c])
        _emit(z, anchors, carried, powers, start, out)


@njit(parallel=True, **OPTIONS)
def smooth(what: int, high: Floats, low: Floats, close: Floats, first: int, n: int, k: float, threads: int, out: Floats) -> None:
    """ema (what RAW), atr (RANGES) or rsi (RISES: falls are smoothed beside them). `first` is the first value's index.

    Every part but the last is scanned ahead for what the next one starts from; then the parts are worked at once.
    """
    group = LANES * BLOCK
    channels = 2 if what == RISES else 1
    powers = _powers(1.0 - k)
    start = first + n
    groups = (len(close) - start + group - 1) // group
    ahead = groups * (threads - 1) // threads
    ends, anchors = np.empty((channels, ahead * LANES)), np.empty((channels, ahead * LANES))
    for part in prange(threads if ahead else 0):
        begin, end = ahead * part // threads, ahead * (part + 1) // threads
        for c in range(channels):
            mine = slice(begin * LANES, end * LANES)
            _look_ahead(what + c, high, low, close, start + begin * group, k, ends[c, mine], anchors[c, mine])
    carried = np.empty((threads, channels))
    for c in range(channels):
        y = _seed(what + c, high, low, close, first, n)
        carried[0, c] = y
        for part in range(1, threads):
            for block in range(groups * (part - 1) // threads * LANES, groups * part // threads * LANES):
                a = anchors[c, block]
                y = a + (ends[c, block] + powers[BLOCK - 1] * (y - a))
            carried[part, c] = y
    out[start - 1] = carried[0, 0] if channels == 1 else _strength(carried[0, 0], carried[0, 1])
    for part in prange(threads):
        begin, end = start + groups * part // threads * group, start + groups * (part + 1) // threads * group
        _work(what, high, low, close, begin, end, k, powers, carried[part], out)
