"""Series of longer bars, seen from the run's rows: `ema(close, 50, tf="1h")` is `tf:1h(ema(close,50))`.

The inner series is computed over the frame's own few bars, by the backend; which of its values each row sees is looked up on the host.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from gpubt.data.others import leads
from gpubt.errors import ConfigError
from gpubt.indicators.definitions import first_valid
from gpubt.indicators.series import COLUMNS, SESSION, SESSION_DAY, Series

if TYPE_CHECKING:
    from gpubt.backends.base import Array, Backend
    from gpubt.config import Config
    from gpubt.data.frames import Frame
    from gpubt.data.load import Loaded
    from gpubt.indicators.cache import IndicatorCache

MARK = "tf:"


def framed(series: Series, frame: str) -> Series:
    """`series` of the timeframe, as the rows see it. Raises ConfigError for frames in frames, and for columns that frames lack."""
    from gpubt.data.frames import frame_length

    frame_length(frame)
    if frames_in(series):
        raise ConfigError(f'a timeframe inside tf="{frame}"; write each on its own')
    if other := sorted(series.columns() - set(COLUMNS)):
        raise ConfigError(f'tf="{frame}" has {", ".join(COLUMNS)}, and not {other[0]}')
    return Series(MARK + frame, (series,))


def frame_name(series: Series) -> str | None:
    """The timeframe that it is seen from, None for a series of the run's own bars."""
    return series.name.removeprefix(MARK) if series.name.startswith(MARK) else None


def frames_in(series: Series) -> bool:
    """Whether a timeframe is anywhere in it."""
    return frame_name(series) is not None or any(map(frames_in, series.inputs))


def needs_session(series: Series) -> bool:
    """Whether it depends on the configured session."""
    return series.name == SESSION_DAY or SESSION in (series.name, frame_name(series)) or any(map(needs_session, series.inputs))


class Frames:
    """The timeframes over one set of bars, each with a cache of its own, made when they are first asked for."""

    def __init__(self, data: Loaded, config: Config, backend: Backend, make: Callable[[dict[str, Array]], IndicatorCache]) -> None:
        self._bars, self._leads = data.bars, leads(data.others)
        self._config, self._backend, self._make = config, backend, make
        self._known: dict[str, tuple[Frame, IndicatorCache]] = {}

    def first(self, series: Series) -> int:
        """The first row on which the series, of a frame or of another symbol, is there; the number of rows if there is none."""
        if series.is_column:
            return self._leads[series.name]
        frame, _ = self._frame(series)
        return int(np.searchsorted(frame.seen, first_valid(series.inputs[0])))

    def values(self, series: Series) -> Array:
        """The series row by row, NaN before."""
        frame, cache = self._frame(series)
        out = np.full(len(frame.seen), np.nan)
        there = self.first(series)
        if there < len(out):  # else the frame may have fewer bars than an indicator takes, or none
            out[there:] = self._backend.fetch(cache.get(series.inputs[0]))[frame.seen[there:]]
        return self._backend.place(out)

    def _frame(self, series: Series) -> tuple[Frame, IndicatorCache]:
        from gpubt.data.frames import frame_of

        name: Any = frame_name(series)
        if name not in self._known:
            frame = frame_of(self._bars, name, self._config.data.timezone, self._config.session)
            columns = {column: values for column, values in frame.bars.columns().items() if column != "time"}
            self._known[name] = frame, self._make({column: self._backend.place(values) for column, values in columns.items()})
        return self._known[name]
