"""Signals as arrays that a user's function gives: `signals(bars, indicators, params, xp)`.

It is called with NumPy arrays on every backend, so that its masks are the same everywhere, unless it declares `device = True`: then, on a
device, it gets CuPy and arrays there, whose sums and the like may differ from NumPy's in the last bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpubt.errors import ConfigError, accepted
from gpubt.indicators.framed import needs_session
from gpubt.indicators.series import Series
from gpubt.rules import written
from gpubt.simulate.layout import MASKS
from gpubt.strategy.computed import as_series
from gpubt.strategy.expr import number
from gpubt.strategy.grammar import parse_number
from gpubt.strategy.load import Code, load

if TYPE_CHECKING:
    from gpubt.backends.base import Array, Backend
    from gpubt.config import Config
    from gpubt.data.bars import Bars
    from gpubt.indicators.cache import IndicatorCache

SIGNALS = MASKS[:4]


@dataclass(frozen=True)
class Vectors:
    """`code` with values for its parameters; `side` as in a strategy."""

    code: Code
    params: Mapping[str, Any]
    side: str

    def masks(self, bars: Bars, cache: IndicatorCache, backend: Backend) -> dict[str, Array]:
        """The four signal masks, as `backend.scan` gives them: entries are effective. Raises ConfigError for what the function returns
        and for what it raises."""
        flags = self.flags(bars, cache, backend)
        le, lx, se, sx = (flags.get(name, np.zeros(bars.n, np.bool_)) for name in SIGNALS)
        effective = (le & ~lx & ~se, lx, se & ~sx & ~le, sx)
        return {name: backend.mask(flag) for name, flag in zip(SIGNALS, effective, strict=True)}

    def flags(self, bars: Bars, cache: IndicatorCache, backend: Backend) -> dict[str, NDArray[np.bool_]]:
        """What the function returns, of the sides that trade, on the host."""
        function = self.code.made(**self.params).signals if isinstance(self.code.made, type) else self.code.made
        xp = self.library(cache)

        def placed(array: Array) -> Array:
            if xp is not np:
                return array
            host = backend.fetch(array).view()
            host.flags.writeable = False  # the cache's own
            return host

        columns: dict[str, Any] = {name: placed(cache.get(Series(name))) for name in ("open", "high", "low", "close", "volume")}
        given = SimpleNamespace(n=bars.n, symbol=bars.symbol, time=xp.asarray(bars.time), **columns)
        with self.code.explained("signals"):
            found = function(given, self._indicators(cache, placed), MappingProxyType(dict(self.params)), xp)
        flags = self._checked(found, bars.n)
        trades = ("long", "short") if self.side == "both" else (self.side,)
        return {name: flag if xp is np else xp.asnumpy(flag) for name, flag in flags.items() if name.startswith(trades)}

    def library(self, cache: IndicatorCache) -> Any:
        """NumPy, or CuPy where the function wants it and the bars are CuPy's."""
        wanted = getattr(self.code.made, "device", False) is True
        return import_module(type(cache.get(Series("close"))).__module__.partition(".")[0]) if wanted else np

    def warnings(self, cache: IndicatorCache) -> list[str]:
        """What a reader of the results must know."""
        told = f"the signals of {self.code.name} were computed with CuPy, outside the promise that every backend gives the same bits"
        return [] if self.library(cache) is np else [told]

    def _indicators(self, cache: IndicatorCache, placed: Callable[[Array], Array]) -> Callable[[Any], Array]:
        names = {name: number(value) for name, value in self.params.items()}

        def indicators(what: Any) -> Array:
            """The values (bars,) of an expression of the rule language, as text or of `gpubt.rules`; NaN in its warm-up."""
            text = what if isinstance(what, str) else written(what).text
            series = as_series(parse_number(text, names, "indicators"))
            if needs_session(series):
                raise ConfigError(f"indicators: {text}: the session is known to rules only")
            return placed(cache.get(series))

        return indicators

    def _checked(self, found: Any, n: int) -> dict[str, Any]:
        """Raise ConfigError unless it is boolean arrays of `n` by the names of signals, with an entry."""
        says = f"{self.code.target}: signals must return"
        if not isinstance(found, Mapping):
            raise ConfigError(f"{says} a mapping from {', '.join(SIGNALS)} to boolean arrays, got {type(found).__name__}")
        for name, flag in found.items():
            if name not in SIGNALS:
                raise ConfigError(f"{says} signals by name, got {name!r}; {accepted(SIGNALS, str(name))}")
            kind, shape = getattr(flag, "dtype", type(flag).__name__), getattr(flag, "shape", None)
            if kind != np.bool_ or shape != (n,):
                raise ConfigError(f"{says} {name} as a boolean array of shape ({n},), got {kind} of shape {shape}")
        sides = ("long", "short") if self.side == "both" else (self.side,)
        if not any(f"{side}_entry" in found for side in sides):
            raise ConfigError(f"{says} {' or '.join(f'{side}_entry' for side in sides)}, got {', '.join(map(str, found)) or 'nothing'}")
        return dict(found)


def vectors_of(config: Config) -> Vectors | None:
    """The function that makes the signals of a resolved configuration; None: rules do."""
    strategy = config.strategy
    if strategy._target_ is None:
        return None
    code = load(strategy._target_, strategy.source_digest)
    return Vectors(code, strategy.params, strategy.side) if code.vectors else None
