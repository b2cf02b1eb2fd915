"""The configuration as typed dataclasses: what every key is, its default, and which values it takes.

Hydra composes `conf/` and the command line into `Config` (unknown keys and wrong types are refused there), `check` refuses values out of
range, and `resolve` merges what the strategy asks for with what the user set. Nothing below this file knows Hydra.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from gpubt.errors import ConfigError, nearest


@dataclass
class Backend:
    """`name` is auto, cuda or cpu; `threads` caps the CPU threads (null: all cores); `device` is the CUDA device number."""

    name: str = "auto"
    threads: int | None = None
    device: int = 0


@dataclass
class Synthetic:
    """Seeded bars: a random walk whose volatility clusters, each open equal to the close before it, at a fixed spacing."""

    bars: int = 100_000
    start_price: float = 100.0
    volatility: float = 0.0006  # standard deviation of one bar's log return, unconditional
    clustering: float = 0.97  # persistence of the volatility process, 0 = none
    start: str = "2020-01-01T00:00:00"
    spacing: str = "1m"


@dataclass
class Validation:
    """What becomes of each class of wrong bars: error (the run ends), drop (these bars are left out), warn (they are used)."""

    order: str = "error"
    duplicates: str = "error"
    nan: str = "error"
    non_positive: str = "error"
    high_below_low: str = "error"
    outside_range: str = "error"  # open or close
    gaps: str = "warn"
    outliers: str = "warn"
    negative_volume: str = "warn"


@dataclass
class Data:
    """Where bars come from and which of them are used."""

    source: str = "sample"
    path: str | None = None
    symbol: str | None = None
    symbols: Any = None  # a list of names, or all: an account each, and their total
    columns: Any = None  # {time: Date, close: Adj Close}: field to column; without header a list, the columns in order
    header: Any = "auto"  # of a CSV file: auto, true or false
    time_zone: str = "UTC"  # of times in the file that have no zone or offset
    bar_stamp: str = "start"  # which end of the bar the file's times are
    adjust: str = "none"  # split: prices before a split divided by it; adj_close: prices times adj_close / close
    resample: str | None = None  # 1h: bars of this duration from shorter ones
    frac: Any = 1.0  # in (0, 1], a number or text such as "1/3", or "ask"
    portion: int = 1  # 1-based, at most floor(1 / frac)
    start: str | None = None  # first bar at or after this time (UTC unless it names an offset)
    end: str | None = None  # bars before this time
    timezone: str = "UTC"  # where days begin, for daily returns
    validation: Validation = field(default_factory=Validation)
    synthetic: Synthetic = field(default_factory=Synthetic)


@dataclass
class Stop:
    """A protective stop: at most one of a fraction of the price, a price distance, or a multiple of ATR."""

    pct: float | None = None
    offset: float | None = None
    atr: float | None = None


@dataclass
class Target:
    """A profit target: at most one of a fraction, a price distance, a multiple of ATR, or a multiple of R (the stop's distance)."""

    pct: float | None = None
    offset: float | None = None
    atr: float | None = None
    r: float | None = None


@dataclass
class Trailing:
    """A stop that follows the best price: at most one of a fraction of it, a price distance, or a multiple of ATR. It acts once the price
    has gone `activation` (in the same unit, from the entry price) in favour; null: from the entry on."""

    pct: float | None = None
    offset: float | None = None
    atr: float | None = None
    activation: float | None = None


@dataclass
class BreakEven:
    """After a favourable move (one of a fraction, a price distance, a multiple of ATR, or of R) the stop is the entry price, `plus` a
    fraction of it in favour."""

    pct: float | None = None
    offset: float | None = None
    atr: float | None = None
    r: float | None = None
    plus: float | None = None


@dataclass
class Exits:
    """Exits besides the strategy's rules; null means: as the strategy says, else the default that `docs/semantics.md` gives."""

    stop: Stop = field(default_factory=Stop)
    target: Target = field(default_factory=Target)
    trailing: Trailing = field(default_factory=Trailing)
    break_even: BreakEven = field(default_factory=BreakEven)
    max_bars: int | None = None
    atr_length: int | None = None  # default 14
    anchor: str | None = None  # fill (default) or signal_close


@dataclass
class Sizing:
    """At most one of a fraction of equity (default 1), units, or cash; then the leverage cap (default 1) and the lot (default none)."""

    percent_equity: float | None = None
    fixed_units: float | None = None
    fixed_cash: float | None = None
    lot: float | None = None
    max_leverage: float | None = None


@dataclass
class Rules:
    """Entry and exit rules of one side, in the grammar of strategies; null: never."""

    entry: str | None = None
    exit: str | None = None


@dataclass
class Strategy:
    """Named indicators, rules over them, and the exits and sizing the idea comes with."""

    name: str = ""
    about: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    indicators: dict[str, str] = field(default_factory=dict)
    side: str = "both"
    long: Rules = field(default_factory=Rules)
    short: Rules = field(default_factory=Rules)
    exits: Exits = field(default_factory=Exits)
    sizing: Sizing = field(default_factory=Sizing)


@dataclass
class Entry:
    """`at` is next_open (the open after the signal) or close (the signal bar's close); for `cooldown` bars after an exit no signal acts."""

    order: str = "market"
    at: str = "next_open"
    cooldown: int = 0


@dataclass
class At:
    """When a decided exit fills; null follows entry.at."""

    at: str | None = None


@dataclass
class Entries:
    """The table of entries for positions=list (Parquet or CSV): columns bar or time, side, and optionally stop, target,
    stop_pct, target_pct, size."""

    path: str | None = None


@dataclass
class Commission:
    """rate x notional + per_unit x units + fixed, at least `minimum`, charged on both sides (cash)."""

    rate: float = 0.0
    per_unit: float = 0.0
    fixed: float = 0.0
    minimum: float = 0.0


@dataclass
class Slippage:
    """Market and stop fills are worse than the reference price by `rate` of it."""

    rate: float = 0.0


@dataclass
class Costs:
    """What fills cost."""

    commission: Commission = field(default_factory=Commission)
    slippage: Slippage = field(default_factory=Slippage)


@dataclass
class Finer:
    """`path` is a Parquet or CSV file of finer bars of the same symbol, which tell what happened inside a bar; null: none."""

    path: str | None = None


@dataclass
class Sim:
    """`mode` is event (skips bars where nothing can happen) or bar (visits each one): the same ledger to the bit."""

    mode: str = "event"
    same_bar: str = "stop_first"
    detail: Finer = field(default_factory=Finer)


@dataclass
class Metrics:
    """`returns`: auto (daily for intraday bars, else per bar), daily or bar; `risk_free` is an annual rate (fraction)."""

    returns: str = "auto"
    risk_free: float = 0.0


@dataclass
class Cache:
    """Indicator arrays kept for reuse, at most this many MiB on the device (least recently used go first)."""

    budget_mib: float = 2048.0


@dataclass
class Memory:
    """`ratio_max`: peak memory over raw bar bytes above which a run warns."""

    ratio_max: float = 1.5


@dataclass
class Config:
    """One backtest."""

    backend: Backend = field(default_factory=Backend)
    data: Data = field(default_factory=Data)
    strategy: Strategy = field(default_factory=Strategy)
    entry: Entry = field(default_factory=Entry)
    exit: At = field(default_factory=At)
    time: At = field(default_factory=At)
    exits: Exits = field(default_factory=Exits)
    sizing: Sizing = field(default_factory=Sizing)
    costs: Costs = field(default_factory=Costs)
    positions: str = "single"
    max_open: int | None = None  # with positions=overlapping: trades open at once; null: any number
    entries: Entries = field(default_factory=Entries)
    on_opposite: str | None = None  # default: reverse when both sides trade in single positions, else ignore
    capital: float = 100_000.0
    sim: Sim = field(default_factory=Sim)
    metrics: Metrics = field(default_factory=Metrics)
    cache: Cache = field(default_factory=Cache)
    memory: Memory = field(default_factory=Memory)
    equity: str = "returns"  # what equity.parquet holds: a row a return period, or a row a bar
    seed: int = 42
    deterministic: bool = True
    progress: bool = True
    debug: bool = False


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
    "entry.order": ("market",),
    "entry.at": ("next_open", "close"),
    "exit.at": ("next_open", "close"),
    "time.at": ("open", "close"),
    "exits.anchor": ("fill", "signal_close"),
    "positions": ("single", "overlapping", "list"),
    "on_opposite": ("ignore", "close", "reverse"),
    "sim.mode": ("event", "bar"),
    "sim.same_bar": ("stop_first", "target_first", "ohlc", "olhc", "adaptive"),
    "metrics.returns": ("auto", "daily", "bar"),
    "equity": ("returns", "bar"),
}

