"""argparse whose errors are ConfigError: one sentence and exit status 2, as everywhere else."""

from __future__ import annotations

import argparse
import math
from typing import Any, NoReturn

from gpubt.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """The parser of one subcommand."""

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError with argparse's message."""
        raise ConfigError(f"{message} ({self.prog} --help lists what it takes)")


def amount(option: str, text: str) -> float:
    """The finite number of at least 0 that `--option` was given. Raises ConfigError."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value < math.inf:
        raise ConfigError(f"--{option} must be a number of at least 0, got {text!r}")
    return value


SCREEN, JSON, QUIET = "", "--json", "--quiet"


def told(arguments: list[str]) -> tuple[str, list[str]]:
    """How the result is to be told (SCREEN, JSON or QUIET), and the arguments without that. Raises ConfigError for both."""
    chosen = [flag for flag in (JSON, QUIET) if flag in arguments]
    if len(chosen) > 1:
        raise ConfigError(f"{JSON} and {QUIET} exclude each other; give one of them")
    return (chosen or [SCREEN])[0], [argument for argument in arguments if argument not in chosen]


def as_json(found: dict[str, Any]) -> str:
    """One line, as in the JSON files: what does not exist is null."""
    import json

    from gpubt.records.arrow import plain

    return json.dumps(plain(found), allow_nan=False)
