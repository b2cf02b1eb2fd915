"""argparse whose errors are ConfigError: one sentence and exit status 2, as everywhere else."""

from __future__ import annotations

import argparse
from typing import NoReturn

from gpubt.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """The parser of one subcommand."""

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError with argparse's message."""
        raise ConfigError(f"{message} ({self.prog} --help lists what it takes)")
