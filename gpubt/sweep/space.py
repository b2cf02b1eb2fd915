"""The sets of a sweep: every combination of the axes, or a sample of them, less those that `sweep.where` leaves out."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpubt.errors import ConfigError, accepted
from gpubt.sweep.axes import Axis, Interval

MOST = 100_000_000  # sets
SYMBOL = "data.symbol"  # the axis of data.symbols: it changes slowest


@dataclass(frozen=True)
class Space:
    """Set i has the value `levels[key][codes[key][i]]` of each axis. `dropped`: combinations that `where` left out; `first`: the number
    that set 0 has in the sweep, where sets come in batches."""

    keys: tuple[str, ...]
    levels: Mapping[str, tuple[Any, ...]]
    codes: Mapping[str, NDArray[np.int64]]
    dropped: int
    first: int = 0

    @cached_property
    def known(self) -> dict[str, Any]:
        """What was made of it, for those who ask again."""
        return {}

    @property
    def n(self) -> int:
        """Number of sets."""
        return len(self.codes[self.keys[0]])

    def values(self, i: int) -> dict[str, Any]:
        """The values of set `i` by key."""
        return {key: self.levels[key][self.codes[key][i]] for key in self.keys}

    def by_symbol(self, sets: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """These sets, a symbol at a time."""
        if SYMBOL not in self.codes:
            if len(sets):
                yield sets
            return
        of = self.codes[SYMBOL][sets]
        order = np.argsort(of, kind="stable")
        yield from np.split(sets[order], np.flatnonzero(np.diff(of[order])) + 1) if len(sets) else ()

    def examples(self) -> NDArray[np.int64]:
        """Sets in which every value of every axis but the symbols occurs, the first of each."""
        codes = [codes for key, codes in self.codes.items() if key != SYMBOL]
        return np.unique(np.concatenate([np.zeros(1, np.int64), *(np.unique(own, return_index=True)[1] for own in codes)]))

    def times(self, axis: Axis) -> Space:
        """Every set with each value of one more axis, which changes slowest."""
        count = len(axis.values)
        codes = {key: np.tile(code, count) for key, code in self.codes.items()}
        first = np.repeat(np.arange(count), self.n)
        return Space((axis.key, *self.keys), {axis.key: axis.values, **self.levels}, {axis.key: first, **codes}, self.dropped)

    def groups(self, keys: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Sets that agree in `keys`: the first set of each group, in the order of values, and the group of each set."""
        if not keys:
            return np.zeros(1, np.int64), np.zeros(self.n, np.int64)
        number = np.zeros(self.n, np.int64)
        for key in keys:
            number = number * len(self.levels[key]) + self.codes[key]
        _, first, group = np.unique(number, return_index=True, return_inverse=True)
        return first.astype(np.int64), group.astype(np.int64)


def grid(axes: Sequence[Axis | Interval], where: str | None = None) -> Space:
    """Every combination; the last axis changes fastest. Raises ConfigError."""
    _some(axes)
    for axis in axes:
        if isinstance(axis, Interval):
            raise ConfigError(
                f"{axis.key}=interval({axis.low:g}, {axis.high:g}) needs sweep=random or sweep=optuna; a grid takes range or choice"
            )
    shape = [len(axis.values) for axis in axes if isinstance(axis, Axis)]
    if prod(shape) > MOST:
        raise ConfigError(f"the grid has {prod(shape):,} sets, more than the {MOST:,} that one sweep takes; use sweep=random")
    codes = np.indices(shape).reshape(len(shape), -1)
    levels = {axis.key: axis.values for axis in axes if isinstance(axis, Axis)}
    return _kept(levels, dict(zip(levels, codes.astype(np.int64), strict=True)), where)


