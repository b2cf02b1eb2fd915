"""What can go wrong, and whose fault it is.

GpubtError                  any failure the engine explains in one sentence
├── InputError              the input's fault: exit code 2
│   ├── ConfigError         a key, a value, a rule or a strategy file
│   └── DataError           a file or the bars in it
├── OutOfDeviceMemory       an array that the device has no room for; less work at once may fit
└── BackendUnavailable      an explicit backend that can't be had: exit code 2
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class GpubtError(Exception):
    """A failure explained in one sentence; `exit_code` is what the command line returns."""

    exit_code = 1


class InputError(GpubtError):
    """The input's fault."""

    exit_code = 2


class ConfigError(InputError):
    """A key, a value, a rule or a strategy file is wrong."""


class DataError(InputError):
    """A data file, or the bars in it, can't be used."""


class BackendUnavailable(GpubtError):
    """The backend that was asked for can't run here; the message has the remedy."""

    exit_code = 2


class OutOfDeviceMemory(GpubtError):
    """The device has no room for an array; the message has figures and the remedy."""


def accepted(names: Iterable[str], got: str = "") -> str:
    """`accepted: a, b, c`, with the nearest name first when `got` looks like a slip of it."""
    names = list(names)
    return f"accepted: {', '.join(names)}{nearest(names, got)}"


def nearest(names: Iterable[str], got: str) -> str:
    """` (did you mean b?)`, or nothing when no name is near."""
    near = get_close_matches(got, list(names), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
