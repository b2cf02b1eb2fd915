"""Every shipped option composes, and `gpubt.run` takes its configuration in every form, wherever it is called."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir, version
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from sample_result import result

import gpubt
from gpubt import config as c
from gpubt import limits
from gpubt.compose import compose, configuration
from gpubt.errors import ConfigError, GpubtError
from gpubt.resources import folder
from gpubt.schema import KEYS, groups

OPTIONS = [(group, option) for group, options in groups().items() for option in options]
RULES = {"name": "mine", "indicators": {"m": "sma(close, 9)"}, "long": {"entry": "close > m"}}


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_composes(group: str, option: str) -> None:
    config = configuration([f"{group}={option}", *(["exits=percent"] if option == "risk_one_percent" else [])])
    assert isinstance(config, c.Config)
    text = (folder("conf") / group / f"{option}.yaml").read_text(encoding="utf-8")
    assert text.startswith("#") or "about:" in text  # says what it is for


def test_options_set_what_they_are_named_for() -> None:
    assert [configuration([f"data={name}"]).data.source for name in ("sample", "parquet", "synthetic")] == [
        "sample",
        "parquet",
        "synthetic",
    ]
    assert configuration(["exits=percent"]).exits.target.pct == 0.04
    assert configuration(["exits=atr", "exits.stop.atr=3"]).exits.stop == c.Stop(atr=3.0)
    assert configuration(["sizing=fixed_cash"]).sizing.percent_equity is None
    assert configuration(["costs=us_equities"]).costs.commission == c.Commission(per_unit=0.005, minimum=1.0)
    assert configuration(["costs=none"]).costs == c.Costs()


def test_the_defaults_are_the_dataclasses_own() -> None:
    config, own = configuration(None), c.Config()
    for name in ("backend", "data", "entry", "costs", "sim", "metrics", "cache", "memory", "capital", "equity", "seed"):
        assert getattr(config, name) == getattr(own, name), name
    assert configuration(["data=synthetic"]).data.synthetic == c.Synthetic()
    assert config.strategy.name == "ema_cross"


def test_keys_with_limits_exist() -> None:
    assert set(limits.CHOICES) | set(limits.RANGES) <= set(KEYS)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Replaces the pipeline: notes what it is called with."""
    calls: list[Any] = []

    def run_backtest(config: c.Config, *, bars: Any = None, folder: Path | None = None) -> Any:
        calls.append((config, folder))
        return result(folder, config)

    stand_in = types.ModuleType("gpubt.pipeline")
    stand_in.run_backtest = run_backtest  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gpubt.pipeline", stand_in)
    return calls


