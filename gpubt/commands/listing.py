"""`gpubt list`: strategies, indicators, the configuration groups with their options, and plugins."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gpubt import resources
from gpubt.commands.arguments import Parser
from gpubt.errors import ConfigError, InputError, accepted

SECTIONS = ("strategies", "indicators", "groups", "plugins")


def main(arguments: list[str]) -> int:
    """Print one section, or all of them."""
    parser = Parser(prog="gpubt list", description="Strategies, indicators, configuration groups with their options, and plugins.")
    about = f"{', '.join(SECTIONS)}: only this (default: all); and plugins=[mine.py,...] to load"
    parser.add_argument("words", nargs="*", metavar="SECTION", help=about)
    parser.add_argument("--config-dir", "-cd", metavar="DIR", help="a folder of your own, such as DIR/strategy/mine.yaml")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    chosen = parser.parse_args(arguments)
    places = [place for word in chosen.words if "=" in word for place in _places(word)]
    sections = [word for word in chosen.words if "=" not in word]
    for section in sections:
        if section not in SECTIONS:
            raise ConfigError(f"unknown section {section!r}; {accepted(SECTIONS, section)}")
    folders = [resources.folder("conf")]
    if chosen.config_dir is not None:
        folders.append(Path(chosen.config_dir))
        if not folders[-1].is_dir():
            raise InputError(f"--config-dir must be a folder of configuration files, got {chosen.config_dir!r}")
    wanted = sections or SECTIONS
    added = plugins(places) if places or "plugins" in wanted else []  # before indicators are listed
    tell: dict[str, Callable[[list[Path]], list[dict[str, Any]]]] = {
        "strategies": strategies,
        "indicators": indicators,
        "groups": groups,
        "plugins": lambda _: added,
    }
    gathered = {section: tell[section](folders) for section in wanted}
    print(json.dumps(gathered, indent=2) if chosen.json else "\n".join(text(gathered)))
    return 0


def _places(word: str) -> list[str]:
    """The plugins of `plugins=[mine.py,other]`, written as `gpubt run` takes it. Raises ConfigError for another key."""
    key, _, value = word.partition("=")
    if key != "plugins":
        raise ConfigError(f"gpubt list takes plugins=[...] and no other key, got {word!r}")
    import yaml

    try:
        given = yaml.safe_load(value)
    except yaml.YAMLError:
        given = None
    places = given if isinstance(given, list) else [given]
    if not all(isinstance(place, str) and place for place in places):
        raise ConfigError(f"plugins must be files, modules or entry points, such as plugins=[mine.py], got {word!r}")
    return places


def plugins(places: Sequence[str]) -> list[dict[str, Any]]:
    """What each of `places` adds, by loading it; and the installed entry points, which are not loaded unless they are among `places`."""
    from importlib.metadata import entry_points

    from gpubt.indicators.plugins import GROUP, load_plugins
    from gpubt.indicators.user import OWN

    found = []
    for place in places:
        before = dict(OWN)
        load_plugins([place])
        adds = [own.definition.signature for name, own in OWN.items() if before.get(name) is not own]
        found.append({"name": place, "about": f"adds {', '.join(adds)}" if adds else "adds no indicator", "loaded": True})
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        if entry.name not in places:
            whose = f" of {entry.dist.name} {entry.dist.version}" if entry.dist else ""
            found.append({"name": entry.name, "about": f"{entry.value}{whose}, not loaded: plugins=[{entry.name}]", "loaded": False})
    return found


def strategies(folders: list[Path]) -> list[dict[str, Any]]:
    """Name and one-line description of each strategy file, and of each class in the user's Python files with its parameters. Raises
    ConfigError for a file that is not valid YAML or Python."""
    found: list[dict[str, Any]] = [
        {"name": path.stem, "about": _about(path)} for folder in folders for path in sorted((folder / "strategy").glob("*.yaml"))
    ]
    for folder in folders[1:]:
        from gpubt.commands import python_files

        for path in sorted([*folder.glob("*.py"), *(folder / "strategy").glob("*.py")]):
            found += python_files.strategies(path, path.relative_to(folder).as_posix())
    return found


def indicators(folders: list[Path]) -> list[dict[str, str]]:
    """How each indicator is written, what it is, and its formula."""
    from gpubt.indicators.definitions import DEFINITIONS

    return [{"name": d.signature, "about": d.about, "formula": d.formula, "source": d.source} for d in DEFINITIONS.values()]


def groups(folders: list[Path]) -> list[dict[str, Any]]:
    """Each group with its options, the default first."""
    import yaml

    defaults: dict[str, str] = {}
    for entry in yaml.safe_load((folders[0] / "config.yaml").read_text(encoding="utf-8"))["defaults"]:
        defaults |= entry if isinstance(entry, dict) else {}
    names = sorted({path.name for folder in folders for path in folder.iterdir() if path.is_dir() and any(path.glob("*.yaml"))})
    found = []
    for name in names:
        options = {path.stem for folder in folders for path in (folder / name).glob("*.yaml")}
        found.append({"name": name, "options": sorted(options, key=lambda option: (option != defaults.get(name), option))})
    return found


def text(gathered: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The same for people; one section alone has no headline."""
    lines: list[str] = []
    for section, entries in gathered.items():
        if len(gathered) > 1:
            lines += ([""] if lines else []) + [f"{section}:"]
        width = max((len(entry["name"]) for entry in entries), default=0) + 2
        for entry in entries:
            lines.append(f"  {entry['name']:<{width}}{entry.get('about') or ', '.join(entry.get('options', ()))}".rstrip())
            lines += [f"    {_param(param)}" for param in entry.get("params", ())]
        lines += [] if entries else ["  none"]
    return lines


def _param(param: dict[str, Any]) -> str:
    """`fast=50: an integer from 2 to 500, length of the fast average`."""
    value = "" if param["default"] is None else f"={param['default']:g}"
    return f"{param['name']}{value}: {', '.join(filter(None, (param['accepts'], param['about'])))}"


def _about(path: Path) -> str:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    return str(content.get("about", "")) if isinstance(content, dict) else ""
