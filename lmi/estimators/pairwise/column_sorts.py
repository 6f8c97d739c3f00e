"""One sort of every column, and what is read from it: ties, normal scores, bins of equal mass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import prange
from scipy.special import ndtri
from torch import Tensor

from lmi.compiled import kernel
from lmi.estimators.pairwise.histogram import Binning

TIED_SHARE = 0.1  # of the rows, beyond which a column counts as tied
DIGIT = 11  # bits that the radix sort takes at a time
PASSES = -(-64 // DIGIT)
CHUNK = 8  # columns that a thread takes at a time
BLOCK_VALUES = 2**23  # values copied at a time, 64 MiB
SIDE, ROWS = 32, 64  # columns and rows of the table that are turned at a time, so that they stay in the nearest cache


@dataclass(frozen=True, eq=False)
class ColumnSorts:
    """What one sort of d columns of n rows tells.

    Args:
        rows: n.
        tied: (d,) rows of each column whose value more than k rows have.
        scores: (d, n) normal scores, 0 columns where they were not asked for.
        codes: (d, n) uint16 bins of equal mass, 0 columns where they were not asked for.
    """

    rows: int
    tied: np.ndarray
    scores: np.ndarray
    codes: np.ndarray

    def mostly_tied(self) -> list[int]:
        """Columns where more than ``TIED_SHARE`` of the rows have such a value."""
        return np.flatnonzero(self.tied > TIED_SHARE * self.rows).tolist()


def sort_columns(x: Tensor, k: int = 1, with_scores: bool = False, bins: int = 0) -> ColumnSorts:
    """Sort each column of x (n, d) once.

    Args:
        x: finite samples on the CPU.
        k: rows that may share a value without being tied.
        with_scores: whether to give Phi^-1((rank - 1/2) / n), ties sharing their mean rank.
        bins: of equal mass, with the edges of ``bin_edges``; 0 for none.

    >>> sorts = sort_columns(torch.tensor([[5.0], [7.0], [7.0], [9.0]]), with_scores=True, bins=2)
    >>> sorts.tied.tolist(), sorts.scores.round(2).tolist(), sorts.codes.tolist()
    ([2], [[-1.15, 0.0, 0.0, 1.15]], [[0, 1, 1, 1]])
    """
    n, d = x.shape
    halves = np.arange(2, 2 * n + 1) / 2  # every mean rank there can be
    quantiles = ndtri((halves - 0.5) / n) if with_scores else np.empty(0)
    tied = np.empty(d, np.int64)
    scores = np.empty((d if with_scores else 0, n))
    codes = np.empty((d if bins else 0, n), np.uint16)
    for here in _blocks(n, d):
        _sort(column_rows(x[:, here]), k, quantiles, bins, tied[here], scores[here], codes[here])
    return ColumnSorts(n, tied, scores, codes)


def binned_columns(x: Tensor, bins: int, binning: Binning) -> np.ndarray:
    """``bin_codes`` of columns of x (n, d) on the CPU, compiled: (d, n) uint16.

    >>> binned_columns(torch.tensor([[0.0], [1.0], [2.0], [4.0]]), 2, "width").tolist()
    [[0, 0, 1, 1]]
    """
    if binning == "mass":
        return sort_columns(x, bins=bins).codes
    n, d = x.shape
    codes = np.empty((d, n), np.uint16)
    for here in _blocks(n, d):
        _width_codes(column_rows(x[:, here]), bins, codes[here])
    return codes


def _blocks(rows: int, columns: int) -> list[slice]:
    step = SIDE * max(1, BLOCK_VALUES // (SIDE * rows))
    return [slice(start, start + step) for start in range(0, columns, step)]


def column_rows(x: Tensor) -> np.ndarray:
    """Columns of x (n, t) as rows (t, n), float64.

    >>> column_rows(torch.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    """
    x = x.detach() if x.dtype in (torch.float32, torch.float64) else x.detach().double()
    if x.T.is_contiguous():
        return x.T.double().numpy()
    return np.asarray(_turned(x.numpy()))


@kernel(parallel=True, nogil=True)
def _turned(x: Any) -> Any:
    n, t = x.shape
    columns = np.empty((t, n))
    for side in prange((t + SIDE - 1) // SIDE):
        for first in range(0, n, ROWS):
            for column in range(side * SIDE, min(t, (side + 1) * SIDE)):
                for row in range(first, min(n, first + ROWS)):
                    columns[column, row] = x[row, column]
    return columns


@kernel(parallel=True, nogil=True, error_model="numpy")
def _sort(columns: Any, k: int, quantiles: Any, bins: int, tied: Any, scores: Any, codes: Any) -> None:
    """Fill ``tied``, and ``scores`` and ``codes`` where there are any, for columns (t, n)."""
    t, n = columns.shape
    for chunk in prange((t + CHUNK - 1) // CHUNK):
        keys, spare_keys = np.empty(n, np.uint64), np.empty(n, np.uint64)
        order, spare_order = np.empty(n, np.int32), np.empty(n, np.int32)
        counts = np.empty((PASSES, 1 << DIGIT), np.int32)
        edges = np.empty(bins + 1)
        for column in range(chunk * CHUNK, min(t, (chunk + 1) * CHUNK)):
            values = columns[column]
            ascending, rows = _radix_sort(values, keys, order, spare_keys, spare_order, counts)
            repeated, first = 0, 0
            while first < n:
                last = first
                while last + 1 < n and ascending[last + 1] == ascending[first]:
                    last += 1
                if last - first + 1 > k:
                    repeated += last - first + 1
                if scores.shape[0]:
                    for place in range(first, last + 1):
                        scores[column, rows[place]] = quantiles[first + last]
                first = last + 1
            tied[column] = repeated
            if bins:
                for edge in range(bins + 1):
                    edges[edge] = _quantile(values, rows, edge / bins * (n - 1))
                code = 0
                for place in range(n):
                    row = rows[place]
                    while code < bins - 1 and values[row] >= edges[code + 1]:
                        code += 1
                    codes[column, row] = code


@kernel(nogil=True, error_model="numpy")
def _radix_sort(values: Any, keys: Any, order: Any, spare_keys: Any, spare_order: Any, counts: Any) -> Any:
    """(keys ascending, row numbers) of values (n,), both in one pair of the arrays given; equal rows stay in order."""
    n, mask = values.size, np.uint64((1 << DIGIT) - 1)
    sign = np.uint64(1) << np.uint64(63)
    bits = values.view(np.uint64)
    counts[:] = 0
    for row in range(n):
        word = bits[row]
        if word == sign:  # -0.0 equals 0.0
            word = np.uint64(0)
        key = ~word if word & sign else word | sign
        keys[row], order[row] = key, row
        for digit in range(PASSES):
            counts[digit, (key >> np.uint64(digit * DIGIT)) & mask] += 1
    for digit in range(PASSES):
        shift, place = np.uint64(digit * DIGIT), counts[digit]
        if place[(keys[0] >> shift) & mask] == n:  # the same digit in every row
            continue
        before = 0
        for value in range(place.size):
            place[value], before = before, before + place[value]
        for row in range(n):
            key = keys[row]
            value = (key >> shift) & mask
            spare_keys[place[value]], spare_order[place[value]] = key, order[row]
            place[value] += 1
        keys, spare_keys = spare_keys, keys
        order, spare_order = spare_order, order
    return keys, order


@kernel(nogil=True, error_model="numpy")
def _quantile(values: Any, rows: Any, place: float) -> float:
    """The value at a place between two of ``values`` in the order of ``rows``, as NumPy interpolates."""
    below = int(np.floor(place))
    share = place - below
    lower, upper = values[rows[below]], values[rows[min(below + 1, values.size - 1)]]
    return lower + (upper - lower) * share if share < 0.5 else upper - (upper - lower) * (1 - share)


@kernel(parallel=True, nogil=True, error_model="numpy")
def _width_codes(columns: Any, bins: int, codes: Any) -> None:
    """Bins of equal width over the [min, max] of each of ``columns`` (t, n): closed on the left, the last on both sides."""
    t, n = columns.shape
    for column in prange(t):
        low, high = columns[column].min(), columns[column].max()
        step = (high - low) / bins
        edges = np.arange(bins + 1) * step + low
        edges[bins] = high
        for row in range(n):
            value = columns[column, row]
            code = min(max(int((value - low) / step), 0), bins - 1)  # off by one where rounding has it so
            while code > 0 and value < edges[code]:
                code -= 1
            while code < bins - 1 and value >= edges[code + 1]:
                code += 1
            codes[column, row] = code
