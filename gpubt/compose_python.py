"""Strategies in Python beside Hydra: what a class declares stands under files and overrides, so that its parameters are keys as any."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from gpubt.compose_errors import quoted
from gpubt.config import Config, Strategy
from gpubt.errors import ConfigError

TARGET = "strategy._target_"


def set_schema(strategy: Strategy | None = None) -> None:
    """Store the dataclasses, with these defaults of `strategy`, under the name that conf/config.yaml's defaults begin with: every file and
    override is checked against them."""
    node = Config if strategy is None else Config(strategy=strategy)
    ConfigStore.instance().store(name="gpubt_schema", node=node, provider="gpubt")


@contextmanager
def python_strategy(overrides: Sequence[str], config_dir: str | os.PathLike[str] | None) -> Iterator[list[str]]:
    """Within the block the schema has what the class or function declares that the overrides, or the strategy file that they choose, name;
    gives overrides to add. Raises ConfigError."""
    folder = None if config_dir is None else Path(config_dir).expanduser()
    target, more = _target(overrides, folder)
    if target is None:
        yield []
        return
    from gpubt.strategy.code import declare

    folders = [] if folder is None else [folder, folder / "strategy"]
    strategy = declare(Strategy(_target_=target), folders)
    set_schema(strategy)
    found = str(strategy._target_)
    try:
        yield more if found == target else [*more, quoted(TARGET, found) or f"{TARGET}={found}"]
    finally:
        set_schema()


def _target(overrides: Sequence[str], folder: Path | None) -> tuple[str | None, list[str]]:
    """What is named, and what leaves out the strategy that would be there by default."""
    wanted = [text for text in overrides if text.lstrip("+").startswith((TARGET, "strategy="))]
    if folder is None and not any(TARGET in text for text in wanted):
        return None, []
    try:
        parsed: list[Override] = OverridesParser.create().parse_overrides(wanted)
    except Exception:  # Hydra will say what is wrong
        return None, []
    typed = next((one for one in reversed(parsed) if one.key_or_group == TARGET), None)
    chosen = next((one for one in parsed if one.key_or_group == "strategy"), None)
    if typed is None:
        return (None if chosen is None or folder is None else _in_file(folder / "strategy" / f"{chosen.value()}.yaml")), []
    if typed.is_sweep_override():
        raise ConfigError(f"{TARGET} takes one class or function, got {typed.input_line}: run each by itself")
    if typed.value() is None:
        return None, []
    if chosen is not None:
        raise ConfigError(f"strategy={chosen.value()} and {TARGET}={typed.value()} exclude each other")
    return str(typed.value()), [] if {"~strategy", "~strategy=null"} & set(overrides) else ["~strategy"]


def _in_file(path: Path) -> str | None:
    """The target that a strategy file names."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):  # Hydra will say what is wrong
        return None
    target = content.get("_target_") if isinstance(content, dict) else None
    return target if isinstance(target, str) else None


def target_text(strategy: Any) -> Any:
    """A strategy that is given from Python, as a mapping: a class, an instance, a function, or a mapping that has one as its `_target_`.
    Everything else as it is. Raises ConfigError for what another process could not find again."""
    from gpubt.strategy import python

    if isinstance(strategy, Mapping):
        target = strategy.get("_target_")
        return {**strategy, "_target_": _named(target)} if isinstance(target, type | FunctionType) else dict(strategy)
    if isinstance(strategy, python.Strategy):
        return {"_target_": _named(type(strategy)), "params": dict(strategy.params)}
    return {"_target_": _named(strategy)} if isinstance(strategy, type | FunctionType) else strategy


def _named(made: type | FunctionType) -> str:
    name = f"{made.__module__}:{made.__qualname__}"
    if "<" in made.__qualname__:
        raise ConfigError(f"{TARGET} must be defined at the top of a module, got {name}")
    return name
