"""The clock as columns: hour, minute, weekday, day and month of each bar's open, and whether it is in the session."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpubt.data.calendar import in_session, local_times, session_days
from gpubt.data.clock import DAY, UNITS
from gpubt.indicators.series import CLOCK, SESSION, SESSION_DAY

if TYPE_CHECKING:
    from gpubt.config import Config


def clock_columns(times: NDArray[np.int64], wanted: Collection[str], config: Config) -> dict[str, NDArray[np.float64]]:
    """Those of `wanted` that tell the time, float64, shape (n,). `times` are bar opens in ns UTC; clocks show `data.timezone`.

    `weekday` is 0 on Monday, `day` is that of the month, `session` 1 in the configured session, else 0; `session_day` tells sessions apart.
    Raises ConfigError.
    """
    found = {}
    names = [name for name in CLOCK if name in wanted]
    if names:
        local = local_times(times, config.data.timezone, "data.timezone")
        found = {name: _clock(name, local).astype(np.float64) for name in names}
    if SESSION in wanted:
        found[SESSION] = in_session(times, config.session, config.data.timezone).astype(np.float64)
    if SESSION_DAY in wanted:
        found[SESSION_DAY] = session_days(times, config.session, config.data.timezone).astype(np.float64)
    return found


def _clock(name: str, local: NDArray[np.int64]) -> NDArray[np.int64]:
    if name in ("hour", "minute"):
        since = local % DAY if name == "hour" else local % UNITS["h"]
        return since // UNITS[name[0]]
    days = local // DAY
    if name == "weekday":
        return (days + 3) % 7  # day 0 was a Thursday
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    return months.astype(np.int64) % 12 + 1 if name == "month" else (dates - months).astype(np.int64) + 1
