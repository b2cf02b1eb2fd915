"""What `make gpu-check` times, on cuda and on all cores of the CPU beside it: sweeps, brackets, indicators, single runs, break-even."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.gpu_agreement import different_columns
from bench.gpu_timing import Work, by_kernel, described, grown, made, measured
from bench.lease import Plan
from bench.sweeps import MINUTE, Case

if TYPE_CHECKING:
    import pyarrow as pa

    from gpubt.backends.base import Backend
    from gpubt.data.bars import Bars
    from gpubt.sweep.definition import Definition

Rows = Iterator[dict[str, Any]]
STOPS, TARGETS, TRAILS = (np.round(np.linspace(low, high, 10), 6).tolist() for low, high in ((2e-3, 2e-2), (4e-3, 4e-2), (5e-3, 3e-2)))
CROSSOVER = Case(200_000, 1, tuple(range(5, 225)), tuple(range(230, 495)))  # 58,300 sets
EXITS = Case(  # 583 signals x 100 exits
    *(200_000, 1, tuple(range(5, 16)), tuple(range(50, 103))),
    exits=tuple((stop, target, trail) for stop in STOPS[::2] for target in TARGETS[::2] for trail in (None, *TRAILS[::4])),
)
LONG = Case(  # 1,000 signals x 1,000 exits
    *(6_900_000, 1, tuple(range(5, 45)), tuple(range(50, 300, 10))),
    exits=tuple((stop, target, trail) for stop in STOPS for target in TARGETS for trail in TRAILS),
    sigma=1e-4,
)
EVEN = Case(1_000_000, 1, tuple(range(5, 105)), tuple(range(110, 210)))
EVEN_SETS = (10, 30, 100, 300, 1_000, 3_000, 10_000)
BRACKETS, BRACKET_BARS = 17_700_000, 6_900_000
LENGTHS, KINDS = tuple(range(5, 205, 2)), {"sma": ("close",), "ema": ("close",), "rsi": ("close",), "atr": ("high", "low", "close")}
TOGETHER = {"cuda": 100, "cpu": 16}  # indicators that are in memory at once: a device computes all lengths together
COMPARED = 10  # lengths whose values are compared first
RUN_BARS = (100_000, 1_000_000, 7_000_000)
PHASES = ("transfer", "indicators", "scan", "simulate", "metrics")  # reading and writing are the same on both
RUN_ROUNDS = 5
STREAMS = (1, 2, 4)


def crossover(plan: Plan) -> Rows:
    """Signals alone."""
    return grown(sweep_work("crossover", shrunk(CROSSOVER, plan)), plan)


def exits(plan: Plan) -> Rows:
    """With axes of stops, targets and trailing stops."""
    return grown(sweep_work("exits", shrunk(EXITS, plan)), plan)


def million(plan: Plan) -> Rows:
    """A million sets over years of minutes; minutes of work."""
    return grown(sweep_work("million", shrunk(LONG, plan)), plan) if plan.long else iter(())


def streams(plan: Plan) -> Rows:
    """Sets with exits in one and in several streams of the device; whether the tables are equal."""
    from gpubt.backends import get_backend
    from gpubt.config import Backend as Wanted

    work, tables = sweep_work("streams", shrunk(EXITS, plan)), []
    size = work.sizes[-1]
    for count in STREAMS:
        backend, _ = get_backend(Wanted("cuda", streams=count), work=0, kernels="lanes", several=True)
        row, table = measured(backend, work.on(backend)(size))
        tables.append(Table(table))
        yield described(replace(work, name=f"streams, {count}"), "cuda", size, row)
    yield {"what": "streams: results", "equal": all(table == tables[0] for table in tables)}


def shrunk(case: Case, plan: Plan) -> Case:
    """With fewer bars and sets."""
    return replace(fewer(case, max(1, case.sets // plan.shrink)), bars=case.bars // plan.shrink)


def fewer(case: Case, sets: int) -> Case:
    """At most about so many sets: all exits, then slow averages, then fast ones."""
    signals = max(1, sets // max(1, len(case.exits)))
    slow = case.slow[:signals]
    return replace(case, slow=slow, fast=case.fast[: max(1, signals // len(slow))])


def sweep_work(name: str, case: Case, sizes: tuple[int, ...] = ()) -> Work:
    """Bars in memory to the table in memory: parts of the sets, then all."""
    from gpubt.data.bars import Bars
    from gpubt.sweep.definition import define

    time = np.arange(case.bars, dtype=np.int64) * MINUTE
    time.flags.writeable = False
    bars = Bars("WALK", time, **case.columns)
    parts = {part.sets: part for size in sizes or (case.sets // 64, case.sets // 8, case.sets) for part in [fewer(case, size)]}

    def on(backend: Backend) -> Callable[[int], Callable[[], Any]]:
        return lambda size: partial(table_on, backend, define(parts[size].overrides()), bars)

    return Work(name, "bar-sets", case.bars, tuple(parts), lambda size: case.bars * size, on, lambda _, table: Table(table))


class Table:
    """Equal to another one when all of its columns are, to the bit."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and not different_columns(self.rows, other.rows)


