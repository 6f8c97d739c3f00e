"""The compiled KSG kernel for pairs of long columns: rank strips, sixteen points at a time. The numbers are the window's.

The points stand in the order of x and are cut into strips of S; within a strip they stand in the order of y. Sixteen
points that follow each other there walk along their own strip until the gap in y alone exceeds the k-th best distance of
each, then through the strips next to it, nearest first, until the gap in x alone does: about 4 sqrt(k n) / S + 16 looks
for sixteen points at once, where the window needs 2 sqrt(k n). Counts strictly inside are binary searches in the sorted
columns. Distances are differences of the same numbers as in ``ksg_window``, so neighbours and counts are the same integers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from lmi.compiled import kernel
from lmi.estimators.pairwise.ksg_window import (
    FAR,
    LANES,
    STRIDE,
    TINY,
    WIDTH,
    any_less,
    difference,
    distance,
    filled,
    insert,
    larger,
    load,
    store,
    unbounded,
)

AFTER, BEFORE = 24, 24  # places behind and before a strip that hold points further away than any
FIRST = 64  # places of the first look for the end of a count
TAKEN = 4  # pairs a thread takes at a time
_DOUBLES = ir.VectorType(ir.DoubleType(), WIDTH)
_WHOLES = ir.VectorType(ir.IntType(64), WIDTH)


@intrinsic
def smaller_where(typingctx: Any, gap: Any, nearest: Any) -> tuple[Any, Callable[..., Any]]:
    """``nearest`` where gap < nearest, else -inf, lane by lane: how far a lane still looks."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        never = ir.Constant(_DOUBLES, [float("-inf")] * WIDTH)
        return builder.select(builder.fcmp_ordered("<", *arguments), arguments[1], never)

    return LANES(LANES, LANES), build


@intrinsic
def smaller(typingctx: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """min(a, b), lane by lane."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", *arguments), *arguments)

    return LANES(LANES, LANES), build


@intrinsic
def advance(typingctx: Any, array: Any, place: Any, step: Any, sign: Any, centre: Any, radius: Any, last: Any) -> Any:
    """place + step in the lanes where sign (array[place + step] - centre) < radius, else place; places are whole numbers."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        array, place, step, sign, centre, radius, last = arguments

        def spread(value: Any) -> Any:
            one = builder.insert_element(ir.Constant(_DOUBLES, [0.0] * WIDTH), value, ir.Constant(ir.IntType(32), 0))
            mask = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
            return builder.shuffle_vector(one, one, mask)

        moved = builder.fadd(place, spread(step))
        top, zero = spread(last), ir.Constant(_DOUBLES, [0.0] * WIDTH)
        held = builder.select(builder.fcmp_ordered("<", moved, top), moved, top)
        held = builder.select(builder.fcmp_ordered(">", held, zero), held, zero)
        index = builder.fptosi(held, _WHOLES)
        data = context.make_array(signature.args[0])(context, builder, array).data
        base = builder.insert_element(
            ir.Constant(_WHOLES, [0] * WIDTH), builder.ptrtoint(data, ir.IntType(64)), ir.Constant(ir.IntType(32), 0)
        )
        bases = builder.shuffle_vector(base, base, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH))
        addresses = builder.add(bases, builder.shl(index, ir.Constant(_WHOLES, [3] * WIDTH)))
        pointers = builder.inttoptr(addresses, ir.VectorType(ir.DoubleType().as_pointer(), WIDTH))
        mask_type = ir.VectorType(ir.IntType(1), WIDTH)
        kind = ir.FunctionType(_DOUBLES, [pointers.type, ir.IntType(32), mask_type, _DOUBLES])
        name = f"llvm.masked.gather.v{WIDTH}f64.v{WIDTH}p0"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        values = builder.call(
            function, [pointers, ir.Constant(ir.IntType(32), 8), ir.Constant(mask_type, [1] * WIDTH), zero]
        )
        gap = builder.fmul(builder.fsub(values, centre), spread(sign))
        return builder.select(builder.fcmp_ordered("<", gap, radius), moved, place)

    kind = LANES(array, LANES, types.float64, types.float64, LANES, LANES, types.float64)
    return kind, build