def sample(axes: Sequence[Axis | Interval], sets: int, seed: int, where: str | None = None) -> Space:
    """`sets` draws, each axis on its own and uniformly; equal draws are one set. Raises ConfigError."""
    _some(axes)
    random = np.random.Generator(np.random.PCG64(seed))
    levels: dict[str, tuple[Any, ...]] = {}
    codes: dict[str, NDArray[np.int64]] = {}
    for axis in axes:
        if isinstance(axis, Axis):
            levels[axis.key], codes[axis.key] = axis.values, random.integers(len(axis.values), size=sets)
            continue
        drawn = random.integers(int(axis.low), int(axis.high) + 1, sets) if axis.whole else random.uniform(axis.low, axis.high, sets)
        distinct, codes[axis.key] = np.unique(drawn, return_inverse=True)
        levels[axis.key] = tuple(distinct.tolist())
    _, first = np.unique(np.stack(list(codes.values())), axis=1, return_index=True)
    return _kept(levels, {key: code[np.sort(first)] for key, code in codes.items()}, where)


def _some(axes: Sequence[Axis | Interval]) -> None:
    if not axes:
        raise ConfigError(
            "a sweep needs an axis, such as 'strategy.params.fast=range(5,60)' or exits.stop.pct=0.005,0.01; gpubt run does one set"
        )


def _kept(levels: dict[str, tuple[Any, ...]], codes: dict[str, NDArray[np.int64]], where: str | None) -> Space:
    keys, dropped = tuple(levels), 0
    if where:
        values = {key: np.array(levels[key])[codes[key]] for key in keys}
        mask = condition(where, "sweep.where", short_names(values))
        dropped = int(np.count_nonzero(~mask))
        codes = {key: code[mask] for key, code in codes.items()}
        if dropped == len(mask):
            raise ConfigError(f"sweep.where={where!r} leaves no set of {dropped:,}")
    return Space(keys, levels, codes, dropped)


def short_names(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns by their last name (fast of strategy.params.fast) where one has it alone, with underscores in full (exits_stop_pct)."""
    names = [key.rpartition(".")[2] for key in columns]
    own = {key.rpartition(".")[2]: column for key, column in columns.items() if names.count(key.rpartition(".")[2]) == 1}
    return own | {key.replace(".", "_"): column for key, column in columns.items()}


OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def condition(text: str, key: str, columns: Mapping[str, Any]) -> NDArray[np.bool_]:
    """`fast < slow and slow % 5 == 0` over columns of one length, value by value. Raises ConfigError; nothing is run as Python."""

    def value(node: ast.expr) -> Any:
        match node:
            case ast.Name(id=name):
                if name not in columns:
                    raise ConfigError(f"{key} has no {name!r}; {accepted(columns, name)}")
                return columns[name]
            case ast.Constant(value=constant) if isinstance(constant, (int, float, str)):
                return constant
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -value(operand)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~np.asarray(value(operand), bool)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return OPERATORS[type(op)](value(left), value(right))
            case ast.BoolOp(op=op, values=parts):
                join = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return join.reduce([np.asarray(value(part), bool) for part in parts])
            case ast.Compare(left=left, ops=ops, comparators=rights):
                operands = [value(one) for one in (left, *rights)]
                if all(type(op) in OPERATORS for op in ops):
                    return np.logical_and.reduce([OPERATORS[type(op)](a, b) for op, a, b in zip(ops, operands, operands[1:], strict=False)])
        raise ConfigError(
            f"{key}={text!r} may have comparisons, and, or, not and arithmetic of {', '.join(columns)}, got {ast.unparse(node)}"
        )

    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"{key}={text!r} is no condition: {error.args[0]}") from None
    try:
        with np.errstate(all="ignore"):
            found = value(tree.body)
    except TypeError:
        raise ConfigError(f"{key}={text!r} can't be worked out: it mixes text and numbers, or orders null") from None
    except ArithmeticError as error:  # 1 % 0
        raise ConfigError(f"{key}={text!r} can't be worked out: {error}") from None
    length = len(next(iter(columns.values())))
    return np.broadcast_to(np.asarray(found, bool), (length,)).copy()
