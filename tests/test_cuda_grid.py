"""Programs that differ in their numbers, in a few launches for all: each member has the masks that it has alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

from gpubt.backends import cuda_grid
from gpubt.backends.base import SIGNALS, Backend
from gpubt.backends.cpu import CpuBackend
from gpubt.backends.cuda import CudaBackend
from gpubt.indicators.series import Series
from gpubt.strategy.compile import Signals
from gpubt.strategy.grammar import parse_rule
from gpubt.strategy.grid import ProgramGrid, grid
from gpubt.strategy.lower import lower
from gpubt.strategy.program import MaskProgram

FAST, SLOW = (3, 5, 8), (10.0, 20.5)
LONG = "crosses_above(ema(close, {fast}), open, latched) and within(close > {slow}, 70)"
EXIT = "shift(close < ema(close, {fast}), 3) or not close > {slow}"


def program(fast: int, slow: float) -> MaskProgram:
    rules = [parse_rule(text.format(fast=fast, slow=slow), {}) for text in (LONG, EXIT)]
    return lower(Signals(*rules, None, None))


def programs() -> ProgramGrid:
    codes = np.indices((len(FAST), len(SLOW))).reshape(2, -1)
    axes = [(codes[0], [program(fast, SLOW[0]) for fast in FAST]), (codes[1], [program(FAST[0], slow) for slow in SLOW])]
    found = grid(program(FAST[0], SLOW[0]), axes)
    assert found is not None
    return found


def arrays(n: int) -> Callable[[tuple[Series, ...]], Sequence[Any]]:
    """Values about those of the rules, each series its own, with a warm-up."""

    def one(series: Series) -> np.ndarray[Any, Any]:
        values = np.random.default_rng([n, *str(series).encode()]).normal(15.0, 6.0, n)
        values[: 0 if series.is_column else min(n, 7)] = np.nan
        return values

    return lambda wanted: [one(series) for series in wanted]


@pytest.mark.parametrize("n", [1, 63, 64, 65, 700, 5000])
@pytest.mark.parametrize("room", [1, cuda_grid.ROOM])
@pytest.mark.parametrize("shape", [(1, 1), (3, 64), (7, 5)])
def test_members_have_the_masks_that_they_have_alone(
    n: int, room: int, shape: tuple[int, int], host_backend: Callable[..., CudaBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_grid, "ROOM", room)
    backend, cpu, members = host_backend(shape), CpuBackend(1), [5, 0, 3, 4]
    found = backend.scan_grid(programs(), members, arrays(n), n)
    numba = cpu.scan_grid(programs(), members, arrays(n), n)
    values = list(product(FAST, SLOW))
    assert len(found) == len(members)
    for i, member in enumerate(members):
        alone = cpu.scan(program(*values[member]), arrays(n), n)
        assert found[i].keys() == set(SIGNALS)
        for name, mask in found[i].items():
            assert mask.tolist() == alone[name].tolist() == np.asarray(numba[i][name]).tolist(), (name, member)
    assert n < 700 or any(found[0]["long_entry"])


def test_every_backend_s_members_have_the_masks_that_they_have_alone(backend: Backend) -> None:
    n, members = 700, list(range(6))

    def fetch(wanted: tuple[Series, ...]) -> list[Any]:
        return [backend.place(values) for values in arrays(n)(wanted)]

    grids = programs()
    alone = [backend.scan(grids.program(member), fetch, n) for member in members]
    assert [as_lists(backend, own) for own in backend.scan_grid(grids, members, fetch, n)] == [as_lists(backend, own) for own in alone]


def as_lists(backend: Backend, masks: Mapping[str, Any]) -> dict[str, list[int]]:
    to_host = backend.runtime.to_host if isinstance(backend, CudaBackend) else np.asarray
    return {name: to_host(masks[name]).tolist() for name in SIGNALS}


def test_launches_don_t_grow_with_members(host_backend: Callable[..., CudaBackend]) -> None:
    backend = host_backend()
    counts = []
    for members in ([0], list(range(6))):
        backend.scan_grid(programs(), members, arrays(700), 700)
        counts.append({name: own["calls"] for name, own in backend.launches().items()})
    assert counts[0] == counts[1] and counts[0]["scan_compare"] == 1


def test_addresses_are_those_of_the_masks(host_backend: Callable[..., CudaBackend]) -> None:
    backend = host_backend()
    found = backend.scan_grid(programs(), [1, 2], arrays(700), 700)
    addresses = found.addresses(backend.runtime.address)
    assert [{name: int(column[i]) for name, column in addresses.items()} for i in range(2)] == [
        {name: backend.runtime.address(mask) for name, mask in own.items()} for own in (found[0], found[1])
    ]
