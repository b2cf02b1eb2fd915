"""argparse whose errors are ConfigError: one sentence and exit status 2, as everywhere else."""

from __future__ import annotations

import argparse
import math
from typing import NoReturn

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
