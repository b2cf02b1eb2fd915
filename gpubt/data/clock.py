"""Times and durations between text and int64 nanoseconds UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np

from gpubt.errors import ConfigError

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
UNITS = {"s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": DAY}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(text: str, key: str) -> int:
    """Nanoseconds UTC of an ISO 8601 time, to the microsecond; UTC unless it names an offset. ConfigError names `key`.

    Years that int64 does not cover (before 1678, after 2261) give integers beyond it: before or after every bar.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{key} must be an ISO time such as 2020-01-31 or 2020-01-31T09:30:00+01:00, got {text!r}") from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - EPOCH) // timedelta(microseconds=1) * 1000


def time_text(time: int) -> str:
    """ISO text of nanoseconds UTC, such as 2020-01-31T09:30:00Z; nanoseconds only where there are any."""
    return str(np.datetime_as_string(np.datetime64(int(time), "ns"), unit="ns" if time % SECOND else "s")) + "Z"


def parse_spacing(text: str, key: str) -> int:
    """Nanoseconds of a duration such as 30s, 5m, 1h or 1d. ConfigError names `key`."""
    match = re.fullmatch(r"([1-9]\d{0,5})([smhd])", text)
    if not match:
        raise ConfigError(f"{key} must be a whole number with s, m, h or d, such as 5m, got {text!r}")
    return int(match[1]) * UNITS[match[2]]
