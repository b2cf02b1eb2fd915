"""What a sweep would take, before it is started: counts, memory, and a time measured on some of its sets."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from gpubt.strategy.plan import plan

if TYPE_CHECKING:
    from gpubt.sweep.budget import Shares
    from gpubt.sweep.engine import Engine
    from gpubt.sweep.run import Sweep
    from gpubt.sweep.space import Space

SIGNALS, SETS = 8, 256  # groups of equal signals that are tried, and sets of them all at most
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
    groups = engine.groups.signal_of[own]
    tried = np.unique(groups)[np.linspace(0, len(np.unique(groups)) - 1, min(SIGNALS, len(np.unique(groups)))).astype(int)]
    each = max(1, SETS // len(tried))
    sample = [own[groups == group][:each] for group in tried]
    list(engine.simulated(sample[0][:1]))  # compiles, or loads what is compiled, and makes the block index
    signals = _seconds(engine, [sets[:1] for sets in sample])
    sets = _seconds(engine, sample)
    extra = sum(map(len, sample)) - len(sample)
    one = max(0.0, sets - signals) / extra if extra else 0.0
    symbols = 1 + int(space.codes["data.symbol"].max()) if "data.symbol" in space.codes else 1
    total = symbols * (len(np.unique(groups)) * signals / len(sample) + len(own) * one)
    return Estimate(
        *(space, data.bars.n, symbols, len(np.unique(groups)), _indicators(engine), engine.shares),
        *(sweep.backend.name, sum(map(len, sample)), total),
    )


def _seconds(engine: Engine, sample: list[np.ndarray]) -> float:
    start = perf_counter()
    for _ in engine.simulated(np.concatenate(sample)):
        pass
    return perf_counter() - start


def _indicators(engine: Engine) -> int | None:
    signals = engine.groups.signals
    if len(signals) > COUNTED:
        return None
    found = set()
    for i in signals:
        for step in plan(engine.prepared.of(int(i))).passes():
            found |= {one for one in step if not one.is_column}
    return len(found)
