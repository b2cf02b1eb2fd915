"""`gpubt list`: strategies, indicators, and the configuration groups with their options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gpubt import resources
from gpubt.commands.arguments import Parser
from gpubt.errors import ConfigError, InputError, accepted

SECTIONS = ("strategies", "indicators", "groups")


def main(arguments: list[str]) -> int:
    """Print one section, or all of them."""
    parser = Parser(prog="gpubt list", description="Strategies, indicators, and configuration groups with their options.")
    parser.add_argument("section", nargs="?", metavar="|".join(SECTIONS), help="only this (default: all)")
    parser.add_argument("--config-dir", "-cd", metavar="DIR", help="a folder of your own, such as DIR/strategy/mine.yaml")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    chosen = parser.parse_args(arguments)
    if chosen.section is not None and chosen.section not in SECTIONS:
        raise ConfigError(f"unknown section {chosen.section!r}; {accepted(SECTIONS, chosen.section)}")
    folders = [resources.folder("conf")]
    if chosen.config_dir is not None:
        folders.append(Path(chosen.config_dir))
        if not folders[-1].is_dir():
            raise InputError(f"--config-dir must be a folder of configuration files, got {chosen.config_dir!r}")
    wanted = [chosen.section] if chosen.section else list(SECTIONS)
    gathered = {section: {"strategies": strategies, "indicators": indicators, "groups": groups}[section](folders) for section in wanted}
    print(json.dumps(gathered, indent=2) if chosen.json else "\n".join(text(gathered)))
    return 0


def strategies(folders: list[Path]) -> list[dict[str, str]]:
    """Name and one-line description of each strategy file, and of each class in the user's Python files. Raises ConfigError for a file
    that is not valid YAML or Python."""
    found = [{"name": path.stem, "about": _about(path)} for folder in folders for path in sorted((folder / "strategy").glob("*.yaml"))]
    for folder in folders[1:]:
        for path in sorted([*folder.glob("*.py"), *(folder / "strategy").glob("*.py")]):
            found += _classes(path, path.relative_to(folder))
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
        lines += [f"  {entry['name']:<{width}}{entry.get('about') or ', '.join(entry.get('options', ()))}" for entry in entries]
    return lines


def _classes(path: Path, shown: Path) -> list[dict[str, str]]:
    """The strategies of a Python file, as `strategy._target_` names them. The file is read, not run."""
    import ast

    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"{path}: not valid Python: {error}") from error
    bases = {"Strategy"}  # and the classes made of it in this file
    found = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and bases & {ast.unparse(base).rpartition(".")[2] for base in node.bases}:
            bases.add(node.name)
            line = (ast.get_docstring(node) or "").partition("\n")[0]
        elif isinstance(node, ast.FunctionDef) and [one.arg for one in node.args.args] == ["bars", "indicators", "params", "xp"]:
            line = (ast.get_docstring(node) or "").partition("\n")[0]
        else:
            continue
        found.append({"name": f"{shown.as_posix()}:{node.name}", "about": line})
    return found


def _about(path: Path) -> str:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    return str(content.get("about", "")) if isinstance(content, dict) else ""
