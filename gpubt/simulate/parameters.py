"""The resolved configuration as the records that kernels take."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.config import BreakEven, Carry, Config, OrderLevel, Sizing, Stop, Target, Trailing
from gpubt.limits import LEVELS
from gpubt.simulate import layout as k

AT = {"next_open": k.AT_OPEN, "open": k.AT_OPEN, "close": k.AT_CLOSE}
ANCHORS = {"fill": k.ANCHOR_FILL, "signal_close": k.ANCHOR_SIGNAL_CLOSE}
POLICIES = {"stop_first": k.STOP_FIRST, "target_first": k.TARGET_FIRST, "ohlc": k.OHLC, "olhc": k.OLHC, "adaptive": k.ADAPTIVE}
OPPOSITE = {"ignore": k.IGNORE, "close": k.CLOSE, "reverse": k.REVERSE}
ORDERS = {"market": k.MARKET, "limit": k.LIMIT, "stop": k.STOP_ORDER, "stop_limit": k.STOP_LIMIT}
KINDS = {"pct": k.PCT, "offset": k.OFFSET, "atr": k.ATR, "r": k.R_MULTIPLE}
SIZES = {
    "percent_equity": k.PERCENT_EQUITY,
    "fixed_units": k.FIXED_UNITS,
    "fixed_cash": k.FIXED_CASH,
    "risk_percent": k.RISK_PERCENT,
}
YEAR = 365.25 * 86_400e9  # nanoseconds
Level = Stop | Target | Trailing | BreakEven | OrderLevel


def level(config: Level) -> tuple[int, float]:
    """Kind and value of a level; (NONE, 0.0) when none is set, (RULE, 0.0) for expressions."""
    if getattr(config, "long", None) is not None or getattr(config, "short", None) is not None:
        return k.RULE, 0.0
    given = ((kind, getattr(config, name, None)) for name, kind in KINDS.items())
    return next(((kind, float(value)) for kind, value in given if value is not None), (k.NONE, 0.0))


def _size(config: Sizing) -> tuple[int, float]:
    return next((kind, float(value)) for name, kind in SIZES.items() if (value := getattr(config, name)) is not None)


def needs_atr(config: Config) -> bool:
    """Whether a level is a multiple of ATR, or a fill slips by a share of it."""
    levels = (getattr(getattr(config, group), name) for group, name in (key.split(".") for key in LEVELS))
    rungs = config.exits.target.ladder or []
    return any(one.atr is not None for one in levels) or any("atr" in rung for rung in rungs) or config.costs.slippage.atr > 0.0


def rungs(config: Config) -> NDArray[Any]:
    """The target ladder as `layout.RUNG` records; the last one closes everything left when the shares sum to 1."""
    ladder = config.exits.target.ladder or []
    out = np.zeros(len(ladder), k.RUNG)
    for record, rung in zip(out, ladder, strict=True):
        kind, value = next((KINDS[name], value) for name, value in rung.items() if name != "share")
        record["kind"], record["value"], record["share"] = kind, value, rung["share"]
    if len(out):
        out["rest"][-1] = float(sum(rung["share"] for rung in ladder) >= 1.0 - 1e-9)
    return out


def _carry(config: Carry, spacing: float) -> float:
    """The fraction of the notional that a bar costs."""
    return config.per_bar or 0.0 if config.annual is None else config.annual * (spacing / YEAR)


def same_bar_policies(config: Config) -> tuple[str, ...]:
    """The policies to run: of a band both, of which the first gives the ledger."""
    return ("stop_first", "target_first") if config.sim.same_bar == "band" else (config.sim.same_bar,)


def parameters(config: Config, spacing: float = 0.0, policy: str | None = None) -> NDArray[Any]:
    """One `layout.PARAMS` record (shape (1,)) of a resolved configuration; `spacing` of the bars in nanoseconds (`Bars.mean_spacing`), for
    yearly rates; `policy` in the place of `sim.same_bar`."""
    stop, target, size = level(config.exits.stop), level(config.exits.target), _size(config.sizing)
    trail, even = level(config.exits.trailing), level(config.exits.break_even)
    entry, costs, order = config.entry, config.costs, ORDERS[config.entry.order]
    rests, limit = level(entry.limit if order == k.LIMIT else entry.stop), level(entry.limit)
    funding, borrow = _carry(costs.funding, spacing), _carry(costs.borrow, spacing)
    return k.record(
        k.PARAMS,
        capital=config.capital,
        size_kind=size[0],
        size_value=size[1],
        max_leverage=config.sizing.max_leverage or 1.0,
        lot=config.sizing.lot or 0.0,
        commission_rate=costs.commission.rate,
        commission_per_unit=costs.commission.per_unit,
        commission_fixed=costs.commission.fixed,
        commission_minimum=costs.commission.minimum,
        slippage_rate=costs.slippage.rate,
        slippage_points=costs.slippage.ticks * (costs.slippage.tick or 0.0) + costs.spread / 2.0,
        slippage_atr=costs.slippage.atr,
        carry_long=funding,
        carry_short=borrow - funding,
        maintenance=config.sizing.maintenance or 0.0,
        liquidate=config.sizing.liquidation is not False and config.positions == "single",
        stop_kind=stop[0],
        stop_value=stop[1],
        target_kind=target[0],
        target_value=target[1],
        trail_kind=trail[0],
        trail_value=trail[1],
        trail_activation=config.exits.trailing.activation or 0.0,
        trail_same_bar=config.exits.trailing.basis == "same_bar",
        even_kind=even[0],
        even_value=even[1],
        even_plus=config.exits.break_even.plus or 0.0,
        rungs=len(config.exits.target.ladder or []),
        anchor=ANCHORS[config.exits.anchor or "fill"],
        gap_at_level=config.exits.gap == "level",
        exposed_later=config.exits.exposed == "next_bar",
        max_bars=config.exits.max_bars or 0,
        order=order,
        order_kind=rests[0],
        order_value=rests[1],
        limit_kind=limit[0] if order == k.STOP_LIMIT else k.NONE,
        limit_value=limit[1] if order == k.STOP_LIMIT else 0.0,
        valid_bars=entry.valid_bars or 0,
        entry_at=AT[entry.at],
        exit_at=AT[config.exit.at or entry.at],
        time_at=AT[config.time.at or entry.at],
        same_bar=POLICIES[policy or same_bar_policies(config)[0]],
        on_opposite=OPPOSITE[config.on_opposite or "ignore"],
        cooldown=entry.cooldown,
        beyond_stop=entry.beyond_stop == "enter",
        reentry=entry.reentry_same_bar,
        max_open=config.max_open or 0,
        pyramiding=config.pyramiding,
        end_free=config.end_of_data == "close_free",
    )