# key: (low, high, is low itself allowed); an infinite high is open
RANGES: dict[str, tuple[float, float, bool]] = {
    "backend.threads": (1, float("inf"), True),
    "backend.device": (0, float("inf"), True),
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
    "entry.cooldown": (0, 2**31, True),
    "max_open": (1, 2**31, True),
    "exits.max_bars": (1, float("inf"), True),
    "exits.atr_length": (1, float("inf"), True),
    "sizing.percent_equity": (0, float("inf"), False),
    "sizing.fixed_units": (0, float("inf"), False),
    "sizing.fixed_cash": (0, float("inf"), False),
    "sizing.lot": (0, float("inf"), False),
    "sizing.max_leverage": (0, float("inf"), False),
    "costs.commission.rate": (0, 1, True),
    "costs.commission.per_unit": (0, float("inf"), True),
    "costs.commission.fixed": (0, float("inf"), True),
    "costs.commission.minimum": (0, float("inf"), True),
    "costs.slippage.rate": (0, 1, True),
    "capital": (0, float("inf"), False),
    "metrics.risk_free": (-1, 10, True),
    "cache.budget_mib": (0, float("inf"), True),
    "memory.ratio_max": (0, float("inf"), False),
    "seed": (0, 2**63 - 1, True),
}


# what a level can be measured in
LEVELS: dict[str, tuple[str, ...]] = {
    "stop": ("pct", "offset", "atr"),
    "target": ("pct", "offset", "atr", "r"),
    "trailing": ("pct", "offset", "atr"),
    "break_even": ("pct", "offset", "atr", "r"),
}


