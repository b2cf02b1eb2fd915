"""Prices adjusted by the file's own columns: for splits, or by its adjusted close."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpubt.data.bars import PRICES, Bars
from gpubt.data.source import Source
from gpubt.data.wrapper import Wrapper
from gpubt.errors import DataError


class FileSource(Source, Protocol):
    """A source that can be asked for columns that are no part of bars."""

    where: str

    def fields(self, lo: int, hi: int, fields: Iterable[str]) -> dict[str, NDArray[Any]]:
        """The columns of these fields for rows `lo` to `hi` (exclusive)."""


class Adjusted(Wrapper):
    """Bars of a file with column `split` or `adj_close`. Raises DataError where it lacks the one that `kind` names.

    `split`: a row's prices are divided, and its volume multiplied, by the product of all later splits of the file, also those after the
    rows that are read, so that portions are parts of one series. A split is new shares for one old share on the first day at the new
    price; 1, 0, NaN and null are none. `adj_close`: prices are multiplied by adj_close / close; volume stays.
    """

    def __init__(self, source: FileSource, kind: str) -> None:
        super().__init__(source)
        self.file, self.kind = source, kind
        if not source.has(kind):
            other = next((name for name in ("split", "adj_close") if source.has(name)), None)
            hint = f"use data.adjust={other}" if other else "use data.adjust=none, or name it with data.columns"
            raise DataError(f"data.adjust={kind} needs a column {kind}, which {source.where} has not; {hint}")

    def read(self, lo: int, hi: int, columns: Collection[str] = ()) -> Bars:
        """Rows `lo` to `hi` (exclusive)."""
        bars = self.source.read(lo, hi, columns)
        if self.kind == "split":
            self._divide(bars, self._later_splits[lo:hi])
            return bars
        ratio = self.file.fields(lo, hi, ["adj_close"])["adj_close"]
        with np.errstate(divide="ignore", invalid="ignore"):  # validation refuses what comes of it
            ratio /= bars.close
            return replace(bars, **{name: getattr(bars, name) * ratio for name in PRICES})

    @staticmethod
    def _divide(bars: Bars, splits: NDArray[np.float64]) -> None:
        for name in PRICES:
            np.divide(getattr(bars, name), splits, out=getattr(bars, name))
        if bars.volume is not None:
            np.multiply(bars.volume, splits, out=bars.volume)

    @cached_property
    def _later_splits(self) -> NDArray[np.float64]:
        """For each row of the file the product of the splits after it."""
        splits = self.file.fields(0, self.rows_available, ["split"])["split"]
        splits[(splits == 0) | np.isnan(splits)] = 1.0
        if not np.all((splits > 0) & np.isfinite(splits)):
            row = int(np.argmin((splits > 0) & np.isfinite(splits)))
            raise DataError(f"{self.file.where}: a split must be more than 0 and finite, got {splits[row]:g} in row {row}")
        later = np.ones_like(splits)
        later[:-1] = np.cumprod(splits[:0:-1])[::-1]
        return later
