"""Sets of a sweep simulated together, with exits shared or walked, are what single simulations are: to the bit, on generated inputs."""

from __future__ import annotations

from typing import Any

import cases
import numpy as np
import pytest

from gpubt.backends import cpu_sets
from gpubt.backends.base import Backend, Batch, Inputs, Trading
from gpubt.backends.cpu import CpuBackend
from gpubt.backends.sharing import FREE, can_share
from gpubt.simulate import layout as k

# What lets exits be shared, over whatever was drawn
PLAIN = {"order": k.MARKET, "pyramiding": 1, "even_kind": k.NONE, "even_value": 0.0, "trail_same_bar": 0, "rungs": 0}
# What lets sets be played side by side, besides
SMOOTH = {"lot": 0.0, "carry_long": 0.0, "carry_short": 0.0, "end_free": 0, "commission_fixed": 0.0, "commission_minimum": 0.0}
FIELDS = set(k.PARAMS.names or ())


def drawn_batch(backend: Backend, seed: int, variants: int, smooth: bool) -> tuple[Any, Batch, np.ndarray]:
    """A market, two signals and ways to trade them, most of which enter alike; and return periods."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([1, 2, 10, 65, 200, 700, 5000]))
    columns = cases.bars(rng, n)
    levels = {name: backend.place(series) for name, series in cases.levels(rng, columns).items()}
    signals = [{name: backend.mask(mask) for name, mask in cases.signals(rng, n).items()} for _ in range(2)]
    inputs = Inputs(signals, [{}], [levels], np.array([[0, 0, 0], [1, 0, 0]]))
    first, rungs = cases.params(rng)
    if rng.random() < 0.9:
        first, rungs = first | PLAIN, []
    trades = [Trading(cases.as_record(k.RUNG, rungs), cases.as_record(k.PARAMS, [first]))]
    for _ in range(variants - 1):
        other, own = cases.params(rng)
        if rng.random() < 0.9:
            other, own = first | {name: other[name] for name in FREE} | ({} if rungs else {"rungs": 0}), rungs
            if rungs:
                other |= {"target_kind": k.NONE, "target_value": 0.0}
        if smooth:
            other |= SMOOTH | {name: first[name] for name in ("beyond_stop", "liquidate")}
        trades.append(Trading(cases.as_record(k.RUNG, own), cases.as_record(k.PARAMS, [other])))
    pairs = np.indices((2, variants)).reshape(2, -1)
    ends = np.unique(np.append(np.flatnonzero(rng.random(n) < 0.1), n - 1)).astype(np.int64)
    return backend.upload(columns), Batch(inputs, trades, pairs[0].astype(np.int64), pairs[1].astype(np.int64)), ends


def compared(backend: CpuBackend, seed: int, variants: int = 12, smooth: bool = False) -> int:
    """How many of the trades were in sets that share exits."""
    market, batch, ends = drawn_batch(backend, seed, variants, smooth)
    risk_free = 0.0001 * (seed % 2)  # without one, returns of zero are passed over
    given = (market, batch, ends, risk_free, "event", "single", 3)
    got = backend.simulate_sets(*given)
    want = type(got)(np.zeros_like(got.tallies), np.zeros_like(got.sums), np.zeros_like(got.squares))
    want.tallies["best"] = want.tallies["worst"] = np.nan
    Backend._simulate_sets(backend, market, batch, ends, risk_free, "event", "single", want)
    for i in range(batch.n):
        assert got.tallies[i].tobytes() == want.tallies[i].tobytes(), f"seed {seed}, set {i}"
    assert got.sums.tobytes() == want.sums.tobytes() and got.squares.tobytes() == want.squares.tobytes(), f"seed {seed}"
    shared = [can_share(trade.params[0], trade.rungs) for trade in batch.trades]
    return int(got.tallies["trades"][np.array(shared)[batch.trade_of]].sum())


@pytest.mark.parametrize("start", range(0, 400, 50))
def test_sets_together_are_what_they_are_alone(start: int) -> None:
    backend = CpuBackend()
    assert sum(compared(backend, seed) for seed in range(start, start + 50)) > 1000


@pytest.mark.parametrize("start", range(0, 200, 50))
def test_sets_side_by_side_are_what_they_are_alone(start: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_sets, "FEWEST", 1)
    backend = CpuBackend()
    assert sum(compared(backend, 1000 + seed, 70, smooth=True) for seed in range(start, start + 50)) > 10_000


def test_the_fields_that_may_differ_exist() -> None:
    assert set(FREE) <= FIELDS
