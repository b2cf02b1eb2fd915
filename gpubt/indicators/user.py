"""Users' own indicators: a function over arrays, or one step of a recurrence. They are words of the rule language like the built-in ones,
and cached and swept like them. They run on the host, and their values go to the device: so every backend has the same bits.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.errors import ConfigError
from gpubt.indicators.definition import Definition, Parameter, Warmup
from gpubt.indicators.definitions import COMPUTED, DEFINITIONS
from gpubt.indicators.series import NAMES

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Own:
    """An indicator of a user: `make` takes its inputs' valid values and its parameters; `state` is the size of a recurrence's, None of a
    function over arrays."""

    definition: Definition
    make: Callable[..., Any]
    state: int | None

    @cached_property
    def run(self) -> Callable[..., Any]:
        """The function over arrays: a recurrence is compiled when it is first needed."""
        if self.state is None:
            return self.make
        from gpubt.backends.kernels.steps import loop

        inputs = self.definition.inputs
        return loop(self.make, self.state, inputs if isinstance(inputs, int) else len(inputs))


OWN: dict[str, Own] = {}


def indicator(
    function: Callable[..., Any] | None = None,
    *,
    inputs: int | tuple[str, ...] = 1,
    warmup: Callable[..., int] | int = 0,
    least: Mapping[str, float] | None = None,
    name: str | None = None,
) -> Any:
    """Decorate a function over arrays: `inputs` float64 arrays (n,) without NaN, then parameters; it gives n values.

    `inputs`: how many series a rule gives, or the columns that are always read. `warmup`: how many leading values are not used, or a
    function of the parameters that says so; the others must be finite. Parameters annotated `int` are whole numbers of at least 1,
    others numbers, unless `least` says another minimum. The docstring's first line is what `gpubt list indicators` shows.
    Raises ConfigError for what can't be an indicator.
    """
    return _decorated(function, inputs, warmup, least or {}, name, None)


def recurrence(
    function: Callable[..., Any] | None = None,
    *,
    inputs: int | tuple[str, ...] = 1,
    warmup: Callable[..., int] | int = 0,
    least: Mapping[str, float] | None = None,
    name: str | None = None,
    state: int = 1,
) -> Any:
    """Decorate one step of a recurrence, which numba compiles: `step(state, x, ..., parameters)` gives the value of a bar. `state` is an
    array of that many float64, zeros before the first bar, for the step to keep what it needs; the rest as for `indicator`."""
    return _decorated(function, inputs, warmup, least or {}, name, state)


def compute(name: str, inputs: tuple[Floats, ...], first: int, params: tuple[float, ...]) -> Floats:
    """The indicator over host arrays whose first `first` values are NaN. Raises ConfigError for what the user's code raises, and for values
    that are not what was declared."""
    own = OWN[name]
    n, begin = len(inputs[0]), first + own.definition.warmup(params)
    out = np.full(n, np.nan)
    if begin >= n:
        return out
    call = f"{name}({', '.join(map(str, params))})"
    try:
        found = own.run(*(np.ascontiguousarray(x[first:], np.float64) for x in inputs), *params)
    except Exception as error:
        raise ConfigError(f"the indicator {call} raised {type(error).__name__}: {' '.join(str(error).split())}") from error
    values = np.asarray(found)
    if values.shape != (n - first,) or values.dtype.kind not in "fiu":
        raise ConfigError(f"the indicator {call} must give {n - first} numbers, got {values.dtype} of shape {values.shape}")
    used = values[begin - first :]
    if not np.isfinite(used).all():
        place = int(np.flatnonzero(~np.isfinite(used))[0]) + begin - first
        raise ConfigError(
            f"the indicator {call} must be finite after its warm-up of {begin - first} values, got {values[place]} at {place}"
        )
    out[begin:] = used
    return out


def _decorated(
    function: Callable[..., Any] | None,
    inputs: int | tuple[str, ...],
    warmup: Callable[..., int] | int,
    least: Mapping[str, float],
    name: str | None,
    state: int | None,
) -> Any:
    def register(made: Callable[..., Any]) -> Callable[..., Any]:
        _register(Own(_definition(made, inputs, warmup, least, name, state is not None), made, state))
        return made

    return register if function is None else register(function)


def _definition(
    made: Callable[..., Any],
    inputs: int | tuple[str, ...],
    warmup: Callable[..., int] | int,
    least: Mapping[str, float],
    name: str | None,
    step: bool,
) -> Definition:
    called = name or made.__name__
    count = inputs if isinstance(inputs, int) else len(inputs)
    unknown = [] if isinstance(inputs, int) else [column for column in inputs if column not in NAMES]
    if not called.isidentifier() or not 1 <= count <= 3 or unknown:
        wanted = "inputs must be 1 to 3 series or columns of the bars, and its name an identifier"
        raise ConfigError(f"indicator {called!r}: {wanted}, got {inputs!r}")
    arguments = list(inspect.signature(made, eval_str=True).parameters.values())[count + step :]
    params = tuple(_parameter(one.name, one.annotation is int, least) for one in arguments)
    about = (inspect.getdoc(made) or f"of {made.__module__}").splitlines()[0].rstrip(".")
    text = "as declared" if callable(warmup) else str(warmup)
    bars = Warmup(text, lambda values: int(warmup(*values)) if callable(warmup) else warmup)
    return Definition(called, inputs, params, bars, about, f"`{made.__qualname__}`", f"your own, {made.__module__}")


def _parameter(name: str, whole: bool, least: Mapping[str, float]) -> Parameter:
    return Parameter(name, least.get(name, 1 if whole else -inf), name, whole=whole)


def _register(own: Own) -> None:
    name = own.definition.name
    if name not in OWN and (name in DEFINITIONS or name in COMPUTED or name in NAMES):
        raise ConfigError(f"indicator {name!r} is there already; give yours another name with name=...")
    OWN[name] = own
    DEFINITIONS[name] = COMPUTED[name] = own.definition
    from gpubt.strategy import functions

    functions.add_indicator(own.definition)
