"""`gpubt sweep`: many parameter sets over the same bars; rows to one table, each of which a single run reproduces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpubt.commands.arguments import Parser
from gpubt.errors import ConfigError

if TYPE_CHECKING:
    from gpubt.data.load import Loaded
    from gpubt.sweep.space import Space
    from gpubt.sweep.variants import Variants

HELP = """Backtest every combination of the axes, in Hydra's own grammar:

  gpubt sweep strategy=ema_cross 'strategy.params.fast=range(5,60)' 'strategy.params.slow=range(20,200,5)' \\
    exits.stop.pct=0.005,0.01,0.02 'sweep.where="fast < slow"'
  gpubt sweep sweep.method=random sweep.sets=5000 'strategy.params.fast=interval(5,60)' 'exits.stop.pct=interval(0.001,0.05)'"""


def main(arguments: list[str]) -> int:
    """Run, resume or plan a sweep."""
    import argparse

    parser = Parser(prog="gpubt sweep", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUES", help="axes and what holds for all sets")
    parser.add_argument("--out", metavar="DIR", help="where the table goes (default: sweeps/DATE/TIME)")
    parser.add_argument("--resume", metavar="DIR", help="finish an interrupted sweep; its own overrides are used")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, how long it takes and how much memory")
    parser.add_argument("--config-dir", metavar="DIR", help="your own configuration files")
    chosen = parser.parse_args(arguments)
    if chosen.resume and (chosen.overrides or chosen.out or chosen.config_dir):
        raise ConfigError("--resume takes the sweep's own overrides and folder; give DIR alone")
    return _sweep(chosen)


def _sweep(chosen: Any) -> int:
    from gpubt.backends import get_backend
    from gpubt.progress import progress_wanted
    from gpubt.records.environment import config_digest, kernels_digest
    from gpubt.report.sweep import finished, planned
    from gpubt.sweep.axes import split
    from gpubt.sweep.estimate import estimate
    from gpubt.sweep.run import Sweep, folder_of, prepare
    from gpubt.sweep.store import Store
    from gpubt.sweep.variants import Variants

    store = Store(Path(chosen.resume).expanduser() if chosen.resume else folder_of(chosen.out))
    before = store.about() if chosen.resume else {}
    overrides = before.get("overrides", chosen.overrides)
    config_dir = before.get("config_dir", chosen.config_dir)
    fixed, axes = split(overrides)
    variants = Variants(fixed, config_dir)
    space = _space(variants, axes)
    config = variants.config(space.values(0))
    with progress_wanted(config.progress):
        backend, reason = get_backend(config.backend, work=10**12)
        data = prepare(variants, space)
        sweep = Sweep(variants, space, backend, data)
        if chosen.dry_run:
            print(planned(estimate(sweep)))
            return 0
        about = {
            "version": 1,
            "overrides": list(overrides),
            "config_dir": config_dir,
            "axes": {key: list(space.levels[key]) for key in space.keys},
            "where": config.sweep.where,
            "sets": space.n,
            "dropped": space.dropped,
            "blocks": config.sweep.blocks,
            "symbol": data.bars.symbol,
            "rows": data.bars.n,
            "config_digest": config_digest(variants.base),
            "data_digest": data.report.digest,
            "kernels_digest": kernels_digest(),
            "backend": backend.name,
            "backend_reason": reason,
        }
        return finished(*_run(sweep, store, about, bool(chosen.resume)))


def _space(variants: Variants, axes: list[Any]) -> Space:
    from gpubt.sweep.space import grid, sample

    config = variants.base
    typed = [variants.typed(axis) for axis in axes]
    if config.sweep.method == "random":
        return sample(typed, config.sweep.sets, config.seed, config.sweep.where)
    return grid(typed, config.sweep.where)


def _run(sweep: Any, store: Any, about: dict[str, Any], resumed: bool) -> tuple[Any, ...]:
    from time import perf_counter

    import numpy as np

    if resumed:
        store.check_same(about)
    else:
        store.begin(about)
    started = perf_counter()
    remaining = np.zeros(0, np.int64) if store.finished else np.flatnonzero(~store.done(sweep.space.n))
    if len(remaining):
        sweep.run(remaining, store)
    if not store.finished:
        store.finish()
    return sweep, store, about, len(remaining), perf_counter() - started
