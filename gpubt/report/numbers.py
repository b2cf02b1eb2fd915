"""Figures as people read them: percent with a sign, thousands apart, n/a for what is not defined."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NONE = "n/a"


def percent(value: float | None, digits: int = 2, *, sign: bool = True) -> str:
    """A fraction: 0.1234 is `+12.34%`."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value * 100:{'+' if sign else ''},.{digits}f}%"


def number(value: float | None, digits: int = 2) -> str:
    """`1,234.50`; an integer without a fraction."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def size(count: float | None) -> str:
    """Bytes: `12.3 MiB`."""
    if count is None:
        return NONE
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    power = min(len(units) - 1, max(0, int(count).bit_length() - 1) // 10)
    return f"{count / 1024**power:,.{1 if power else 0}f} {units[power]}"


def milliseconds(seconds: float | None) -> str:
    """`0.4 ms`, `123 ms`, `12.3 s`, `5 min 43 s`, `9 h 21 min`."""
    if seconds is None:
        return NONE
    if seconds >= 6000:
        return f"{seconds // 3600:,.0f} h {seconds % 3600 // 60:.0f} min"
    if seconds >= 100:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    if seconds >= 10:
        return f"{seconds:,.1f} s"
    return f"{seconds * 1000:,.1f} ms" if seconds < 0.1 else f"{seconds * 1000:,.0f} ms"


def moment(text: str | None) -> str:
    """An ISO time to the minute, `2020-01-31 12:00`; seconds only where there are any."""
    if not text:
        return NONE
    plain = text.replace("T", " ").replace("+00:00", "").replace("Z", "")
    plain = plain.split(".")[0]
    return plain.removesuffix(":00") if plain.count(":") == 2 else plain


BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: NDArray[np.float64], width: int) -> str:
    """A curve in one line of at most `width` characters, each the mean of as many values; empty for fewer than two."""
    import numpy as np

    if len(values) < 2:
        return ""
    means = np.array([part.mean() for part in np.array_split(values, min(width, len(values)))])
    low, high = float(means.min()), float(means.max())
    steps = ((means - low) / ((high - low) or 1.0) * (len(BARS) - 1)).round().astype(int)
    return "".join(BARS[step] for step in steps)
