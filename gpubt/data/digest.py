"""The data digest: which bars a result comes from.

It is SHA-256 over the columns' names and types, the row range, and for every 65,536 rows a 64-bit hash of each column's words.
The hash of a block is the sum (mod 2^64) of `mix(word ^ key[i])` over its words: the keys are splitmix64's sequence from seed 0 (Steele,
Lea, Flood 2014), `mix` is the first round of its finalizer. It is a bijection of each word, so that any one changed value changes the
hash. It guards against accidents and stale caches, not against an adversary, and runs several times as fast as blake2b.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from gpubt.data.bars import Bars

BLOCK = 65_536  # rows: a block of all columns stays in the cache from the first check to the last hash
GOLDEN = 0x9E3779B97F4A7C15
MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)


class Digest:
    """The digest of bars that came from rows `lo` to `hi`, block by block."""

    def __init__(self, bars: Bars, lo: int, hi: int) -> None:
        self._columns = bars.columns()
        self._hash = hashlib.sha256(f"{[(name, str(column.dtype)) for name, column in self._columns.items()]} {lo} {hi}".encode())

    def add(self, start: int, stop: int) -> None:
        """The block of rows `start` to `stop`; blocks follow each other."""
        for column in self._columns.values():
            self._hash.update(block_hash(column[start:stop].view(np.uint64)))

    def text(self) -> str:
        """In hexadecimal."""
        return self._hash.hexdigest()


def digest(bars: Bars, lo: int, hi: int) -> str:
    """The digest of all bars."""
    whole = Digest(bars, lo, hi)
    for start in range(0, bars.n, BLOCK):
        whole.add(start, min(start + BLOCK, bars.n))
    return whole.text()


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
