"""What the simulation reads besides bars, rules and levels, placed where the backend computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpubt.backends.base import Array, Backend
    from gpubt.config import Config
    from gpubt.data.bars import Bars


def calendars(config: Config, bars: Bars, backend: Backend) -> dict[str, Array]:
    """The masks `session` and `blackout`, those that the configuration has. Raises ConfigError, DataError."""
    from gpubt.data.calendar import blackouts, session_ends

    flags = {
        "session": session_ends(bars.time, bars.spacing, config.session, config.data.timezone),
        "blackout": blackouts(bars.time, config.session, config.blackout, config.data.timezone),
    }
    return {name: backend.mask(flag) for name, flag in flags.items() if flag is not None}
