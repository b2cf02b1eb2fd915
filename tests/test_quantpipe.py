"""The origin's workload: an oracle written from its description alone, and the figures that it published."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import brackets, rivals
from bench.workloads import BRACKETS, Brackets, bracket_parameters, entry_records, origin
from gpubt.backends.base import Backend, Ledger
from gpubt.simulate.layout import RUNG


def simulate(backend: Backend, work: Brackets, mode: str) -> Ledger:
    return backend.simulate_list(
        backend.upload(work.columns), {}, entry_records(work), work.levels, np.zeros(0, RUNG), bracket_parameters(work), mode
    )


@pytest.mark.parametrize("mode", ["event", "bar"])
@pytest.mark.parametrize("name", BRACKETS)
def test_brackets_equal_a_plain_loop(backend: Backend, name: str, mode: str) -> None:
    work = BRACKETS[name](50_000, trades=500)
    trades = backend.trades(simulate(backend, work, mode))
    brackets.agree(work, rivals.run(work, rivals.loop, rivals.inputs(work, plain=True)), trades)


def test_the_published_figures_of_the_origin(backend: Backend) -> None:
    work = origin()
    trades = backend.trades(simulate(backend, work, "event"))
    got: dict[str, Any] = brackets.origin_figures(trades)
    assert (got["stops"], got["targets"], got["timeouts"]) == (11_808, 5_890, 2)
    assert got["pnl_sum"] == pytest.approx(-0.05543134505, abs=5e-12)
    assert got["win_rate"] == pytest.approx(0.332824859, abs=5e-10)
    assert np.round(got["mean_hold"], 2) == 798.90
