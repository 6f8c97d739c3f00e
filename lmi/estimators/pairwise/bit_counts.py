"""Joint counts of binned columns as products of bits: 64 rows at a time, exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, prange, types
from numba.extending import intrinsic

BLOCK = 128  # words of each bin at a time, so that those of two columns stay in the nearest cache


@intrinsic
def _ones(typingctx: Any, word: Any) -> tuple[Any, Callable[..., Any]]:
    """How many bits of a 64-bit word are set."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), build


@njit(nogil=True, error_model="numpy", cache=True)
def _bits(codes: Any, bins: int, words: int) -> Any:
    """(t, bins, words) bit i of bin b: whether row i is in it, of bin numbers (t, n)."""
    bits = np.zeros((codes.shape[0], bins, words), np.uint64)
    for column in range(codes.shape[0]):
        for row in range(codes.shape[1]):
            bits[column, codes[column, row], row >> 6] |= np.uint64(1) << np.uint64(row & 63)
    return bits


@njit(nogil=True, error_model="numpy", cache=True)
def _count(left: Any, right: Any, start: int, end: int, counts: Any) -> None:
    """Add the rows of words ``start`` to ``end`` to the counts of all but the last bins, three bins of right at a time."""
    last = left.shape[0] - 1
    for i in range(last):
        first = left[i, start:end]  # slices, whose loops from 0 the compiler vectorises
        j = 0
        while j + 3 <= last and first.size >= 64:
            one, two, three = 0, 0, 0
            second, third, fourth = right[j, start:end], right[j + 1, start:end], right[j + 2, start:end]
            for word in range(first.size):
                one += _ones(first[word] & second[word])
                two += _ones(first[word] & third[word])
                three += _ones(first[word] & fourth[word])
            counts[i, j] += one
            counts[i, j + 1] += two
            counts[i, j + 2] += three
            j += 3
        while j < last:
            one = 0
            second = right[j, start:end]
            for word in range(first.size):
                one += _ones(first[word] & second[word])
            counts[i, j] += one
            j += 1


@njit(parallel=True, nogil=True, error_model="numpy", cache=True)
def bit_tile(x: Any, y: Any, bins: int, table: Any, corrected: bool, upper: bool) -> Any:
    """(tx, ty) plug-in MI in nats between columns of bin numbers (tx, n) and (ty, n).

    Args:
        x: bin numbers.
        y: bin numbers.
        bins: of both.
        table: c log c for c from 0 to n.
        corrected: whether Miller and Madow's correction is added.
        upper: leaves out what is on and below the diagonal.
    """
    n, words = x.shape[1], (x.shape[1] + 63) // 64
    left, right = _bits(x, bins, words), _bits(y, bins, words)
    nats = np.zeros((x.shape[0], y.shape[0]))
    x_counts, y_counts = left.shape[0] * bins, right.shape[0] * bins
    x_margin, y_margin = np.zeros(x_counts, np.int64), np.zeros(y_counts, np.int64)
    for place in range(x_counts):
        for word in range(words):
            x_margin[place] += _ones(left[place // bins, place % bins, word])
    for place in range(y_counts):
        for word in range(words):
            y_margin[place] += _ones(right[place // bins, place % bins, word])
    for a in prange(x.shape[0]):
        counts = np.zeros((bins, bins), np.int64)
        of_a = 0.0
        a_occupied = 0
        for i in range(bins):
            of_a += table[x_margin[a * bins + i]]
            a_occupied += x_margin[a * bins + i] > 0
        for b in range(a + 1 if upper else 0, y.shape[0]):
            joint, of_b = 0.0, 0.0
            occupied = 0
            for j in range(bins):
                of_b += table[y_margin[b * bins + j]]
                occupied += y_margin[b * bins + j] > 0
            counts[:] = 0
            for start in range(0, words, BLOCK):
                _count(left[a], right[b], start, min(start + BLOCK, words), counts)
            cells = 0
            for i in range(bins - 1):  # what is left of the margins is in the last bin
                counts[i, bins - 1] = x_margin[a * bins + i] - counts[i, : bins - 1].sum()
            for j in range(bins):
                counts[bins - 1, j] = y_margin[b * bins + j] - counts[: bins - 1, j].sum()
            for i in range(bins):
                for j in range(bins):
                    joint += table[counts[i, j]]
                    cells += counts[i, j] > 0
            nats[a, b] = np.log(n) + (joint - of_a - of_b) / n
            if corrected:
                nats[a, b] += (a_occupied + occupied - cells - 1) / (2 * n)
    return nats
