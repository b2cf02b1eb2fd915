"""The one command to try after a run: the question this result leaves open."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from gpubt.config import Config, Costs


def next_command(config: Config, summary: dict[str, Any], arguments: Sequence[str]) -> tuple[str, str]:
    """What to type and what it answers; `arguments` are what stood after `gpubt run`."""
    if not summary.get("n_trades"):
        return command(arguments, "strategy=trend_pullback"), "no trades: another strategy"
    if config.costs == Costs():
        return command(arguments, f"costs={_costs(summary.get('annualisation'))}"), "what costs leave of it"
    if str(config.data.frac) in ("1", "1.0"):
        return command(arguments, "data.frac=1/2", "data.portion=2"), "does the second half agree?"
    if config.sim.mode == "event":
        return command(arguments, "sim.mode=bar"), "bar by bar: the same ledger"
    return command(arguments, "-m", "sim.same_bar=stop_first,target_first"), "how much the order within a bar matters"


def _costs(days: float | None) -> str:
    """The example whose market is open about that many days a year: shares, currencies, or coins."""
    if days is None or days < 256:
        return "us_equities"
    return "fx" if days < 312 else "binance_spot"


def command(arguments: Sequence[str], *added: str) -> str:
    """The same `gpubt run` with `added`, which replace overrides of the same key; results go to a new folder."""
    keys = {"hydra.run.dir", *(text.partition("=")[0] for text in added)}
    kept = [argument for argument in arguments if argument.partition("=")[0] not in keys]
    return shlex.join(["gpubt", "run", *kept, *added])
