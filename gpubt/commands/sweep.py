"""`gpubt sweep`: many parameter sets over the same bars; rows to one table, each of which a single run reproduces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpubt.commands.arguments import JSON, QUIET, SCREEN, Parser, as_json, told
from gpubt.errors import ConfigError

if TYPE_CHECKING:
    from gpubt.sweep.definition import Definition
    from gpubt.sweep.run import Finished

HELP = """Backtest every combination of the axes, in Hydra's own grammar:

  gpubt sweep strategy=ema_cross 'strategy.params.fast=range(5,60)' 'strategy.params.slow=range(20,200,5)' \\
    exits.stop.pct=0.005,0.01,0.02 'sweep.where="fast < slow"'
  gpubt sweep sweep=random sweep.sets=5000 'strategy.params.fast=interval(5,60)' 'exits.stop.pct=interval(0.001,0.05)'
  gpubt sweep sweep=optuna sweep.sets=500 sweep.objective=calmar_ratio 'strategy.params.fast=interval(5,60)'

Any number in strategy, entry, exits, sizing, costs, session and simulation can be an axis, also sim.same_bar."""


def main(arguments: list[str]) -> int:
    """Run, resume or plan a sweep."""
    import argparse

    parser = Parser(prog="gpubt sweep", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUES", help="axes, and what holds for all sets")
    parser.add_argument("--out", metavar="DIR", help="where the table goes (default: sweeps/DATE/TIME)")
    parser.add_argument("--resume", metavar="DIR", help="finish an interrupted sweep; backend, memory and cache may be given anew")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, how long it takes and how much memory")
    parser.add_argument("--config-dir", metavar="DIR", help="your own configuration files")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the screen")
    parser.add_argument("--quiet", action="store_true", help="print the folder only")
    chosen = parser.parse_intermixed_args(arguments)
    chosen.screen, _ = told(arguments)
    if chosen.screen != SCREEN and chosen.dry_run:
        raise ConfigError(f"{chosen.screen} is for the result of a sweep, and --dry-run has none")
    if chosen.resume and (chosen.out or chosen.config_dir or chosen.dry_run):
        raise ConfigError("--resume goes on with the sweep in its folder; --out, --config-dir and --dry-run are for new ones")
    return _sweep(chosen)


def _sweep(chosen: Any) -> int:
    from gpubt.data.threads import thread_limit
    from gpubt.phases import Phases
    from gpubt.progress import progress_wanted
    from gpubt.report.sweep import planned
    from gpubt.sweep.definition import define
    from gpubt.sweep.estimate import estimate
    from gpubt.sweep.run import Sweep, backend_of
    from gpubt.sweep.store import Store

    store = Store(Path(chosen.resume).expanduser() if chosen.resume else _folder(chosen.out))
    definition = _again(store, chosen.overrides) if chosen.resume else define(chosen.overrides, chosen.config_dir)
    config = definition.config
    if not chosen.dry_run and not chosen.resume:
        store.refuse_used()
    with progress_wanted(config.progress and chosen.screen == SCREEN), thread_limit(config.backend.threads):
        backend, reason = backend_of(config)
        if config.sweep.method == "optuna":
            from gpubt.sweep.search import search

            if chosen.dry_run:
                raise ConfigError("--dry-run needs sweep=grid or sweep=random; what Optuna proposes depends on what it has seen")
            return _told(search(definition, backend, reason, store), definition, chosen.screen)
        space = definition.space()
        sweep = Sweep(definition.variants, space, backend, Phases())
        if chosen.dry_run:
            print("\n".join(planned(estimate(sweep))))
            return 0
        return _told(sweep.into(store, definition, reason), definition, chosen.screen)


def _told(done: Finished, definition: Definition, screen: str) -> int:
    """What is printed of a finished sweep; and its page where report=on asks for one."""
    from gpubt.report.sweep import finished, summary

    page = None
    if definition.config.report:
        from gpubt.report.html.write import write_report

        page = write_report(done.store.folder, symbol=definition.symbols[0] if definition.symbols else None)
    if screen == JSON:
        print(as_json(summary(done)), flush=True)
    elif screen == QUIET:
        print(done.store.folder, flush=True)
    else:
        finished(done)
        print(*([f"report         {page}"] if page else []), sep="\n", end="\n" if page else "")
    return 0


def _folder(out: str | None) -> Path:
    from datetime import datetime

    if out:
        return Path(out).expanduser()
    now = datetime.now()
    wanted = Path("sweeps") / f"{now:%Y-%m-%d}" / f"{now:%H-%M-%S}"
    # of sweeps that begin in one second each has its own
    return next(path for i in range(1, 10_000) if not (path := wanted if i == 1 else wanted.with_name(f"{wanted.name}-{i}")).exists())


def _again(store: Any, overrides: list[str]) -> Definition:
    """The sweep in the folder, with what only concerns how it is computed given anew."""
    from gpubt.sweep.definition import define

    before = store.about()
    return define([*before["overrides"], *overrides], before["config_dir"])
