"""Joint counts of binned columns as products of bits: 64 rows at a time, exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import prange, types
from numba.extending import intrinsic

from lmi.compiled import kernel

BLOCK = 512  # words of each bin at a time, so that those of five bins stay in the nearest cache
SIDE = 4  # columns of left at a time, which share what is read of right


@intrinsic
def _ones(typingctx: Any, word: Any) -> tuple[Any, Callable[..., Any]]:
    """How many bits of a 64-bit word are set."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), build


@kernel(parallel=True, nogil=True, error_model="numpy")
def pack_bits(codes: Any, bins: int) -> Any:
    """(t, bins, words) bit i of bin b: whether row i is in it; and (t, bins) counts; of bin numbers (t, n)."""
    t, n = codes.shape
    bits, counts = np.zeros((t, bins, (n + 63) // 64), np.uint64), np.zeros((t, bins), np.int64)
    for column in prange(t):
        for row in range(n):
            code = codes[column, row]
            bits[column, code, row >> 6] |= np.uint64(1) << np.uint64(row & 63)
            counts[column, code] += 1
    return bits, counts


@kernel(nogil=True, error_model="numpy")
def _count(left: Any, right: Any, start: int, end: int, counts: Any) -> None:
    """Add the rows of words ``start`` to ``end`` to the counts of all but the last bins, two of left by three of right.

    What comes to stand at the last bins is no count.
    """
    last = left.shape[0] - 1
    for i in range(0, last, 2):  # slices, whose loops from 0 the compiler vectorises
        a, b = left[i, start:end], left[i + 1, start:end]
        for j in range(0, last, 3):
            second, third = min(j + 1, last), min(j + 2, last)
            x, y, z = right[j, start:end], right[second, start:end], right[third, start:end]
            ax, ay, az, bx, by, bz = 0, 0, 0, 0, 0, 0
            for word in range(a.size):
                ax += _ones(a[word] & x[word])
                ay += _ones(a[word] & y[word])
                az += _ones(a[word] & z[word])
                bx += _ones(b[word] & x[word])
                by += _ones(b[word] & y[word])
                bz += _ones(b[word] & z[word])
            counts[i, j] += ax
            counts[i, second] += ay
            counts[i, third] += az
            counts[i + 1, j] += bx
            counts[i + 1, second] += by
            counts[i + 1, third] += bz


@kernel(nogil=True, error_model="numpy")
def _plug_in(counts: Any, of_left: Any, of_right: Any, table: Any, corrected: bool) -> float:
    """Plug-in MI in nats of the table ``counts`` (bins, bins), whose last row and column the margins fill in."""
    bins, n = of_left.size, table.size - 1
    for i in range(bins - 1):
        counts[i, bins - 1] = of_left[i] - counts[i, : bins - 1].sum()
    for j in range(bins):
        counts[bins - 1, j] = of_right[j] - counts[: bins - 1, j].sum()
    joint, margins = 0.0, 0.0
    surplus = -1
    for i in range(bins):
        margins += table[of_left[i]] + table[of_right[i]]
        surplus += (of_left[i] > 0) + (of_right[i] > 0)
        for j in range(bins):
            joint += table[counts[i, j]]
            surplus -= counts[i, j] > 0
    nats = np.log(n) + (joint - margins) / n
    return nats + surplus / (2 * n) if corrected else nats


@kernel(parallel=True, nogil=True, error_model="numpy")
def bit_tile(left: Any, right: Any, of_left: Any, of_right: Any, table: Any, corrected: bool, upper: bool) -> Any:
    """(tx, ty) plug-in MI in nats between columns packed by ``pack_bits``.

    Args:
        left: (tx, bins, words).
        right: (ty, bins, words).
        of_left: (tx, bins) counts.
        of_right: (ty, bins) counts.
        table: c log c for c from 0 to n.
        corrected: whether Miller and Madow's correction is added.
        upper: leaves out what is on and below the diagonal.
    """
    columns, bins, words = left.shape
    nats = np.zeros((columns, right.shape[0]))
    sides = (columns + SIDE - 1) // SIDE
    for index in prange(sides):
        first = SIDE * (index // 2 if index % 2 == 0 else sides - 1 - index // 2)  # long and short rows in turn
        end = min(first + SIDE, columns)
        counts = np.empty((SIDE, bins, bins), np.int64)
        for b in range(first + 1 if upper else 0, right.shape[0]):
            until = min(end, b) if upper else end
            counts[:] = 0
            for start in range(0, words, BLOCK):
                for a in range(first, until):
                    _count(left[a], right[b], start, min(start + BLOCK, words), counts[a - first])
            for a in range(first, until):
                nats[a, b] = _plug_in(counts[a - first], of_left[a], of_right[b], table, corrected)
    return nats
