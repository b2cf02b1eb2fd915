"""The records that cross into kernels, and their codes. One table for the reference, numba and CUDA.

Every field is eight bytes wide, so the NumPy record, numba's view of it and the C struct of `kernels/common.cuh` have one layout;
a test holds the header to `c_structs()`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LONG, SHORT = 0, 1

# exit reasons (the ledger's `exit_reason`)
REASONS = {
    1: "signal",
    2: "stop",
    3: "target",
    4: "trailing",
    5: "break_even",
    6: "time",
    7: "session",
    8: "liquidation",
    9: "end_of_data",
}
SIGNAL, STOP, TARGET, TRAILING, BREAK_EVEN, TIME, END_OF_DATA = 1, 2, 3, 4, 5, 6, 9

# why an entry signal gave no entry (index into the `skipped` counts)
SKIPS = ("no_equity", "nan_level", "wrong_side_stop", "zero_size", "end_of_data", "max_open")
NO_EQUITY, NAN_LEVEL, WRONG_SIDE, ZERO_SIZE, AT_END, MAX_OPEN = range(6)

# switches in PARAMS
AT_OPEN, AT_CLOSE = 0, 1  # entry_at, exit_at, time_at
IGNORE, CLOSE, REVERSE = 0, 1, 2  # on_opposite
ANCHOR_FILL, ANCHOR_SIGNAL_CLOSE = 0, 1
STOP_FIRST, TARGET_FIRST, OHLC, OLHC, ADAPTIVE = range(5)  # same_bar
NONE, PCT, OFFSET, ATR, R_MULTIPLE, PRICE = range(6)  # stop_kind, target_kind, trail_kind, even_kind
PERCENT_EQUITY, FIXED_UNITS, FIXED_CASH = range(3)  # size_kind

PARAMS = np.dtype(
    [
        ("capital", "f8"),
        ("size_value", "f8"),
        ("max_leverage", "f8"),
        ("lot", "f8"),  # 0: none
        ("commission_rate", "f8"),
        ("commission_per_unit", "f8"),
        ("commission_fixed", "f8"),
        ("commission_minimum", "f8"),
        ("slippage_rate", "f8"),
        ("stop_value", "f8"),
        ("target_value", "f8"),
        ("trail_value", "f8"),
        ("trail_activation", "f8"),  # in the unit of trail_value
        ("even_value", "f8"),  # the favourable move after which the stop is at break-even
        ("even_plus", "f8"),  # fraction of the entry price beyond it
        ("size_kind", "i8"),
        ("stop_kind", "i8"),
        ("target_kind", "i8"),
        ("trail_kind", "i8"),
        ("even_kind", "i8"),
        ("anchor", "i8"),
        ("max_bars", "i8"),  # 0: none
        ("entry_at", "i8"),
        ("exit_at", "i8"),
        ("time_at", "i8"),
        ("same_bar", "i8"),
        ("on_opposite", "i8"),
        ("cooldown", "i8"),  # bars after an exit in which signals do not act
        ("max_open", "i8"),  # 0: any number
    ]
)

# A row of positions=list: the signal bar, the side, its own levels (kind NONE: none) and size in units (NaN: as `sizing` says).
ENTRY = np.dtype(
    [
        ("stop_value", "f8"),
        ("target_value", "f8"),
        ("size", "f8"),
        ("bar", "i8"),
        ("side", "i8"),
        ("stop_kind", "i8"),
        ("target_kind", "i8"),
    ]
)

TRADE = np.dtype(
    [
        ("entry_price", "f8"),
        ("exit_price", "f8"),
        ("units", "f8"),
        ("entry_fees", "f8"),
        ("fees", "f8"),  # both sides
        ("pnl", "f8"),
        ("pnl_pct", "f8"),
        ("r_multiple", "f8"),  # NaN without a stop
        ("mae", "f8"),
        ("mfe", "f8"),
        ("entry_bar", "i8"),
        ("exit_bar", "i8"),
        ("side", "i8"),
        ("reason", "i8"),
        ("ambiguous", "i8"),
    ]
)

# What the account of one run adds up to; the figures of `metrics` are finished from it on the host.
TALLY = np.dtype(
    [
        ("final_equity", "f8"),
        ("gross_profit", "f8"),
        ("gross_loss", "f8"),  # <= 0
        ("fees", "f8"),
        ("notional", "f8"),  # of all entries and exits
        ("best", "f8"),  # pnl_pct
        ("worst", "f8"),
        ("sum_return", "f8"),  # of excess returns a period
        ("sum_square", "f8"),
        ("sum_downside", "f8"),  # squares of the negative ones
        ("drawdown", "f8"),  # the deepest, as a positive fraction
        ("trades", "i8"),
        ("wins", "i8"),
        ("losses", "i8"),
        ("bars_held", "i8"),
        ("exposed", "i8"),  # bars at whose close a position is open
        ("ambiguous", "i8"),
        ("drawdown_start", "i8"),  # bar of the peak before it
        ("drawdown_end", "i8"),  # bar of the next new peak, or the last bar
        ("hash", "i8"),  # the ledger_hash as a signed number
    ]
)

C_TYPES = {"f": "double", "i": "i64"}


def c_structs() -> str:
    """The C declarations of the records, as `kernels/common.cuh` must have them."""
    lines = []
    for name, dtype in (("Params", PARAMS), ("Entry", ENTRY), ("Trade", TRADE), ("Tally", TALLY)):
        names: dict[str, list[str]] = {}
        for field in dtype.names or ():
            names.setdefault(C_TYPES[dtype[field].kind], []).append(field)
        body = " ".join(f"{kind} {', '.join(fields)};" for kind, fields in names.items())
        lines.append(f"struct {name} {{ {body} }};")
    return "\n".join(lines)


def record(dtype: np.dtype[Any], **values: float) -> NDArray[Any]:
    """One record of `dtype` (shape (1,)), zero but for `values`."""
    out = np.zeros(1, dtype)
    for name, value in values.items():
        out[name] = value
    return out
