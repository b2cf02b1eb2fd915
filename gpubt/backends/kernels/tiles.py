"""Tiles of values and of masks by their addresses, in vectors: what a compiler's loops over arrays don't become."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from gpubt.backends.kernels.bits import INNER, UNCOUNTED
from gpubt.backends.kernels.scan import TILE

WORDS = TILE // 64
LEAD = 8  # words before those of a tile: the last of them is the last word of the tile before
STRIDE = LEAD + WORDS + 8  # no power of two: rows don't crowd the same cache sets


def _compare8(*kinds: tuple[str, bool]) -> Any:
    @intrinsic
    def compare(typingctx: Any, a: Any, b: Any, to: Any, place: Any) -> Any:
        """8 comparisons of float64 values at addresses `a` and `b`, one a bit, into byte `place` of each of the addresses `to`."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector, byte = ir.VectorType(ir.DoubleType(), 8), ir.IntType(8)
            x, y = (builder.load(builder.inttoptr(arg, vector.as_pointer()), align=8) for arg in args[:2])
            for i, (op, ordered) in enumerate(kinds):
                compared = builder.fcmp_ordered(op, x, y) if ordered else builder.fcmp_unordered(op, x, y)
                at = builder.add(builder.extract_value(args[2], i), args[3])
                builder.store(builder.bitcast(compared, byte), builder.inttoptr(at, byte.as_pointer()))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.UniTuple(types.int64, len(kinds)), types.int64), codegen

    return compare


# numpy's != is true on NaN
greater, greater_equal, less, less_equal = (_compare8((op, True)) for op in (">", ">=", "<", "<="))
equal, not_equal = _compare8(("==", True)), _compare8(("!=", False))
greater_less = _compare8((">", True), ("<", True))


def _compute8(build: Any) -> Any:
    @intrinsic
    def compute(typingctx: Any, to: Any, a: Any, b: Any) -> Any:
        """8 float64 values at address `to` from those at `a` and `b`."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = ir.VectorType(ir.DoubleType(), 8)
            x, y = (builder.load(builder.inttoptr(arg, vector.as_pointer()), align=8) for arg in args[1:])
            builder.store(build(builder, x, y), builder.inttoptr(args[0], vector.as_pointer()), align=8)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), codegen

    return compute


def _without_sign(builder: Any, x: Any, y: Any) -> Any:
    words = ir.VectorType(ir.IntType(64), 8)
    return builder.bitcast(builder.and_(builder.bitcast(x, words), ir.Constant(words, [2**63 - 1] * 8)), x.type)


def _beyond(builder: Any, second: Any, first: Any, x: Any, y: Any) -> Any:
    return builder.select(second, y, builder.select(first, x, ir.Constant(x.type, [float("nan")] * 8)))


add, subtract = _compute8(lambda b, x, y: b.fadd(x, y)), _compute8(lambda b, x, y: b.fsub(x, y))
multiply, divide = _compute8(lambda b, x, y: b.fmul(x, y)), _compute8(lambda b, x, y: b.fdiv(x, y))
negate, magnitude = _compute8(lambda b, x, y: b.fneg(x)), _compute8(_without_sign)
larger = _compute8(lambda b, x, y: _beyond(b, b.fcmp_ordered("<", x, y), b.fcmp_ordered(">=", x, y), x, y))
smaller = _compute8(lambda b, x, y: _beyond(b, b.fcmp_ordered("<", y, x), b.fcmp_ordered(">=", y, x), x, y))


@intrinsic
def write(typingctx: Any, address: Any, index: Any, value: Any) -> Any:
    """The float64 number `index` of the array at `address`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], ir.DoubleType().as_pointer())
        builder.store(args[2], builder.gep(pointer, [args[1]]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float64), codegen


def _on_tile(build: Any) -> Any:
    @intrinsic
    def operate(typingctx: Any, to: Any, a: Any, b: Any, k: Any) -> Any:
        """The words of a tile at address `to` from those at `a` and `b`; `b` is moved by `k` bars, less than a word's."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            word, vector = ir.IntType(64), ir.VectorType(ir.IntType(64), WORDS)

            def load(address: Any, back: int = 0) -> Any:
                at = builder.sub(address, ir.Constant(word, back))
                return builder.load(builder.inttoptr(at, vector.as_pointer()), align=8)

            def every(value: Any) -> Any:
                one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
                places = ir.Constant(ir.VectorType(ir.IntType(32), WORDS), [0] * WORDS)
                return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), places)

            def moved() -> Any:
                # in two steps: a shift by 64 is undefined
                before = builder.lshr(load(args[2], 8), every(ir.Constant(word, 1)))
                rest = builder.lshr(before, every(builder.sub(ir.Constant(word, 63), args[3])))
                return builder.or_(builder.shl(load(args[2]), every(args[3])), rest)

            found = build(builder, lambda: load(args[1]), moved)
            builder.store(found, builder.inttoptr(args[0], vector.as_pointer()), align=8)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64, types.int64), codegen

    return operate


both = _on_tile(lambda ir_, a, moved: ir_.and_(a(), moved()))
either = _on_tile(lambda ir_, a, moved: ir_.or_(a(), moved()))
without = _on_tile(lambda ir_, a, moved: ir_.and_(a(), ir_.not_(moved())))
neither = _on_tile(lambda ir_, a, moved: ir_.not_(ir_.or_(a(), moved())))
inverse = _on_tile(lambda ir_, a, moved: ir_.not_(a()))
moved_along = _on_tile(lambda ir_, a, moved: moved())


@intrinsic
def deliver(typingctx: Any, to: Any, a: Any) -> Any:
    """Copy the words of a tile to an aligned address, past the caches: reading the lines before writing them would take longer than all the
    rest."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(ir.IntType(64), 8)
        for half in (0, 64):
            source, target = (
                builder.inttoptr(builder.add(arg, ir.Constant(ir.IntType(64), half)), vector.as_pointer()) for arg in (args[1], args[0])
            )
            store = builder.store(builder.load(source, align=8), target, align=64)
            store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def delivered(typingctx: Any) -> Any:
    """After this, what was delivered is there for other threads."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), codegen


@njit(**INNER, **UNCOUNTED)
def at_row(rows, row):
    """The address of the words of a tile."""
    return rows + (row * STRIDE + LEAD) * 8
