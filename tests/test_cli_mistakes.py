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
        (["rnu"], ["unknown command 'rnu'", "run, explain, info, list, warmup", "did you mean run?"]),
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
