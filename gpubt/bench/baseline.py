"""The recorded baseline: plain loops over the reference workload, as `python -m bench.baseline` has timed them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gpubt.resources import PACKAGE

REFERENCE_ROWS, REFERENCE_TRADES = 6_900_000, 17_700
PLAIN_LOOP, NUMBA_LOOP = "plain per-trade loop", "plain numba loop"  # keys of its results
CHECKOUT = PACKAGE.parent / "bench" / "records"  # where a checkout keeps records; an installed package has none


def newest(folder: Path = CHECKOUT) -> dict[str, Any] | None:
    """The latest baseline in `folder`; None without one. Their names end in the time, so they sort by it."""
    found = sorted(folder.glob("baseline-*.json"))
    if not found:
        return None
    record: dict[str, Any] = json.loads(found[-1].read_text(encoding="utf-8"))
    return record