@kernel(nogil=True, error_model="numpy")
def _inside(sorted_: Any, n: int, place: Any, centre: Any, radius: Any, top: int) -> Any:
    """Places of the furthest points right and left of ``place`` that are strictly within the radius: right - left."""
    last = float(n + 2 * WIDTH - 1)
    right, left = place, place
    step = FIRST
    while step < top:  # in strides first, most searches need one
        moved = advance(sorted_, right, float(step), 1.0, centre, radius, last)
        if not any_less(right, moved):
            break
        right = moved
        step *= 2
    while step:
        right = advance(sorted_, right, float(step), 1.0, centre, radius, last)
        step //= 2
    step = FIRST
    while step < top:
        moved = advance(sorted_, left, -float(step), -1.0, centre, radius, last)
        if not any_less(moved, left):
            break
        left = moved
        step *= 2
    while step:
        left = advance(sorted_, left, -float(step), -1.0, centre, radius, last)
        step //= 2
    return difference(right, left)


@kernel(parallel=True, nogil=True, error_model="numpy")
def ksg_strip_pairs(
    x_sorted: Any, x_order: Any, y_values: Any, y_sorted: Any, y_order: Any, left: Any, right: Any, size: Any, psi: Any,
    log_strip: int,
) -> Any:  # fmt: skip
    """(p,) KSG1 in nats of columns ``left`` of x and ``right`` of y, as ``ksg_window.ksg_pairs`` gives them."""
    n, k = x_order.shape[1], len(size)
    strip = 1 << log_strip
    strips = (n + strip - 1) >> log_strip
    stride = strip + AFTER + BEFORE
    top = 1
    while top < n:
        top *= 2
    nats = np.empty(left.size)
    for chunk in prange((left.size + TAKEN - 1) // TAKEN):
        rank = np.empty(n, np.int32)
        fill = np.empty(strips, np.int64)
        xs, ys = np.empty(strips * stride), np.empty(strips * stride)
        x_place, y_place = np.zeros(strips * stride), np.zeros(strips * stride)
        counts_x, counts_y, nearest_out = np.empty(WIDTH), np.empty(WIDTH), np.empty(WIDTH)
        for pair in range(chunk * TAKEN, min(left.size, (chunk + 1) * TAKEN)):
            a, b = left[pair], right[pair]
            column, partner = x_sorted[a], y_sorted[b]
            for i in range(n):
                rank[x_order[a, i]] = i
            for s in range(strips):
                base = s * stride
                fill[s] = base + BEFORE
                xs[base : base + BEFORE] = -FAR
                ys[base : base + BEFORE] = -FAR
                end = base + BEFORE + min(strip, n - s * strip)
                xs[end : base + stride] = FAR
                ys[end : base + stride] = FAR
                x_place[end : base + stride] = WIDTH
                y_place[end : base + stride] = WIDTH
            for t in range(n):
                place = rank[y_order[b, t]]
                s = place >> log_strip
                here = fill[s]
                fill[s] = here + 1
                xs[here] = column[WIDTH + place]
                ys[here] = partner[WIDTH + t]
                x_place[here] = WIDTH + place
                y_place[here] = WIDTH + t
            total = 0.0
            last_x, last_y, last_more = np.nan, np.nan, 0.0
            for s in range(strips):
                count = min(strip, n - s * strip)
                base = s * stride + BEFORE
                of_strip = 0.0  # sums of sums lose fewer digits
                for start in range(0, count, WIDTH):
                    nearest = _nearest(xs, ys, column, base, start, count, s, strips, stride, strip, size, fill)
                    here = base + start
                    radius = larger(nearest[k - 1], filled(TINY))
                    x_here, y_here = load(xs, here), load(ys, here)
                    store(counts_x, 0, _inside(column, n, load(x_place, here), x_here, radius, top))
                    store(counts_y, 0, _inside(partner, n, load(y_place, here), y_here, radius, top))
                    if any_less(nearest[k - 1], filled(TINY)):
                        store(nearest_out, 0, nearest[k - 1])
                        for lane in range(min(WIDTH, count - start)):
                            if nearest_out[lane] < TINY:
                                if xs[here + lane] != last_x or ys[here + lane] != last_y:
                                    last_x, last_y = xs[here + lane], ys[here + lane]
                                    place = int(x_place[here + lane]) - WIDTH
                                    same = _coinciding(column, x_order[a], y_values[b], place, n, last_y)
                                    last_more = psi[same] - psi[k]
                                of_strip -= last_more
                    for lane in range(min(WIDTH, count - start)):
                        of_strip += psi[1 + int(counts_x[lane])] + psi[1 + int(counts_y[lane])]
                total += of_strip
            nats[pair] = psi[k] + psi[n] - total / n
    return nats


@kernel(nogil=True, error_model="numpy")
def _coinciding(column: Any, order: Any, partner: Any, place: int, n: int, y: float) -> int:
    """Points that coincide with the one at ``place`` of the sorted column, itself among them."""
    same = 1
    t = place + 1
    while t < n and column[WIDTH + t] == column[WIDTH + place]:
        same += partner[order[t]] == y
        t += 1
    t = place - 1
    while t >= 0 and column[WIDTH + t] == column[WIDTH + place]:
        same += partner[order[t]] == y
        t -= 1
    return same


@kernel(nogil=True, error_model="numpy")
def _nearest(
    xs: Any, ys: Any, column: Any, base: int, start: int, count: int, s: int, strips: int, stride: int, strip: int,
    size: Any, fill: Any,
) -> Any:  # fmt: skip
    """The k nearest distances of the sixteen points from ``start`` of strip ``s`` on, ascending."""
    last = len(size) - 1
    here = base + start
    x_here, y_here = load(xs, here), load(ys, here)
    nearest = unbounded(size)
    offset = 1
    ahead = behind = True
    while ahead or behind:
        if ahead:
            for step in range(offset, min(offset + STRIDE, count - start)):
                gap = difference(load(ys, here + step), y_here)
                nearest = insert(nearest, larger(gap, distance(load(xs, here + step), x_here)))
        if behind:
            for step in range(offset, min(offset + STRIDE, start + WIDTH)):
                gap = difference(y_here, load(ys, here - step))
                nearest = insert(nearest, larger(gap, distance(load(xs, here - step), x_here)))
        offset += STRIDE
        ahead = (
            ahead and offset < count - start and any_less(difference(load(ys, here + offset), y_here), nearest[last])
        )
        behind = (
            behind and offset < start + WIDTH and any_less(difference(y_here, load(ys, here - offset)), nearest[last])
        )
    for sign in (-1, 1):
        other = s + sign
        while 0 <= other < strips:
            if sign < 0:
                gap = difference(x_here, filled(column[WIDTH + (other + 1) * strip - 1]))
            else:
                gap = difference(filled(column[WIDTH + other * strip]), x_here)
            wanted = smaller_where(gap, nearest[last])
            if not any_less(gap, nearest[last]):
                break
            low, high = other * stride + BEFORE, fill[other]
            y = ys[here]
            begin = low
            while begin < high:
                middle = (begin + high) >> 1
                if ys[middle] < y:
                    begin = middle + 1
                else:
                    high = middle
            high = fill[other]
            j = begin
            while j < high:
                y_j = filled(ys[j])
                if not any_less(difference(y_j, y_here), smaller(wanted, nearest[last])):
                    break
                nearest = insert(nearest, larger(distance(y_j, y_here), distance(filled(xs[j]), x_here)))
                j += 1
            j = begin - 1
            while j >= low:
                y_j = filled(ys[j])
                if not any_less(difference(y_here, y_j), smaller(wanted, nearest[last])):
                    break
                nearest = insert(nearest, larger(distance(y_j, y_here), distance(filled(xs[j]), x_here)))
                j -= 1
            other += sign
    return nearest