def value_at(config: Any, key: str) -> Any:
    """The value at a dotted key."""
    for name in key.split("."):
        config = getattr(config, name)
    return config


def check(config: Config) -> None:
    """Raise ConfigError for the first value that is not accepted. `strategy.exits` and `strategy.sizing` obey the same limits."""
    for prefix in ("", "strategy."):
        for key, names in CHOICES.items():
            if prefix and not key.startswith(("exits.", "sizing.")):
                continue
            value = value_at(config, prefix + key)
            if value is not None and value not in names:
                raise ConfigError(f"{prefix}{key} must be one of {', '.join(names)}, got {value!r}{nearest(names, str(value))}")
        for key, (low, high, inclusive) in RANGES.items():
            if prefix and not key.startswith(("exits.", "sizing.")):
                continue
            value = value_at(config, prefix + key)
            if value is not None and not (
                (low <= value if inclusive else low < value) and (value <= high if high != float("inf") else value < high)
            ):
                raise ConfigError(f"{prefix}{key} must be {_interval(low, high, inclusive)}, got {value}")
        for name, kinds in LEVELS.items():
            _at_most_one(config, f"{prefix}exits.{name}", kinds)
        _at_most_one(config, prefix + "sizing", ("percent_equity", "fixed_units", "fixed_cash"))


