"""The equity curve: a row a return period, or, streamed, a row a bar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.records.tables import column

if TYPE_CHECKING:
    import pyarrow as pa

    from gpubt.config import Config
    from gpubt.data.bars import Bars
    from gpubt.metrics.account import Measured


class Equity:
    """Columns `time` (a bar's open, UTC) and `equity` at that bar's close, in cash."""

    def __init__(self, bars: Bars, trades: NDArray[Any], measured: Measured, config: Config) -> None:
        self._bars, self._trades, self._measured, self._config = bars, trades, measured, config

    def stream(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The schema and batches of at most 262,144 rows, made as they are taken."""
        import pyarrow as pa

        return pa.schema([("time", pa.timestamp("ns", "UTC")), ("equity", pa.float64())]), self._batches()

    def table(self) -> pa.Table:
        """All of it in memory."""
        import pyarrow as pa

        schema, batches = self.stream()
        return pa.Table.from_batches(batches, schema)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if self._config.equity == "returns":
            yield equity_batch(self._bars.time[self._measured.ends], self._measured.equity)
            return
        from gpubt.metrics.equity import lines
        from gpubt.simulate.parameters import parameters

        costs = parameters(self._config, self._bars.mean_spacing)[0]
        carry = float(costs["carry_long"]), float(costs["carry_short"])
        curve = lines(self._trades, self._config.capital, self._config.positions, carry)
        for lo, equity in curve.chunks(self._bars.close):
            yield equity_batch(self._bars.time[lo : lo + len(equity)], equity)


def equity_batch(time: NDArray[np.int64], equity: NDArray[np.float64]) -> pa.RecordBatch:
    """Times (ns UTC) and equity as Arrow has them."""
    import pyarrow as pa

    return pa.record_batch({"time": column(time, pa.timestamp("ns", "UTC")), "equity": column(equity, pa.float64())})
