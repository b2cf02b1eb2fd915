"""What a backtest gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from gpubt.config import Config


@dataclass(frozen=True)
class RunResult:
    """`trades`: a row a closing fill; `equity`: columns time and equity, a row a return period (a row a bar with equity=bar);
    `metrics`: figures by name, null (None) where one does not exist; `summary` and `benchmark` as in the JSON files; `folder`: where
    they were written, None if nowhere."""

    config: Config
    trades: pa.Table
    equity: pa.Table
    metrics: dict[str, float | int | None]
    summary: dict[str, Any]
    benchmark: dict[str, Any]
    folder: Path | None = None
