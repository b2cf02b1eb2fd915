"""Trades as an Arrow table, and their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.records.tables import column, texts
from gpubt.simulate.layout import REASONS

if TYPE_CHECKING:
    import pyarrow as pa

FIGURES = ("units", "fees", "accrued", "shortfall", "pnl", "pnl_pct", "r_multiple", "mae", "mfe")
NAN = np.uint64(0x7FF8000000000000)


def ledger_digest(ledgers: Sequence[NDArray[Any]]) -> str:
    """SHA-256 of the ledgers of the symbols in order (`layout.TRADE` records by entry bar and position), as `docs/semantics.md` defines it.

    Times and parameters are not in it: the same trades on the same rows have the same digest.
    """
    digest = hashlib.sha256()
    digest.update(np.repeat(np.arange(len(ledgers), dtype="<i4"), [len(trades) for trades in ledgers]).data)

    def add(name: str, dtype: str) -> None:
        digest.update(np.concatenate([trades[name] for trades in ledgers], dtype=dtype, casting="unsafe").data)

    for name in ("position", "leg"):
        add(name, "<i4")
    for name in ("entry_bar", "exit_bar"):
        add(name, "<i8")
    for name in ("side", "reason", "ambiguous"):
        add(name, "u1")
    for name in ("entry_price", "exit_price", "units", "fees", "pnl", "pnl_pct", "r_multiple", "mae", "mfe"):
        digest.update(canonical(np.concatenate([trades[name] for trades in ledgers])).astype("<u8", copy=False).data)
    return digest.hexdigest()


def canonical(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Bit patterns with one zero and one NaN."""
    words: NDArray[np.uint64] = (values + 0.0).view(np.uint64)
    missing = np.isnan(values)
    if missing.any():
        words[missing] = NAN
    return words


def to_table(trades: NDArray[Any], time: NDArray[np.int64], symbol: str) -> pa.Table:
    """The ledger as users read it: a row a closing fill, times as UTC timestamps, reasons by name, r_multiple null without a stop."""
    import pyarrow as pa

    n = len(trades)
    reasons = [""] + [REASONS[code] for code in range(1, len(REASONS) + 1)]

    def named(codes: NDArray[Any], names: list[str]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(column(codes.astype(np.int32), pa.int32()), texts(names))

    def bar(name: str) -> dict[str, Any]:
        rows, price = trades[f"{name}_bar"], trades[f"{name}_price"]
        return {
            f"{name}_bar": column(rows, pa.int64()),
            f"{name}_time": column(time[rows], pa.timestamp("ns", "UTC")),
            f"{name}_price": column(price, pa.float64()),
        }

    return pa.table(
        {
            "symbol": named(np.zeros(n), [symbol]),
            "position": column(trades["position"].astype(np.int32), pa.int32()),
            "leg": column(trades["leg"].astype(np.int32), pa.int32()),
            "side": named(trades["side"], ["long", "short"]),
            **bar("entry"),
            **bar("exit"),
            **{name: column(trades[name], pa.float64()) for name in FIGURES},
            "bars_held": column(np.maximum(1, trades["exit_bar"] - trades["entry_bar"]), pa.int64()),
            "exit_reason": named(trades["reason"], reasons),
            "ambiguous": column(trades["ambiguous"].astype(bool), pa.bool_()),
        }
    )
