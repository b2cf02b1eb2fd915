"""One simulator interface. The public methods check and count; a backend writes the underscore hooks, and holds only what differs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.indicators import user
from gpubt.indicators.definitions import MEASURES
from gpubt.phases import part
from gpubt.simulate import layout
from gpubt.strategy.expr import reads

if TYPE_CHECKING:
    from gpubt.data.detail import Detail
    from gpubt.indicators.fused import Fused
    from gpubt.strategy.grid import ProgramGrid
    from gpubt.strategy.measures import Condition
    from gpubt.strategy.program import Fetch, MaskProgram

Array = Any  # numpy.ndarray or a device array
Call = tuple[str, tuple[Array, ...], int, tuple[Any, ...]]  # the arguments of Backend.indicator
SIGNALS = layout.MASKS[:4]


@dataclass(frozen=True)
class Market:
    """Bars where a backend computes: columns by name (float64, `n` values each), its own handle with the block index, and the finer bars
    (None: there are none)."""

    n: int
    columns: Mapping[str, Array]
    prices: Any
    detail: Any = None


@dataclass(frozen=True)
class Ledger:
    """Trades where a backend computes, in ledger order, and the entry signals that gave none, by `layout.SKIPS`."""

    rows: Array
    count: int
    skipped: NDArray[np.int64]
    positions: str


@dataclass(frozen=True)
class Trading:
    """How a set trades its signals: its target ladder (`layout.RUNG` records), its parameters (a `layout.PARAMS` record, shape (1,)), and
    with positions=list its entries (`layout.ENTRY` records)."""

    rungs: NDArray[Any]
    params: NDArray[Any]
    entries: NDArray[Any] | None = None


@dataclass(frozen=True)
class Rows(Sequence[Mapping[str, Array]]):
    """Masks of many signals: by name an array of shape (signals, words)."""

    arrays: Mapping[str, Array]

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, i: Any) -> Any:
        return {name: rows[i] for name, rows in self.arrays.items()}


@dataclass(frozen=True)
class Inputs(Sequence[tuple[Mapping[str, Array], Mapping[str, Array]]]):
    """Masks and levels that sets share in parts: of input i they are `signals[j]`, `calendars[k]`, `levels[l]`; `j, k, l = of[i]`."""

    signals: Sequence[Mapping[str, Array]]
    calendars: Sequence[Mapping[str, Array]]
    levels: Sequence[Mapping[str, Array]]
    of: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, i: Any) -> Any:
        signal, calendar, level = self.of[i]
        return {**self.calendars[calendar], **self.signals[signal]}, self.levels[level]


@dataclass(frozen=True)
class Batch:
    """Sets of a sweep: set i has the masks and levels `inputs[input_of[i]]`, and trades them as `trades[trade_of[i]]`."""

    inputs: Inputs
    trades: Sequence[Trading]
    input_of: NDArray[np.int64]
    trade_of: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Number of sets."""
        return len(self.input_of)


@dataclass(frozen=True)
class Sets:
    """`layout.TALLY` records of sets, shape (sets,), and sums of excess returns and of their squares in equal blocks of return periods,
    shape (sets, blocks)."""

    tallies: NDArray[Any]
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]


