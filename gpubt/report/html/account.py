"""The account over time: equity beside buying and holding, drawdown, returns by month and year, rolling Sharpe ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.data.clock import DAY
from gpubt.data.zone import offsets, zone
from gpubt.records.saved import SavedRun
from gpubt.records.tables import values_of
from gpubt.report.html.levels import MOST, histogram, kept
from gpubt.report.html.page import listed, milliseconds

LEAST = 20  # returns in a window of the rolling ratio
NOISE = 1e-12  # of the variance of all returns: less in a window is rounding


@dataclass(frozen=True)
class Curve:
    """`time` (ns UTC) and `equity` (cash) as in equity.parquet, `days` (days since 1970 of `time` in data.timezone) and `ends`, the rows
    that end a return period."""

    time: NDArray[np.int64]
    equity: NDArray[np.float64]
    days: NDArray[np.int64]
    ends: NDArray[np.int64]
    capital: float
    per_year: float | None
    risk_free: float

    @property
    def returns(self) -> NDArray[np.float64]:
        """Of each period, the first against the capital; 0 after ruin."""
        return _returns(self.equity[self.ends], self.capital)


def read_curve(saved: SavedRun) -> Curve:
    """The equity curve of a run. Raises DataError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from gpubt.errors import DataError
    from gpubt.records.folder import EQUITY

    path = saved.folder / EQUITY
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            columns = file.read(["time", "equity"])
        time, equity = values_of(columns["time"].cast(pa.timestamp("ns", "UTC"))), values_of(columns["equity"])
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DataError(f"{path} can't be read as the equity of a run: {' '.join(str(error).split())}") from error
    settings = saved.config
    days = local_days(time, settings["data"]["timezone"])
    daily = saved.summary.get("returns") == "daily"
    ends = np.flatnonzero(np.append(np.diff(days) != 0, True)) if daily and len(days) else np.arange(len(days))
    capital = float(settings["capital"]) * len(saved.symbols)
    return Curve(time, equity, days, ends, capital, saved.summary.get("annualisation"), float(settings["metrics"]["risk_free"]))


def local_days(time: NDArray[np.int64], timezone: str) -> NDArray[np.int64]:
    """Days since 1970 of `time` (ns UTC, in order) in `timezone`."""
    days = np.empty(len(time), np.int64)
    if len(time):
        for begin, end, offset in offsets(int(time[0]), int(time[-1]), zone(timezone, "data.timezone")):
            lo, hi = np.searchsorted(time, [begin, end])
            days[lo:hi] = (time[lo:hi] + offset) // DAY
    return days


def curve_data(curve: Curve, held: NDArray[np.float64] | None) -> dict[str, Any]:
    """What the page draws: at most MOST points of the equity, of the drawdown, of what was held, each with its own times."""
    peaks = np.maximum.accumulate(np.maximum(curve.equity, curve.capital))
    shown = {"equity": curve.equity, "drawdown": curve.equity / peaks - 1.0} | ({} if held is None else {"held": held})
    found: dict[str, Any] = {"points": len(curve.equity), "capital": curve.capital, "most": MOST}
    for name, values in shown.items():
        rows = kept(values)
        found[name] = {"time": milliseconds(curve.time[rows]), "value": listed(values[rows])}
    return found


def by_month(curve: Curve) -> list[tuple[int, list[float | None], float | None]]:
    """Years with the returns of their twelve months (None: no bars) and their own, as fractions."""
    months = curve.days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    ends = np.flatnonzero(np.append(np.diff(months) != 0, True)) if len(months) else np.empty(0, np.int64)
    monthly = dict(zip(months[ends].tolist(), _returns(curve.equity[ends], curve.capital).tolist(), strict=True))
    years = months[ends] // 12
    lasts = np.append(np.diff(years) != 0, True) if len(years) else np.empty(0, np.bool_)
    yearly = _returns(curve.equity[ends[lasts]], curve.capital)
    return [
        (1970 + year, [monthly.get(12 * year + month) for month in range(12)], value)
        for year, value in zip(years[lasts].tolist(), yearly.tolist(), strict=True)
    ]


def rolling_sharpe(curve: Curve) -> dict[str, Any]:
    """The annualised Sharpe ratio of the last half year of returns at each period; `window` periods, which may be more than there are."""
    per_year = curve.per_year or 0.0
    window, excess = max(LEAST, round(per_year / 2)), curve.returns - (curve.risk_free / per_year if per_year else 0.0)
    found: dict[str, Any] = {"window": window, "time": [], "value": []}
    if len(excess) < window or not per_year:
        return found
    first = np.unique(np.linspace(0, len(excess) - window, MOST).astype(np.int64))
    centre = excess.mean()  # sums of what is left are small, and so is their rounding
    sums, squares = (np.concatenate([[0.0], np.cumsum((excess - centre) ** power)]) for power in (1, 2))
    total, square = (one[first + window] - one[first] for one in (sums, squares))
    variance = (square - total * total / window) / (window - 1)
    varies = variance > NOISE * excess.var()
    values = np.full(len(first), np.nan)
    values[varies] = (total[varies] / window + centre) / np.sqrt(variance[varies]) * np.sqrt(per_year)
    return found | {"time": milliseconds(curve.time[curve.ends[first + window - 1]]), "value": listed(values, 5)}


def _returns(equity: NDArray[np.float64], capital: float) -> NDArray[np.float64]:
    before = np.concatenate([[capital], equity])[:-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        returns: NDArray[np.float64] = np.where(before > 0.0, equity / before - 1.0, 0.0)
    return returns


def returns_data(curve: Curve) -> dict[str, Any]:
    """The distribution of the returns."""
    return histogram(curve.returns)
