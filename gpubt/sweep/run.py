"""A sweep from end to end: symbol by symbol, chunk by chunk, rows to files as they are done."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.data.load import Loaded, load, select
from gpubt.errors import ConfigError
from gpubt.phases import Phases
from gpubt.progress import progress
from gpubt.sweep.budget import Shares, shares
from gpubt.sweep.definition import about
from gpubt.sweep.devices import simulated
from gpubt.sweep.engine import Engine
from gpubt.sweep.prepared import Prepared
from gpubt.sweep.rows import by_set, rows_table
from gpubt.sweep.space import SYMBOL
from gpubt.sweep.variants import Variants, assign, checked

if TYPE_CHECKING:
    import pyarrow as pa

    from gpubt.backends.base import Backend
    from gpubt.config import Config
    from gpubt.data.bars import Bars
    from gpubt.sweep.definition import Definition
    from gpubt.sweep.space import Space
    from gpubt.sweep.store import Store

PART = 65_536  # rows of a part file at most
PATIENCE = 5.0  # seconds of work that an interruption may lose, besides what is in flight


@dataclass(frozen=True)
class Finished:
    """A sweep whose table is there. `simulated` sets, and `bars` for each of them added up, took `seconds`."""

    store: Store
    definition: Definition
    sets: int
    dropped: int
    simulated: int
    bars: int
    seconds: float
    phases: Phases


@dataclass
class Sweep:
    """The sets of `space`, on `backend`. `reads`: what any of them reads of the bars; `series`: indicators that one of them needs;
    `bars`: simulated so far, of all sets."""

    variants: Variants
    space: Space
    backend: Backend
    phases: Phases
    given: Bars | None = None  # in the place of the configured data

    def __post_init__(self) -> None:
        self._shares: tuple[Any, Shares] | None = None
        self._loaded: tuple[Any, Loaded] | None = None  # the symbol whose bars were read last, and they
        self.reads: set[str] = set()
        self.series = self.bars = 0
        asks = False
        for planned in checked(self.variants, self.space):
            self.reads |= planned.columns
            asks = asks or planned.needs_session()
            read = {one for step in planned.passes() for one in step}
            read |= {each for one in read if one.condition for each in one.inputs if not each.is_column}
            self.series = max(self.series, len(read))
        if asks and (key := next((key for key in self.space.keys if key.startswith("session.")), None)):
            raise ConfigError(
                f"{key} can't differ between the sets of one sweep whose rules ask for the session; gpubt run -m runs one after the other"
            )

    @cached_property
    def prepared(self) -> Prepared:
        """The groups of the sets. Raises ConfigError."""
        return Prepared(self.variants, self.space)

    @cached_property
    def _usual(self) -> Config:
        """What bars are loaded by, but for the symbol: no other axis says anything of them."""
        return self.variants.config(self.space.values(0))

    def load(self, first: int) -> Loaded:
        """The bars of the symbol of set `first`. Raises DataError."""
        values = self.space.values(first)
        symbol = values.get(SYMBOL)
        if self._loaded is None or self._loaded[0] != symbol:
            self._loaded = None
            config = copy.copy(self._usual)
            if symbol is not None:
                assign(config, SYMBOL, symbol)
            with self.phases.phase("slice"):
                rows = select(config, self.given)
            with self.phases.phase("ingest", bars=rows.n):
                self._loaded = symbol, load(config, rows, self.reads)
        return self._loaded[1]

    def shares(self, data: Loaded, backend: Backend | None = None) -> Shares:
        """Memory for the sets over these bars. Raises ConfigError where it is too little."""
        groups, backend = len(self.prepared.groups.signals), backend or self.backend
        sizes = id(backend), data.bars.nbytes, len(data.clock)
        if self._shares is None or self._shares[0] != sizes:  # else the symbol before took as much, and has given it back
            self._shares = sizes, shares(self.prepared.config, backend, data, self.series, groups, backend.threads or 1)
        return self._shares[1]

    def engine(self, data: Loaded) -> Engine:
        """Ready to simulate over these bars."""
        return Engine(self.prepared, self.backend, data, self.shares(data), self.phases)

    def engines(self, data: Loaded) -> list[Engine]:
        """One for each stream of each device; those that work beside this thread have their own clock."""
        if not self.backend.apart:
            return [self.engine(data)]
        found = []
        for backend in (*self.backend.peers, self.backend):
            backend.use()
            found.append(Engine(self.prepared, backend, data, self.shares(data, backend), Phases()))
        return found

    def into(self, store: Store, definition: Definition, reason: str) -> Finished:
        """Every row that `store` lacks, then the table of all."""
        started, space = perf_counter(), self.space
        first = self.load(0)
        self.shares(first)  # what can't fit is refused before anything is written
        store.begin(about(definition, space.n, space.dropped, facts(self.backend, reason)))
        store.check_data(first.bars.symbol, first.report.digest, first.bars.n)
        remaining = np.flatnonzero(~store.done(space.n))
        self.keep(remaining, store)
        store.finish()
        return Finished(store, definition, space.n, space.dropped, len(remaining), self.bars, perf_counter() - started, self.phases)

    def tables(self, remaining: NDArray[np.int64], store: Store | None = None) -> Iterator[tuple[pa.Table, int]]:
        """Rows of the sets that remain, in chunks, with how many bars each set of the chunk has."""
        for sets in self.space.by_symbol(remaining):
            data = self.load(int(sets[0]))
            if store is not None:
                store.check_data(data.bars.symbol, data.report.digest, data.bars.n)
            self.bars += data.bars.n * len(sets)
            engines = self.engines(data)
            engine = engines[0]
            for chunk, out in simulated(engines, sets):
                with self.phases.phase("metrics", sets=len(chunk)):
                    table = rows_table(self.space, chunk, out, engine.capital(chunk), engine.bars, engine.periods)
                yield table, data.bars.n
            for engine in engines:
                if engine.phases is not self.phases:
                    self.phases.add(engine.phases)
                if store is not None and engine.warning:
                    store.warn(engine.warning)

    def device_bytes(self) -> int | None:
        """What is taken on all devices now; None without one."""
        used = [own["used"] for backend in (self.backend, *self.backend.peers) if (own := backend.memory()) is not None]
        return sum(used) if used else None

    def keep(self, remaining: NDArray[np.int64], store: Store) -> None:
        """Simulate the sets that remain; their rows go to part files, which are whole or not there."""
        rows: list[pa.Table] = []
        since = perf_counter()
        with progress("simulating", total=len(remaining), unit="bar-sets", device=self.device_bytes) as advance:
            for table, bars in self.tables(remaining, store):
                rows.append(table)
                advance(len(table), len(table) * bars)
                if sum(map(len, rows)) >= PART or perf_counter() - since > PATIENCE:
                    self._flush(rows, store)
                    rows, since = [], perf_counter()
        if rows:
            self._flush(rows, store)

    def _flush(self, rows: Iterable[pa.Table], store: Store) -> None:
        import pyarrow as pa

        with self.phases.phase("write"):
            store.add(pa.concat_tables(rows))


def backend_of(config: Config) -> tuple[Backend, str]:
    """The backend of a sweep and the reason. `auto` is the CPU: nothing was measured that tells from when on CUDA is faster."""
    from gpubt.backends import get_backend

    if config.backend.name != "auto":
        return get_backend(config.backend, work=0, kernels="lanes", several=True)
    backend, _ = get_backend(replace(config.backend, name="cpu"), work=0, kernels="lanes")
    return backend, "auto: the CPU; from when on cuda is faster for a sweep has not been measured"


def table_of(definition: Definition, bars: Bars | None) -> pa.Table:
    """Every row of a sweep in memory, by set. Raises GpubtError."""
    import pyarrow as pa

    from gpubt.data.threads import thread_limit
    from gpubt.progress import progress_wanted

    config = definition.config
    if config.sweep.method == "optuna":
        raise ConfigError("sweep=optuna keeps its study in a folder; give one")
    with progress_wanted(config.progress), thread_limit(config.backend.threads):
        backend, _ = backend_of(config)
        space = definition.space()
        sweep = Sweep(definition.variants, space, backend, Phases(), bars)
        return by_set(pa.concat_tables(table for table, _ in sweep.tables(np.arange(space.n))))


def facts(backend: Backend, reason: str) -> dict[str, Any]:
    """What `sweep.json` says of the machine; `data` is filled in with each symbol's bars."""
    from gpubt.records.environment import kernels_digest

    return {"kernels_digest": kernels_digest(), "backend": backend.name, "backend_reason": reason, "data": {}}
