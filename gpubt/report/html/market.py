"""The bars of a run read again: what its report needs of them, or why there is nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.errors import DataError, GpubtError

if TYPE_CHECKING:
    from gpubt.config import Config
    from gpubt.data.bars import Bars
    from gpubt.explain import Reopened
    from gpubt.records.saved import SavedRun


@dataclass(frozen=True)
class Market:
    """The run with the bars of one symbol, and what buying and holding all symbols came to (cash) at the given times."""

    run: Reopened
    held: NDArray[np.float64]


def read_market(saved: SavedRun, symbol: str, times: NDArray[np.int64]) -> Market | str:
    """The bars that the run's own configuration names, if they have the digest of its summary; else why there are none, in a sentence."""
    from gpubt.explain import reopen

    try:
        run = reopen(saved.folder, symbol)
        if len(saved.symbols) == 1:
            return Market(run, held(run.bars, run.config.capital, times))
        return Market(run, _held_of_all(saved, run.config, times))
    except GpubtError as error:
        return str(error)


def held(bars: Bars, capital: float, times: NDArray[np.int64]) -> NDArray[np.float64]:
    """All of `capital` bought at the first open, at the last close up to each of `times` (ns UTC); the capital before the first bar."""
    rows = np.searchsorted(bars.time, times, side="right") - 1
    worth: NDArray[np.float64] = np.where(rows < 0, capital, capital / bars.open[0] * bars.close[rows])
    return worth


def _held_of_all(saved: SavedRun, config: Config, times: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sum over the symbols. Raises DataError where the bars of any have changed."""
    from gpubt.data.load import load, select
    from gpubt.strategy.plan import plan

    columns, total, digests = plan(config).columns, np.zeros(len(times)), ""
    for name in saved.symbols:
        own: Any = replace(config, data=replace(config.data, symbol=name))
        loaded = load(own, select(own), columns)
        digests += loaded.report.digest
        total += held(loaded.bars, config.capital, times)
    now, then = hashlib.sha256(digests.encode()).hexdigest(), str(saved.summary["data_digest"])
    if now != then:
        raise DataError(f"the bars are no longer those of the run: data_digest {now[:16]}, then {then[:16]}")
    return total
