"""Finer bars of the same symbol (`sim.detail.path`): what happened inside a bar, where its own four prices do not tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpubt.config import Config
from gpubt.data.bars import Bars
from gpubt.data.files import is_csv
from gpubt.data.source import open_source
from gpubt.data.validate import validate
from gpubt.data.wrapper import duration_text
from gpubt.errors import ConfigError, DataError, InputError


@dataclass(frozen=True, eq=False)
class Detail:
    """The finer bars of bar t are rows `first[t]` to `first[t + 1]` (exclusive); an empty range where there are none.

    `first` is int64 of shape (n + 1,), from 0 to the number of finer bars; `open`, `high`, `low`, `close` are float64, as long as those.
    `digest` is their data digest; `warnings` are lines for the summary.
    """

    first: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    digest: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def covered(self) -> int:
        """Bars that have finer bars."""
        return int(np.count_nonzero(np.diff(self.first)))


def load_detail(config: Config, bars: Bars) -> Detail:
    """The finer bars in the file that `sim.detail.path` names, read and validated as `data` says of the bars, of the bars' symbol.

    Only rows from the first bar's open to the last bar's end, one spacing after its open, are read. A row belongs to the last bar that
    opens at or before it. Raises ConfigError and DataError, also where no bar has finer bars, or their spacing does not divide the bars'.
    """
    path = config.sim.detail.path
    if not path:
        raise ConfigError(f"sim.detail.path must be a Parquet or CSV file of finer bars, got {path!r}")
    where = f"sim.detail.path={path}"
    if bars.n < 2:
        raise DataError(f"{where} needs two bars or more, whose spacing is how long the last one lasts, got {bars.n}")
    ends = np.append(bars.time, bars.time[-1] + bars.spacing)
    finer, digest, warnings = _read(config, path, bars.symbol, int(ends[0]), int(ends[-1]))
    _check_spacing(where, finer.spacing, bars.spacing)
    detail = Detail(np.searchsorted(finer.time, ends).astype(np.int64), finer.open, finer.high, finer.low, finer.close, digest)
    return replace(detail, warnings=(*(f"{where}: {line}" for line in warnings), *_doubts(where, detail, bars)))


def _read(config: Config, path: str, symbol: str, start: int, end: int) -> tuple[Bars, str, list[str]]:
    """The rows with `start <= time < end` (nanoseconds UTC), their digest, and what validation warns of."""
    kind = "csv" if is_csv(Path(path)) else "parquet"
    data = replace(config.data, source=kind, path=path, symbol=symbol, symbols=None, resample=None)
    with _named():
        source = open_source(data, config.seed)
        lo, hi = source.row_at(start), source.row_at(end)
        if lo >= hi:
            raise DataError(f"data.path={path} has no row within the bars of {symbol}")
        finer, report = validate(source.read(lo, hi), lo, hi, data.validation, source.findings)
    return finer, report.digest, report.warnings()


@contextmanager
def _named() -> Iterator[None]:
    """Errors about the file under its own key."""
    try:
        yield
    except InputError as error:
        raise type(error)(str(error).replace("data.path=", "sim.detail.path=")) from None


def _check_spacing(where: str, finer: int, spacing: int) -> None:
    """`finer` is 0 for a single row, whose length nothing tells."""
    if finer >= spacing or (finer and spacing % finer):
        apart = f"{duration_text(finer)} apart"
        raise DataError(f"{where} must have bars whose spacing divides the bars' {duration_text(spacing)}, got bars {apart}")


def _doubts(where: str, detail: Detail, bars: Bars) -> Iterator[str]:
    """Bars without finer bars, and bars whose range is not that of their finer bars: another source, or other adjustments."""
    rows = np.flatnonzero(np.diff(detail.first))
    if len(rows) < bars.n:
        yield f"{where} has no rows for {bars.n - len(rows)} of {bars.n} bars ({len(rows) / bars.n:.1%} are covered)"
    starts = detail.first[rows]
    differ = (np.maximum.reduceat(detail.high, starts) != bars.high[rows]) | (np.minimum.reduceat(detail.low, starts) != bars.low[rows])
    if count := int(np.count_nonzero(differ)):
        yield f"{where} has another high or low than the bar in {count} of {len(rows)} bars, the first in row {rows[np.argmax(differ)]}"
