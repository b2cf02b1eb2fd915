"""Every mistake on the command line or in a user's file is one sentence, with what is accepted, and exit status 2."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import MINE, Cli, files, own

from gpubt.config import Config

pytest_plugins = ["cli_fixtures"]


@pytest.mark.parametrize(
    ("arguments", "pieces"),
    [
        (["rnu"], ["unknown command 'rnu'", "accepted: run, sweep, top, replay, check, explain, compare, ", "did you mean run?"]),
        (["data.frac=1"], ["did you mean gpubt run data.frac=1?"]),
        (["list", "groupz"], ["unknown section 'groupz'", "strategies, indicators, groups", "did you mean groups?"]),
        (["list", "--jsn"], ["unrecognized arguments: --jsn"]),
        (["list", "--config-dir", "nowhere"], ["--config-dir must be a folder", "'nowhere'"]),
        (["info", "more"], ["unrecognized arguments: more"]),
        (["run", "--foo"], ["unrecognized arguments: --foo"]),
        (["run", "--cfg", "jb"], ["invalid choice: 'jb'", "'job'"]),
        (["run", "--cfg", "job", "-m"], ["Only one of --run, --multirun, --cfg"]),
        (["run", "--config-dir", "nowhere"], ["--config-dir must be a folder", "'nowhere'"]),
        (["run", "--config-name", "nowhere"], ["no configuration file nowhere.yaml"]),
        # keys
        (["run", "data.fraq=1"], ["unknown key data.fraq", "accepted in data: source, path", "did you mean frac?"]),
        (["run", "dta.frac=1"], ["unknown key dta", "did you mean data?"]),
        (["run", "frac=1"], ["unknown key frac", "did you mean data.frac?"]),
        (["run", "+data.foo=1"], ["unknown key data.foo", "accepted in data: source"]),
        (["run", "++foo=1"], ["unknown key foo", "accepted: backend"]),
        (["run", "data.frac.x=1"], ["unknown key data.frac.x", "data.frac has no keys"]),
        (["run", "strategy.params.fats=1"], ["unknown key strategy.params.fats", "accepted in strategy.params: ", "did you mean fast?"]),
        (["run", "hydra.run.dr=x"], ["unknown key hydra.run.dr", "did you mean dir?"]),
        (["run", "~data.frac"], ["~data.frac can't be left out"]),
        (["run", "~data.foo"], ["~data.foo: there is no such key"]),
        # groups
        (["run", "strategy=ema_cros"], ["strategy=ema_cros is not known", "did you mean ema_cross?"]),
        (["run", "stratgy=ema_cross"], ["unknown key stratgy", "did you mean strategy?"]),
        (["run", "data@x=sample"], ["data@x is not a group", "did you mean data?"]),
        (["run", "strategy="], ["strategy= is not known", "ema_cross"]),
        (["run", "exits=null"], ["a group takes the name of one of its options"]),
        (["run", "backend=gpu"], ["backend=gpu is not known; accepted: auto, cpu, cuda"]),
        # types and ranges
        (["run", "data.portion=abc"], ["data.portion must be an integer, got 'abc'"]),
        (["run", "data.portion=1.5"], ["data.portion must be an integer, got 1.5"]),
        (["run", "data.portion="], ["data.portion must be an integer, got ''"]),
        (["run", "data.portion=null"], ["data.portion must be an integer, got null"]),
        (["run", "capital=[1]"], ["capital must be a number, got [1]"]),
        (["run", "debug=maybe"], ["debug must be true or false, got 'maybe'"]),
        (["run", "exits.stop.pct=x"], ["exits.stop.pct must be a number or null, got 'x'"]),
        (["run", "data.synthetic=5"], ["data.synthetic must be a mapping of bars", "got 5"]),
        (["run", "strategy.indicators=[x]"], ["strategy.indicators must be a mapping, got [x]"]),
        (["run", "capital=0"], ["capital must be more than 0 and finite, got 0"]),
        (["run", "capital=nan"], ["capital must be more than 0"]),
        (["run", "sim.mode=evnt"], ["sim.mode must be one of event, bar", "did you mean event?"]),
        (["run", "exits.stop.pct=0.1", "exits.stop.atr=1"], ["exits.stop takes one of pct, offset, atr, long, got pct and atr"]),
        (["run", "positions=list"], ["positions=list needs entries.path"]),
        # orders
        (["run", "entry.order=limt"], ["entry.order must be one of market, limit, stop, stop_limit, got 'limt'", "did you mean limit?"]),
        (["run", "entry.at=open"], ["entry.at must be one of next_open, close, got 'open'"]),
        (["run", "entry.order=limit"], ["entry.order=limit needs its level; set entry.limit.pct, offset, atr, or long and short"]),
        (["run", "entry.order=stop_limit", "entry.stop.pct=0.01"], ["entry.order=stop_limit needs its level; set entry.limit.pct"]),
        (["run", "entry.order=limit", "entry.limit.pct=x"], ["entry.limit.pct must be a number or null, got 'x'"]),
        (["run", "entry.order=limit", "entry.limit.pct=nan"], ["entry.limit.pct must be in [-1e+300, 1e+300], got nan"]),
        (["run", "entry.limit=0.01"], ["entry.limit must be a mapping of pct, offset, atr, long, short, got 0.01"]),
        (["run", "entry.stop.pct=1", "entry.stop.atr=1"], ["entry.stop takes one of pct, offset, atr, long, got pct and atr"]),
        (["run", "entry.stop.pct=0.01"], ["entry.stop needs entry.order=stop or stop_limit, got entry.order=market"]),
        (["run", "entry.order=limit", "entry.limit.long=close"], ["entry.limit.short must be an expression too", "got null"]),
        (["run", "entry.valid_bars=3"], ["entry.valid_bars=3 is for resting orders; set entry.order=limit, stop or stop_limit"]),
        (["run", "entry.valid_bars=0"], ["entry.valid_bars must be in [1, 2147483648], got 0"]),
        (["run", "entry.cooldown=-1"], ["entry.cooldown must be in [0, 2147483648], got -1"]),
        (["run", "entry.cooldown=2", "positions=overlapping"], ["entry.cooldown=2 needs positions=single, got positions=overlapping"]),
        (["run", "entry.reentry_same_bar=no thanks"], ["entry.reentry_same_bar must be true or false, got 'no thanks'"]),
        (["run", "entry.beyond_stop=skp"], ["entry.beyond_stop must be one of skip, enter, got 'skp'", "did you mean skip?"]),
        # exits
        (["run", "exits.target.ladder=5"], ["exits.target.ladder must be a list of 1 to 16 rungs such as", "got 5"]),
        (["run", "exits.target.ladder=[]"], ["exits.target.ladder must be a list of 1 to 16 rungs", "got []"]),
        (["run", "exits.target.ladder=[{pct:0.01}]"], ["exits.target.ladder[0] must have share and one of pct, offset, atr, r"]),
        (["run", "exits.target.ladder=[{pct:x,share:1}]"], ["exits.target.ladder[0].pct must be a number above 0, got 'x'"]),
        (["run", "exits.target.ladder=[{pct:2,share:.5},{pct:1,share:.5}]"], ["exits.target.ladder[1].pct must be above", "got 1 after 2"]),
        (
            ["run", "exits.target.ladder=[{pct:1,share:.7},{pct:2,share:.7}]"],
            ["exits.target.ladder: the shares must sum to at most 1, got 1.4"],
        ),
        (["run", "exits.target.ladder=[{r:1,share:1}]"], ["exits.target.ladder[0].r=1 needs a stop to measure R from"]),
        (["run", "exits.target.ladder=[{pct:1,share:1}]", "exits.target.r=1"], ["exits.target takes one of", "got r and ladder"]),
        (["run", "exits.trailing.pct=1"], ["exits.trailing.pct must be in (0, 0.999999], got 1.0"]),
        (
            ["run", "exits.trailing.activation=1"],
            ["exits.trailing.activation needs a trailing stop; set exits.trailing.pct, offset or atr"],
        ),
        (["run", "exits.trailing.basis=both"], ["exits.trailing.basis must be one of prior, same_bar, got 'both'"]),
        (["run", "exits.break_even.r=1"], ["exits.break_even.r=1 needs a stop to measure R from"]),
        (["run", "exits.break_even.plus=0.1"], ["exits.break_even.plus needs the move that triggers it"]),
        (["run", "exits.break_even.plus=0.7"], ["exits.break_even.plus must be in [-0.5, 0.5], got 0.7"]),
        (["run", "exits.max_bars=99999999999999999999"], ["exits.max_bars must be in [1, 2147483648], got 99999999999999999999"]),
        (["run", "exits.atr_length=0"], ["exits.atr_length must be in [1, 2147483648], got 0"]),
        (["run", "exits.gap=close"], ["exits.gap must be one of open, level, got 'close'"]),
        (["run", "exits.exposed=now"], ["exits.exposed must be one of entry_bar, next_bar, got 'now'"]),
        (["run", "exits.anchor=close"], ["exits.anchor must be one of fill, signal_close, got 'close'"]),
        (["run", "end_of_data=leave_open"], ["end_of_data must be one of close_with_costs, close_free, got 'leave_open'"]),
        # positions and calendars (which are read with the bars; see below)
        (["run", "pyramiding=0"], ["pyramiding must be in [1, 100], got 0"]),
        (["run", "pyramiding=1.5"], ["pyramiding must be an integer, got 1.5"]),
        (
            ["run", "pyramiding=2", "positions=overlapping"],
            ["pyramiding=2 is for market orders in single positions", "got positions=overlapping"],
        ),
        (["run", "pyramiding=2", "exits.target.ladder=[{pct:1,share:1}]"], ["pyramiding=2 is for", "got exits.target.ladder"]),
        (["run", "max_open=2"], ["max_open=2 needs positions=overlapping, got positions=single"]),
        (["run", "max_open=2", "positions=overlapping", "entry.order=stop", "entry.stop.pct=1"], ["max_open=2 is for market orders"]),
        (["run", "on_opposite=close", "positions=overlapping"], ["on_opposite=close needs positions=single"]),
        (["run", "entries.path=x.csv"], ["entries.path=x.csv needs positions=list, got positions=single"]),
        (["run", "session=09:30-16:00"], ["session must be a mapping of hours, days, time_zone, exit, got '09:30-16:00'"]),
        (["run", "session.exit=late"], ["session.exit must be true or false, got 'late'"]),
        (["run", "session.hours=[a]"], ["session.hours must be text or null, got ['a']"]),
        # money
        (["run", "costs.commission.rate=2"], ["costs.commission.rate must be in [0, 1], got 2.0"]),
        (["run", "costs.commission.minimum=-1"], ["costs.commission.minimum must be at least 0 and finite, got -1.0"]),
        (["run", "costs.commission=0.1"], ["costs.commission must be a mapping of rate, per_unit, fixed, minimum, got 0.1"]),
        (["run", "costs.slippage.ticks=2"], ["costs.slippage.ticks=2 needs the size of a tick; set costs.slippage.tick, a price"]),
        (["run", "costs.slippage.tick=0"], ["costs.slippage.tick must be more than 0 and finite, got 0.0"]),
        (["run", "costs.slippage.atr=inf"], ["costs.slippage.atr must be at least 0 and finite, got inf"]),
        (["run", "costs.spread=-1"], ["costs.spread must be at least 0 and finite, got -1.0"]),
        (
            ["run", "costs.funding.annual=1", "costs.funding.per_bar=1"],
            ["costs.funding takes one of annual, per_bar, got annual and per_bar"],
        ),
        (["run", "costs.borrow.annual=-0.1"], ["costs.borrow.annual must be in [0, 100], got -0.1"]),
        (
            ["run", "sizing.fixed_units=1", "sizing.fixed_cash=1"],
            ["sizing takes one of percent_equity, fixed_units, fixed_cash, risk_percent"],
        ),
        (["run", "sizing.risk_percent=0.01"], ["sizing.risk_percent=0.01 needs a stop; set exits.stop.pct"]),
        (["run", "sizing.risk_percent=1.5"], ["sizing.risk_percent must be in (0, 1], got 1.5"]),
        (["run", "sizing.maintenance=1"], ["sizing.maintenance must be in [0, 0.99], got 1.0"]),
        (["run", "sizing.liquidation=perhaps"], ["sizing.liquidation must be true or false or null, got 'perhaps'"]),
        (["run", "sizing.lot=0"], ["sizing.lot must be more than 0 and finite, got 0.0"]),
        # readings
        (["run", "sim.same_bar=worst"], ["sim.same_bar must be one of stop_first, target_first, ohlc, olhc, adaptive, band, got 'worst'"]),
        (["run", "sim.detail=5"], ["sim.detail must be a mapping of path, got 5"]),
        (["run", "sim.detail.path=x", "data.symbols=[A,B]"], ["sim.detail.path is for one symbol, got data.symbols"]),
        (["run", "cross=strickt"], ["cross must be one of default, strict, latched, got 'strickt'", "did you mean strict?"]),
        (["run", "conventions=vectrbt"], ["conventions=vectrbt is not known", "did you mean vectorbt?"]),
        # text that is no override, and the quoted form that works
        (["run", ""], ["'' has no key"]),
        (["run", "="], ["no key: give key=value"]),
        (["run", "=1"], ["no key: give key=value"]),
        (["run", "ema_cross"], ["'ema_cross' is not an override", "did you mean strategy=ema_cross?"]),
        (["run", "ünï=1"], ["'ünï' in 'ünï=1' is not a key"]),
        (["run", "data.path=a=b.parquet"], ["""gpubt run 'data.path="a=b.parquet"'"""]),
        (["run", "data.path=/home/josé/x.parquet"], ["""gpubt run 'data.path="/home/josé/x.parquet"'"""]),
        (["run", "data.path=a,b.parquet"], ["several values", """gpubt run 'data.path="a,b.parquet"'""", "-m runs each"]),
        (["run", "data.path='a b"], ["""gpubt run 'data.path="a b"'"""]),
        (["run", "strategy.long.entry=close > open"], ["""gpubt run 'strategy.long.entry="close > open"'"""]),
        (["run", "strategy.long.entry=f(a)"], ["""gpubt run 'strategy.long.entry="f(a)"'"""]),
        (["run", "data.portion=choice(1,2)"], ["several values", "-m runs each"]),
        (["run", "data.path=${nope}"], ["data.path: interpolation key 'nope' not found"]),
    ],
)
def test_a_mistake_is_one_sentence(cli: Cli, tmp_path: Path, ran: list[Config], arguments: list[str], pieces: list[str]) -> None:
    status, out, err = cli(*arguments)
    assert (status, out, ran) == (2, "", [])
    assert err.startswith("gpubt: ")
    assert err.count("\n") == 1
    for piece in pieces:
        assert piece in err
    assert files(tmp_path) == set()


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        (MINE + "short: {entry: [\n", ["mine.yaml, line 6, column 1: not valid YAML"]),
        (MINE + "\tside: long\n", ["mine.yaml, line 5, column 1: not valid YAML"]),
        (MINE + "name: twice\n", ["mine.yaml, line 5", "duplicate key name"]),
        (MINE + "sides: long\n", ["strategy/mine.yaml: unknown key strategy.sides", "did you mean side?"]),
        (MINE + "side: [1]\n", ["strategy/mine.yaml: strategy.side must be text, got [1]"]),
        (MINE + "side: null\n", ["strategy/mine.yaml: strategy.side must be text, got null"]),
        (MINE + "side: ${nope}\n", ["strategy.side: interpolation key 'nope' not found"]),
        (MINE + "exits: {stop: {pc: 1}}\n", ["unknown key strategy.exits.stop.pc", "did you mean pct?"]),
        (MINE + "exits: {stop: 0.02}\n", ["strategy.exits.stop must be a mapping of pct, offset, atr, long, short, got 0.02"]),
        (MINE + "exits: {stop: {pct: wide}}\n", ["strategy.exits.stop.pct must be a number or null, got 'wide'"]),
        (MINE + "exits: {stop: {pct: -1}}\n", ["strategy.exits.stop.pct must be more than 0"]),
        (MINE + "indicators: {a: [1]}\n", ["strategy.indicators.a must be text such as"]),
        (
            MINE.replace("{entry: 'close > level', exit: 'close < level'}", "close > 1"),
            ["strategy.long", "must be a mapping of entry, exit"],
        ),
        ("- a\n- b\n", ["strategy must be a mapping of name"]),
        ("defaults: [nothing]\n", ["strategy=nothing is not known"]),
    ],
)
def test_a_mistake_in_a_users_file_names_it(cli: Cli, tmp_path: Path, ran: list[Config], text: str, pieces: list[str]) -> None:
    status, _, err = cli("run", "--config-dir", str(own(tmp_path, text)), "strategy=mine")
    assert (status, ran, err.count("\n")) == (2, [], 1)
    for piece in pieces:
        assert piece in err


@pytest.mark.parametrize(
    ("arguments", "pieces"),
    [
        (["session.hours=9:30-16:00"], ["session.hours must be two different times of a day such as 09:30-16:00", "got '9:30-16:00'"]),
        (["session.days=[mon,funday]"], ["session.days must be of mon, tue, wed, thu, fri, sat, sun, got 'funday'"]),
        (["session.time_zone=Mars/Base"], ["session.time_zone must be a name that this system knows", "got 'Mars/Base'"]),
        (["blackout.hours=[]"], ["blackout.hours must be such as 22:00-23:00, or a list of them, got []"]),
        (["blackout.days=weekend"], ["blackout.days must be of mon", "got 'weekend'", "did you mean wed?"]),
        (["blackout.calendar=no.csv"], ["blackout.calendar must be a CSV or Parquet file", "got 'no.csv', which is not there"]),
        (["blackout.calendar=."], ["blackout.calendar must be a CSV or Parquet file", "got '.', which is a folder"]),
        (["sim.detail.path=no.parquet"], ["sim.detail.path=no.parquet does not exist; give an existing Parquet file"]),
        (["sim.detail.path=."], ["sim.detail.path=. is a directory; give one Parquet file in it"]),
        (["sim.detail.path="], ["sim.detail.path must be a Parquet or CSV file of finer bars, got ''"]),
        (["positions=list", "entries.path=no.csv"], ["entries.path must be a Parquet or CSV file, got 'no.csv', which is not there"]),
    ],
)
def test_a_mistake_that_only_the_run_can_find(cli: Cli, tmp_path: Path, arguments: list[str], pieces: list[str]) -> None:
    status, out, err = cli("run", "data=synthetic", "data.synthetic.bars=50", "backend=cpu", "progress=false", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    for piece in pieces:
        assert piece in err
    assert files(tmp_path) == set()
