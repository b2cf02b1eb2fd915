"""The resolved configuration as the record that kernels take."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from gpubt.config import LEVELS, BreakEven, Config, Sizing, Stop, Target, Trailing
from gpubt.simulate import layout as k

AT = {"next_open": k.AT_OPEN, "open": k.AT_OPEN, "close": k.AT_CLOSE}
ANCHORS = {"fill": k.ANCHOR_FILL, "signal_close": k.ANCHOR_SIGNAL_CLOSE}
POLICIES = {"stop_first": k.STOP_FIRST, "target_first": k.TARGET_FIRST, "ohlc": k.OHLC, "olhc": k.OLHC, "adaptive": k.ADAPTIVE}
OPPOSITE = {"ignore": k.IGNORE, "close": k.CLOSE, "reverse": k.REVERSE}
KINDS = {"pct": k.PCT, "offset": k.OFFSET, "atr": k.ATR, "r": k.R_MULTIPLE}
SIZES = {"percent_equity": k.PERCENT_EQUITY, "fixed_units": k.FIXED_UNITS, "fixed_cash": k.FIXED_CASH}


def level(config: Stop | Target | Trailing | BreakEven) -> tuple[int, float]:
    """Kind and value of a level; (NONE, 0.0) when none is set."""
    given = ((kind, getattr(config, name, None)) for name, kind in KINDS.items())
    return next(((kind, float(value)) for kind, value in given if value is not None), (k.NONE, 0.0))


def _size(config: Sizing) -> tuple[int, float]:
    return next((kind, float(value)) for name, kind in SIZES.items() if (value := getattr(config, name)) is not None)


def needs_atr(config: Config) -> bool:
    """Whether a level is a multiple of ATR."""
    return any(getattr(config.exits, name).atr is not None for name in LEVELS)


def parameters(config: Config) -> NDArray[Any]:
    """One `layout.PARAMS` record (shape (1,)) of a resolved configuration."""
    stop, target, size = level(config.exits.stop), level(config.exits.target), _size(config.sizing)
    trail, even = level(config.exits.trailing), level(config.exits.break_even)
    commission = config.costs.commission
    return k.record(
        k.PARAMS,
        capital=config.capital,
        size_kind=size[0],
        size_value=size[1],
        max_leverage=config.sizing.max_leverage or 1.0,
        lot=config.sizing.lot or 0.0,
        commission_rate=commission.rate,
        commission_per_unit=commission.per_unit,
        commission_fixed=commission.fixed,
        commission_minimum=commission.minimum,
        slippage_rate=config.costs.slippage.rate,
        stop_kind=stop[0],
        stop_value=stop[1],
        target_kind=target[0],
        target_value=target[1],
        trail_kind=trail[0],
        trail_value=trail[1],
        trail_activation=config.exits.trailing.activation or 0.0,
        even_kind=even[0],
        even_value=even[1],
        even_plus=config.exits.break_even.plus or 0.0,
        anchor=ANCHORS[config.exits.anchor or "fill"],
        max_bars=config.exits.max_bars or 0,
        entry_at=AT[config.entry.at],
        exit_at=AT[config.exit.at or config.entry.at],
        time_at=AT[config.time.at or config.entry.at],
        same_bar=POLICIES[config.sim.same_bar],
        on_opposite=OPPOSITE[config.on_opposite or "ignore"],
        cooldown=config.entry.cooldown,
        max_open=config.max_open or 0,
    )
