"""The compiled KSG kernel for pairs of columns, on vectors of sixteen float64 that stay in registers.

Numba's loops over scalars are vectorised only where LLVM can prove that no two arrays overlap, which it rarely can in a
window that slides. Here a value of type ``Lanes`` is one LLVM vector, on any CPU. The vector operations and the kernel
share a file because numba's cache on disk looks for changes in the kernel's own file only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model
from scipy.special import digamma

from lmi.compiled import kernel

WIDTH = 16
FAR = 1e300  # what pads a sorted column: further than any point
TINY = np.finfo(np.float64).tiny  # a radius of 0 still counts points at distance 0
STRIDE = 4  # offsets between two looks at whether the window may end
CHUNK = 32  # pairs a thread takes at a time


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


@kernel(nogil=True, error_model="numpy")
def _radii(x: Any, y: Any, n: int, size: Any, radii: Any) -> None:
    """``radii[WIDTH + i]``: distance from point i to its k-th neighbour; x is sorted, y in its order, both padded."""
    last = len(size) - 1
    for start in range(0, n, WIDTH):
        here = start + WIDTH
        x_here, y_here = load(x, here), load(y, here)
        nearest = unbounded(size)
        offset = 1
        ahead = behind = True
        while ahead or behind:
            if ahead:
                for step in range(offset, min(offset + STRIDE, n - start)):
                    gap = difference(load(x, here + step), x_here)
                    nearest = insert(nearest, larger(gap, distance(load(y, here + step), y_here)))
            if behind:
                for step in range(offset, min(offset + STRIDE, here)):
                    gap = difference(x_here, load(x, here - step))
                    nearest = insert(nearest, larger(gap, distance(load(y, here - step), y_here)))
            offset += STRIDE
            ahead = ahead and offset < n - start and any_less(difference(load(x, here + offset), x_here), nearest[last])
            behind = behind and offset < here and any_less(difference(x_here, load(x, here - offset)), nearest[last])
        store(radii, here, larger(nearest[last], filled(TINY)))


@kernel(nogil=True, error_model="numpy")
def _psi_of_counts(x: Any, radii: Any, n: int, psi: Any, counts: Any, terms: Any) -> float:
    """``terms[i]``: psi(1 + number of other points strictly within the radius of i), and their sum; x is sorted, padded."""
    total = 0.0
    for start in range(0, n, WIDTH):
        here = start + WIDTH
        x_here, radius = load(x, here), load(radii, here)
        inside = filled(1.0)
        gap = radius
        offset, end = 1, n - start
        while offset < end:
            for step in range(offset, min(offset + STRIDE, end)):
                gap = difference(load(x, here + step), x_here)
                inside = count_less(inside, gap, radius)
            offset = offset + STRIDE if any_less(gap, radius) else end
        offset, end = 1, here
        while offset < end:
            for step in range(offset, min(offset + STRIDE, end)):
                gap = difference(x_here, load(x, here - step))
                inside = count_less(inside, gap, radius)
            offset = offset + STRIDE if any_less(gap, radius) else end
        store(counts, 0, inside)
        for lane in range(min(WIDTH, n - start)):
            terms[start + lane] = psi[int(counts[lane])]
            total += terms[start + lane]
    return total


@kernel(nogil=True, error_model="numpy")
def _psi_of_ties(x: Any, y: Any, radii: Any, n: int, psi: Any, k: int, counts: Any, terms: Any) -> float:
    """``terms[i] -= psi(k_i) - psi(k)`` where the radius is 0, k_i the points that coincide with i, and their sum.

    Gao, Kannan, Oh and Viswanath, "Estimating mutual information for discrete-continuous mixtures", 2017.
    """
    total = 0.0
    zero, tied = filled(TINY), filled(2 * TINY)
    for start in range(0, n, WIDTH):
        here = start + WIDTH
        if not any_less(load(radii, here), tied):
            continue
        x_here, y_here = load(x, here), load(y, here)
        same = filled(1.0)
        gap = difference(x_here, x_here)
        offset, end = 1, n - start
        while offset < end:
            for step in range(offset, min(offset + STRIDE, end)):
                gap = difference(load(x, here + step), x_here)
                same = count_less(same, larger(gap, distance(load(y, here + step), y_here)), zero)
            offset = offset + STRIDE if any_less(gap, zero) else end
        offset, end = 1, here
        while offset < end:
            for step in range(offset, min(offset + STRIDE, end)):
                gap = difference(x_here, load(x, here - step))
                same = count_less(same, larger(gap, distance(load(y, here - step), y_here)), zero)
            offset = offset + STRIDE if any_less(gap, zero) else end
        store(counts, 0, same)
        for lane in range(min(WIDTH, n - start)):
            if radii[here + lane] < 2 * TINY:
                more = psi[int(counts[lane])] - psi[k]
                terms[start + lane] -= more
                total += more
    return total


@kernel(parallel=True, nogil=True, error_model="numpy")
def ksg_pairs(
    x_sorted: Any, x_order: Any, y_values: Any, y_sorted: Any, y_order: Any, left: Any, right: Any, size: Any, psi: Any
) -> Any:
    """(p,) KSG1 in nats of columns ``left`` of x and ``right`` of y; k is the length of the tuple ``size``."""
    n, k = x_order.shape[1], len(size)
    nats = np.empty(left.size)
    for chunk in prange((left.size + CHUNK - 1) // CHUNK):
        counts = np.empty(WIDTH)
        y_along_x = np.zeros(n + 2 * WIDTH)
        x_radii = np.zeros(n + 2 * WIDTH)
        y_radii = np.zeros(n + 2 * WIDTH)
        radii, terms = np.empty(n), np.empty(n)
        for pair in range(chunk * CHUNK, min(left.size, (chunk + 1) * CHUNK)):
            a, b = left[pair], right[pair]
            for i in range(n):
                y_along_x[WIDTH + i] = y_values[b, x_order[a, i]]
            _radii(x_sorted[a], y_along_x, n, size, x_radii)
            for i in range(n):
                radii[x_order[a, i]] = x_radii[WIDTH + i]
            for i in range(n):
                y_radii[WIDTH + i] = radii[y_order[b, i]]
            total = _psi_of_counts(x_sorted[a], x_radii, n, psi, counts, terms)
            total += _psi_of_counts(y_sorted[b], y_radii, n, psi, counts, terms)
            total -= _psi_of_ties(x_sorted[a], y_along_x, x_radii, n, psi, k, counts, terms)
            nats[pair] = psi[k] + psi[n] - total / n
    return nats


@kernel(parallel=True, nogil=True, error_model="numpy")
def ksg_rows(x: Any, y: Any, x_order: Any, y_order: Any, size: Any, psi: Any) -> Any:
    """(m, n) KSG1 terms in nats of rows of x against the same rows of y; k is the length of the tuple ``size``."""
    m, n = x.shape
    k = len(size)
    nats = np.empty((m, n))
    for row in prange(m):
        counts, radii, terms = np.empty(WIDTH), np.empty(n), np.empty(n)
        x_sorted, y_sorted, y_along_x = _padded(n), _padded(n), np.zeros(n + 2 * WIDTH)
        x_radii, y_radii = np.zeros(n + 2 * WIDTH), np.zeros(n + 2 * WIDTH)
        for i in range(n):
            x_sorted[WIDTH + i] = x[row, x_order[row, i]]
            y_along_x[WIDTH + i] = y[row, x_order[row, i]]
            y_sorted[WIDTH + i] = y[row, y_order[row, i]]
        _radii(x_sorted, y_along_x, n, size, x_radii)
        for i in range(n):
            radii[x_order[row, i]] = x_radii[WIDTH + i]
        for i in range(n):
            y_radii[WIDTH + i] = radii[y_order[row, i]]
        _psi_of_counts(y_sorted, y_radii, n, psi, counts, terms)
        for i in range(n):
            nats[row, y_order[row, i]] = psi[k] + psi[n] - terms[i]
        _psi_of_counts(x_sorted, x_radii, n, psi, counts, terms)
        _psi_of_ties(x_sorted, y_along_x, x_radii, n, psi, k, counts, terms)
        for i in range(n):
            nats[row, x_order[row, i]] -= terms[i]
    return nats


@kernel(nogil=True, error_model="numpy")
def _padded(n: int) -> Any:
    """Room for n sorted values between paddings that are further away than any point."""
    column = np.empty(n + 2 * WIDTH)
    column[:WIDTH], column[n + WIDTH :] = -FAR, FAR
    return column


def psi_table(size: int) -> np.ndarray:
    """psi(0..size), with NaN for psi(0)."""
    return np.concatenate([[np.nan], digamma(np.arange(1, size + 1))])
