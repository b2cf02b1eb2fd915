"""From `conf/`, a user's own folder and overrides to a checked `Config`. The only module besides the command line that knows Hydra."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir, version
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobRuntime
from omegaconf import DictConfig, OmegaConf

from gpubt import resources
from gpubt.compose_errors import explain, quoted, refuse_keyless
from gpubt.compose_python import python_strategy, set_schema, target_text
from gpubt.config import Config
from gpubt.errors import ConfigError, GpubtError
from gpubt.limits import check
from gpubt.resolve import resolve
from gpubt.schema import groups, refuse_missing, refuse_unknown

PRIMARY = "config"
HYDRA_VERSION = "1.3"

set_schema()


def configuration(
    given: Sequence[str] | Config | Mapping[str, Any] | DictConfig | None, config_dir: str | os.PathLike[str] | None = None
) -> Config:
    """The checked, resolved configuration of any form that `gpubt.run` takes. Raises ConfigError."""
    if isinstance(given, Config):
        check(given)
        return resolve(copy.deepcopy(given))
    if isinstance(given, (Mapping, DictConfig)):
        return typed(_merged(given, config_dir))
    return typed(compose([given] if isinstance(given, str) else list(given or []), config_dir))


def compose(overrides: Sequence[str] = (), config_dir: str | os.PathLike[str] | None = None) -> DictConfig:
    """What Hydra composes for these overrides, not yet checked. Works inside another Hydra application too. Raises ConfigError."""
    for override in overrides:
        if not isinstance(override, str):
            raise ConfigError(f"overrides must be texts such as 'data.frac=0.5', got {override!r}")
    refuse_keyless(overrides)
    try:
        with (
            isolated_hydra(),
            python_strategy(overrides, config_dir) as more,
            initialize_config_dir(str(resources.folder("conf")), job_name="gpubt", version_base=HYDRA_VERSION),
        ):
            composed = hydra_compose(PRIMARY, [*overrides, *more, *_search_path(config_dir)], return_hydra_config=True)
            refuse_hidden(composed.hydra.runtime)
            return without_hydra(composed)
    except GpubtError:
        raise
    except Exception as error:
        raise explain(error) from error


def typed(composed: DictConfig) -> Config:
    """The composed configuration as dataclasses, its values checked, the strategy's defaults merged in. Raises ConfigError."""
    return resolve(raw(composed))


def raw(composed: DictConfig) -> Config:
    """The same before the strategy's defaults are merged in."""
    try:
        refuse_unknown(composed)
        refuse_missing(composed)
        config = OmegaConf.to_object(composed)
    except GpubtError:
        raise
    except Exception as error:
        raise explain(error) from error
    assert isinstance(config, Config)
    if config.strategy._target_ is not None:
        from gpubt.strategy.code import declare

        config = replace(config, strategy=declare(config.strategy))
    check(config)
    return config


@contextmanager
def isolated_hydra() -> Iterator[None]:
    """Hydra's global state, set aside for the block and put back after it: the caller may be a Hydra application or a notebook."""
    hydra, base, job = GlobalHydra.instance().hydra, version.VersionBase.instance().version_base, JobRuntime.instance().get("name")
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = hydra
        version.VersionBase.instance().version_base = base
        JobRuntime.instance().set("name", job)


def without_hydra(composed: DictConfig) -> DictConfig:
    """A copy without Hydra's own node."""
    composed = copy.deepcopy(composed)
    OmegaConf.set_readonly(composed, False)
    OmegaConf.set_struct(composed, False)
    composed.pop("hydra", None)
    return composed


def refuse_hidden(runtime: Any) -> None:
    """Raise ConfigError where a user's file has the name of a shipped one: Hydra would silently take the shipped one.

    `runtime` is Hydra's own node of that name: the folders it searched and the option chosen in each group.
    """
    shipped = resources.folder("conf").resolve()
    searched = [Path(source.path) for source in runtime.config_sources if source.schema == "file"]
    for folder in (folder for folder in searched if folder.resolve() != shipped):
        for group, option in runtime.choices.items():
            name = Path(group, f"{option}.yaml")
            if (folder / name).is_file() and (shipped / name).is_file():
                raise ConfigError(f"{group}={option} is an option of gpubt's own and hides {folder / name}: rename yours")


def _search_path(config_dir: str | os.PathLike[str] | None) -> list[str]:
    if config_dir is None:
        return []
    folder = Path(config_dir).expanduser().absolute()
    if not folder.is_dir():
        raise ConfigError(f"config_dir must be a folder of configuration files, got {str(config_dir)!r}")
    text = folder.as_posix().replace("\\", "\\\\").replace("'", "\\'")
    return [f"hydra.searchpath=['file://{text}']"]


def _merged(given: Mapping[str, Any] | DictConfig, config_dir: str | os.PathLike[str] | None) -> DictConfig:
    """The defaults under `given`. A text at a group's key chooses an option; a strategy with rules replaces the default strategy."""
    # unresolved: an interpolation is resolved once everything is merged
    own: Any = OmegaConf.to_container(given, resolve=False) if isinstance(given, DictConfig) else dict(given)
    own.pop("hydra", None)
    options = groups()
    chosen = [f"{key}={own.pop(key)}" for key in list(own) if key in options and isinstance(own[key], str)]
    if "strategy" in own:
        strategy = own["strategy"] = target_text(own["strategy"])
        if isinstance(strategy, dict) and strategy.get("_target_"):
            target = str(strategy.pop("_target_"))  # composing may find it elsewhere
            chosen.append(quoted("strategy._target_", target) or f"strategy._target_={target}")
        elif isinstance(strategy, Mapping) and ("long" in strategy or "short" in strategy):
            chosen.append("~strategy")
    base = compose(chosen, config_dir)
    try:
        merged = OmegaConf.merge(base, own)
    except Exception as error:
        raise explain(error) from error
    assert isinstance(merged, DictConfig)
    return merged
