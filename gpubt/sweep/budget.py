"""How much memory a sweep may take, and what it takes it for. Nothing here grows with the number of sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpubt.backends import cuda_grid, cuda_sets, cuda_shared
from gpubt.errors import ConfigError
from gpubt.memory import free_bytes, resident_bytes

if TYPE_CHECKING:
    from gpubt.backends.base import Backend
    from gpubt.config import Config
    from gpubt.data.load import Loaded

MIB = 2**20
ROWS = 48 * MIB  # rows that wait to be written, and a merge of their files
INDEX = 1.0  # extremes of blocks, over the bytes of a column: of 8 bars 2 / 8, of 64 four times 1 / 64, ...
LEDGER = 152 / 16  # bytes a bar of a thread's ledger: a trade each 16 bars; more makes it slower, not wrong
WORK = cuda_grid.ROOM + cuda_sets.ROOM + cuda_shared.ROOM  # of launches on a device
MASKS = 6  # of a signal group, each a bit a bar, while its comparisons are made


@dataclass(frozen=True)
class Shares:
    """Bytes of a sweep's parts. `signals`: groups of sets with equal signals that are simulated at once."""

    total: int
    bars: int
    fixed: int
    indicators: int
    masks: int
    signals: int


def shares(config: Config, backend: Backend, data: Loaded, series: int, groups: int, threads: int) -> Shares:
    """What fits. `series`: indicators that one signal needs, of `groups` signals. Raises ConfigError when not even one set fits."""
    bars, device = data.bars, backend.memory()
    column = 8 * bars.n
    read = bars.nbytes + len(data.clock) * column
    on_host = device is None
    key, given = ("memory.host", config.memory.host) if on_host else ("memory.device", config.memory.device)
    if given is not None:
        total = int(given * MIB / backend.streams)
        used = (resident_bytes() or 0) - read if on_host else 0
    else:
        total, used = (free_bytes() + read if device is None else device["free"]), 0
        total = int(total * 0.8 / backend.streams)
    fixed = used + read + int(INDEX * column) + (ROWS + int(threads * LEDGER * bars.n) if on_host else WORK)
    mask = MASKS * (bars.n // 8 + 8)
    least = fixed + (series + 2) * column + mask
    if least > total:
        raise ConfigError(
            f"a sweep over {bars.n:,} bars needs {least / MIB:,.0f} MiB ({series} indicators for one set), and {key} has "
            f"{total / MIB:,.0f}; lower data.frac, or raise {key}"
        )
    left = total - fixed
    signals = max(1, min(groups, (left // 3) // mask))
    indicators = min(left - signals * mask, int(config.cache.budget_mib * MIB))
    return Shares(total, read, fixed, indicators, signals * mask, signals)
