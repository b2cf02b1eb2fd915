"""Trades as an Arrow table, and their digest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.simulate.layout import REASONS

if TYPE_CHECKING:
    import pyarrow as pa

NAN = np.uint64(0x7FF8000000000000)


def ledger_digest(trades: NDArray[Any]) -> str:
    """SHA-256 of the ledger of one symbol (`layout.TRADE` records, sorted by entry bar and position), as `docs/semantics.md` defines it.

    Times and parameters are not in it: the same trades on the same rows have the same digest.
    """
    digest = hashlib.sha256()
    n = len(trades)
    zeros = np.zeros(n, "<i4")
    for column in (zeros, np.arange(n, dtype="<i4"), zeros):  # symbol, position, leg
        digest.update(column.tobytes())
    for name in ("entry_bar", "exit_bar"):
        digest.update(trades[name].astype("<i8").tobytes())
    for name in ("side", "reason", "ambiguous"):
        digest.update(trades[name].astype("u1").tobytes())
    for name in ("entry_price", "exit_price", "units", "fees", "pnl", "pnl_pct", "r_multiple", "mae", "mfe"):
        digest.update(canonical(trades[name]).astype("<u8").tobytes())
    return digest.hexdigest()


def canonical(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Bit patterns with one zero and one NaN."""
    words: NDArray[np.uint64] = (values + 0.0).view(np.uint64)
    words[np.isnan(values)] = NAN
    return words


def to_table(trades: NDArray[Any], time: NDArray[np.int64], symbol: str) -> pa.Table:
    """The ledger as users read it: a row a closing fill, times as UTC timestamps, reasons by name, r_multiple null without a stop."""
    import pyarrow as pa

    n = len(trades)
    stamp = pa.timestamp("ns", "UTC")
    reasons = [""] + [REASONS[code] for code in range(1, len(REASONS) + 1)]

    def bar(name: str) -> dict[str, Any]:
        rows = trades[f"{name}_bar"]
        return {
            f"{name}_bar": pa.array(rows),
            f"{name}_time": pa.array(time[rows], stamp),
            f"{name}_price": _array(trades[f"{name}_price"]),
        }

    return pa.table(
        {
            "symbol": pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), [symbol]),
            "position": pa.array(np.arange(n, dtype=np.int32)),
            "leg": pa.array(np.zeros(n, np.int32)),
            "side": pa.DictionaryArray.from_arrays(trades["side"].astype(np.int32), ["long", "short"]),
            **bar("entry"),
            **bar("exit"),
            **{name: _array(trades[name]) for name in ("units", "fees", "pnl", "pnl_pct", "r_multiple", "mae", "mfe")},
            "bars_held": pa.array(np.maximum(1, trades["exit_bar"] - trades["entry_bar"])),
            "exit_reason": pa.DictionaryArray.from_arrays(trades["reason"].astype(np.int32), reasons),
            "ambiguous": pa.array(trades["ambiguous"].astype(bool)),
        }
    )


def _array(values: NDArray[np.float64]) -> pa.Array:
    import pyarrow as pa

    return pa.array(np.ascontiguousarray(values), from_pandas=True)  # NaN becomes null
