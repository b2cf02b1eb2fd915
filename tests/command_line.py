"""What the tests of the command line share."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., tuple[int, str, str]]
MINE = "name: mine\nabout: my own idea\nparams: {level: 1.0}\nlong: {entry: 'close > level', exit: 'close < level'}\n"


def pipeline(monkeypatch: pytest.MonkeyPatch, run_backtest: Callable[..., Any], kept: Any = None) -> Any:
    stand_in = types.ModuleType("gpubt.pipeline")
    stand_in.run_backtest = run_backtest  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gpubt.pipeline", stand_in)
    return kept


def own(folder: Path, text: str = MINE, name: str = "strategy/mine.yaml") -> Path:
    path = folder / "my" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return folder / "my"


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
