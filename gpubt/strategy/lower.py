"""Rules lowered to a mask program. Equal parts are computed once, also across rules and at different shifts.

A mask under construction is a pair (slot, delay): the slot's mask as it was `delay` bars ago. Delays travel outwards through `not`, and
through `and`, `or` as far as both sides share them, so a crossover is one operation on two comparisons. What that changes where a delay
reaches before the first bar is settled by validity, which is computed only where a true rule does not imply it: `a > b` is false on NaN.
"""

from __future__ import annotations

from collections.abc import Iterator

from gpubt.indicators.series import Series
from gpubt.strategy import expr as e
from gpubt.strategy import program as p
from gpubt.strategy.compile import Signals
from gpubt.strategy.program import MaskProgram, run

__all__ = ["MaskProgram", "lower", "run"]

Mask = tuple[int, int]
Atom = tuple[int, e.Numeric, e.Numeric | None]  # a comparing opcode and its operands

ARITHMETIC = {"+": p.ADD, "-": p.SUB, "*": p.MUL, "/": p.DIV, "max": p.MAX, "min": p.MIN}
COMPARE = {">": p.GT, ">=": p.GE, "<": p.LT, "<=": p.LE, "==": p.EQ, "!=": p.NE}


def lower(signals: Signals) -> MaskProgram:
    """The program whose `run` equals `gpubt.strategy.reference.evaluate`, bar by bar; a rule that is not there has no output."""
    builder = _Builder()
    rules = (signals.long_entry, signals.long_exit, signals.short_entry, signals.short_exit)
    le, lx, se, sx = (None if rule is None else builder.signal(rule) for rule in rules)
    slots = {
        "long_entry": builder.unless(le, lx, se),
        "long_exit": lx,
        "short_entry": builder.unless(se, sx, le),
        "short_exit": sx,
    }
    outputs = {name: slot for name, slot in slots.items() if slot is not None}
    return MaskProgram(builder.compares(), tuple(builder.combines.values()), outputs)


