"""Tab completion. Hydra completes groups, options and keys, but knows no subcommands: its line is shortened to what follows `gpubt run`."""

from __future__ import annotations

import os

from gpubt.cli import COMMANDS


def requested(arguments: list[str]) -> bool:
    """Whether a shell asks what could follow."""
    return any(argument in ("-sc", "--shell-completion") for argument in arguments) and any(a.startswith("query=") for a in arguments)


def commands_only() -> bool:
    """Print the subcommands if one is being typed, else leave COMP_LINE as Hydra expects it. Returns whether nothing is left to do."""
    line = os.environ.get("COMP_LINE", "")
    words = line.split()
    typed = words[1] if len(words) > 1 else ""
    if len(words) < 2 or (len(words) == 2 and not line.endswith(" ")):
        print(" ".join(name for name in COMMANDS if name.startswith(typed)))
        return True
    if typed == "run":
        before, _, after = line.partition(typed)
        os.environ["COMP_LINE"] = before + after.lstrip()
    return typed != "run"
