"""The command that makes a run again, from its configuration."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from gpubt.errors import GpubtError

BARE = re.compile(r"[\w./+@%-]+", re.ASCII)  # text that needs no quotes
KEPT = re.compile(r"null|true|false|[+-]?(inf|nan|[\d_.]+(e[+-]?\d+)?)", re.IGNORECASE)  # unless it would be no text


def again(config: Mapping[str, Any], path: str) -> str:
    """`gpubt run ...` where that gives this (resolved) configuration exactly, else Python that reads it from the file `path`."""
    typed = overrides(config)
    if typed is not None:
        return shlex.join(["gpubt", "run", *typed])
    code = f"import gpubt, yaml; print(gpubt.run(yaml.safe_load(open({path!r}))).summary['ledger_digest'])"
    return f"python -c {shlex.quote(code)}"


def overrides(config: Mapping[str, Any]) -> list[str] | None:
    """What stands after `gpubt run`; None where a value can't be written there. They are composed again to be sure."""
    from gpubt.compose import configuration
    from gpubt.records.arrow import plain
    from gpubt.resources import folder

    name = config["strategy"]["name"]
    chosen = [f"strategy={name}"] if name and (folder("conf") / "strategy" / f"{name}.yaml").is_file() else []
    try:
        base = plain(configuration(chosen))
        found = [*chosen, *(f"{key}={written(value)}" for key, value in _different(base, config))]
        return found if plain(configuration(found)) == plain(dict(config)) else None
    except GpubtError:
        return None


def _different(base: Any, own: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in own.items():
        before = base.get(key) if isinstance(base, Mapping) else None
        if value == before:
            continue
        if isinstance(value, Mapping) and isinstance(before, Mapping) and path + key != "strategy.params":
            yield from _different(before, value, f"{path}{key}.")
        elif isinstance(value, Mapping) and isinstance(before, Mapping):
            yield from ((f"{path}{key}.{name}" if name in before else f"+{path}{key}.{name}", one) for name, one in value.items())
        else:
            yield path + key, value


def written(value: Any) -> str:
    """A value in the grammar of overrides; of the rare text that it can't express, `overrides` finds out."""
    if isinstance(value, str):
        if BARE.fullmatch(value) and not KEPT.fullmatch(value):
            return value
        quote = "'" if '"' in value else '"'
        return quote + value.replace(quote, f"\\{quote}") + quote
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)
