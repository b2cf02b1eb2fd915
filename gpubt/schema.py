"""Every key of the configuration by its dotted name: what it must be, and what to say of one that does not exist or has no value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, OmegaConf

from gpubt import resources
from gpubt.config import Config
from gpubt.errors import ConfigError, accepted

WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "text"}


def _flatten(kind: type[Any], prefix: str = "") -> dict[str, Any]:
    keys: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        keys[prefix + name] = hint
        if is_dataclass(hint):
            keys |= _flatten(hint, f"{prefix}{name}.")  # type: ignore[arg-type]
    return keys


# dotted key: its type, mappings such as `exits.stop` among them
KEYS = _flatten(Config)


def groups() -> dict[str, list[str]]:
    """The option names of each configuration group that gpubt ships, in alphabetical order."""
    root = resources.folder("conf")
    return {folder.name: sorted(path.stem for path in folder.glob("*.yaml")) for folder in sorted(root.iterdir()) if folder.is_dir()}


def expected(key: str) -> str | None:
    """What the value at a key must be, in words; None for an unknown key and one that takes anything."""
    return _words(KEYS.get(key))


def mapping_keys(class_name: str) -> list[str]:
    """The keys whose value is this dataclass."""
    return [key for key, hint in KEYS.items() if is_dataclass(hint) and getattr(hint, "__name__", "") == class_name]


def _words(hint: Any) -> str | None:
    if get_origin(hint) in (Union, UnionType):
        return f"{_words(get_args(hint)[0])} or null"
    if is_dataclass(hint):
        return f"a mapping of {', '.join(f.name for f in fields(hint))}"
    return "a mapping" if get_origin(hint) is dict else WORDS.get(hint)


def unknown_key(key: str, names: Iterable[str]) -> str:
    """`unknown key data.fraq: accepted in data: source, ... (did you mean frac?)`; `names` are the keys beside it."""
    parent, _, last = key.rpartition(".")
    names = list(names)
    if not names:
        return f"unknown key {key}: {parent} has no keys"
    listed = accepted(names, last)
    homes = [known for known in KEYS if known.endswith(f".{last}")]
    if homes and "did you mean" not in listed:
        listed += f" (did you mean {homes[0]}?)"
    return f"unknown key {key}: " + (listed.replace("accepted:", f"accepted in {parent}:", 1) if parent else listed)


def refuse_unknown(composed: DictConfig) -> None:
    """Raise ConfigError for a key that no dataclass has (Hydra lets `+data.foo=1` pass) and an indicator that is not text."""
    _refuse_unknown(composed, Config, "")
    for name, text in composed.strategy.indicators.items():
        if not isinstance(text, str):
            raise ConfigError(f"strategy.indicators.{name} must be text such as 'sma(close, 20)', got {text!r}")


def _refuse_unknown(node: DictConfig, kind: type[Any], prefix: str) -> None:
    hints = get_type_hints(kind)
    for key in node:
        if str(key) not in hints:
            raise ConfigError(unknown_key(prefix + str(key), hints))
    for name, hint in hints.items():
        child = node._get_node(name)
        if is_dataclass(hint) and isinstance(child, DictConfig):
            _refuse_unknown(child, hint, f"{prefix}{name}.")  # type: ignore[arg-type]


def refuse_missing(composed: DictConfig) -> None:
    """Raise ConfigError for a value that a file leaves to the user (`???`)."""
    for key in sorted(OmegaConf.missing_keys(composed)):
        raise ConfigError(f"{key} must be given: add {key}=... ({expected(key) or 'any value'})")
