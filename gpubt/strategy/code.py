"""What a strategy in Python says, as configuration: its defaults under the user's values, and its rules as texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from gpubt import config as c
from gpubt.errors import ConfigError
from gpubt.rules import Part
from gpubt.strategy.load import KEY, find, load
from gpubt.strategy.python import Rules, Strategy, about


def declare(strategy: c.Strategy, folders: Sequence[Path] = ()) -> c.Strategy:
    """`strategy` with what its code says under its own values, and the digest of the code, which is looked for in `folders` too; as it is
    without code or with a digest. Raises ConfigError."""
    if strategy._target_ is None or strategy.source_digest is not None:
        return strategy
    from omegaconf import OmegaConf

    code = load(find(strategy._target_, folders))
    says: dict[str, Any] = {"name": code.name, "about": about(code.made)}
    if isinstance(code.made, type) and issubclass(code.made, Strategy):
        says |= {"name": code.made.name or code.name, "side": code.made.side}
        says |= {name: _plain(getattr(code.made, name), f"{code.name}.{name}") for name in ("exits", "sizing")}
    own = _differing(asdict(strategy), asdict(c.Strategy()))
    says["params"] = code.params(own.pop("params", {}))
    try:
        merged = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(c.Strategy), says, own))
    except Exception as error:
        raise ConfigError(f"{KEY}={code.target}: {str(error).splitlines()[0]}") from error
    assert isinstance(merged, c.Strategy)
    return replace(merged, _target_=code.target, source_digest=code.digest)


def write(strategy: c.Strategy) -> c.Strategy:
    """A declared `strategy` with its parameters checked and its rules, if it has any, as texts for them. Raises ConfigError."""
    if strategy._target_ is None:
        return strategy
    code = load(strategy._target_, strategy.source_digest)
    params = code.params(strategy.params)
    long, short = c.Rules(), c.Rules()
    if not code.vectors:
        with code.explained("rules"):
            rules = code.made(**params).rules()
            if not isinstance(rules, Rules):
                raise ConfigError(f"rules must return gpubt.Rules, got {rules!r}")
            texts = rules.texts()
        long = c.Rules(texts["long_entry"], texts["long_exit"])
        short = c.Rules(texts["short_entry"], texts["short_exit"])
    _refuse_texts(strategy, {"long": long, "short": short})
    return replace(strategy, params=params, long=long, short=short)


def _refuse_texts(strategy: c.Strategy, sides: dict[str, c.Rules]) -> None:
    """Raise ConfigError for rules beside those of the code; its own, of an earlier call, are none."""
    wrong = [side for side, rules in sides.items() if getattr(strategy, side) not in (c.Rules(), rules)]
    for key in (*wrong, *(["indicators"] if strategy.indicators else [])):
        raise ConfigError(f"strategy.{key} and {KEY}={strategy._target_} exclude each other: the code has the rules")


def _plain(value: Any, key: str) -> Any:
    """Mappings and lists with expressions as texts. Raises ConfigError for a property, whose value depends on an instance."""
    if isinstance(value, property):
        raise ConfigError(
            f"{key} must be a mapping of the class, not a property: its numbers are set and swept under {key.split('.')[1]}.*"
        )
    if hasattr(value, "items"):
        return {name: _plain(one, key) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, key) for one in value]
    return value.text if isinstance(value, Part) else value


def _differing(own: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    """What of `own` is not as `usual`, mappings key by key."""
    found: dict[str, Any] = {}
    for name, value in own.items():
        before = usual.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            if inner := _differing(value, before):
                found[name] = inner
        elif value != before:
            found[name] = value
    return found