class _Builder:
    def __init__(self) -> None:
        self.atoms: dict[Atom, int] = {}
        self.combines: dict[tuple[str, int, int | None, int], p.CombineStep] = {}

    def signal(self, rule: e.Rule) -> int:
        """The slot of `rule` with its validity."""
        mask = self.mask(rule)
        known = implied(rule)
        for series, bits in e.reads(rule).items():
            for first, length in _runs(bits & ~known.get(series, 0)):
                slot, _ = self.fold("and", (self.atom(p.VALID, e.Load(series), None), 0), length)
                mask = self.join("and", mask, (slot, first))
        slot, delay = mask
        return self.combine("shift", slot, None, delay) if delay else slot

    def unless(self, slot: int | None, *others: int | None) -> int | None:
        """`slot` where none of `others` holds; None: a rule that is not there."""
        for other in others:
            slot = slot if slot is None or other is None else self.combine("andnot", slot, other, 0)
        return slot

    def mask(self, rule: e.Rule) -> Mask:
        """`rule` without its validity."""
        match rule:
            case e.Constant():
                return self.atom(p.GE if rule.value else p.GT, e.number(0), e.number(0)), 0
            case e.Compare():
                delay = min((bits & -bits).bit_length() - 1 for bits in e.reads(rule).values())
                return self.atom(COMPARE[rule.op], e.lagged(rule.a, -delay), e.lagged(rule.b, -delay)), delay
            case e.Latched():
                (above, delay), (below, _) = self.mask(e.Compare(">", rule.a, rule.b)), self.mask(e.Compare("<", rule.a, rule.b))
                return self.combine("latch", above, below, 0), delay
            case e.And():
                return self.join("and", self.mask(rule.a), self.mask(rule.b))
            case e.Or():
                return self.join("or", self.mask(rule.a), self.mask(rule.b))
            case e.Not():
                slot, delay = self.mask(rule.rule)
                return self.combine("not", slot, None, 0), delay
            case e.Shifted():
                slot, delay = self.mask(rule.rule)
                return slot, delay + rule.k
            case e.Within():
                return self.fold("or", self.mask(rule.rule), rule.n)
            case e.All():
                return self.fold("and", self.mask(rule.rule), rule.n)

    def fold(self, op: str, mask: Mask, n: int) -> Mask:
        """`mask` joined with itself at each of `n` consecutive shifts, by doubling."""
        slot, delay = mask
        have = 1
        while have < n:
            step = min(have, n - have)
            slot = self.combine(op, slot, slot, step)
            have += step
        return slot, delay

    def join(self, op: str, x: Mask, y: Mask) -> Mask:
        (a, i), (b, j) = sorted((x, y), key=lambda mask: (mask[1], mask[0]))
        return (a, i) if (a, i) == (b, j) else (self.combine(op, a, b, j - i), i)

    def atom(self, op: int, a: e.Numeric, b: e.Numeric | None) -> int:
        return self.atoms.setdefault((op, a, b), self._next())

    def combine(self, op: str, a: int, b: int | None, k: int) -> int:
        return self.combines.setdefault((op, a, b, k), p.CombineStep(self._next(), op, a, b, k)).target

    def _next(self) -> int:
        return len(self.atoms) + len(self.combines)

    def compares(self) -> tuple[p.CompareStep, ...]:
        """One step for each set of series that is no part of another: few passes, with few series at a time."""
        sets = {atom: frozenset(e.union(*(e.reads(x) for x in atom[1:] if x is not None))) for atom in self.atoms}
        groups: dict[frozenset[Series], list[Atom]] = {own: [] for own in sets.values() if not any(own < other for other in sets.values())}
        for atom, own in sets.items():
            next(atoms for series, atoms in groups.items() if own <= series).append(atom)
        return tuple(self._step(atoms) for atoms in groups.values())

    def _step(self, atoms: list[Atom]) -> p.CompareStep:
        constants: dict[float, int] = {}
        series: dict[Series, int] = {}
        code: list[tuple[int, int, int]] = []
        for output, (op, a, b) in enumerate(atoms):
            code.extend(_push(a, constants, series))
            code.extend(_push(b, constants, series) if b is not None else ())
            code.append((op, output, 0))
        return p.CompareStep(tuple(code), tuple(constants), tuple(series), tuple(self.atoms[atom] for atom in atoms))


def _push(x: e.Numeric, constants: dict[float, int], series: dict[Series, int]) -> Iterator[tuple[int, int, int]]:
    """The rows that leave `x` on the stack."""
    match x:
        case e.Number():
            yield p.CONST, constants.setdefault(x.value, len(constants)), 0
        case e.Load():
            yield p.LOAD, series.setdefault(x.series, len(series)), x.shift
        case e.Arithmetic():
            yield from _push(x.a, constants, series)
            yield from _push(x.b, constants, series)
            yield ARITHMETIC[x.op], 0, 0
        case e.Negate() | e.Absolute():
            yield from _push(x.x, constants, series)
            yield p.NEG if isinstance(x, e.Negate) else p.ABS, 0, 0


def implied(rule: e.Rule) -> e.Shifts:
    """What is surely no NaN on a bar where the kernels find `rule` true."""
    match rule:
        case e.Compare():
            return {} if rule.op == "!=" else e.reads(rule)
        case e.Latched():
            return e.reads(rule)
        case e.And():
            return e.union(implied(rule.a), implied(rule.b))
        case e.Or():
            a, b = implied(rule.a), implied(rule.b)
            return {series: a[series] & b[series] for series in a.keys() & b.keys()}
        case e.Shifted():
            return {series: bits << rule.k for series, bits in implied(rule.rule).items()}
        case e.All():
            return {series: e.spread(bits, rule.n) for series, bits in implied(rule.rule).items()}
    return {}  # constants, not, and within, which does not tell on which of its bars


def _runs(bits: int) -> Iterator[tuple[int, int]]:
    """The runs of set bits as (first, length)."""
    first = 0
    while bits:
        gap = (bits & -bits).bit_length() - 1
        bits >>= gap
        length = (~bits & (bits + 1)).bit_length() - 1
        yield first + gap, length
        bits >>= length
        first += gap + length
