"""Backtests of trading rules on the GPU, and on the CPU where there is none.

>>> import gpubt
>>> result = gpubt.run(["strategy=ema_cross", "data.frac=0.5"])
>>> result.metrics["total_return"], result.trades.num_rows
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

    import pyarrow
    from omegaconf import DictConfig

    from gpubt.config import Config
    from gpubt.data.bars import Bars
    from gpubt.records.result import RunResult
    from gpubt.strategy.python import Param, Rules, Strategy, params

__version__ = "0.1.0"
__all__ = [
    "Bars",
    "Config",
    "Param",
    "Rules",
    "RunResult",
    "Strategy",
    "__version__",
    "indicator",
    "params",
    "recurrence",
    "run",
    "run_sweep",
]

# imported on first use: `import gpubt` loads neither Arrow nor numba
_HOMES = {"Bars": "gpubt.data.bars", "Config": "gpubt.config", "RunResult": "gpubt.records.result"}
_HOMES |= dict.fromkeys(("indicator", "recurrence"), "gpubt.indicators.user")
_HOMES |= dict.fromkeys(("Param", "Rules", "Strategy", "params"), "gpubt.strategy.python")


def run(
    overrides: Sequence[str] | Config | DictConfig | Mapping[str, Any] | None = None,
    *,
    bars: Bars | Any = None,
    folder: str | os.PathLike[str] | None = None,
    config_dir: str | os.PathLike[str] | None = None,
) -> RunResult:
    """One backtest, as `gpubt run` does it, with the trades, the equity and the figures as objects.

    `overrides`: what stands after `gpubt run` (`["strategy=ema_cross", "data.frac=1/3"]`), or a `Config`, or a mapping (also a DictConfig)
    of keys that differ from the defaults: `{"strategy": "ema_cross", "data": {"frac": "1/3"}}`. A strategy with rules of its own replaces
    the default one as a whole. `config_dir`: a folder with your own options, such as `strategy/mine.yaml`.

    `bars` replace the configured data: a table of pandas, polars, DuckDB, pyarrow, ..., or `Bars.from_arrow(table)`, which several runs
    share; `data.frac` and the like apply.

    Nothing is written unless `folder` is given. Raises gpubt.errors.GpubtError, with one sentence, for all that it can explain.
    """
    from pathlib import Path

    from gpubt.compose import configuration
    from gpubt.data.bars import as_bars
    from gpubt.pipeline import run_backtest

    return run_backtest(configuration(overrides, config_dir), bars=as_bars(bars), folder=None if folder is None else Path(folder))


def run_sweep(overrides: Sequence[str], *, bars: Bars | Any = None, config_dir: str | os.PathLike[str] | None = None) -> pyarrow.Table:
    """A sweep, as `gpubt sweep` does it, in memory: a row a set, with its values, every figure and its ledger's hash.

    `overrides`: what stands after `gpubt sweep` (`["strategy.params.fast=range(5,60)", "exits.stop.pct=0.01,0.02"]`). `bars` replace the
    configured data, as in `run`. Raises gpubt.errors.GpubtError. For more rows than memory holds, and to resume, use the command.
    """
    from gpubt.data.bars import as_bars
    from gpubt.sweep.definition import define
    from gpubt.sweep.run import table_of

    return table_of(define(overrides, None if config_dir is None else str(config_dir)), as_bars(bars))


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gpubt' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