@pytest.mark.parametrize(
    "given",
    [
        ["data.frac=1/3", "data=synthetic"],
        {"data": {"frac": "1/3", "source": "synthetic"}},
        OmegaConf.create({"data": {"frac": "1/3", "source": "synthetic"}}),
        OmegaConf.create({"data": {"frac": "1/3", "source": "${strategy.about}"}, "strategy": {"about": "synthetic"}}),
    ],
)
def test_run_takes_overrides_and_mappings(ran: list[Any], given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert gpubt.run(given).metrics["n_trades"] == 1234
    ((config, where),) = ran
    assert (config.data.frac, config.data.source, config.strategy.name, config.exits.anchor) == ("1/3", "synthetic", "ema_cross", "fill")
    assert where is None
    assert list(tmp_path.iterdir()) == []


def test_run_takes_nothing_one_text_and_a_config(ran: list[Any], tmp_path: Path) -> None:
    own = configuration(["data.frac=0.5"])
    gpubt.run()
    gpubt.run("data.frac=0.5", folder=str(tmp_path))
    gpubt.run(own)
    assert [config.data.frac for config, _ in ran] == [1.0, 0.5, 0.5]
    assert ran[1][1] == tmp_path
    assert ran[2][0] == own and ran[2][0] is not own
    with pytest.raises(ConfigError, match="capital must be more than 0"):
        gpubt.run(c.Config(capital=-1.0))


def test_a_whole_composed_configuration_comes_back_as_it_is() -> None:
    composed = compose(["data.frac=0.5", "strategy.params={}", "costs=fx"])
    assert configuration(composed) == configuration(["data.frac=0.5", "strategy.params={}", "costs=fx"])


def test_a_mapping_chooses_options_and_replaces_the_strategy() -> None:
    config = configuration({"costs": "fx", "data": "synthetic", "strategy": RULES})
    assert (config.costs.commission.minimum, config.data.source) == (2.0, "synthetic")
    assert (config.strategy.name, config.strategy.params, config.strategy.indicators) == ("mine", {}, {"m": "sma(close, 9)"})
    assert config.strategy.short == c.Rules()
    tuned = configuration({"strategy": {"side": "long"}})
    assert (tuned.strategy.name, tuned.strategy.side) == ("ema_cross", "long")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"dta": 1}, "unknown key dta.*did you mean data"),
        ({"data": {"fraq": 1}}, "unknown key data.fraq.*did you mean frac"),
        ({"data": 5}, "data must be a mapping of source.*got 5"),
        ({"data": "nowhere"}, "data=nowhere is not known; accepted: csv, parquet, sample, synthetic"),
        ({"capital": "much"}, "capital must be a number, got 'much'"),
        ({"exits": None}, "exits must be a mapping"),
        ([5], "overrides must be texts"),
        (["data.frac=0.5,1"], "names several values"),
    ],
)
def test_what_run_refuses(given: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        configuration(given)


def test_a_users_folder(tmp_path: Path) -> None:
    own = tmp_path / "it's my, folder=1"
    (own / "strategy").mkdir(parents=True)
    (own / "strategy" / "mine.yaml").write_text("defaults: [ema_cross]\nname: mine\nside: long\n")
    config = configuration(["strategy=mine"], own)
    assert (config.strategy.name, config.strategy.side) == ("mine", "long")
    assert config.strategy.indicators == configuration(None).strategy.indicators
    assert configuration({"strategy": "mine"}, own).strategy.name == "mine"
    with pytest.raises(ConfigError, match="config_dir must be a folder"):
        configuration(None, tmp_path / "nowhere")
    (own / "strategy" / "ema_cross.yaml").write_text("name: other\n")
    with pytest.raises(ConfigError, match=r"hides .*ema_cross\.yaml: rename yours"):
        configuration(None, own)


def test_a_value_left_to_the_user_must_be_given(tmp_path: Path) -> None:
    (tmp_path / "strategy").mkdir()
    (tmp_path / "strategy" / "open.yaml").write_text("params:\n  length: ???\n")
    with pytest.raises(ConfigError, match=r"strategy.params.length must be given: add strategy.params.length="):
        configuration(["strategy=open"], tmp_path)
    assert configuration(["strategy=open", "strategy.params.length=5"], tmp_path).strategy.params == {"length": 5}


def test_hydra_of_the_caller_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text("a: 1\n")
    with initialize_config_dir(str(tmp_path), job_name="theirs", version_base="1.2"):
        before = GlobalHydra.instance().hydra
        assert configuration(["data.frac=0.5"]).data.frac == 0.5
        with pytest.raises(GpubtError):
            configuration(["data.fraq=0.5"])
        assert GlobalHydra.instance().hydra is before
        assert str(version.getbase()) == "1.2"
        assert hydra_compose("app") == {"a": 1}
    assert not GlobalHydra.instance().is_initialized()
    assert configuration(["data.frac=0.5"]).data.frac == 0.5  # and again


def test_names_of_the_package() -> None:
    assert gpubt.Config is c.Config
    assert gpubt.Bars.__name__ == "Bars" and gpubt.RunResult.__name__ == "RunResult"
    assert set(gpubt.__all__) <= set(dir(gpubt))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = gpubt.nothing
