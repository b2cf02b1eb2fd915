"""Seeded bars: a random walk whose volatility clusters.

The log of the volatility is a stationary AR(1) process on a grid of 64 bars, interpolated in between (a discrete form of the stochastic
volatility model of Taylor 1986), scaled so that one bar's log return has the unconditional standard deviation that was asked for.
Every 65,536 bars have random streams of their own (PCG64), so that any slice is that slice of the whole, and more bars only add to it.

The same seed gives the same bars on one machine and NumPy version; `np.exp` may differ in the last bit on another.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import accumulate
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from gpubt.config import Synthetic
from gpubt.data.bars import PRICES, Bars, empty
from gpubt.data.clock import parse_spacing, parse_time
from gpubt.errors import ConfigError

CHUNK = 65_536  # bars
GRID = 64  # bars between values of the volatility process
WICK = 0.5  # mean size of a wick, in standard deviations of the bar's return
VOLATILITY, RETURNS, WICKS, VOLUME = range(4)  # random streams

Array = NDArray[np.float64]


class SyntheticSource:
    """Bars that are computed when they are read: a function of the parameters, the seed and the row. Raises ConfigError for bad times."""

    bytes_read = 0
    findings = ()

    def __init__(self, config: Synthetic, seed: int, symbol: str = "SYNTHETIC") -> None:
        self.config, self.seed, self.symbol = config, seed, symbol
        self.start = parse_time(config.start, "data.synthetic.start")
        self.spacing = parse_spacing(config.spacing, "data.synthetic.spacing")
        if not -(2**63) < self.start <= self.span()[1] < 2**63:
            got = f"{config.bars} bars of {config.spacing} from {config.start}"
            raise ConfigError(f"data.synthetic.bars must lie between the years 1678 and 2261, got {got}")

    @property
    def rows_available(self) -> int:
        """`data.synthetic.bars`."""
        return self.config.bars

    def has(self, field: str) -> bool:
        """Whether there is a column for `field`."""
        return field in ("time", *PRICES, "volume")

    def span(self) -> tuple[int, int]:
        """Time of the first and of the last row, nanoseconds UTC."""
        return self.start, self.start + (self.config.bars - 1) * self.spacing

    def row_at(self, time: int) -> int:
        """The first row at or after `time`, `rows_available` if there is none."""
        return min(max(0, -((self.start - time) // self.spacing)), self.rows_available)

    def times(self, lo: int, hi: int) -> NDArray[np.int64]:
        """Times of rows `lo` to `hi` (exclusive), nanoseconds UTC."""
        return np.arange(lo, hi, dtype=np.int64) * self.spacing + self.start

    def read(self, lo: int, hi: int, columns: Collection[str] = ()) -> Bars:
        """Rows `lo` to `hi` (exclusive), with volume (whole numbers, larger when volatility is) if `columns` has it."""
        names = ["time", "open", "high", "low", "close"] + (["volume"] if "volume" in columns else [])
        out = {name: empty(hi - lo, name) for name in names}
        out["time"][:] = np.arange(lo, hi)
        out["time"] *= self.spacing
        out["time"] += self.start
        grid = self._grid(hi)
        level = 0.0  # log of the price over the start price
        for first in range(0, hi, CHUNK):
            size = min(CHUNK, self.rows_available - first)
            volatility = self._volatility(grid, first)
            levels = level + np.cumsum(self._stream(RETURNS, first).standard_normal(CHUNK) * (volatility * self.config.volatility))
            if first + size > lo:
                rows = slice(max(lo - first, 0), min(hi - first, size))
                to = slice(first + rows.start - lo, first + rows.stop - lo)
                self._fill({name: column[to] for name, column in out.items()}, rows, first, level, levels, volatility)
            level = float(levels[-1])
        return Bars(self.symbol, **out)

    def _fill(self, out: dict[str, NDArray[np.float64]], rows: slice, first: int, level: float, levels: Array, volatility: Array) -> None:
        """The `rows` of the chunk at `first`, whose log prices are `levels` after `level`."""
        with np.errstate(over="ignore"):  # validation refuses infinite prices
            close = self.config.start_price * np.exp(levels)
            open_ = np.empty(CHUNK)
            # a chunk's first open and the last close before it come from the same scalar call
            open_[0] = self.config.start_price * np.exp(level)
            close[-1] = self.config.start_price * np.exp(float(levels[-1]))
            open_[1:] = close[:-1]
            wicks = self._stream(WICKS, first).standard_exponential((2, CHUNK))
            wicks *= volatility * (self.config.volatility * WICK)
            wicks += 1.0
            out["open"][:] = open_[rows]
            out["close"][:] = close[rows]
            out["high"][:] = (np.maximum(open_, close) * wicks[0])[rows]
            out["low"][:] = (np.minimum(open_, close) / wicks[1])[rows]
        if "volume" in out:
            size = self._stream(VOLUME, first).standard_exponential(CHUNK)
            out["volume"][:] = np.floor(1.0 + 1000.0 * volatility * size)[rows]

    def _stream(self, stream: int, first: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, stream, first // CHUNK])

    def _grid(self, rows: int) -> Array:
        """The AR(1) process at every GRID-th bar, up to the end of the chunk with row `rows - 1`: mean 0, standard deviation `_spread`."""
        steps = -(-rows // CHUNK) * (CHUNK // GRID) + 1
        noise = np.random.default_rng([self.seed, VOLATILITY]).standard_normal(steps) * self._spread
        noise[1:] *= sqrt(1.0 - self.config.clustering**2)
        return np.array(list(accumulate(noise.tolist(), lambda value, shock: self.config.clustering * value + shock)))

    @property
    def _spread(self) -> float:
        """Standard deviation of log volatility; none without persistence, where noise on the grid would not be clustering."""
        return 0.5 * self.config.clustering

    def _volatility(self, grid: Array, first: int) -> Array:
        """Relative volatility of the chunk's bars, with a mean square of 1: E[exp(2x - 2 var)] = 1 for a normal x."""
        at = grid[first // GRID : (first + CHUNK) // GRID + 1]
        weight = np.arange(GRID) / GRID
        rest = 1.0 - weight
        variance = self._spread**2 * (rest * rest + weight * weight + 2.0 * rest * weight * self.config.clustering)
        relative: Array = np.exp(at[:-1, None] * rest + at[1:, None] * weight - variance)
        return relative.ravel()
