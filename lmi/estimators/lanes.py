"""Eight or sixteen float64 at a time inside numba: a vector type, so that kernels do not hope for the auto-vectoriser.

Numba's loops over scalars are vectorised only where LLVM can prove that no two arrays overlap, which it rarely can in a
window that slides. Here a value of type ``Lanes`` is one LLVM vector; it stays in registers, on any CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

WIDTH = 16


class _LanesType(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"Lanes{WIDTH}")


LANES = _LanesType()
_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: types.Type) -> None:
        super().__init__(manager, kind, _VECTOR)


def _constant(value: float) -> ir.Constant:
    return ir.Constant(_VECTOR, [value] * WIDTH)


def _pick(builder: ir.IRBuilder, comparison: str, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(comparison, a, b), a, b)


def _address(context: Any, builder: ir.IRBuilder, signature: Any, array: Any, index: Any) -> Any:
    data = context.make_array(signature.args[0])(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


@intrinsic
def load(typingctx: Any, array: Any, index: Any) -> tuple[Any, Callable[..., Any]]:
    """``array[index : index + WIDTH]`` of a contiguous float64 array as one vector; the caller keeps it in bounds."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return builder.load(_address(context, builder, signature, *arguments), align=8)

    return LANES(array, types.intp), build


@intrinsic
def store(typingctx: Any, array: Any, index: Any, lanes: Any) -> tuple[Any, Callable[..., Any]]:
    """``array[index : index + WIDTH] = lanes``; the caller keeps it in bounds."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _address(context, builder, signature, *arguments[:2]), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, LANES), build


@intrinsic
def filled(typingctx: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """A vector that holds ``value`` in every lane."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        one = builder.insert_element(_constant(0.0), arguments[0], ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
        return builder.shuffle_vector(one, one, mask)

    return LANES(types.float64), build


@intrinsic
def difference(typingctx: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """a - b, lane by lane."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return builder.fsub(*arguments)

    return LANES(LANES, LANES), build


@intrinsic
def distance(typingctx: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """|a - b|, lane by lane."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        absolute = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_VECTOR, [_VECTOR]), f"llvm.fabs.v{WIDTH}f64"
        )
        return builder.call(absolute, [builder.fsub(*arguments)])

    return LANES(LANES, LANES), build


@intrinsic
def larger(typingctx: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """max(a, b), lane by lane."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return _pick(builder, ">", *arguments)

    return LANES(LANES, LANES), build


@intrinsic
def any_less(typingctx: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """Whether a < b in any lane."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        bits = builder.bitcast(builder.fcmp_ordered("<", *arguments), ir.IntType(WIDTH))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(WIDTH), 0))

    return types.boolean(LANES, LANES), build


@intrinsic
def count_less(typingctx: Any, counts: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """counts + [a < b], lane by lane."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        counts, a, b = arguments
        more = builder.fadd(counts, _constant(1.0))
        return builder.select(builder.fcmp_ordered("<", a, b), more, counts)

    return LANES(LANES, LANES, LANES), build


@intrinsic
def unbounded(typingctx: Any, size: Any) -> tuple[Any, Callable[..., Any]]:
    """As many vectors of +inf as the tuple ``size`` has entries: the empty list of nearest distances."""
    kind = types.UniTuple(LANES, len(size))

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return context.make_tuple(builder, kind, [_constant(float("inf"))] * len(size))

    return kind(size), build


@intrinsic
def insert(typingctx: Any, nearest: Any, new: Any) -> tuple[Any, Callable[..., Any]]:
    """``nearest``, ascending lane by lane, with ``new`` sorted in and the largest dropped: a min/max network."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        held = cgutils.unpack_tuple(builder, arguments[0], len(nearest))
        rest, kept = arguments[1], []
        for index, old in enumerate(held):
            kept.append(_pick(builder, "<", rest, old))
            if index + 1 < len(held):
                rest = _pick(builder, ">", rest, old)
        return context.make_tuple(builder, nearest, kept)

    return nearest(nearest, LANES), build
