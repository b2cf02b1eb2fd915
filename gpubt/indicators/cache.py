"""Indicators computed once and kept: lazily, within a budget of bytes, on any backend.

One cache serves one data set on one device. What it keeps is keyed by data digest, series, dtype and device, and it refuses columns
of other data: an array of the same name from other bars would pass unnoticed through everything after it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from gpubt.errors import ConfigError, DataError, accepted
from gpubt.indicators.definitions import first_input, first_valid
from gpubt.indicators.framed import Frames, frame_name
from gpubt.indicators.fused import Fused, fused
from gpubt.indicators.series import Series
from gpubt.indicators.user import OWN

if TYPE_CHECKING:
    from gpubt.backends.base import Backend, Call
    from gpubt.config import Config
    from gpubt.data.load import Loaded

Array = Any  # numpy.ndarray or a device array: `nbytes`, `dtype` and a length are all that is used
Compute = Callable[[str, tuple[Array, ...], int, tuple[Any, ...]], Array]
Fuse = Callable[[Fused, tuple[Array, ...], int], Array]
Key = tuple[str, Series, str, str]

DTYPE = "float64"


class IndicatorCache:
    """Get-or-compute for the indicators of one data set. Not for use by several threads at once.

    `compute(name, inputs, first, arguments)`, as `Backend.indicator`, makes an array, and `fuse(program, inputs, begin)`, as
    `Backend.fused`, one of several steps of arithmetic (without it they are made one by one); `columns` are the bars' own arrays, which
    don't count against the budget.
    """

    def __init__(
        self,
        compute: Compute,
        columns: Mapping[str, Array],
        dataset: str,
        device: str,
        budget_bytes: int,
        frames: Frames | None = None,
        fuse: Fuse | None = None,
    ) -> None:
        self._compute, self._columns, self._fuse = compute, columns, fuse
        self._dataset, self._device, self._frames = dataset, device, frames
        self._budget = budget_bytes
        self._kept: OrderedDict[Key, Array] = OrderedDict()  # least recently used first
        self._in_use: list[Key] = []  # inputs of the computations in flight, the innermost last
        self._bars = len(next(iter(columns.values()))) if columns else 0
        self._hits = self._misses = self._evictions = self._bytes = self._peak = 0
        self._seconds = 0.0
        self._computed: list[str] = []
        self._first = frames.first if frames else None
        self.check(dataset, columns)

    def key(self, series: Series) -> Key:
        """What an array is kept under."""
        return self._dataset, series, DTYPE, self._device

    def check(self, dataset: str, columns: Mapping[str, Array]) -> None:
        """Raise DataError unless `columns`, of data digest `dataset`, are the bars that this cache serves."""
        if dataset != self._dataset:
            raise DataError(f"the indicator cache serves data set {self._dataset}, got columns of {dataset}; a cache serves one data set")
        for name, column in columns.items():
            if len(column) != self._bars:
                raise DataError(f"the indicator cache holds arrays of {self._bars} bars, got column {name} of {len(column)} bars")
            if str(column.dtype) != DTYPE:
                raise DataError(f"the indicator cache takes columns of {DTYPE}, got column {name} of {column.dtype}")

    def get(self, series: Series) -> Array:
        """The array of `series` (bars,), float64: a column as it is, an indicator from the cache or computed with what it reads.

        Raises ConfigError for a column that the bars lack.
        """
        if series.is_column:
            if series.name not in self._columns:
                raise ConfigError(f"the bars have no column {series.name!r}; {accepted(self._columns, series.name)}")
            return self._columns[series.name]
        key = self.key(series)
        if key in self._kept:
            self._hits += 1
            self._kept.move_to_end(key)
            return self._kept[key]
        self._misses += 1
        array = self._make(series)
        self._keep(key, array)
        return array

    def prepare(self, wanted: Iterable[Series], together: Callable[[list[Call]], list[Array]]) -> None:
        """Compute those of `wanted` that are not there, the ones over columns `together`, as far as they fit the budget. `together`
        gives what `compute` gives, for each of several arguments."""
        missing = [one for one in wanted if not one.is_column and self.key(one) not in self._kept]
        plain = [one for one in missing if one.name not in OWN and frame_name(one) is None and all(each.is_column for each in one.inputs)]
        size = 8 * self._bars
        if len(plain) * size <= self._budget:
            self._make_room(len(plain) * size)
            begin = perf_counter()
            arrays = together([self._call(one, tuple(map(self.get, one.inputs))) for one in plain])
            self._seconds += perf_counter() - begin
            for one, array in zip(plain, arrays, strict=True):
                self._misses += 1
                self._computed.append(str(one))
                self._keep(self.key(one), array)
                self._peak = max(self._peak, self._bytes)
        for one in missing:
            self.get(one)

    def _call(self, series: Series, inputs: tuple[Array, ...]) -> Call:
        return series.name, inputs, first_input(series, self._first), series.arguments

    def retain(self, needed: Iterable[Series]) -> None:
        """Let go of every array but those of `needed`, and of what those will be computed from that are not there yet."""
        keys: set[Key] = set()
        reads = list(needed)
        while reads:
            series = reads.pop()
            keys.add(self.key(series))
            reads += () if self.key(series) in self._kept else series.inputs
        for key in self._kept.keys() - keys:
            self._bytes -= self._kept.pop(key).nbytes

    def shrink(self) -> None:
        """Keep half as much at most from now on."""
        self._budget //= 2
        self._make_room(0)

    def stats(self) -> dict[str, Any]:
        """Counts of hits, misses and evictions, bytes kept now and at the peak (with an array just computed), the names computed in their
        order, and the seconds spent in `compute` (on a device: as long as that waits)."""
        return {
            "hits": self._hits,
            "misses": self._misses,
            "evictions": self._evictions,
            "bytes": self._bytes,
            "peak_bytes": self._peak,
            "computed": list(self._computed),
            "seconds": self._seconds,
        }

    def _make(self, series: Series) -> Array:
        """Compute `series`; its inputs stay until it is done, even where they have to be computed first."""
        held = len(self._in_use)
        if frame_name(series) is not None:
            return self._seen(series)
        program = fused(series, lambda one: self.key(one) in self._kept) if self._fuse else None
        try:
            inputs = []
            for one in [leaf.series for leaf in program.leaves] if program else series.inputs:
                inputs.append(self.get(one))
                self._in_use.append(self.key(one))
            self._make_room(inputs[0].nbytes)  # the result's too; before it is there
            start = perf_counter()
            if program and self._fuse:
                array = self._fuse(program, tuple(inputs), first_valid(series, self._first))
            else:
                array = self._compute(*self._call(series, tuple(inputs)))
            self._seconds += perf_counter() - start
        finally:
            del self._in_use[held:]
        self._computed.append(str(series))
        self._peak = max(self._peak, self._bytes + array.nbytes)
        return array

    def _seen(self, series: Series) -> Array:
        """A series of a timeframe, row by row."""
        if self._frames is None:
            raise ConfigError(f"{series}: timeframes are not known here")
        self._make_room(8 * self._bars)
        begin = perf_counter()
        array = self._frames.values(series)
        self._seconds += perf_counter() - begin
        self._computed.append(str(series))
        self._peak = max(self._peak, self._bytes + array.nbytes)
        return array

    def _keep(self, key: Key, array: Array) -> None:
        """Keep an array at the recently used end, if it fits beside those that are being read."""
        self._make_room(array.nbytes)
        if self._bytes + array.nbytes <= self._budget:
            self._kept[key] = array
            self._bytes += array.nbytes

    def _make_room(self, size: int) -> None:
        """Let go of the least recently used arrays that nothing is reading, until `size` bytes fit; of none for what never fits."""
        if size > self._budget or self._bytes + size <= self._budget:
            return
        for key in [key for key in self._kept if key not in self._in_use]:
            if self._bytes + size <= self._budget:
                return
            self._bytes -= self._kept.pop(key).nbytes
            self._evictions += 1


class Passes:
    """The series of one pass of a mask program after the other, in their order: made for the first pass that reads them, let go of after
    the last, so that few whole arrays are there at a time. `made` is entered for each pass, to time it."""

    def __init__(
        self, cache: IndicatorCache, passes: Iterable[tuple[Series, ...]], made: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._cache, self._left, self._made = cache, list(passes), made

    def __call__(self, series: tuple[Series, ...]) -> list[Array]:
        """The arrays of `series`, which a pass reads now."""
        while self._left and self._left[0] != series:
            del self._left[0]
        with self._made():
            needed = [*series, *(later for step in self._left for later in step)]
            self._cache.retain(needed)
            arrays = []
            for one in series:
                arrays.append(self._cache.get(one))
                self._cache.retain(needed)
            return arrays


def cache_of(backend: Backend, columns: Mapping[str, Array], data: Loaded, config: Config, budget_bytes: int) -> IndicatorCache:
    """The cache of the bars of `data`, whose `columns` are where the backend computes; and their timeframes, by `config`."""
    dataset = data.report.digest
    make = partial(_cache_of_frame, backend, dataset, budget_bytes)
    frames = Frames(data, config, backend, make)
    return IndicatorCache(backend.indicator, columns, dataset, backend.device, budget_bytes, frames, backend.fused)


def _cache_of_frame(backend: Backend, dataset: str, budget_bytes: int, columns: Mapping[str, Array]) -> IndicatorCache:
    return IndicatorCache(backend.indicator, columns, dataset, backend.device, budget_bytes, fuse=backend.fused)
