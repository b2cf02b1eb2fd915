"""The data digest: which bars a result comes from.

It is SHA-256 over the columns' names and types, the row range, and for every 65,536 rows a 64-bit hash of each column's words.
The hash of a block is the sum (mod 2^64) of `mix(word ^ key[i])` over its words: the keys are splitmix64's sequence from seed 0 (Steele,
Lea, Flood 2014), `mix` is the first round of its finalizer. It is a bijection of each word, so that any one changed value changes the
hash. It guards against accidents and stale caches, not against an adversary, and runs several times as fast as blake2b.
"""

from __future__ import annotations

import hashlib
from threading import local

import numpy as np
from numpy.typing import NDArray

from gpubt.data.bars import Bars
from gpubt.data.compiled import block_kernels

BLOCK = 65_536  # rows: a block of all columns stays in the cache from the first check to the last hash
PART = 32_768  # words that are hashed at once
GOLDEN = 0x9E3779B97F4A7C15
MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)


class Digest:
    """The digest of bars that came from rows `lo` to `hi`, block by block: hashed in any order, by any thread, and added in theirs."""

    def __init__(self, bars: Bars, lo: int, hi: int) -> None:
        self._columns = bars.columns()
        self._hashed = _compiled_hash if block_kernels(bars.n) else block_hash
        self._hash = hashlib.sha256(f"{[(name, str(column.dtype)) for name, column in self._columns.items()]} {lo} {hi}".encode())

    def block(self, start: int, stop: int) -> bytes:
        """The hashes of the columns in the block of rows `start` to `stop`."""
        return b"".join(self._hashed(column[start:stop].view(np.uint64)) for column in self._columns.values())

    def add(self, hashes: bytes) -> None:
        """The next block's."""
        self._hash.update(hashes)

    def text(self) -> str:
        """In hexadecimal."""
        return self._hash.hexdigest()


def digest(bars: Bars, lo: int, hi: int) -> str:
    """The digest of all bars."""
    whole = Digest(bars, lo, hi)
    for start in range(0, bars.n, BLOCK):
        whole.add(whole.block(start, min(start + BLOCK, bars.n)))
    return whole.text()


def _keys() -> NDArray[np.uint64]:
    """Splitmix64's first BLOCK outputs from seed 0."""
    state = np.arange(1, BLOCK + 1, dtype=np.uint64) * np.uint64(GOLDEN)
    state = (state ^ (state >> np.uint64(30))) * MULTIPLIER
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


KEYS = _keys()


class _Scratch(local):
    """Two parts of a block, a thread's own: memory that is asked for anew each time costs more than the hash."""

    def __init__(self) -> None:
        self.mixed, self.shifted = np.empty(PART, np.uint64), np.empty(PART, np.uint64)


SCRATCH = _Scratch()


def block_hash(words: NDArray[np.uint64]) -> bytes:
    """The 64-bit hash of up to BLOCK words, as 8 little-endian bytes."""
    total = 0
    for at in range(0, len(words), PART):
        part = words[at : at + PART]
        mixed, shifted = SCRATCH.mixed[: len(part)], SCRATCH.shifted[: len(part)]
        np.bitwise_xor(part, KEYS[at : at + len(part)], out=mixed)
        np.bitwise_xor(mixed, np.right_shift(mixed, np.uint64(30), out=shifted), out=mixed)
        np.multiply(mixed, MULTIPLIER, out=mixed)
        np.bitwise_xor(mixed, np.right_shift(mixed, np.uint64(27), out=shifted), out=mixed)
        total += int(mixed.sum(dtype=np.uint64))
    return (total % 2**64).to_bytes(8, "little")


def _compiled_hash(words: NDArray[np.uint64]) -> bytes:
    """`block_hash`, compiled."""
    from gpubt.backends.kernels.passes import hash_words

    return int(hash_words(words, KEYS)).to_bytes(8, "little")
