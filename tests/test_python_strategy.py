"""Strategies in Python: the same trees and ledgers as the YAML of the same rules, parameters with bounds, code in the record."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpubt
from gpubt import config as c
from gpubt import rules as r
from gpubt.compose import compose, configuration
from gpubt.errors import ConfigError, InputError
from gpubt.phases import Phases
from gpubt.records.environment import config_digest
from gpubt.rules import atr, close, crosses_above, crosses_below, ema, high, low, rising, rsi, shift, volume, within
from gpubt.strategy.compile import compile_strategy
from gpubt.strategy.grammar import parse_number, parse_rule
from gpubt.sweep.definition import define
from gpubt.sweep.replay import row_of, run_config
from gpubt.sweep.run import Sweep, backend_of
from gpubt.sweep.store import Store

DATA = ["data=synthetic", "data.synthetic.bars=3000", "backend=cpu", "progress=false"]


class Crossing(gpubt.Strategy):
    """Both averages, as ema_cross.yaml has them."""

    fast = gpubt.Param(20, int, low=2, high=500)
    slow = gpubt.Param(50, low=2)

    def rules(self) -> gpubt.Rules:
        fast, slow = ema(close, self.fast), ema(close, self.slow)
        up, down = crosses_above(fast, slow), crosses_below(fast, slow)
        return gpubt.Rules(up, down, down, up)


class Pullback(gpubt.Strategy):
    """As trend_pullback.yaml, with properties."""

    fast, slow, turn, rsi_length = gpubt.Param(50), gpubt.Param(200), gpubt.Param(9), gpubt.Param(14)
    oversold, overbought, recent = gpubt.Param(35.0), gpubt.Param(65.0), gpubt.Param(12)
    exits: ClassVar[dict[str, Any]] = {"stop": {"atr": 2.0}, "target": {"r": 2.0}, "atr_length": 14}

    @property
    def trend(self) -> tuple[Any, Any]:
        return ema(close, self.fast), ema(close, self.slow)

    @property
    def long_entry(self) -> Any:  # type: ignore[override]
        fast, slow = self.trend
        return (
            (fast > slow) & within(rsi(close, self.rsi_length) < self.oversold, self.recent) & crosses_above(close, ema(close, self.turn))
        )

    @property
    def short_entry(self) -> Any:  # type: ignore[override]
        fast, slow = self.trend
        return (
            (fast < slow) & within(rsi(close, self.rsi_length) > self.overbought, self.recent) & crosses_below(close, ema(close, self.turn))
        )


class Levels(gpubt.Strategy):
    """Stops and sizes of its own."""

    side = "long"
    length = gpubt.Param(20, low=2)
    exits: ClassVar[dict[str, Any]] = {"stop": {"long": "lowest(low, length)"}, "target": {"long": close + 3 * atr(14)}}
    sizing: ClassVar[dict[str, Any]] = {"risk_percent": 0.01}
    long_entry = close > shift(r.highest(high, 10), 1)


class Conditional(gpubt.Strategy):
    """Other rules for two values together than for each alone."""

    fast, slow = gpubt.Param(5), gpubt.Param(20)

    def rules(self) -> gpubt.Rules:
        turned = self.fast > 6 and self.slow > 21
        a, b = ema(close, self.fast), ema(close, self.slow)
        return gpubt.Rules(long_entry=a < b if turned else a > b, long_exit=a > b if turned else a < b)


def named(made: type) -> str:
    return f"strategy._target_={made.__module__}:{made.__name__}"


@pytest.mark.parametrize(("made", "option"), [(Crossing, "ema_cross"), (Pullback, "trend_pullback")])
def test_a_class_is_its_yaml_to_the_bit(made: type, option: str) -> None:
    own, text = configuration([named(made)]), configuration([f"strategy={option}"])
    assert compile_strategy(own.strategy) == compile_strategy(text.strategy)
    assert compile_strategy(own.strategy, "latched") == compile_strategy(text.strategy, "latched")
    assert (own.exits, own.sizing, own.on_opposite) == (text.exits, text.sizing, text.on_opposite)
    ran, wanted = gpubt.run([*DATA, named(made)]), gpubt.run([*DATA, f"strategy={option}"])
    assert ran.summary["ledger_digest"] == wanted.summary["ledger_digest"] and ran.summary["n_trades"] > 0
    assert ran.summary["strategy"] == made.__name__ and ran.summary["params"] == wanted.summary["params"]


OPERATORS = ["+", "-", "*", "/"]


@st.composite
def numbers(draw: Any, depth: int = 3) -> tuple[Any, str]:
    """An expression in Python, and the text with every parenthesis."""
    if depth == 0 or draw(st.booleans()):
        leaf = draw(st.sampled_from(["close", "high", "volume", "ema(close, 5)", "3", "0.25", "-2"]))
        return (eval(leaf, {}, vars_of_the_language()), f"({leaf})")
    (a, text), (b, more) = draw(numbers(depth - 1)), draw(numbers(depth - 1))
    op = draw(st.sampled_from(OPERATORS))
    if not isinstance(a, r.Part) and not isinstance(b, r.Part):
        a = r.written(a)
    return eval(f"a {op} b", {}, {"a": a, "b": b}), f"({text} {op} {more})"


@st.composite
def conditions(draw: Any, depth: int = 3) -> tuple[Any, str]:
    if depth == 0 or draw(st.booleans()):
        (a, text), (b, more) = draw(numbers()), draw(numbers())
        op = draw(st.sampled_from([">", ">=", "<", "<=", "==", "!="]))
        return eval(f"a {op} b", {}, {"a": r.written(a), "b": b}), f"({text} {op} {more})"
    (a, text), (b, more) = draw(conditions(depth - 1)), draw(conditions(depth - 1))
    match draw(st.sampled_from(["and", "or", "not", "within", "shift"])):
        case "and":
            return a & b, f"({text} and {more})"
        case "or":
            return a | b, f"({text} or {more})"
        case "not":
            return ~a, f"(not {text})"
        case "within":
            return within(a, 3), f"within({text}, 3)"
        case _:
            return shift(a, n=2), f"shift({text}, 2)"


def vars_of_the_language() -> dict[str, Any]:
    return {"close": close, "high": high, "volume": volume, "ema": ema}


def tree(text: str) -> Any:
    try:
        return parse_rule(text, {})
    except ConfigError as error:
        return str(error).partition(" at column")[0]


@given(conditions())
def test_operators_write_the_tree_they_say(made: tuple[Any, str]) -> None:
    expression, text = made
    assert tree(str(expression)) == tree(text)


def test_what_expressions_look_like() -> None:
    assert str((close > 2 * atr(14) + low) & ~(rising(close, 3) | (low != high))) == (
        "close > 2 * atr(14) + low and not (rising(close, 3) or low != high)"
    )
    assert str(crosses_above(close, -ema(close, length=3), "strict")) == "crosses_above(close, -ema(close, length=3), strict)"
    assert parse_number(str(abs(r.text("close - open")) / 2), {}) == parse_number("abs(close - open) / 2", {})
    assert repr(high) == "<high>" and "rising" in dir(r)
    for wrong, sentence in (
        (lambda: 1 < close < 2, "write & | ~ with parentheses"),
        (lambda: close > 1 and low > 2, "write & | ~"),
        (lambda: close + float("nan"), "finite numbers, True and False, got nan"),
        (lambda: close + None, "got None"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            wrong()
    with pytest.raises(AttributeError, match=r"the rule language has no 'emma'; accepted: .*did you mean ema"):
        _ = r.emma


def test_levels_and_sizes_of_a_class() -> None:
    own = configuration([named(Levels), "strategy.params.length=5"])
    assert own.exits.stop == c.Stop(long="lowest(low, length)")
    assert own.exits.target.long == "close + 3 * atr(14)"
    assert (own.sizing.risk_percent, own.strategy.side, own.on_opposite) == (0.01, "long", "ignore")
    assert own.strategy.params == {"length": 5} and own.strategy.about == "Stops and sizes of its own."
    assert configuration([named(Levels), "exits.stop.pct=0.01"]).exits.stop == c.Stop(pct=0.01)
    assert configuration([named(Levels), "strategy.sizing.risk_percent=0.02"]).sizing.risk_percent == 0.02
    assert gpubt.run([*DATA, named(Levels)]).summary["n_trades"] > 0


def test_forms_that_python_gives() -> None:
    wanted = configuration([named(Crossing), "strategy.params.fast=9"])
    name = wanted.strategy._target_
    for form in (
        {"strategy": Crossing(fast=9)},
        {"strategy": {"_target_": Crossing, "params": {"fast": 9}}},
        {"strategy": {"_target_": name, "params": {"fast": 9}}},
        c.Config(strategy=c.Strategy(_target_=name, params={"fast": 9})),
        compose([named(Crossing), "strategy.params.fast=9"]),
        wanted,
    ):
        assert configuration(form) == wanted
    assert configuration({"strategy": Crossing}).strategy.params == {"fast": 20, "slow": 50}
    assert Crossing(slow=70.0).slow == 70 and Crossing.slow.accepts() == "an integer of at least 2"
    with pytest.raises(ConfigError, match="must be defined at the top of a module"):
        configuration({"strategy": type("Local", (gpubt.Strategy,), {"__qualname__": "f.<locals>.Local"})})


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["strategy.params.fats=9"], "unknown key strategy.params.fats.*did you mean fast"),
        (["strategy.params.fast=1"], "strategy.params.fast must be an integer from 2 to 500, got 1"),
        (["strategy.params.fast=9.5"], "strategy.params.fast must be an integer from 2 to 500, got 9.5"),
        (["strategy.params.fast=true"], "must be an integer from 2 to 500, got True"),
        (["strategy.params.fast=null"], "must be an integer from 2 to 500, got None"),
        (["+strategy.params.fats=9"], "strategy.params.fats is no parameter of Crossing; accepted: fast, slow.*did you mean fast"),
        (["strategy=ema_cross"], "exclude each other"),
        (["strategy.long.entry='close > open'"], "strategy.long and strategy._target_=.* exclude each other: the code has the rules"),
        (["+strategy.indicators.x='close'"], "strategy.indicators and strategy._target_=.* exclude each other"),
        (["strategy.source_digest=abc"], "strategy.source_digest is abc, and .* has .* now: its code has changed"),
    ],
)
def test_what_is_refused_beside_a_class(overrides: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        configuration([named(Crossing), *overrides])


BODIES = {
    "missing.py:X": (None, "missing.py can't be read: No such file"),
    "a.py:X": ("def", "can't be loaded: SyntaxError: .*line 1"),
    "b.py:X": ("import no_such_module", r"can't be loaded: ModuleNotFoundError: No module named 'no_such_module' \(b.py, line 1\)"),
    "c.py:X": ("raise SystemExit(3)", r"can't be loaded: SystemExit: 3 \(c.py, line 1\)"),
    "d.py:Pulback": ("class Pullback: pass", "no 'Pulback' in it; accepted: Pullback .did you mean Pullback"),
    "e.py:X": ("class X: pass", "must be a subclass of gpubt.Strategy, got the class X"),
    "f.py:X": ("X = 5", "must be a subclass of gpubt.Strategy or a function, got 5"),
    "g.py:X": ("import gpubt\nclass X(gpubt.Strategy):\n  def rules(self): return 5", "rules must return gpubt.Rules, got 5"),
    "h.py:X": (
        "import gpubt\nclass X(gpubt.Strategy):\n  def rules(self):\n    return 1 / 0",
        r"rules raised ZeroDivisionError: .*h.py, line 4",
    ),
    "i.py:X": (
        "import gpubt\nfrom gpubt.rules import close\nclass X(gpubt.Strategy):\n  @property\n  def long_entry(self): return 1 < close < 2",
        r"\(i.py, line 5\): 'close > 1' is true or false on a bar, not here",
    ),
    "j.py:X": (
        "import gpubt\nclass X(gpubt.Strategy):\n  p = gpubt.Param(5, low=6)",
        "default of a Param must be an integer of at least 6, got 5",
    ),
    "k.py:X": ("import gpubt\nclass X(gpubt.Strategy):\n  exits = property(lambda self: {})", "X.exits must be a mapping of the class"),
    "l.py:X": ("import gpubt\nclass X(gpubt.Strategy):\n  exits = {'stp': {}}", "strategy._target_=l.py:X: .*stp"),
    "m.py:X": ("import gpubt\nclass X(gpubt.Strategy): pass", "strategy 'X' has no entry rule"),
    "n.py:X": ("import gpubt\nclass X(gpubt.Strategy): long_entry = 'close > 5 >'", r"strategy.long.entry: .* at column"),
    "no_such_module.X": (None, "No module named 'no_such_module'"),
    "X": (None, "must be MODULE.NAME, MODULE:NAME or FILE.py:NAME, got 'X'"),
}


@pytest.mark.parametrize("target", BODIES)
def test_code_that_is_refused(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    body, sentence = BODIES[target]
    if body is not None:
        (tmp_path / target.partition(":")[0]).write_text(body)
    with pytest.raises(ConfigError, match=sentence) as caught:
        compile_strategy(configuration([f"strategy._target_={target}"]).strategy)
    if "column" not in sentence:
        assert "\n" not in str(caught.value)


OWN = """
    import gpubt
    from gpubt.rules import close, sma
    from beside import LENGTH

    class Above(gpubt.Strategy):
        about = "above its average"
        length = gpubt.Param(LENGTH, low=2)
        long_entry = property(lambda self: close > sma(close, self.length))
        long_exit = property(lambda self: close < sma(close, self.length))
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's with a strategy that imports a file beside it; the current folder is another one."""
    folder = tmp_path / "my"
    (folder / "strategy").mkdir(parents=True)
    (folder / "above.py").write_text(dedent(OWN))
    (folder / "beside.py").write_text("LENGTH = 9\n")
    (folder / "strategy" / "mine.yaml").write_text(
        "_target_: above.py:Above\nname: mine\nparams: { length: 4 }\nexits: { stop: { pct: 0.01 } }\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "beside", raising=False)
    return folder


def test_a_folder_of_ones_own(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from gpubt.cli import main

    typed = configuration(["strategy._target_=above.py:Above"], own)
    assert (typed.strategy.name, typed.strategy.params, typed.strategy.long.entry) == ("Above", {"length": 9}, "close > sma(close, 9)")
    mine = configuration(["strategy=mine", "strategy.params.length=5"], own)
    assert (mine.strategy.name, mine.strategy.long.entry, mine.exits.stop.pct) == ("mine", "close > sma(close, 5)", 0.01)
    for config in (typed, mine, configuration(["strategy._target_=above.Above"], own)):
        assert config.strategy._target_ == f"{own / 'above.py'}:Above"  # as a process without the folder finds it
    assert configuration(["strategy=ema_cross"], own).strategy._target_ is None
    assert configuration(None).strategy == configuration(["strategy=ema_cross"]).strategy  # the schema is as before
    before = list(sys.path)
    assert main(["run", "--config-dir", "my", "strategy._target_=above:Above", *DATA, "hydra.run.dir=out"]) == 0
    assert sys.path == before
    assert main(["explain", "out", "--trade", "3"]) == 0
    assert "Above" in capsys.readouterr().out
    assert "source_digest: " + (typed.strategy.source_digest or "") in (own.parent / "out" / "config.yaml").read_text()


def test_on_the_command_line(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from gpubt.cli import main

    typed = ["strategy._target_=my/above.py:Above", "strategy.params.length=3,4", *DATA, "hydra.sweep.dir=several"]
    assert main(["run", "-m", *typed]) == 0
    ran = capsys.readouterr().out
    again = next(shlex.split(line.partition("#")[0])[3:] for line in ran.splitlines() if line.startswith("next "))
    assert "~strategy" not in ran and "strategy.params.length=3" in again
    assert main(["run", *again]) == 0
    assert main(["run", "strategy._target_=my/above.py:Above", "--cfg", "job"]) == 0
    assert "length: 9" in capsys.readouterr().out
    assert main(["run", "-m", "strategy._target_=a.py:A,b.py:B"]) == 2
    assert "takes one class or function, got strategy._target_=a.py:A,b.py:B" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="sweep each by itself"):
        define(["strategy._target_=a.py:A,b.py:B"])


def test_classes_and_functions_are_listed_unread(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from gpubt.cli import main

    (own / "strategy" / "more.py").write_text(
        "raise SystemExit\nclass A(gpubt.Strategy):\n  'one\\nmore'\nclass B(A): 'two'\nclass C: 'no'\n"
        "def signals(bars, indicators, params, xp):\n  'three'\ndef helper(x): 'no'\n"
    )
    assert main(["list", "strategies", "--config-dir", str(own)]) == 0
    listed = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert listed[-5:] == [
        ["above.py:Above", "above its average"],
        ["length:", "gpubt.Param(LENGTH, low=2)"],  # what LENGTH is only running tells
        ["strategy/more.py:A", "one"],
        ["strategy/more.py:B", "two"],
        ["strategy/more.py:signals", "three"],
    ]
    (own / "bad.py").write_text("def")
    assert main(["list", "strategies", "--config-dir", str(own)]) == 2
    assert "not valid Python" in capsys.readouterr().err


DECLARED = """
import gpubt
from gpubt import Param, Strategy

class A(Strategy):
    fast = gpubt.Param(5, int, low=2, high=500, about="the fast one")
    slow: Param = Param(-1.5, high=-1)
    gone = Param(1)

class B(A):
    fast = Param(7.0, kind=int, low=3)
    gone = 3
    other = Param(1 / 3)

@gpubt.params(length=gpubt.Param(3, low=1), k=Param(0.5))
def streak(bars, indicators, params, xp):
    pass
"""


def test_parameters_are_listed_as_running_declares_them(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    from gpubt.cli import main
    from gpubt.strategy.load import load

    (own / "declared.py").write_text(DECLARED)
    assert main(["list", "strategies", "--json", "--config-dir", str(own)]) == 0
    listed = {entry["name"]: entry["params"] for entry in json.loads(capsys.readouterr().out)["strategies"] if "params" in entry}
    for name in ("A", "B", "streak"):
        made = load(f"{own / 'declared.py'}:{name}").made
        written = {param["name"]: param for param in listed[f"declared.py:{name}"]}
        assert list(written) == list(made.declared())
        for key, param in made.declared().items():
            if name == "B" and key == "other":
                assert written[key] == {"name": "other", "default": None, "accepts": "Param(1 / 3)", "about": ""}
            else:
                assert written[key] == {"name": key, "default": param.default, "accepts": param.accepts(), "about": param.about}
    assert main(["list", "strategies", "--config-dir", str(own)]) == 0
    out = capsys.readouterr().out
    assert "    fast=5: an integer from 2 to 500, the fast one\n    slow=-1.5: a number of at most -1\n" in out
    (own / "declared.py").write_text(DECLARED.replace("Param(7.0", "Param(2"))
    assert main(["list", "strategies", "--config-dir", str(own)]) == 2
    assert "declared.py: B.fast: the default of a Param must be an integer of at least 3, got 2" in capsys.readouterr().err


def test_changed_code_is_another_run(own: Path) -> None:
    target = [f"strategy._target_={own / 'above.py'}:Above"]
    before = configuration(target)
    (own / "above.py").write_text(dedent(OWN).replace("close >", "close >="))
    after = configuration(target)
    assert after.strategy.long.entry == "close >= sma(close, 9)"
    assert config_digest(before) != config_digest(after)
    assert configuration(before) == before  # still has the code that it was made of


def test_a_sweep_is_runs_and_resumes_only_its_code(own: Path) -> None:
    overrides = [*DATA, f"strategy._target_={own / 'above.py'}:Above", "strategy.params.length=range(3,9)", "exits.stop.pct=0.01,0.02"]
    definition = define(overrides)
    store = Store(own / "sweep")
    backend, reason = backend_of(definition.config)
    Sweep(definition.variants, definition.space(), backend, Phases()).into(store, definition, reason)
    row = row_of(store, 7, None, highest=True)
    config, typed = run_config(store, row, [])
    assert config.strategy.params == {"length": 6} and config.strategy.long.entry == "close > sma(close, 6)"
    assert gpubt.run(config).summary["ledger_hash"] == row["ledger_hash"] == gpubt.run(typed).summary["ledger_hash"]
    with pytest.raises(ConfigError, match=r"set \d+ .*strategy.params.length must be an integer of at least 2, got 1"):
        gpubt.run_sweep([*overrides[:-2], "strategy.params.length=1,2"])
    (own / "above.py").write_text(dedent(OWN) + "\n")
    with pytest.raises(InputError, match="can't be resumed: config_digest was"):
        Sweep(definition.variants, definition.space(), backend, Phases()).into(store, define(overrides), reason)


def test_rules_that_depend_on_two_parameters_together() -> None:
    rows = gpubt.run_sweep([*DATA, named(Conditional), "strategy.params.fast=5,9", "strategy.params.slow=20,30"]).to_pylist()
    for row in rows:
        values = [f"{key}={row[key]}" for key in ("strategy.params.fast", "strategy.params.slow")]
        assert gpubt.run([*DATA, named(Conditional), *values]).summary["ledger_hash"] == row["ledger_hash"]


def test_the_documented_strategies_run(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "strategies.md").read_text(encoding="utf-8")
    _, *blocks = page.split("```python\n")
    (tmp_path / "my.py").write_text("\n".join(block.split("```")[0] for block in blocks if "@gpubt.indicator" not in block))
    yaml = tmp_path / "strategy" / "pullback.yaml"
    yaml.parent.mkdir()
    yaml.write_text(page.split("```yaml\n")[1].split("```")[0])
    text = gpubt.run([*DATA, "strategy=pullback"], config_dir=tmp_path)
    made = gpubt.run([*DATA, "strategy._target_=my.py:Pullback"], config_dir=tmp_path)
    assert made.summary["ledger_digest"] == text.summary["ledger_digest"] and made.summary["n_trades"] > 0
    assert gpubt.run([*DATA, "strategy._target_=my.py:streak", "strategy.params.length=4"], config_dir=tmp_path).summary["n_trades"] > 0