def _interval(low: float, high: float, inclusive: bool) -> str:
    if high == float("inf"):
        return f"{'at least' if inclusive else 'more than'} {low:g} and finite"
    return f"in {'[' if inclusive else '('}{low:g}, {high:g}]"


def _at_most_one(config: Config, key: str, names: tuple[str, ...]) -> None:
    given = [name for name in names if getattr(value_at(config, key), name) is not None]
    if len(given) > 1:
        raise ConfigError(f"{key} takes one of {', '.join(names)}, got {' and '.join(given)}")


def resolve(config: Config) -> Config:
    """The configuration a run uses: strategy defaults merged under the user's own, and every null that has a default filled in.

    A kind of stop, target or size that the user sets replaces the strategy's kind. Idempotent.
    """
    strategy = config.strategy
    exits = Exits(
        **{name: _kind(getattr(config.exits, name), getattr(strategy.exits, name), kinds) for name, kinds in LEVELS.items()},
        max_bars=_first(config.exits.max_bars, strategy.exits.max_bars),
        atr_length=_first(config.exits.atr_length, strategy.exits.atr_length, 14),
        anchor=_first(config.exits.anchor, strategy.exits.anchor, "fill"),
    )
    sizing = _kind(config.sizing, strategy.sizing, ("percent_equity", "fixed_units", "fixed_cash"))
    if sizing.percent_equity is None and sizing.fixed_units is None and sizing.fixed_cash is None:
        sizing = replace(sizing, percent_equity=1.0)
    sizing = replace(
        sizing,
        lot=_first(config.sizing.lot, strategy.sizing.lot),
        max_leverage=_first(config.sizing.max_leverage, strategy.sizing.max_leverage, 1.0),
    )
    exit_at = config.exit.at or config.entry.at
    time_at = config.time.at or ("open" if config.entry.at == "next_open" else "close")
    on_opposite = config.on_opposite or ("reverse" if strategy.side == "both" and config.positions == "single" else "ignore")
    resolved = replace(config, exits=exits, sizing=sizing, exit=At(exit_at), time=At(time_at), on_opposite=on_opposite)
    _agree(resolved)
    return resolved


def _agree(config: Config) -> None:
    """Raise ConfigError for values that are accepted alone and not together."""
    for name in ("target", "break_even"):
        r = getattr(config.exits, name).r
        if r is not None and config.exits.stop == Stop():
            raise ConfigError(f"exits.{name}.r={r:g} needs a stop to measure R from; set exits.stop.pct, offset or atr")
    if config.exits.trailing.activation and not _given(config.exits.trailing, LEVELS["trailing"]):
        raise ConfigError("exits.trailing.activation needs a trailing stop; set exits.trailing.pct, offset or atr")
    if config.exits.break_even.plus and not _given(config.exits.break_even, LEVELS["break_even"]):
        raise ConfigError("exits.break_even.plus needs the move that triggers it; set exits.break_even.pct, offset, atr or r")
    if config.positions == "list" and not config.entries.path:
        raise ConfigError("positions=list needs entries.path, a Parquet or CSV table of entries, got null")
    if config.positions != "overlapping" and config.max_open is not None:
        raise ConfigError(f"max_open={config.max_open} needs positions=overlapping, got positions={config.positions}")
    if config.positions != "single" and config.entry.cooldown:
        raise ConfigError(f"entry.cooldown={config.entry.cooldown} needs positions=single, got positions={config.positions}")
    if config.positions == "overlapping" and config.on_opposite == "close":
        raise ConfigError("on_opposite=close needs positions=single; with positions=overlapping use ignore or reverse")


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _kind(own: Any, default: Any, names: tuple[str, ...]) -> Any:
    """`own` if it sets any of `names`, else `default`."""
    return own if _given(own, names) else default


def _given(level: Any, names: tuple[str, ...]) -> bool:
    return any(getattr(level, name) is not None for name in names)
