"""What a run uses: the strategy's defaults under the user's own values, every null that has a default filled in, and what must agree."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from gpubt.config import At, Config, Exits, Sizing, Stop, Strategy
from gpubt.errors import ConfigError
from gpubt.limits import LEVELS, SIZES, given

RESTING = ("limit", "stop", "stop_limit")


def resolve(config: Config) -> Config:
    """The configuration a run uses: strategy defaults merged under the user's own, and every null that has a default filled in.

    A kind of stop, target or size that the user sets replaces the strategy's kind. Idempotent.
    """
    if config.plugins:
        from gpubt.indicators.plugins import load_plugins

        places, digests = load_plugins(config.plugins, config.plugin_digests)
        config = replace(config, plugins=places, plugin_digests=digests)
    strategy = _strategy(config.strategy)
    at_open = config.entry.at == "next_open" or config.entry.order in RESTING
    resolved = replace(
        config,
        strategy=strategy,
        exits=_exits(config.exits, strategy.exits),
        sizing=_sizing(config.sizing, strategy.sizing),
        exit=At(config.exit.at or ("next_open" if at_open else "close")),
        time=At(config.time.at or ("open" if at_open else "close")),
        on_opposite=config.on_opposite or ("reverse" if strategy.side == "both" and config.positions == "single" else "ignore"),
    )
    for check in (_agree_levels, _agree_orders, _agree_positions, _agree_costs):
        check(resolved)
    return resolved


def _strategy(strategy: Strategy) -> Strategy:
    """The strategy with what its Python code says, if it has any."""
    if strategy._target_ is None:
        return strategy
    from gpubt.strategy.code import declare, write

    return write(declare(strategy))


def _exits(own: Exits, default: Exits) -> Exits:
    levels = {
        name: _kind(getattr(own, name), getattr(default, name), LEVELS[f"exits.{name}"])
        for name in ("stop", "target", "trailing", "break_even")
    }
    plain = {"atr_length": 14, "anchor": "fill", "gap": "open", "exposed": "entry_bar", "max_bars": None}
    merged = Exits(**levels, **{name: _first(getattr(own, name), getattr(default, name), last) for name, last in plain.items()})
    if given(merged.trailing, LEVELS["exits.trailing"]):
        merged = replace(merged, trailing=replace(merged.trailing, basis=merged.trailing.basis or "prior"))
    return merged


def _sizing(own: Sizing, default: Sizing) -> Sizing:
    sizing = _kind(own, default, SIZES)
    if not given(sizing, SIZES):
        sizing = replace(sizing, percent_equity=1.0)
    plain = {"lot": None, "max_leverage": 1.0, "maintenance": 0.0, "liquidation": True}
    merged: Sizing = replace(sizing, **{name: _first(getattr(own, name), getattr(default, name), last) for name, last in plain.items()})
    return merged


def _agree_levels(config: Config) -> None:
    """Raise ConfigError for levels that are accepted alone and not together."""
    exits = config.exits
    has_stop = exits.stop != Stop()
    rungs = exits.target.ladder or []
    for key, r in (
        ("exits.target.r", exits.target.r),
        ("exits.break_even.r", exits.break_even.r),
        *((f"exits.target.ladder[{i}].r", rung.get("r")) for i, rung in enumerate(rungs)),
    ):
        if r is not None and not has_stop:
            raise ConfigError(f"{key}={r:g} needs a stop to measure R from; set exits.stop.pct, offset, atr, or long and short")
    if exits.trailing.activation and not given(exits.trailing, LEVELS["exits.trailing"]):
        raise ConfigError("exits.trailing.activation needs a trailing stop; set exits.trailing.pct, offset or atr")
    if exits.break_even.plus and not given(exits.break_even, LEVELS["exits.break_even"]):
        raise ConfigError("exits.break_even.plus needs the move that triggers it; set exits.break_even.pct, offset, atr or r")
    if config.sizing.risk_percent is not None and not has_stop and config.positions != "list":
        raise ConfigError(
            f"sizing.risk_percent={config.sizing.risk_percent:g} needs a stop; set exits.stop.pct, offset, atr, or long and short"
        )
    for key in ("exits.stop", "exits.target", "entry.limit", "entry.stop"):
        group, name = key.split(".")
        level = getattr(getattr(config, group), name)
        for side in ("long", "short"):
            if (
                config.strategy.side in ("both", side)
                and given(level, ("long",))
                and getattr(level, side) is None
                and config.positions != "list"
            ):
                raise ConfigError(f"{key}.{side} must be an expression too when strategy.side={config.strategy.side}, got null")


def _agree_orders(config: Config) -> None:
    """Each order has its level, and no level is without its order."""
    entry = config.entry
    needs = {"market": (), "limit": ("limit",), "stop": ("stop",), "stop_limit": ("stop", "limit")}[entry.order]
    for name in ("limit", "stop"):
        there = bool(given(getattr(entry, name), LEVELS[f"entry.{name}"]))
        if name in needs and not there:
            raise ConfigError(f"entry.order={entry.order} needs its level; set entry.{name}.pct, offset, atr, or long and short")
        if there and name not in needs:
            raise ConfigError(f"entry.{name} needs entry.order={name} or stop_limit, got entry.order={entry.order}")
    if entry.valid_bars is not None and not needs:
        raise ConfigError(f"entry.valid_bars={entry.valid_bars} is for resting orders; set entry.order=limit, stop or stop_limit")


def _agree_positions(config: Config) -> None:
    """What only some kinds of positions have."""
    positions, resting = config.positions, config.entry.order in RESTING
    if positions == "list" and not config.entries.path:
        raise ConfigError("positions=list needs entries.path, a Parquet or CSV table of entries, got null")
    if positions != "list" and config.entries.path is not None:
        raise ConfigError(f"entries.path={config.entries.path} needs positions=list, got positions={positions}")
    if positions != "overlapping" and config.max_open is not None:
        raise ConfigError(f"max_open={config.max_open} needs positions=overlapping, got positions={positions}")
    if config.max_open is not None and resting:
        raise ConfigError(
            f"max_open={config.max_open} is for market orders: which of several resting orders fills first is not known ahead"
        )
    if positions != "single" and config.entry.cooldown:
        raise ConfigError(f"entry.cooldown={config.entry.cooldown} needs positions=single, got positions={positions}")
    if positions == "overlapping" and config.on_opposite == "close":
        raise ConfigError("on_opposite=close needs positions=single; with positions=overlapping use ignore or reverse")
    if config.pyramiding > 1:
        for what, wrong in (
            (f"positions={positions}", positions != "single"),
            (f"entry.order={config.entry.order}", resting),
            ("exits.target.ladder", config.exits.target.ladder is not None),
        ):
            if wrong:
                raise ConfigError(f"pyramiding={config.pyramiding} is for market orders in single positions with one target, got {what}")
    if config.sim.detail.path is not None and config.data.symbols is not None:
        raise ConfigError("sim.detail.path is for one symbol, got data.symbols")


def _agree_costs(config: Config) -> None:
    slippage = config.costs.slippage
    if slippage.ticks and slippage.tick is None:
        raise ConfigError(f"costs.slippage.ticks={slippage.ticks:g} needs the size of a tick; set costs.slippage.tick, a price")


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _kind(own: Any, default: Any, kinds: tuple[str, ...]) -> Any:
    """`own` if it sets any of `kinds`, else `default` with what else `own` sets."""
    if given(own, kinds):
        return own
    return replace(default, **{f.name: value for f in fields(own) if (value := getattr(own, f.name)) is not None})
