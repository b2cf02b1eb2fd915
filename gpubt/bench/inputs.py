"""Criteria about input: the question for a fraction of the data, and more threads than there are cores."""

from __future__ import annotations

import io
from typing import Any

from gpubt.bench.runs import STRATEGY
from gpubt.errors import ConfigError
from gpubt.hardware import cores
from gpubt.records.criteria import judged

# what is typed: the answer that has to come of it (None: the run ends), and how many questions are asked
ANSWERS: dict[str, tuple[tuple[str, int] | None, int]] = {
    "\n": (("1.0", 1), 1),
    "0.25\n3\n": (("0.25", 3), 2),
    "2\n0.5\n\n": (("0.5", 1), 3),
    "2\nhalf\n": (None, 2),
}


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def fraction_input() -> dict[str, Any]:
    """SC-010: how many of `ANSWERS` are taken otherwise than they should be."""
    from gpubt.data.rows import ask_fraction

    faults = 0
    for typed, (wanted, questions) in ANSWERS.items():
        prompts = io.StringIO()
        try:
            got: tuple[str, int] | None = ask_fraction(_Terminal(typed), prompts)
        except ConfigError:
            got = None
        faults += got != wanted or prompts.getvalue().count("]: ") != questions
    return judged("SC-010", faults, f"{len(ANSWERS)} dialogues typed: Enter, an answer, one bad answer, two")


def worker_cap() -> dict[str, Any]:
    """SC-012 as a run that asks for one thread more than there are cores has it in its record."""
    import gpubt

    asked = ("data=synthetic", "data.synthetic.bars=2000", "backend=cpu", f"backend.threads={cores() + 1}")
    criterion: dict[str, Any] = gpubt.run([*STRATEGY, *asked]).benchmark["criteria"]["SC-012"]
    return criterion