class Backend(ABC):
    """A place to compute. Every backend gives the same bits: `simulate/reference.py` is the specification."""

    name: str
    device: str  # names the memory that arrays live in, for the indicator cache
    threads: int | None = None  # of the host that compute; None: a device does
    bytes_transferred = 0
    breadth = 1  # how many times the sets that the CPU takes at once keep it busy
    peers: Sequence[Backend] = ()  # the same in further streams and on further devices, for the sets of a sweep
    apart = False  # whether its work goes on while the host does other things
    streams = 1  # how many of its peers and itself share its device's memory

    def upload(self, columns: Mapping[str, NDArray[np.float64]], detail: Detail | None = None) -> Market:
        """Bring bars over, once, and index them. `columns` has open, high, low, close and what else rules read; equal lengths >= 1.
        `detail`: finer bars, for `sim.detail`."""
        sizes = {name: len(column) for name, column in columns.items()}
        if len(set(sizes.values())) != 1 or min(sizes.values()) < 1:
            raise ValueError(f"columns must have one length of at least 1, got {sizes}")
        given = {name: np.ascontiguousarray(column, np.float64) for name, column in columns.items()}
        with part("upload", sum(column.nbytes for column in given.values()), bars=len(columns["close"])):
            return self._upload(given, detail)

    def mask(self, flags: NDArray[np.bool_]) -> Array:
        """One bit a bar, in words of 64, where the backend computes; `flags` has shape (n,)."""
        padded = np.zeros((len(flags) // 64 + 1) * 64, bool)
        padded[: len(flags)] = flags
        return self._place(np.packbits(padded, bitorder="little").view(np.uint64))

    def indicator(self, name: str, inputs: tuple[Array, ...], first: int, params: tuple[Any, ...]) -> Array:
        """The indicator `name` over `inputs`, whose first `first` values are NaN; float64, as long as they are. The first parameter of
        those of `MEASURES` is the condition, which reads `inputs`."""
        n = len(inputs[0])
        with part(f"indicator {name}", 8 * n * (len(inputs) + 1), bars=n):
            if name in user.OWN:  # on the host for every backend
                return self.place(user.compute(name, tuple(map(self.fetch, inputs)), first, params))
            if name in MEASURES:
                return self._measure(name, self._held(params[0], inputs, n), n, min(first, n), params[1:])
            return self._indicator(name, inputs, first, params)

    def fused(self, program: Fused, inputs: tuple[Array, ...], begin: int) -> Array:
        """The result of steps of arithmetic over `inputs`, the leaves of the program, from bar `begin` on, NaN before; float64."""
        n = len(inputs[0])
        with part(f"indicator {program.steps[-1].name}, {len(program.steps)} steps", 8 * n * (len(inputs) + 1), bars=n):
            return self._fused(program, inputs, begin)

    def _fused(self, program: Fused, inputs: tuple[Array, ...], begin: int) -> Array:
        """Step by step, where a backend has nothing better."""
        values: list[Array] = []
        for leaf, array in zip(program.leaves, inputs, strict=True):
            values.append(self._indicator("lag", (array,), begin - leaf.back, (leaf.back,)) if leaf.back else array)
        for step in program.steps:
            values.append(self._indicator(step.name, tuple(values[place] for place in step.places), begin, step.params))
        return values[-1]

    def _held(self, condition: Condition, inputs: tuple[Array, ...], n: int) -> Array:
        """The mask of a condition."""
        from gpubt.strategy.compile import Signals
        from gpubt.strategy.lower import lower

        arrays = dict(zip(reads(condition.rule), inputs, strict=True))
        program = lower(Signals(condition.rule, None, None, None))
        return self._scan(program, lambda wanted: [arrays[one] for one in wanted], n)["long_entry"]

    def together(self, work: Sequence[Call], n: int) -> list[Array]:
        """What `indicator` gives for each of these arguments over `n` bars; a backend may do them side by side."""
        return [self.indicator(*one) for one in work]

    def scan(self, program: MaskProgram, fetch: Fetch, n: int) -> dict[str, Array]:
        """The four signal masks, 64 bars a word, `n // 64 + 1` words each. `fetch` gives the arrays of the series of one pass."""
        moved = sum(8 * n * len(step.series) + n // 8 * len(step.targets) for step in program.compares)
        with part("masks", moved, bars=n):
            masks = self._scan(program, fetch, n)
        return {name: masks[name] if name in masks else self._no_signal(n) for name in SIGNALS}

    def scan_grid(self, grid: ProgramGrid, members: Sequence[int], fetch: Fetch, n: int) -> Sequence[Mapping[str, Array]]:
        """`scan` of members of a grid of programs."""
        with part("masks", sets=len(members), bars=n * len(members)):
            return self._scan_grid(grid, members, fetch, n)

    def place(self, series: NDArray[np.float64]) -> Array:
        """A series of the host where the backend computes."""
        return self._place(np.ascontiguousarray(series, np.float64))

    def fetch(self, series: Array) -> NDArray[np.float64]:
        """A series of the backend on the host: itself where the backend computes there."""
        return np.asarray(series)

    def run(
        self,
        market: Market,
        masks: Mapping[str, Array],
        entries: NDArray[Any] | None,
        levels: Mapping[str, Array],
        rungs: NDArray[Any],
        params: NDArray[Any],
        *,
        mode: str,
        positions: str,
    ) -> Ledger:
        """`simulate_list` of a table of entries, else `simulate`."""
        if entries is not None:
            return self.simulate_list(market, masks, entries, levels, rungs, params, mode)
        return self.simulate(market, masks, levels, rungs, params, mode, positions)

    def simulate(
        self,
        market: Market,
        masks: Mapping[str, Array],
        levels: Mapping[str, Array],
        rungs: NDArray[Any],
        params: NDArray[Any],
        mode: str,
        positions: str = "single",
    ) -> Ledger:
        """positions=single or overlapping. `masks` by `layout.MASKS` (calendars may be missing), `levels` by `layout.LEVELS` (each may be
        missing), `rungs` are `layout.RUNG` records, `params` is one `layout.PARAMS` record (shape (1,)), `mode` event or bar."""
        self._check(params, layout.PARAMS)
        with part(f"simulate {positions}", bars=market.n):
            return self._simulate(market, masks, levels, rungs, params, mode == "bar", positions)

    def simulate_list(
        self,
        market: Market,
        masks: Mapping[str, Array],
        entries: NDArray[Any],
        levels: Mapping[str, Array],
        rungs: NDArray[Any],
        params: NDArray[Any],
        mode: str,
    ) -> Ledger:
        """positions=list. `entries` are `layout.ENTRY` records in the order of their bars; of `masks` only the calendars count."""
        self._check(params, layout.PARAMS)
        if entries.dtype != layout.ENTRY or (np.diff(entries["bar"]) < 0).any():
            raise ValueError("entries must be layout.ENTRY records in the order of their bars")
        calendars = {name: masks[name] for name in ("session", "blackout") if name in masks}
        with part("simulate list", bars=market.n):
            return self._simulate_list(market, calendars, entries, levels, rungs, params, mode == "bar")

    def account(
        self, market: Market, ledger: Ledger, ends: NDArray[np.int64], params: NDArray[Any], risk_free: float, mode: str
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """The `layout.TALLY` record (shape (1,)) of a ledger, and equity at `ends`, the last bars of the return periods.
        `params` is one `layout.PARAMS` record, of which capital and carry count; `risk_free` is the rate of one period."""
        self._check(params, layout.PARAMS)
        with part("account", bars=market.n):
            return self._account(market, ledger, np.ascontiguousarray(ends, np.int64), params, risk_free, mode != "bar")

    def simulate_sets(
        self, market: Market, batch: Batch, ends: NDArray[np.int64], risk_free: float, mode: str, positions: str, blocks: int
    ) -> Sets:
        """What `simulate` and `account` give for each set of the batch; nothing but sums is kept."""
        tallies = np.zeros(batch.n, layout.TALLY)
        tallies["best"] = tallies["worst"] = np.nan
        out = Sets(tallies, np.zeros((batch.n, blocks)), np.zeros((batch.n, blocks)))
        with part("simulate sets", sets=batch.n, bars=market.n * batch.n):
            self._simulate_sets(market, batch, np.ascontiguousarray(ends, np.int64), risk_free, mode, positions, out)
        return out

    def _simulate_sets(
        self, market: Market, batch: Batch, ends: NDArray[np.int64], risk_free: float, mode: str, positions: str, out: Sets
    ) -> None:
        """One after the other."""
        for i in range(batch.n):
            masks, levels = batch.inputs[batch.input_of[i]]
            trade = batch.trades[batch.trade_of[i]]
            given = (market, masks, trade.entries, levels, trade.rungs, trade.params)
            ledger = self.run(*given, mode=mode, positions=positions)
            tally, equity = self.account(market, ledger, ends, trade.params, risk_free, mode)
            out.tallies[i] = tally[0]
            out.sums[i], out.squares[i] = block_sums(equity, float(trade.params["capital"][0]), risk_free, out.sums.shape[1])

    def ledger(self, trades: NDArray[Any], positions: str) -> Ledger:
        """A ledger of `layout.TRADE` records from the host, for `account`."""
        if trades.dtype != layout.TRADE:
            raise ValueError(f"expected records of {layout.TRADE.names}, got {trades.dtype}")
        return Ledger(self._place(trades), len(trades), np.zeros(len(layout.SKIPS), np.int64), positions)

    def trades(self, ledger: Ledger) -> NDArray[Any]:
        """The ledger on the host, `layout.TRADE` records."""
        return self._trades(ledger)

    def wait(self) -> None:  # noqa: B027 - a backend that computes in place has nothing to wait for
        """Return when everything asked for is done."""

    def mark(self) -> Any:
        """A moment in the device's order of work, for `between`; None without a device."""
        return None

    def between(self, start: Any, end: Any) -> float:
        """Seconds from one mark to a later one, by the device's clock."""
        raise NotImplementedError("only a device makes marks")

    def launches(self) -> dict[str, dict[str, float]]:
        """By kernel `calls`, `seconds` by the device's clock, `bars` and `bytes` (of the arguments), since they were asked for last, of a
        profiled run; without a device none."""
        return {}

    def bandwidth(self) -> float | None:
        """Bytes a second that the device's memory can move at most; None: not known."""
        return None

    def use(self) -> None:  # noqa: B027 - only of devices there are several
        """Compute here what the calling thread asks for from now on."""

    def ease(self) -> None:  # noqa: B027 - only a device has launches
        """Take half the memory for the work of one launch from now on."""

    def memory(self) -> dict[str, int] | None:
        """`used`, `peak`, `free`, `total` bytes of the device; None without one."""
        return None

    @staticmethod
    def _check(params: NDArray[Any], dtype: np.dtype[Any]) -> None:
        if params.dtype != dtype or params.shape != (1,):
            raise ValueError(f"expected one record of {dtype.names}, got {params.dtype} of shape {params.shape}")

    @abstractmethod
    def _upload(self, columns: Mapping[str, NDArray[np.float64]], detail: Detail | None) -> Market: ...

    @abstractmethod
    def _indicator(self, name: str, inputs: tuple[Array, ...], first: int, params: tuple[float, ...]) -> Array: ...

    @abstractmethod
    def _measure(self, name: str, mask: Array, n: int, first: int, params: tuple[float, ...]) -> Array: ...

    @abstractmethod
    def _scan(self, program: MaskProgram, fetch: Fetch, n: int) -> dict[str, Array]: ...

    def _scan_grid(self, grid: ProgramGrid, members: Sequence[int], fetch: Fetch, n: int) -> Sequence[Mapping[str, Array]]:
        """One after the other."""
        found = [self._scan(grid.program(member), fetch, n) for member in members]
        return [{name: masks[name] if name in masks else self._no_signal(n) for name in SIGNALS} for masks in found]

    @abstractmethod
    def _no_signal(self, n: int) -> Array: ...

    @abstractmethod
    def _simulate(
        self,
        market: Market,
        masks: Mapping[str, Array],
        levels: Mapping[str, Array],
        rungs: NDArray[Any],
        params: NDArray[Any],
        bar_by_bar: bool,
        positions: str,
    ) -> Ledger: ...

    @abstractmethod
    def _simulate_list(
        self,
        market: Market,
        masks: Mapping[str, Array],
        entries: NDArray[Any],
        levels: Mapping[str, Array],
        rungs: NDArray[Any],
        params: NDArray[Any],
        bar_by_bar: bool,
    ) -> Ledger: ...

    @abstractmethod
    def _account(
        self, market: Market, ledger: Ledger, ends: NDArray[np.int64], params: NDArray[Any], risk_free: float, skip: bool
    ) -> tuple[NDArray[Any], NDArray[np.float64]]: ...

    @abstractmethod
    def _place(self, array: NDArray[Any]) -> Array: ...

    @abstractmethod
    def _trades(self, ledger: Ledger) -> NDArray[Any]: ...


def block_sums(equity: NDArray[np.float64], capital: float, risk_free: float, blocks: int) -> tuple[list[float], list[float]]:
    """Sums of excess returns and of their squares in `blocks` equal numbers of periods, of which `equity` is at the ends; in order."""
    marks, sums, squares, before = equity.tolist(), [], [], capital
    for b in range(blocks):
        total = square = 0.0
        for mark in marks[len(marks) * b // blocks : len(marks) * (b + 1) // blocks]:
            excess = (mark / before - 1.0 if before > 0.0 else 0.0) - risk_free
            total, square, before = total + excess, square + excess * excess, mark
        sums.append(total)
        squares.append(square)
    return sums, squares


def capacity(long_entry: NDArray[np.uint64], short_entry: NDArray[np.uint64]) -> int:
    """No run has more positions than entry signals."""
    return int(np.bitwise_count(long_entry).sum() + np.bitwise_count(short_entry).sum())


def parameter_entry(params: NDArray[Any]) -> NDArray[Any]:
    """The levels that parameters give every trade: for each `layout.PARAMS` record a `layout.ENTRY` record."""
    found = np.zeros(len(params), layout.ENTRY)
    found["size"] = np.nan
    for name in ("stop_kind", "stop_value", "target_kind", "target_value"):
        found[name] = params[name]
    return found


def by_entry(rows: NDArray[Any], lengths: NDArray[np.int64] | None = None) -> NDArray[Any]:
    """Rows of trades that ran side by side, given in the order of their signals: sorted by entry bar, positions numbered anew. `lengths`:
    the rows of each, whose positions are numbered in the order given; without, they are where `position` changes."""
    numbered = lengths is not None
    if lengths is None:
        first = np.flatnonzero(np.append(True, np.diff(rows["position"]) != 0)) if len(rows) else np.zeros(0, np.int64)
        lengths = np.diff(np.append(first, len(rows)))
    first = np.cumsum(lengths) - lengths
    bars = rows["entry_bar"][first]
    if (bars[1:] < bars[:-1]).any():
        order, numbered = np.argsort(bars, kind="stable"), False
        rows = rows[np.concatenate([np.arange(first[i], first[i] + lengths[i]) for i in order])]
        lengths = lengths[order]
    if not numbered:
        rows["position"] = np.repeat(np.arange(len(lengths)), lengths)
    return rows


def packed(ledger: NDArray[Any], counts: NDArray[np.int64], width: int) -> NDArray[Any]:
    """The ledger of a table of entries: entry i has the first `counts[i]` of its `width` rows, as position i."""
    if (counts != width).any():
        ledger = ledger[(np.arange(width) < counts[:, None]).ravel()]
    return by_entry(ledger, counts if counts.all() else None)
