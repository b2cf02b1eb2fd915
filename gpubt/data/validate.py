"""One pass over the bars before they are used: nothing is repaired, what is wrong is named. The same pass makes the data digest.

The digest is SHA-256 over the columns' names and types, the row range, and for every 65,536 rows a 64-bit hash of each column's words.
The hash of a block is the sum (mod 2^64) of `mix(word ^ key[i])` over its words: the keys are splitmix64's sequence from seed 0 (Steele,
Lea, Flood 2014), `mix` is the first round of its finalizer. It is a bijection of each word, so that any one changed value changes the
hash. It guards against accidents and stale caches, not against an adversary, and runs several times as fast as blake2b.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpubt.data.bars import Bars
from gpubt.data.clock import time_text
from gpubt.errors import DataError

BLOCK = 65_536  # rows: a block of all columns stays in the cache from the first check to the last hash
GOLDEN = 0x9E3779B97F4A7C15
MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)

Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class DataReport:
    """What the pass found. `gaps`: neighbours further apart than the most common spacing (sessions and weekends count)."""

    digest: str
    rows: int
    gaps: int


@dataclass
class Fault:
    """A class of wrong bars: how many, and the first (row counted from the first bar given)."""

    name: str
    count: int = 0
    first: int = -1


def validate(bars: Bars, lo: int, hi: int) -> DataReport:
    """Check and digest the bars read from rows `lo` to `hi` (exclusive).

    Raises DataError for times out of order or twice, prices that are NaN, infinite or not positive, a high below its low, and an open or
    close outside [low, high] (searches that skip blocks by their lows and highs rely on it): class, count, first row and its time.
    """
    faults: dict[str, Fault] = {}
    digest = hashlib.sha256(f"{[(name, str(column.dtype)) for name, column in bars.columns().items()]} {lo} {hi}".encode())
    gaps = 0
    for start in range(0, bars.n, BLOCK):
        stop = min(start + BLOCK, bars.n)
        steps = np.diff(bars.time[max(0, start - 1) : stop])
        gaps += int(np.count_nonzero(steps > bars.spacing))
        if len(steps) and steps.min() <= 0:
            _count(faults, max(1, start), _time_faults(steps))
        if not _sound(bars, start, stop):
            _count(faults, start, _price_faults(bars, start, stop))
        for column in bars.columns().values():
            digest.update(block_hash(column[start:stop].view(np.uint64)))
    if faults:
        raise DataError(_message(bars, lo, faults))
    return DataReport(digest.hexdigest(), bars.n, gaps)


def _sound(bars: Bars, start: int, stop: int) -> bool:
    """Whether all prices of the block are in order; every comparison with NaN is false."""
    low, high = bars.low[start:stop], bars.high[start:stop]
    opened, closed = bars.open[start:stop], bars.close[start:stop]
    fine = low > 0
    fine &= low <= np.minimum(opened, closed)
    fine &= high >= np.maximum(opened, closed)
    fine &= high < np.inf
    return bool(fine.all())


def _time_faults(steps: NDArray[np.int64]) -> Iterator[tuple[str, Bits]]:
    yield "timestamps out of order", steps < 0
    yield "duplicate timestamps", steps == 0


def _price_faults(bars: Bars, start: int, stop: int) -> Iterator[tuple[str, Bits]]:
    """The classes of a block that is not sound. A bar with NaN, infinite or non-positive prices is not tested further."""
    opened, high, low, closed = (bars.columns()[name][start:stop] for name in ("open", "high", "low", "close"))
    prices = np.stack([opened, high, low, closed])
    odd: Bits = ~np.isfinite(prices).all(axis=0)
    yield "NaN or infinite prices", odd
    negative: Bits = ~odd & (prices <= 0).any(axis=0)
    yield "prices that are not positive", negative
    crossed: Bits = ~odd & ~negative & (high < low)
    yield "highs below lows", crossed
    outside = (np.minimum(opened, closed) < low) | (np.maximum(opened, closed) > high)
    yield "opens or closes outside [low, high]", ~odd & ~negative & ~crossed & outside


def _count(faults: dict[str, Fault], start: int, found: Iterator[tuple[str, Bits]]) -> None:
    for name, bits in found:
        if bits.any():
            fault = faults.setdefault(name, Fault(name, first=start + int(np.argmax(bits))))
            fault.count += int(np.count_nonzero(bits))


def _message(bars: Bars, lo: int, faults: dict[str, Fault]) -> str:
    """One sentence: the first offender's class in full, the other classes by count."""
    worst, *others = sorted(faults.values(), key=lambda fault: fault.first)
    also = "".join(f", also {fault.name} ({fault.count})" for fault in others)
    at = f"the first in row {lo + worst.first} at {time_text(int(bars.time[worst.first]))}"
    return f"the bars of {bars.symbol} have {worst.name} ({worst.count}, {at}){also}; correct the file, nothing is repaired"


def _keys() -> NDArray[np.uint64]:
    """Splitmix64's first BLOCK outputs from seed 0."""
    state = np.arange(1, BLOCK + 1, dtype=np.uint64) * np.uint64(GOLDEN)
    state = (state ^ (state >> np.uint64(30))) * MULTIPLIER
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


KEYS = _keys()


def block_hash(words: NDArray[np.uint64]) -> bytes:
    """The 64-bit hash of up to BLOCK words, as 8 little-endian bytes."""
    mixed = words ^ KEYS[: len(words)]
    mixed ^= mixed >> np.uint64(30)
    mixed *= MULTIPLIER
    mixed ^= mixed >> np.uint64(27)
    return int(mixed.sum(dtype=np.uint64)).to_bytes(8, "little")