def table_on(backend: Backend, definition: Definition, bars: Bars) -> pa.Table:
    """Every row of a sweep that is composed already, as `gpubt.run_sweep` gives it, on a backend that is there already."""
    import pyarrow as pa

    from gpubt.phases import Phases
    from gpubt.sweep.rows import by_set
    from gpubt.sweep.run import Sweep

    space = definition.space()
    sweep = Sweep(definition.variants, space, backend, Phases(), bars)
    return by_set(pa.concat_tables(table for table, _ in sweep.tables(np.arange(space.n))))


def brackets(plan: Plan) -> Rows:
    """List mode: the origin's brackets, many times as many; from the table of entries to the ledger."""
    bars, trades = BRACKET_BARS // plan.shrink, BRACKETS // plan.shrink
    return grown(bracket_work(bars, (trades // 64, trades // 8, trades)), plan)


def bracket_work(bars: int, sizes: tuple[int, ...]) -> Work:
    """Stops of 0.2 %, targets of 0.4 %, at most 14,400 bars, entered on drawn bars."""
    from bench.workloads import Brackets, bracket_parameters, entry_records, walk
    from gpubt.simulate.layout import RUNG
    from gpubt.simulate.ledger import ledger_digest

    columns = walk(bars)

    def drawn(trades: int) -> Brackets:
        rng = np.random.default_rng(7)
        bar = np.sort(rng.integers(0, bars - 2, trades))
        side = np.where(rng.integers(0, 2, trades) == 1, 1, -1).astype(np.int64)
        return Brackets(columns, bar, side, np.full(trades, 0.002), np.full(trades, 0.004), 14_400)

    def on(backend: Backend) -> Callable[[int], Callable[[], Any]]:
        market = backend.upload(columns)

        def of(trades: int) -> Callable[[], Any]:
            work = drawn(trades)
            given: tuple[Any, ...] = (market, {}, entry_records(work), {}, np.zeros(0, RUNG), bracket_parameters(work), "event")
            return lambda: backend.simulate_list(*given)

        return of

    same = lambda backend, ledger: ledger_digest([backend.trades(ledger)])  # noqa: E731
    return Work("brackets", "trades", bars, sizes, float, on, same)


def indicators(plan: Plan) -> Rows:
    """Many lengths of each kind: values of some to the bit, then bytes of one read of columns and outputs over the time, as a share
    of the bandwidth."""
    bars, lengths = BRACKET_BARS // plan.shrink, LENGTHS[: max(1, len(LENGTHS) // plan.shrink)]
    for kind in KINDS:
        yield compared_lengths(kind, bars, lengths[:: max(1, len(lengths) // COMPARED)])
    found = bandwidth(bars)
    yield found
    most = found["stated"] or found["streamed"]
    for kind in KINDS:
        for row in grown(indicator_work(kind, bars, lengths), plan):
            rate = row.get("per_second_device")
            yield row | {"share_of_bandwidth": rate / most} if rate else row


def compared_lengths(kind: str, bars: int, lengths: tuple[int, ...]) -> dict[str, Any]:
    """Digests of the values of each length on both backends."""
    from bench.workloads import walk

    columns, digests = walk(bars), {}
    for name in ("cuda", "cpu"):
        backend = made(name)
        inputs = tuple(backend.place(columns[column]) for column in KINDS[kind])
        series = backend.together([(kind, inputs, 0, (length,)) for length in lengths], bars)
        digests[name] = [sha256(backend.fetch(one)).hexdigest() for one in series]
    return {"what": f"{kind}: values", "lengths": lengths, **digests, "equal": digests["cuda"] == digests["cpu"]}


def bandwidth(bars: int) -> dict[str, Any]:
    """Bytes a second of the device's memory: as its clock has it (None: not known), and of one pass that reads and writes a column."""
    backend = made("cuda")
    column = backend.place(np.ones(bars))
    pass_over = partial(backend.indicator, "linear", (column,), 0, (2.0, 1.0))
    pass_over()
    streamed = 16.0 * bars / min(sum(own["seconds"] for own in by_kernel(backend, pass_over).values()) for _ in range(RUN_ROUNDS))
    return {"what": "memory bandwidth", "stated": backend.bandwidth(), "streamed": streamed, "result": f"{streamed:.3g} bytes/s streamed"}


def indicator_work(kind: str, bars: int, lengths: tuple[int, ...]) -> Work:
    """The first of the lengths; what was computed is let go of again."""
    from bench.workloads import walk

    columns, names = walk(bars), KINDS[kind]

    def on(backend: Backend) -> Callable[[int], Callable[[], Any]]:
        inputs, most = tuple(backend.place(columns[name]) for name in names), TOGETHER[backend.name]

        def all_of(size: int) -> None:
            for start in range(0, size, most):
                own = lengths[start : min(size, start + most)]
                backend.together([(kind, inputs, 0, (length,)) for length in own], bars)

        return lambda size: partial(all_of, size)

    sizes = tuple(dict.fromkeys((max(1, len(lengths) // 10), len(lengths))))
    return Work(f"{kind} of several lengths", "bytes", bars, sizes, lambda size: 8.0 * bars * (len(names) + size), on)


def single(plan: Plan) -> Rows:
    """One run with its transfer: best seconds a phase on each backend in turn, after one that warms up."""
    import gpubt

    for bars in (size // plan.shrink for size in RUN_BARS):
        best: dict[str, dict[str, float]] = {"cpu": {}, "cuda": {}}
        for number in range(RUN_ROUNDS + 1):
            for backend, phases in best.items():
                result = gpubt.run(["data=synthetic", f"data.synthetic.bars={bars}", "strategy=ema_cross", f"backend={backend}"])
                for name in PHASES if number else ():
                    for clock in ("seconds", "device_seconds"):
                        key, took = f"{name} {clock}", result.benchmark["phases"][name][clock]
                        phases |= {} if took is None else {key: min(took, phases.get(key, took))}
        totals = {backend: sum(took for key, took in phases.items() if key.endswith(" seconds")) for backend, phases in best.items()}
        text = f"cpu {totals['cpu'] * 1e3:.2f} ms, cuda {totals['cuda'] * 1e3:.2f} ms"
        yield {"what": f"single run, {bars:,} bars", "bars": bars, "rounds": RUN_ROUNDS, "best_s": best, "total_s": totals, "result": text}


def break_even(plan: Plan) -> Rows:
    """From how many sets on cuda is faster than all cores of the CPU."""
    case = replace(EVEN, bars=EVEN.bars // plan.shrink)
    times: dict[int, dict[str, float]] = {}
    for row in grown(sweep_work("break-even", case, tuple(sets for sets in EVEN_SETS if sets <= EVEN.sets // plan.shrink)), plan):
        if "best_s" in row:
            times.setdefault(row["size"], {})[row["backend"]] = row["best_s"]
        yield row
    both = {size: own for size, own in times.items() if len(own) == 2}
    sets = next((size for size, own in both.items() if own["cuda"] < own["cpu"]), None)
    text = f"from {sets:,} sets on" if sets else f"at no size up to {max(both, default=0):,} sets"
    yield {"what": f"break-even over {case.bars:,} bars", "sets": sets, "measured_to": max(both, default=None), "result": text}
