"""Which values the keys of `gpubt.config` take: choices, ranges, and what excludes what within one level."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from gpubt.config import Config
from gpubt.errors import ConfigError, nearest

CHOICES: dict[str, tuple[str, ...]] = {
    "backend.name": ("auto", "cuda", "cpu"),
    "data.source": ("sample", "parquet", "csv", "synthetic"),
    "data.bar_stamp": ("start", "end"),
    "data.adjust": ("none", "split", "adj_close"),
    **{f"data.validation.{name}": ("error", "drop") for name in ("order", "duplicates", "nan", "non_positive", "high_below_low")},
    "data.validation.outside_range": ("error", "drop"),
    "data.validation.gaps": ("error", "warn"),
    "data.validation.outliers": ("error", "warn", "drop"),
    "data.validation.negative_volume": ("error", "warn", "drop"),
    "strategy.side": ("both", "long", "short"),
    "entry.order": ("market", "limit", "stop", "stop_limit"),
    "entry.at": ("next_open", "close"),
    "entry.beyond_stop": ("skip", "enter"),
    "exit.at": ("next_open", "close"),
    "time.at": ("open", "close"),
    "exits.anchor": ("fill", "signal_close"),
    "exits.gap": ("open", "level"),
    "exits.exposed": ("entry_bar", "next_bar"),
    "exits.trailing.basis": ("prior", "same_bar"),
    "cross": ("default", "strict", "latched"),
    "end_of_data": ("close_with_costs", "close_free"),
    "positions": ("single", "overlapping", "list"),
    "on_opposite": ("ignore", "close", "reverse"),
    "sim.mode": ("event", "bar"),
    "sim.same_bar": ("stop_first", "target_first", "ohlc", "olhc", "adaptive", "band"),
    "metrics.returns": ("auto", "daily", "bar"),
    "equity": ("returns", "bar"),
    "sweep.method": ("grid", "random", "optuna"),
    "sweep.direction": ("maximize", "minimize"),
    "profile.mode": ("off", "on", "nsys"),
}

# key: (low, high, is low itself allowed); an infinite high is open
RANGES: dict[str, tuple[float, float, bool]] = {
    "backend.threads": (1, float("inf"), True),
    "backend.device": (0, float("inf"), True),
    "backend.streams": (1, 16, True),
    "data.portion": (1, float("inf"), True),
    "data.synthetic.bars": (1, float("inf"), True),
    "data.synthetic.start_price": (0, float("inf"), False),
    "data.synthetic.volatility": (0, float("inf"), True),
    "data.synthetic.clustering": (0, 0.999, True),
    "exits.stop.pct": (0, float("inf"), False),
    "exits.stop.offset": (0, float("inf"), False),
    "exits.stop.atr": (0, float("inf"), False),
    "exits.target.pct": (0, float("inf"), False),
    "exits.target.offset": (0, float("inf"), False),
    "exits.target.atr": (0, float("inf"), False),
    "exits.target.r": (0, float("inf"), False),
    "exits.trailing.pct": (0, 0.999999, False),
    "exits.trailing.offset": (0, float("inf"), False),
    "exits.trailing.atr": (0, float("inf"), False),
    "exits.trailing.activation": (0, float("inf"), True),
    "exits.break_even.pct": (0, float("inf"), False),
    "exits.break_even.offset": (0, float("inf"), False),
    "exits.break_even.atr": (0, float("inf"), False),
    "exits.break_even.r": (0, float("inf"), False),
    "exits.break_even.plus": (-0.5, 0.5, True),
    "entry.limit.pct": (-1e300, 1e300, True),
    "entry.limit.offset": (-1e300, 1e300, True),
    "entry.limit.atr": (-1e300, 1e300, True),
    "entry.stop.pct": (-1e300, 1e300, True),
    "entry.stop.offset": (-1e300, 1e300, True),
    "entry.stop.atr": (-1e300, 1e300, True),
    "entry.valid_bars": (1, 2**31, True),
    "entry.cooldown": (0, 2**31, True),
    "pyramiding": (1, 100, True),
    "max_open": (1, 2**31, True),
    "exits.max_bars": (1, 2**31, True),
    "exits.atr_length": (1, 2**31, True),
    "sizing.percent_equity": (0, float("inf"), False),
    "sizing.fixed_units": (0, float("inf"), False),
    "sizing.fixed_cash": (0, float("inf"), False),
    "sizing.risk_percent": (0, 1, False),
    "sizing.maintenance": (0, 0.99, True),
    "sizing.lot": (0, float("inf"), False),
    "sizing.max_leverage": (0, float("inf"), False),
    "costs.commission.rate": (0, 1, True),
    "costs.commission.per_unit": (0, float("inf"), True),
    "costs.commission.fixed": (0, float("inf"), True),
    "costs.commission.minimum": (0, float("inf"), True),
    "costs.slippage.rate": (0, 1, True),
    "costs.slippage.ticks": (0, float("inf"), True),
    "costs.slippage.tick": (0, float("inf"), False),
    "costs.slippage.atr": (0, float("inf"), True),
    "costs.spread": (0, float("inf"), True),
    "costs.funding.annual": (-100, 100, True),
    "costs.funding.per_bar": (-1, 1, True),
    "costs.borrow.annual": (0, 100, True),
    "costs.borrow.per_bar": (0, 1, True),
    "capital": (0, float("inf"), False),
    "metrics.risk_free": (-1, 10, True),
    "cache.budget_mib": (0, float("inf"), True),
    "sweep.sets": (1, 10_000_000, True),
    "sweep.blocks": (1, 1000, True),
    "sweep.batch": (1, 100_000, True),
    "memory.ratio_max": (0, float("inf"), False),
    "memory.host": (0, float("inf"), False),
    "memory.device": (0, float("inf"), False),
    "profile.hotspots": (10, 1000, True),
    "seed": (0, 2**63 - 1, True),
}


# What a level can be measured in. `long` and `short` are one kind: an expression for each side.
LEVELS: dict[str, tuple[str, ...]] = {
    "exits.stop": ("pct", "offset", "atr", "long"),
    "exits.target": ("pct", "offset", "atr", "r", "long", "ladder"),
    "exits.trailing": ("pct", "offset", "atr"),
    "exits.break_even": ("pct", "offset", "atr", "r"),
    "entry.limit": ("pct", "offset", "atr", "long"),
    "entry.stop": ("pct", "offset", "atr", "long"),
}
SIZES = ("percent_equity", "fixed_units", "fixed_cash", "risk_percent")
RUNG_KINDS = ("pct", "offset", "atr", "r")
LADDER = 16  # rungs at most


def value_at(config: Any, key: str) -> Any:
    """The value at a dotted key."""
    for name in key.split("."):
        config = getattr(config, name)
    return config


def check(config: Config, changed: Collection[str] | None = None) -> None:
    """Raise ConfigError for the first value that is not accepted. `strategy.exits` and `strategy.sizing` obey the same limits. `changed`:
    the keys whose values were not checked before; None: all."""
    for prefix in ("", "strategy."):
        for key, names in CHOICES.items():
            if (prefix and not key.startswith(("exits.", "sizing."))) or (changed is not None and prefix + key not in changed):
                continue
            value = value_at(config, prefix + key)
            if value is not None and value not in names:
                raise ConfigError(f"{prefix}{key} must be one of {', '.join(names)}, got {value!r}{nearest(names, str(value))}")
        for key, (low, high, inclusive) in RANGES.items():
            if (prefix and not key.startswith(("exits.", "sizing."))) or (changed is not None and prefix + key not in changed):
                continue
            value = value_at(config, prefix + key)
            if value is not None and not (
                (low <= value if inclusive else low < value) and (value <= high if high != float("inf") else value < high)
            ):
                raise ConfigError(f"{prefix}{key} must be {_interval(low, high, inclusive)}, got {value}")
        for key, kinds in LEVELS.items():
            if not prefix or key.startswith("exits."):
                _at_most_one(config, prefix + key, kinds)
        _at_most_one(config, prefix + "sizing", SIZES)
        _check_ladder(value_at(config, prefix + "exits.target").ladder, prefix + "exits.target.ladder")
    if config.data.others:
        from gpubt.data.others import check_others

        check_others(config.data.others)
    for key in ("costs.funding", "costs.borrow"):
        _at_most_one(config, key, ("annual", "per_bar"))
    _check_devices(config.backend.devices)


def _check_devices(wanted: Any) -> None:
    if wanted is None or wanted == "all":
        return
    numbers = list(wanted) if isinstance(wanted, Sequence) and not isinstance(wanted, str) else []
    if not numbers or not all(type(one) is int and one >= 0 for one in numbers) or len(set(numbers)) < len(numbers):
        raise ConfigError(f"backend.devices must be all or a list of different numbers from 0 on, got {wanted}")


def _interval(low: float, high: float, inclusive: bool) -> str:
    if high == float("inf"):
        return f"{'at least' if inclusive else 'more than'} {low:g} and finite"
    top = high if isinstance(high, int) else f"{high:g}"
    return f"in {'[' if inclusive else '('}{low:g}, {top}]"


def given(level: Any, kinds: tuple[str, ...]) -> list[str]:
    """Those of `kinds` that are set."""
    return [name for name in kinds if getattr(level, name) is not None or (name == "long" and getattr(level, "short", None) is not None)]


def _at_most_one(config: Config, key: str, kinds: tuple[str, ...]) -> None:
    found = given(value_at(config, key), kinds)
    if len(found) > 1:
        raise ConfigError(f"{key} takes one of {', '.join(kinds)}, got {' and '.join(found)}")


def _check_ladder(ladder: Any, key: str) -> None:
    """A list of mappings, each with one kind and a share; rungs of one kind further and further away."""
    if ladder is None:
        return
    if not isinstance(ladder, list | tuple) or not 1 <= len(ladder) <= LADDER:
        raise ConfigError(f"{key} must be a list of 1 to {LADDER} rungs such as [{{pct: 0.01, share: 0.5}}], got {ladder!r}")
    last: dict[str, float] = {}
    for i, rung in enumerate(ladder):
        at = f"{key}[{i}]"
        if not isinstance(rung, dict) or set(rung) - {*RUNG_KINDS, "share"} or "share" not in rung or len(rung) != 2:
            raise ConfigError(f"{at} must have share and one of {', '.join(RUNG_KINDS)}, got {rung!r}")
        for name, value in rung.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e300:
                raise ConfigError(f"{at}.{name} must be a number above 0, got {value!r}")
        kind = next(name for name in rung if name != "share")
        if rung[kind] <= last.get(kind, 0.0):
            raise ConfigError(f"{at}.{kind} must be above that of the rung before it, got {rung[kind]} after {last[kind]}")
        last[kind] = rung[kind]
    if (total := sum(rung["share"] for rung in ladder)) > 1.0 + 1e-9:
        raise ConfigError(f"{key}: the shares must sum to at most 1, got {total:g}")
