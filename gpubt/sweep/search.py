"""`sweep=optuna`: Optuna proposes sets in batches, the engine simulates a batch at once, and the study is told.

The study is kept in `study.log`, Optuna's journal, beside the rows; a trial's row is written before the study is told, so that nothing is
lost in between.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from gpubt.errors import ConfigError, accepted
from gpubt.metrics.figures import columns
from gpubt.phases import Phases
from gpubt.progress import progress
from gpubt.simulate import layout
from gpubt.sweep.axes import Axis, Interval
from gpubt.sweep.definition import Definition, about
from gpubt.sweep.rows import by_set, rows_table
from gpubt.sweep.run import Finished, Sweep, facts
from gpubt.sweep.space import Space, condition, short_names

if TYPE_CHECKING:
    import pyarrow as pa

    from gpubt.backends.base import Backend
    from gpubt.sweep.store import Store

STUDY = "study.log"
SET = "set"  # a trial's attribute: the number of its row
TRIES = 100  # proposals for each set, before sweep.where is said to leave nothing


def search(definition: Definition, backend: Backend, reason: str, store: Store) -> Finished:
    """Trials until there are `sweep.sets` rows. Raises ConfigError; BackendUnavailable has no part in it."""
    started, own = perf_counter(), definition.config.sweep
    _check(definition)
    store.begin(about(definition, own.sets, 0, facts(backend, reason)))
    study = _study(definition, store)
    phases = Phases()
    run = _Trials(definition, backend, store, phases)
    done, simulated = int(store.done(own.sets).sum()), 0
    with progress("simulating", total=own.sets, unit="sets") as advance:
        advance(done)
        left = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "RUNNING" and SET in trial.user_attrs]
        while done < own.sets or left:
            trials = left or _ask(study, definition, min(own.batch, own.sets - done), done)
            left = []
            table = run.rows(trials)
            simulated += len(table)
            advance(len(table))
            for trial, value in zip(trials, table[own.objective].to_pylist(), strict=True):
                _tell(study, trial.number, value)
            done = int(store.done(own.sets).sum())
    store.finish()
    dropped = sum(trial.state.name == "PRUNED" for trial in study.get_trials(deepcopy=False))
    return Finished(store, definition, own.sets, dropped, simulated, run.bars * simulated, perf_counter() - started, phases)


def _check(definition: Definition) -> None:
    own = definition.config.sweep
    figures = columns(np.zeros(1, layout.TALLY), 1.0, bars=1, periods=1, per_year=1.0)
    if own.objective not in figures:
        raise ConfigError(f"sweep.objective={own.objective} is no figure; {accepted(figures, own.objective)}")
    if definition.symbols is not None:
        raise ConfigError("sweep=optuna searches over one symbol; choose it with data.symbol instead of data.symbols")
    if not definition.axes:
        raise ConfigError("a sweep needs an axis, such as 'strategy.params.fast=interval(5,60)' or exits.stop.pct=0.005,0.01")


class _Trials:
    """Trials simulated over one symbol's bars, which are read once."""

    def __init__(self, definition: Definition, backend: Backend, store: Store, phases: Phases) -> None:
        self.definition, self.backend, self.store, self.phases = definition, backend, store, phases
        self.engine: Any = None
        self.reads: set[str] = set()
        self.bars = 0

    def rows(self, trials: list[Any]) -> pa.Table:
        """Rows of these trials in their order, written unless they were."""
        space = _space(self.definition, [trial.params for trial in trials], int(trials[0].user_attrs[SET]))
        sweep = Sweep(self.definition.variants, space, self.backend, self.phases)
        if self.engine is None or not sweep.reads <= self.reads:
            data = sweep.load(0)
            self.store.check_data(data.bars.symbol, data.report.digest, data.bars.n)
            self.engine, self.reads, self.bars = sweep.engine(data), sweep.reads, data.bars.n
        else:
            self.engine.use(sweep.prepared)
        import pyarrow as pa

        tables = []
        for sets, out in self.engine.simulated(np.arange(space.n)):
            tables.append(rows_table(space, sets, out, self.engine.capital(sets), self.engine.bars, self.engine.periods))
        table = by_set(pa.concat_tables(tables))
        if not self.store.done(space.first + space.n)[space.first :].all():
            self.store.add(table)
        return table


def _space(definition: Definition, params: list[dict[str, Any]], first: int) -> Space:
    """These proposals as the sets of a space."""
    levels, codes = {}, {}
    for axis in definition.axes:
        drawn = [one[axis.key] for one in params]
        values = axis.values if isinstance(axis, Axis) else tuple(sorted(set(drawn)))
        place = {value: i for i, value in enumerate(values)}
        levels[axis.key], codes[axis.key] = values, np.array([place[value] for value in drawn], np.int64)
    return Space(tuple(levels), levels, codes, 0, first)


def _study(definition: Definition, store: Store) -> Any:
    """The study of the folder, made or gone on with. Raises ConfigError without Optuna."""
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise ConfigError("sweep=optuna needs Optuna: pip install 'gpubt[optuna]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    direction: Any = definition.config.sweep.direction
    storage = JournalStorage(JournalFileBackend(str(store.folder / STUDY)))  # ten times as fast as SQLite, which syncs each number
    study = optuna.create_study(storage=storage, study_name="gpubt", direction=direction, load_if_exists=True)
    # a sampler draws on from where it was: its seed is that of the sweep and of what was drawn
    study.sampler = optuna.samplers.TPESampler(seed=definition.config.seed + len(study.trials), constant_liar=True)
    return study


def _distribution(axis: Axis | Interval) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(axis, Interval):
        return IntDistribution(int(axis.low), int(axis.high)) if axis.whole else FloatDistribution(axis.low, axis.high)
    steps = {b - a for a, b in zip(axis.values, axis.values[1:], strict=False)} if all(type(v) is int for v in axis.values) else set()
    if len(steps) == 1 and (step := steps.pop()) > 0:
        return IntDistribution(axis.values[0], axis.values[-1], step=step)
    return CategoricalDistribution(axis.values)


def _ask(study: Any, definition: Definition, count: int, first: int) -> list[Any]:
    """`count` proposals that `sweep.where` accepts, numbered from `first`; the others are pruned."""
    distributions = {axis.key: _distribution(axis) for axis in definition.axes}
    where = definition.config.sweep.where
    found: list[Any] = []
    for _ in range(TRIES * count):
        trial = study.ask(distributions)
        if where and not condition(where, "sweep.where", short_names({key: np.array([value]) for key, value in trial.params.items()}))[0]:
            study.tell(trial, state=_state("PRUNED"))
            continue
        trial.set_user_attr(SET, first + len(found))
        found.append(trial)
        if len(found) == count:
            return found
    raise ConfigError(f"sweep.where={where!r} left out {TRIES * count - len(found):,} of {TRIES * count:,} proposals")


def _tell(study: Any, number: int, value: float | None) -> None:
    """A figure that does not exist is a failed trial."""
    if value is None:
        study.tell(number, state=_state("FAIL"))
    else:
        study.tell(number, value)


def _state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]
