"""A sweep on one screen: the plan before it, the best sets after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gpubt.report.numbers import milliseconds, number, percent, size
from gpubt.sweep.space import SYMBOL

if TYPE_CHECKING:
    from gpubt.sweep.estimate import Estimate
    from gpubt.sweep.run import Finished

BEST = 5
SHOWN = (("total_return", percent), ("max_drawdown", percent), ("n_trades", number))


def planned(estimate: Estimate) -> Iterator[str]:
    """What `--dry-run` prints."""
    space, shares = estimate.space, estimate.shares
    symbols = f" over {estimate.symbols} symbols" if estimate.symbols > 1 else ""
    yield f"sets           {space.n:,}{symbols}{_dropped(space.dropped)}"
    for key in space.keys:
        yield f"  {key:28} {_levels(space.levels[key])}"
    indicators = "" if estimate.indicators is None else f", {estimate.indicators:,} indicators"
    yield f"bars           {estimate.rows:,}; distinct signals {estimate.signals:,}{indicators}"
    yield (
        f"memory         at most {size(shares.total)}: bars, index and rows {size(shares.fixed)}, indicators {size(shares.indicators)}, "
        f"masks {size(shares.masks)} ({shares.signals:,} signals at once); not more for more sets"
    )
    rate = estimate.rows * space.n / estimate.seconds if estimate.seconds else 0.0
    measured = f"{rate:.2g} bar-sets/s, from {estimate.sampled:,} sets"
    yield f"time           about {milliseconds(estimate.seconds)} on {estimate.backend} ({measured})"


def finished(done: Finished) -> None:
    """Print the end of a sweep."""
    print("\n".join(_ended(done)))


def summary(done: Finished) -> dict[str, Any]:
    """The end of a sweep for other programs: its folder, counts, time, and the rows of the best sets."""
    return {
        "folder": str(done.store.folder),
        "sets": done.sets,
        "dropped": done.dropped,
        "simulated": done.simulated,
        "bar_sets": done.bars,
        "seconds": done.seconds,
        "phases": {name: phase["seconds"] for name, phase in done.phases.record().items()},
        "objective": done.definition.config.sweep.objective,
        "best": best(done, done.definition.config.sweep.objective),
    }


def _ended(done: Finished) -> Iterator[str]:
    rate = f", {done.bars / done.seconds:.2g} bar-sets/s" if done.simulated else ""
    yield f"sets           {done.sets:,}{_dropped(done.dropped)}; {done.simulated:,} simulated in {milliseconds(done.seconds)}{rate}"
    phases = [
        f"{name} {milliseconds(phase['seconds'])}" for name, phase in done.phases.record().items() if (phase["seconds"] or 0.0) >= 0.001
    ]
    if phases:
        yield f"phases         {', '.join(phases)}"
    for text in done.store.about().get("warnings", ()):
        yield f"warning        {text}"
    figure = done.definition.config.sweep.objective
    rows = best(done, figure)
    if rows:
        keys = _keys(done)
        head = [figure, *(name for name, _ in SHOWN if name != figure), *_short(keys)]
        yield ""
        yield f"{'set':>9}  " + "  ".join(f"{name:>12}" for name in head)
        for row in rows:
            cells = [
                number(row[figure], 4),
                *(write(row[name]) for name, write in SHOWN if name != figure),
                *(str(row[key]) for key in keys),
            ]
            yield f"{row['set']:>9}  " + "  ".join(f"{cell:>12}" for cell in cells)
        yield ""
    folder = done.store.folder
    yield f"files          {folder}/"
    if rows:
        yield f"next           gpubt top {folder} --by {figure}    # more of them, what matters, and how stable they are"
        yield f"               gpubt replay {folder} --row {rows[0]['set']}    # the run behind the best"


def best(done: Finished, figure: str) -> list[dict[str, Any]]:
    """The rows with the highest (or, as `sweep.direction` says, lowest) `figure`."""
    import pyarrow.compute as pc

    from gpubt.records.tables import read_parquet
    from gpubt.sweep.store import RESULTS, read_sets

    path = done.store.folder / RESULTS
    order = "descending" if done.definition.config.sweep.direction == "maximize" else "ascending"
    found = read_parquet(path, ["set", figure])
    found = found.filter(pc.is_valid(found[figure]))
    top = found.take(pc.select_k_unstable(found, BEST, [(figure, order), ("set", "ascending")]))["set"]
    names = ["set", *_keys(done), *dict.fromkeys([figure, *(name for name, _ in SHOWN)])]
    return [read_sets(path, number, number + 1, names).to_pylist()[0] for number in top.to_pylist()]


def _keys(done: Finished) -> list[str]:
    symbol = [SYMBOL] if done.definition.symbols else []
    return [*symbol, *(axis.key for axis in done.definition.axes)]


def _short(keys: list[str]) -> list[str]:
    """Keys by as little of their end as tells them apart."""
    for count in range(1, 9):
        names = [".".join(key.split(".")[-count:]) for key in keys]
        if len(set(names)) == len(names):
            break
    return names


def _levels(levels: tuple[Any, ...]) -> str:
    if len(levels) <= 6:
        return ", ".join(map(str, levels))
    return f"{levels[0]}, {levels[1]}, ... {levels[-1]} ({len(levels):,} values)"


def _dropped(count: int) -> str:
    return f" ({count:,} more left out by sweep.where)" if count else ""
