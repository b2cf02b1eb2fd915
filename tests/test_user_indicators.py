"""Users' own indicators: words of the language, the same bits everywhere, checked; and their code is part of a run's identity."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpubt
from gpubt import cli
from gpubt.backends.base import Backend
from gpubt.compose import configuration
from gpubt.errors import ConfigError
from gpubt.indicators import plugins, user
from gpubt.indicators.definitions import COMPUTED, DEFINITIONS
from gpubt.pipeline import run_backtest
from gpubt.strategy import functions

CODE = '''
import numpy as np
import gpubt

@gpubt.indicator(warmup=lambda length: length - 1)
def middle(x, length: int):
    """Median of the last values."""
    out = np.zeros(len(x))
    out[length - 1 :] = np.median(np.lib.stride_tricks.sliding_window_view(x, length), axis=1)
    return out

@gpubt.indicator(inputs=("high", "low"))
def spread(high, low, factor):
    return (high - low) * factor

@gpubt.recurrence
def damped(state, x, k):
    """Average from zero."""
    state[0] += k * (x - state[0])
    return state[0]
'''
ENTRY, EXIT = "crosses_above(close, middle(close, length))", "damped(close, 0.1) > middle(sma(close, 3), 9)"


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    for name in list(user.OWN):
        for known in (user.OWN, DEFINITIONS, COMPUTED, functions.FUNCTIONS, functions.INDICATORS):
            known.pop(name, None)  # type: ignore[attr-defined]
    plugins._seen.clear()
    for module in [name for name in sys.modules if name.startswith("gpubt_plugin_")]:
        del sys.modules[module]


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    strategy = tmp_path / "strategy" / "own.yaml"
    strategy.parent.mkdir()
    strategy.write_text(f'name: own\nside: long\nparams: {{length: 9}}\nlong: {{entry: "{ENTRY}", exit: "{EXIT}"}}\n')
    return path


def words(plugin: Path) -> list[str]:
    return [f"plugins=[{plugin}]", "strategy=own", "data.frac=0.03"]


def test_they_are_words_of_the_language(plugin: Path, backend: Backend) -> None:
    config = configuration(words(plugin), str(plugin.parent))
    result = run_backtest(config, backend=backend)
    assert result.summary["n_trades"] > 20
    assert result.summary["ledger_hash"] == run_backtest(config).summary["ledger_hash"]


def test_values_and_warm_up(plugin: Path) -> None:
    plugins.load_plugins([str(plugin)])
    x = np.concatenate([[np.nan] * 3, np.arange(20.0)])
    got = user.compute("middle", (x,), 3, (5,))
    assert np.isnan(got[:7]).all()
    np.testing.assert_array_equal(got[7:], np.arange(2.0, 18.0))
    y, want = 0.0, []
    for value in np.arange(20.0):
        y += 0.1 * (value - y)
        want.append(y)
    np.testing.assert_array_equal(user.compute("damped", (x,), 3, (0.1,))[3:], want)
    np.testing.assert_array_equal(user.compute("spread", (x + 1, x), 3, (2.0,))[3:], np.full(20, 2.0))


def test_the_documented_ones_work(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "strategies.md").read_text(encoding="utf-8")
    (tmp_path / "mine.py").write_text(next(block for block in page.split("```python\n") if "@gpubt.indicator" in block).split("```")[0])
    rules = {"name": "own", "side": "long", "long": {"entry": "crosses_above(close, middle(close, 9))", "exit": "damped(0.1) < 1e-9"}}
    result = gpubt.run({"plugins": [str(tmp_path / "mine.py")], "strategy": rules, "data": {"frac": 0.02}})
    assert result.summary["n_trades"] > 0


def test_they_are_swept(plugin: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(plugin.parent)
    sweep = [
        "sweep",
        *words(plugin),
        "--config-dir",
        str(plugin.parent),
        "strategy.params.length=5,9,20",
        "--out",
        "swept",
        "progress=false",
    ]
    assert cli.main(sweep) == 0
    assert cli.main(["replay", "swept", "--row", "1"]) == 0
    plugin.write_text(CODE.replace("np.median", "np.max"))
    assert cli.main(["replay", "swept", "--row", "1"]) == 3
    assert "row 1 differs" in capsys.readouterr().err


def test_they_are_listed(plugin: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    package = plugin.parent / "fancy-1.2.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: fancy\nVersion: 1.2\n")
    (package / "entry_points.txt").write_text("[gpubt.indicators]\nfancy = fancy_one\n")
    (plugin.parent / "fancy_one.py").write_text("import gpubt\n@gpubt.indicator\ndef doubled(x):\n    'twice'\n    return 2 * x\n")
    assert cli.main(["list", "plugins"]) == 0
    assert "fancy" not in capsys.readouterr().out
    monkeypatch.syspath_prepend(str(plugin.parent))
    assert cli.main(["list", "plugins", "indicators", f"plugins=[{plugin}]"]) == 0
    out = capsys.readouterr().out
    assert f"  {plugin}  adds middle(x, length), spread(factor), damped(x, k)\n" in out
    assert "fancy_one of fancy 1.2, not loaded: plugins=[fancy]" in out and "doubled" not in out
    assert "  damped(x, k)  " in out and "Average from zero\n" in out
    assert cli.main(["list", "plugins", "plugins=[fancy]"]) == 0
    assert capsys.readouterr().out == "  fancy  adds doubled(x)\n"
    for word, message in (
        ("plugins=[", "such as plugins=[mine.py]"),
        ("data.frac=1", "no other key"),
        ("plugins=[none.py]", "can't be read"),
    ):
        assert cli.main(["list", word]) == 2
        assert message in capsys.readouterr().err


def test_the_record_names_the_code(plugin: Path) -> None:
    config = configuration(words(plugin), str(plugin.parent))
    result = run_backtest(config)
    assert result.config.plugins == [str(plugin)]
    assert len(result.config.plugin_digests[0]) == 64


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import nothing_like_it", "can't be loaded: ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("import gpubt\n@gpubt.indicator\ndef sma(x):\n    return x", "indicator 'sma' is there already"),
        ("import gpubt\n@gpubt.indicator(inputs=('price',))\ndef mine(x):\n    return x", "inputs must be 1 to 3 series or columns"),
    ],
)
def test_what_can_not_be_loaded_is_one_sentence(tmp_path: Path, code: str, message: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(code)
    with pytest.raises(ConfigError, match=message):
        gpubt.run([f"plugins=[{path}]", "data.frac=0.02"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return x[1:]", "must give 50 numbers, got float64 of shape"),
        ("return x * float('nan')", "must be finite after its warm-up of 0 values, got nan at 0"),
        ("raise RuntimeError('no')", "raised RuntimeError: no"),
        ("return None", "must give 50 numbers, got object"),
    ],
)
def test_values_that_are_not_as_declared_are_refused(body: str, message: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"def mine(x):\n    {body}", scope)
    gpubt.indicator(scope["mine"])
    with pytest.raises(ConfigError, match=message):
        user.compute("mine", (np.ones(50),), 0, ())
    assert cli.main(["run", "plugins=[no_such_file.py]"]) == 2
