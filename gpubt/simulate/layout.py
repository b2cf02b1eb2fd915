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
SIGNAL, STOP, TARGET, TRAILING, BREAK_EVEN, TIME, SESSION, LIQUIDATION, END_OF_DATA = range(1, 10)

# Why an entry signal gave no entry (index into the `skipped` counts). The last three are what became of resting orders.
SKIPS = (
    "no_equity",
    "nan_level",
    "wrong_side_stop",
    "zero_risk",
    "zero_size",
    "end_of_data",
    "max_open",
    "blackout",
    "session",
    "expired",
    "replaced",
    "cancelled",
)
NO_EQUITY, NAN_LEVEL, WRONG_SIDE, ZERO_RISK, ZERO_SIZE, AT_END, MAX_OPEN, BLACKOUT, AT_SESSION_END, EXPIRED, REPLACED, CANCELLED = range(12)

# switches in PARAMS
AT_OPEN, AT_CLOSE = 0, 1  # entry_at, exit_at, time_at
IGNORE, CLOSE, REVERSE = 0, 1, 2  # on_opposite
ANCHOR_FILL, ANCHOR_SIGNAL_CLOSE = 0, 1
STOP_FIRST, TARGET_FIRST, OHLC, OLHC, ADAPTIVE = range(5)  # same_bar
NONE, PCT, OFFSET, ATR, R_MULTIPLE, PRICE, RULE = range(7)  # stop_kind, target_kind, trail_kind, even_kind, order_kind, limit_kind
PERCENT_EQUITY, FIXED_UNITS, FIXED_CASH, RISK_PERCENT = range(4)  # size_kind
MARKET, LIMIT, STOP_ORDER, STOP_LIMIT = range(4)  # order

# Signals, one bit a bar: four rules (entries are effective), and the two calendars, which are all zeros when there is none. `session` marks
# the last bar of each session, `blackout` the bars in which no entry may fill.
MASKS = ("long_entry", "long_exit", "short_entry", "short_exit", "session", "blackout")

# Series that orders read at their signal's bar (slippage: at the fill's); each may be missing. Kind RULE takes a level from one of them.
LEVELS = (
    "atr",
    "long_stop",
    "short_stop",
    "long_target",
    "short_target",
    "long_order",
    "short_order",
    "long_limit",
    "short_limit",
)

# What kernels read of a market, as addresses (0: not there): columns; for blocks of 64 (0) and 4,096 (1) bars the lowest low, highest high,
# lowest and highest close; the finer bars, of which bar t has those from `finer_first[t]` up to `finer_first[t + 1]`; masks; levels; the
# lowest low and highest high of blocks of 8 and 512 bars.
TABLE = (
    *("open", "high", "low", "close", "low0", "high0", "bottom0", "top0", "low1", "high1", "bottom1", "top1"),
    *("finer_first", "finer_open", "finer_high", "finer_low", "finer_close"),
    *MASKS,
    *LEVELS,
    *("low8", "high8", "low512", "high512"),
)

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
        ("slippage_points", "f8"),  # price: ticks * tick + half the spread
        ("slippage_atr", "f8"),  # share of ATR
        ("carry_long", "f8"),  # cost of holding, a bar, as a fraction of the entry's notional; negative earns
        ("carry_short", "f8"),
        ("maintenance", "f8"),  # fraction of the notional at which a position is liquidated
        ("stop_value", "f8"),
        ("target_value", "f8"),
        ("trail_value", "f8"),
        ("trail_activation", "f8"),  # in the unit of trail_value
        ("even_value", "f8"),  # the favourable move after which the stop is at break-even
        ("even_plus", "f8"),  # fraction of the entry price beyond it
        ("order_value", "f8"),  # level of a limit or stop order from the signal's close
        ("limit_value", "f8"),  # of a stop-limit order: its limit, from the stop level
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
        ("order", "i8"),
        ("order_kind", "i8"),
        ("limit_kind", "i8"),
        ("valid_bars", "i8"),  # rows that a resting order lives; 0: until cancelled
        ("pyramiding", "i8"),  # entries on one side at most, >= 1
        ("rungs", "i8"),  # of the target ladder; 0: one target
        ("liquidate", "i8"),  # whether the position can be liquidated
        ("beyond_stop", "i8"),  # an entry whose stop is not on its losing side is made, not skipped
        ("reentry", "i8"),  # whether a signal on the bar of an exit by a level, time or session acts
        ("gap_at_level", "i8"),  # an open beyond a level fills at the level, not at the open
        ("exposed_later", "i8"),  # an entry is first exposed on the bar after its own
        ("trail_same_bar", "i8"),  # the trailing stop counts the tested bar's own extreme
        ("end_free", "i8"),  # the close at the end of data is without costs
    ]
)

# A rung of the target ladder: closes `share` of the initial units at its level; `rest`: everything left.
RUNG = np.dtype([("value", "f8"), ("share", "f8"), ("kind", "i8"), ("rest", "i8")])

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
        ("accrued", "f8"),  # funding and borrow
        ("shortfall", "f8"),  # loss beyond the account, which is not in pnl
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
        ("position", "i8"),  # rows of one position share it
        ("leg", "i8"),
    ]
)

# What the account of one run adds up to; the figures of `metrics` are finished from it on the host.
TALLY = np.dtype(
    [
        ("final_equity", "f8"),
        ("gross_profit", "f8"),
        ("gross_loss", "f8"),  # <= 0
        ("fees", "f8"),
        ("accrued", "f8"),
        ("shortfall", "f8"),
        ("notional", "f8"),  # of all entries and exits
        ("best", "f8"),  # pnl_pct
        ("worst", "f8"),
        ("sum_return", "f8"),  # of excess returns a period
        ("sum_square", "f8"),
        ("sum_downside", "f8"),  # squares of the negative ones
        ("drawdown", "f8"),  # the deepest, as a positive fraction
        ("trades", "i8"),  # positions; wins, losses, best, worst, bars_held and ambiguous are theirs
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
    for name, dtype in (("Params", PARAMS), ("Rung", RUNG), ("Entry", ENTRY), ("Trade", TRADE), ("Tally", TALLY)):
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
