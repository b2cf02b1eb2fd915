"""What a sweep would take, before it is started: counts, memory, and a time measured on some of its sets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpubt.strategy.plan import plan
from gpubt.sweep.rows import rows_table

if TYPE_CHECKING:
    from gpubt.sweep.budget import Shares
    from gpubt.sweep.engine import Engine
    from gpubt.sweep.run import Sweep
    from gpubt.sweep.space import Space

SPOTS, FEW = 8, 4  # places among the signals that are tried, and neighbours at each of them, at least
WORK, MOST = 100_000_000, 64  # bars times signals that are tried at about, and neighbours at most
SETS = 256  # that are tried of the signals of all spots, at most
COUNTED = 2_000  # signal groups whose indicators are counted one by one


@dataclass(frozen=True)
class Estimate:
    """`signals`: groups of sets with equal signals; `indicators`: distinct ones (None: too many to count); `sampled` sets over `rows` bars
    of the first of `symbols` took what `seconds` for all is taken from."""

    space: Space
    rows: int
    symbols: int
    signals: int
    indicators: int | None
    shares: Shares
    backend: str
    sampled: int
    seconds: float


def estimate(sweep: Sweep) -> Estimate:
    """Plan `sweep`, and simulate some of its sets. Raises ConfigError, DataError as the sweep would."""
    space = sweep.space
    own = next(space.by_symbol(np.arange(space.n)))
    data = sweep.load(int(own[0]))
    engine = sweep.engine(data)
    of = engine.groups.signal_of[own]
    groups, first = np.unique(of, return_index=True)
    list(engine.simulated(own[first[:1]]))  # compiles, or loads what is compiled, and makes the block index
    many = _near_spots(len(groups), min(MOST, max(FEW, WORK // SPOTS // max(1, data.bars.n))))
    few = many[:: max(1, len(many) // SPOTS)]
    indicator = _per_indicator(engine, [int(group) for group in groups[many]])
    signals, some = (_seconds(engine, own[first[places]]) for places in (many, few))
    signal = max(0.0, signals - some) / (len(many) - len(few)) if len(many) > len(few) else signals / len(many)
    sample = np.concatenate([own[of == group][: max(1, SETS // len(few))] for group in groups[few]])
    one = max(0.0, _seconds(engine, sample) - some) / (len(sample) - len(few)) if len(sample) > len(few) else 0.0
    symbols = 1 + int(space.codes["data.symbol"].max()) if "data.symbol" in space.codes else 1
    kinds = engine.signals.kinds if engine.signals else 0
    if not isfinite(kinds):
        kinds = len(groups) * sweep.series
    rest = max(0.0, some - signal * len(few))  # what a chunk takes, whatever is in it
    total = symbols * (rest + kinds * indicator + len(groups) * signal + (len(own) - len(groups)) * one)
    return Estimate(
        *(space, data.bars.n, symbols, len(groups), _indicators(engine), engine.shares),
        *(sweep.backend.name, len(many) + len(sample), total),
    )


def _near_spots(count: int, each: int) -> NDArray[np.int64]:
    """Numbers below `count`: up to `each` neighbours, who share indicators, at each of some evenly spread places."""
    if count <= SPOTS * each:
        return np.arange(count)
    starts = np.linspace(0, count - each, SPOTS).astype(np.int64)
    return np.unique(starts[:, None] + np.arange(each))


def _per_indicator(engine: Engine, groups: list[int]) -> float:
    """Seconds that each indicator of some signals takes."""
    if engine.signals is None:
        return 0.0
    before, start = len(engine.cache.stats()["computed"]), perf_counter()
    engine.cache.prepare(engine.signals.series(groups), partial(engine.backend.together, n=engine.bars.n))
    engine.backend.wait()
    return (perf_counter() - start) / max(1, len(engine.cache.stats()["computed"]) - before)


def _seconds(engine: Engine, sets: NDArray[np.int64]) -> float:
    """From sets to rows; the second of two times, when what they share is there."""
    for _ in range(2):
        start = perf_counter()
        for chunk, out in engine.simulated(np.sort(sets)):
            rows_table(engine.space, chunk, out, engine.capital(chunk), engine.bars, engine.periods)
        seconds = perf_counter() - start
    return seconds


def _indicators(engine: Engine) -> int | None:
    signals = engine.groups.signals
    if len(signals) > COUNTED:
        return None
    found = set()
    for i in signals:
        for step in plan(engine.prepared.of(int(i))).passes():
            found |= {one for one in step if not one.is_column}
    return len(found)
