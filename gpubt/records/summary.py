"""`summary.json`: what the run was, its digests and its figures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from gpubt.simulate.layout import SKIPS

if TYPE_CHECKING:
    from gpubt.backends.base import Ledger
    from gpubt.config import Config
    from gpubt.data.bars import Bars
    from gpubt.data.source import Source
    from gpubt.data.validate import DataReport
    from gpubt.metrics.account import Measured


# what is told of buying and holding
HELD = ("total_return", "annual_return", "volatility", "sharpe_ratio", "sortino_ratio", "calmar_ratio", "max_drawdown")


def summarise(
    config: Config,
    source: Source,
    bars: Bars,
    report: DataReport,
    ledger: Ledger,
    trades: NDArray[Any],
    measured: Measured,
    digest: str,
    band: Measured | None = None,
) -> dict[str, Any]:
    """Keys in the order of the file. Figures that don't exist are None. `digest` is the ledger's; `band` is the account under
    target_first, where both policies ran."""
    from gpubt.data.clock import time_text

    metrics, held = known(measured.metrics), known(measured.buy_and_hold)
    return {
        "symbol": bars.symbol,
        "strategy": config.strategy.name if config.positions != "list" else f"entries from {config.entries.path}",
        "params": dict(config.strategy.params) if config.positions != "list" else {},
        "rows": bars.n,
        "rows_available": source.rows_available,
        "first_timestamp": time_text(int(bars.time[0])),
        "last_timestamp": time_text(int(bars.time[-1])),
        "gaps": report.gaps,
        "n_trades": metrics["n_trades"],
        "fills": len(trades),  # ledger rows: a position has several with a ladder or with added entries
        "ledger_digest": digest,
        "ledger_hash": f"{measured.hash:016x}",
        "data_digest": report.digest,
        "metrics": metrics,
        **({"band": {"stop_first": metrics, "target_first": known(band.metrics)}} if band else {}),
        "buy_and_hold": {name: held[name] for name in HELD},
        "returns": measured.returns,
        "annualisation": None if math.isnan(measured.per_year) else measured.per_year,
        "annualisation_snapped": measured.snapped,
        "ambiguous_exits": metrics["ambiguous_exits"],
        "skipped": {name: int(count) for name, count in zip(SKIPS, ledger.skipped, strict=True) if count},
        "warnings": warnings(config, measured),
    }


def known(figures: dict[str, float | int]) -> dict[str, float | int | None]:
    """NaN and infinity as None."""
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def warnings(config: Config, measured: Measured) -> list[str]:
    """What a reader of the figures must know."""
    found = []
    if measured.metrics["shortfall"] > 0.0:
        found.append(f"losses of {measured.metrics['shortfall']:,.2f} beyond the account are not in the equity: someone else pays them")
    if measured.metrics["max_drawdown"] <= -1.0:
        found.append("equity fell to zero or below: the figures after that are not a return on anything")
    if config.positions != "single":
        found.append(f"positions={config.positions}: trades are sized from the starting capital, unlevered, and the capital is not checked")
    return found
