"""The strategies in a user's Python file, and their parameters. The file is read, not run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from gpubt.errors import ConfigError
from gpubt.strategy.python import Param

SIGNALS = ["bars", "indicators", "params", "xp"]  # what a function that gives arrays takes
Params = dict[str, ast.Call]


def strategies(path: Path, shown: str) -> list[dict[str, Any]]:
    """Each class made of `Strategy` in this file and each function of arrays, as `strategy._target_` names it when the file is `shown`:
    name, about, params with their default and what they accept. Raises ConfigError for a file that is not valid Python, and for a
    parameter that its code could not declare."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"{path}: not valid Python: {error}") from error
    classes: dict[str, Params] = {"Strategy": {}}  # and those made of it
    found = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and (bases := [name for name in map(_last, reversed(node.bases)) if name in classes]):
            params = classes[node.name] = _declared(node, {key: one for base in bases for key, one in classes[base].items()})
        elif isinstance(node, ast.FunctionDef) and [one.arg for one in node.args.args] == SIGNALS:
            marks = [mark for mark in node.decorator_list if isinstance(mark, ast.Call) and _last(mark.func) == "params"]
            params = {word.arg: word.value for mark in marks for word in mark.keywords if word.arg and _is_param(word.value)}
        else:
            continue
        where = f"{path}: {node.name}"
        told = [_told(name, call, f"{where}.{name}") for name, call in params.items()]
        found.append({"name": f"{shown}:{node.name}", "about": _about(node), "params": told})
    return found


def _declared(node: ast.ClassDef, inherited: Params) -> Params:
    """The parameters of a class, those of its bases first; what is given another value is none any more."""
    params = dict(inherited)
    for name, value in _values(node).items():
        if _is_param(value):
            params[name] = value
        else:
            params.pop(name, None)
    return params


def _values(node: ast.ClassDef) -> dict[str, Any]:
    """The names that the body of a class gives a value."""
    found: dict[str, Any] = {}
    for line in node.body:
        targets = line.targets if isinstance(line, ast.Assign) else [line.target] if isinstance(line, ast.AnnAssign) and line.value else []
        found |= {target.id: line.value for target in targets if isinstance(target, ast.Name)}  # type: ignore[attr-defined]
        if isinstance(line, ast.FunctionDef):
            found[line.name] = line
    return found


def _is_param(value: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(value, ast.Call) and _last(value.func) == "Param"


def _last(name: ast.expr) -> str:
    """`Param` of `gpubt.Param`."""
    return ast.unparse(name).rpartition(".")[2]


def _told(name: str, call: ast.Call, where: str) -> dict[str, Any]:
    """What is known of a parameter without running the file: all of it where it is written in numbers, else its text."""
    kinds: Mapping[str, type] = {"int": int, "float": float}
    words = {word.arg or "": word.value for word in call.keywords}
    words |= dict(zip(("default", "kind"), call.args, strict=False))
    try:
        kind = kinds[_last(words.pop("kind"))] if "kind" in words else None
        given = {key: ast.literal_eval(value) for key, value in words.items()}
    except (ValueError, KeyError):
        return {"name": name, "default": None, "accepts": ast.unparse(call), "about": ""}
    try:
        param: Param[Any] = Param(kind=kind, **given)
    except (ConfigError, TypeError) as error:
        raise ConfigError(f"{where}: {error}") from None
    return {"name": name, "default": param.default, "accepts": param.accepts(), "about": param.about}


def _about(node: ast.ClassDef | ast.FunctionDef) -> str:
    """As `gpubt.strategy.python.about` of what is run."""
    own = _values(node).get("about") if isinstance(node, ast.ClassDef) else None
    text = own.value if isinstance(own, ast.Constant) else None
    return text if isinstance(text, str) else (ast.get_docstring(node) or "").partition("\n")[0]
