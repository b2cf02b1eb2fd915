"""What a backtest gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

    from gpubt.config import Config
    from gpubt.metrics.account import Measured


@dataclass(frozen=True)
class Raw:
    """What a total of several symbols is made from: `layout.TRADE` records, the account, the times (ns UTC) of its periods, bars used; the
    account under the other policy of a band, which has the same periods."""

    trades: NDArray[Any]
    measured: Measured
    end_times: NDArray[np.int64]
    bars: int
    band: Measured | None = None


@dataclass(frozen=True, repr=False)
class RunResult:
    """`trades`: a row a closing fill; `equity`: columns time and equity, a row a return period (a row a bar with equity=bar);
    `metrics`: figures by name, null (None) where one does not exist; `summary` and `benchmark` as in the JSON files; `folder`: where
    they were written, None if nowhere; `symbols`: a row a symbol with its figures, None for a run over one; `profile`: what profile=on
    found. Printed, it is the screen of `gpubt run`."""

    config: Config
    ledger: Callable[[], pa.Table]  # makes `trades`, when somebody asks for them
    equity: pa.Table
    metrics: dict[str, float | int | None]
    summary: dict[str, Any]
    benchmark: dict[str, Any]
    folder: Path | None = None
    symbols: pa.Table | None = None
    raw: Any = None
    profile: dict[str, Any] | None = None

    def __repr__(self) -> str:
        from gpubt.report.terminal import line

        return f"<RunResult: {line(self)}>"

    def __str__(self) -> str:
        from gpubt.report.terminal import screen

        return screen(self)

    @cached_property
    def trades(self) -> pa.Table:
        """The ledger."""
        return self.ledger()

    def plot(self) -> Any:
        """Equity, drawdown and trades as a `plotly.graph_objects.Figure`."""
        from gpubt.records.notebook import figure

        return figure(self)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from gpubt.records.notebook import as_html

        return as_html(self)
