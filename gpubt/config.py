"""The configuration as typed dataclasses: what every key is, its default, and which values it takes.

Hydra composes `conf/` and the command line into `Config` (unknown keys and wrong types are refused there), `gpubt.limits.check` refuses
values out of range, and `gpubt.resolve.resolve` merges what the strategy asks for with what the user set. Nothing below knows Hydra.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Backend:
    """`name` is auto, cuda or cpu; `threads` caps the CPU threads (null: all cores); `device` is the CUDA device number; `devices`,
    of a sweep: all, or a list of numbers (null: `device` alone; a single run takes the first), and `streams` at work on each."""

    name: str = "auto"
    threads: int | None = None
    device: int = 0
    devices: Any = None
    streams: int = 1


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
    others: dict[str, Any] = field(default_factory=dict)  # {btc: {symbol: BTC}}: other symbols that rules may read, as btc.close
    validation: Validation = field(default_factory=Validation)
    synthetic: Synthetic = field(default_factory=Synthetic)


@dataclass
class Stop:
    """A protective stop: at most one of a fraction of the price, a price distance, a multiple of ATR, or the price that an expression of
    the strategy's language has at the signal's bar (`long` and `short`, each for its side)."""

    pct: float | None = None
    offset: float | None = None
    atr: float | None = None
    long: str | None = None
    short: str | None = None


@dataclass
class Target:
    """A profit target: at most one of a fraction, a price distance, a multiple of ATR, a multiple of R (the stop's distance), expressions
    (`long` and `short`), or a ladder: a list of mappings with one of pct, offset, atr, r, and `share`, the fraction of the units that it
    closes."""

    pct: float | None = None
    offset: float | None = None
    atr: float | None = None
    r: float | None = None
    long: str | None = None
    short: str | None = None
    ladder: Any = None


@dataclass
class Trailing:
    """A stop that follows the best price: at most one of a fraction of it, a price distance, or a multiple of ATR. It acts once the price
    has gone `activation` (in the same unit, from the entry price) in favour; null: from the entry on. `basis`: the best price of the bars
    before (prior, the default) or of the tested bar too (same_bar)."""

    pct: float | None = None
    offset: float | None = None
    atr: float | None = None
    activation: float | None = None
    basis: str | None = None


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
    gap: str | None = None  # an open beyond a level fills at the open (default), or at the level
    exposed: str | None = None  # levels count from the entry_bar on (default), or from the next_bar


@dataclass
class Sizing:
    """At most one of a fraction of equity (default 1), units, cash, or the fraction of equity that is lost between entry and stop; then the
    leverage cap (default 1) and the lot (default none). With `liquidation` (default) a position is closed where what is left of the account
    is `maintenance` (default 0) of its notional."""

    percent_equity: float | None = None
    fixed_units: float | None = None
    fixed_cash: float | None = None
    risk_percent: float | None = None
    lot: float | None = None
    max_leverage: float | None = None
    maintenance: float | None = None
    liquidation: bool | None = None


@dataclass
class Rules:
    """Entry and exit rules of one side, in the grammar of strategies; null: never."""

    entry: str | None = None
    exit: str | None = None


@dataclass
class Strategy:
    """Named indicators, rules over them, and the exits and sizing the idea comes with. `_target_`: a class or function in Python that says
    all this, `module.Name` or `file.py:Name`. `source_digest`: of its source, filled in; code with another digest is refused."""

    name: str = ""
    about: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    indicators: dict[str, str] = field(default_factory=dict)
    side: str = "both"
    long: Rules = field(default_factory=Rules)
    short: Rules = field(default_factory=Rules)
    exits: Exits = field(default_factory=Exits)
    sizing: Sizing = field(default_factory=Sizing)
    _target_: str | None = None
    source_digest: str | None = None


@dataclass
class OrderLevel:
    """Where a limit order (below the signal's close, for a purchase) or a stop order (above it) rests: at most one of a fraction, a price
    distance, a multiple of ATR, or the price that an expression has at the signal's bar (`long` and `short`, each for its side)."""

    pct: float | None = None
    offset: float | None = None
    atr: float | None = None
    long: str | None = None
    short: str | None = None


@dataclass
class Entry:
    """Market orders fill `at` next_open (the open after the signal) or close (the signal bar's close). Limit, stop and stop_limit orders
    rest for `valid_bars` (null: until cancelled) at `limit` and `stop`; the limit of a stop_limit order is measured from its stop. For
    `cooldown` bars after an exit no signal acts; `reentry_same_bar`: the signals of the bar of an exit by a level act."""

    order: str = "market"
    at: str = "next_open"
    limit: OrderLevel = field(default_factory=OrderLevel)
    stop: OrderLevel = field(default_factory=OrderLevel)
    valid_bars: int | None = None
    cooldown: int = 0
    reentry_same_bar: bool = True
    beyond_stop: str = "skip"  # a fill whose stop is not on its losing side: skip it, or enter (and leave at once)


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
    """Market and stop fills are worse than the reference price by `rate` of it, and by `ticks` times `tick` (price), and by the share `atr`
    of ATR."""

    rate: float = 0.0
    ticks: float = 0.0
    tick: float | None = None
    atr: float = 0.0


@dataclass
class Carry:
    """What holding costs, as a fraction of the entry's notional: at most one of a year's and a bar's; negative earns."""

    annual: float | None = None
    per_bar: float | None = None


@dataclass
class Costs:
    """What fills cost, and holding. `spread` is a price: half of it is paid at each market or stop fill. Longs pay `funding`, shorts
    receive it and pay `borrow`."""

    commission: Commission = field(default_factory=Commission)
    slippage: Slippage = field(default_factory=Slippage)
    spread: float = 0.0
    funding: Carry = field(default_factory=Carry)
    borrow: Carry = field(default_factory=Carry)


@dataclass
class Session:
    """Trading hours: `hours` such as 09:30-16:00 (local, may pass midnight; null: whole days) on `days` (null: all) in `time_zone` (null:
    that of data.timezone). With `exit` positions are closed at the close of a session's last bar."""

    hours: str | None = None
    days: Any = None
    time_zone: str | None = None
    exit: bool = False


@dataclass
class Blackout:
    """Bars in which no entry fills: those that open in `hours` (one or a list of 22:00-23:00) on `days`, local, and those within the spans
    of `calendar`, a CSV or Parquet table with columns start and end."""

    hours: Any = None
    days: Any = None
    time_zone: str | None = None
    calendar: str | None = None


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
class Sweep:
    """Which sets: `method` grid, random (`sets` draws with `seed`) or optuna (`sets` trials, `batch` at a time, towards the best
    `objective`); `where` such as "fast < slow" leaves combinations out. `blocks`: equal parts of the return periods whose sums of returns
    are kept with every row."""

    method: str = "grid"
    sets: int = 1000
    where: str | None = None
    blocks: int = 16
    objective: str = "sharpe_ratio"
    direction: str = "maximize"
    batch: int = 100


@dataclass
class Profile:
    """`mode`: off, on (hotspots and kernels, in files of the run folder) or nsys (the run under Nsight Systems); `hotspots` are listed."""

    mode: str = "off"
    hotspots: int = 25


@dataclass
class Memory:
    """`ratio_max`: peak memory over raw bar bytes above which a run warns. `host`, `device`: MiB that a sweep may take there; null: most
    of what is free."""

    ratio_max: float = 1.5
    host: float | None = None
    device: float | None = None


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
    session: Session = field(default_factory=Session)
    blackout: Blackout = field(default_factory=Blackout)
    cross: str = "default"  # what crosses_above and crosses_below mean: default, strict or latched
    positions: str = "single"
    max_open: int | None = None  # with positions=overlapping: trades open at once; null: any number
    pyramiding: int = 1  # entries on one side at most
    entries: Entries = field(default_factory=Entries)
    on_opposite: str | None = None  # default: reverse when both sides trade in single positions, else ignore
    end_of_data: str = "close_with_costs"  # what is open at the end is closed at the last close; close_free: without costs
    capital: float = 100_000.0
    sim: Sim = field(default_factory=Sim)
    metrics: Metrics = field(default_factory=Metrics)
    cache: Cache = field(default_factory=Cache)
    sweep: Sweep = field(default_factory=Sweep)
    memory: Memory = field(default_factory=Memory)
    profile: Profile = field(default_factory=Profile)
    equity: str = "returns"  # what equity.parquet holds: a row a return period, or a row a bar
    plugins: list[str] = field(default_factory=list)  # Python that registers indicators: files, modules, entry points
    plugin_digests: list[str] = field(default_factory=list)  # of their sources, filled in; code with another digest is refused
    report: bool = False  # whether the run folder gets report.html, as `gpubt report` makes it
    seed: int = 42
    deterministic: bool = True
    progress: bool = True
    debug: bool = False
