"""Co-occurrence counts of all pairs of sparse features, feature by feature: one row of the product at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numba import prange
from scipy import sparse
from scipy.special import chdtrc, chdtri

from lmi.arguments import whole
from lmi.compiled import kernel
from lmi.containers import plain_array, refuse_odd_tensor
from lmi.estimators.significance.document_nulls import Scheme, null_rows
from lmi.inputs import read_matrices, read_matrix

DOUBTFUL = 5.0  # expected rows below which the chi-squared law is not trusted
CHUNK = 16  # features a thread takes at a time


class Counts(NamedTuple):
    """Pairs whose G-test is at most the rate: (m,) each.

    Fields:
        a: a feature.
        b: another.
        together: rows where both fire.
        nats: MI of the 2 x 2 table.
        p: of the G-test.
    """

    a: np.ndarray
    b: np.ndarray
    together: np.ndarray
    nats: np.ndarray
    p: np.ndarray


def read_firing(x: Any, features: int | None = None) -> sparse.csr_matrix:
    """(n, d) whether each feature fires in each row, as CSR with sorted int32 indices and no stored zeros.

    Args:
        x: (n, d) in any container, or with ``features`` whole numbers (n, k), -1 for none; sparse ones stay sparse.
        features: d of the numbers.

    Raises:
        ValueError: for anything else.

    >>> read_firing(np.array([[0, 2], [1, -1]]), features=3).toarray().tolist()
    [[True, False, True], [False, True, False]]
    """
    if features is not None:
        return _from_numbers(x, whole(features, "features", 2))
    held = getattr(x, "X", x)  # of an AnnData
    is_small = type(x) is np.ndarray and x.ndim == 2 and x.dtype.kind in "biu" and x.dtype.isnative
    if not sparse.issparse(held) and not is_small:
        ((read,), _) = read_matrices(read_matrix(x, "x", is_sample=False))
        held = read.values.cpu().numpy()
    if held.dtype.kind not in "biuf":
        raise ValueError(f"x has dtype {held.dtype}; expected real numbers")
    fires = sparse.csr_matrix(held, copy=True)
    if fires.dtype.kind == "f" and not np.isfinite(fires.data).all():
        raise ValueError(f"x has {int((~np.isfinite(fires.data)).sum())} value(s) that are NaN or infinite")
    fires.sum_duplicates()
    fires.eliminate_zeros()
    return sparse.csr_matrix((np.ones(fires.nnz, bool), fires.indices, fires.indptr), shape=fires.shape)


def _from_numbers(x: Any, features: int) -> sparse.csr_matrix:
    if isinstance(x, torch.Tensor):
        refuse_odd_tensor(x, "x")
        x = x.detach().cpu().numpy()
    numbers = plain_array(x, "x", "whole numbers (n, k)")
    if numbers.ndim != 2 or numbers.dtype.kind not in "iu":
        raise ValueError(f"x has shape {numbers.shape} and type {numbers.dtype}; expected whole numbers (n, k)")
    low, high = (int(numbers.min()), int(numbers.max())) if numbers.size else (0, 0)
    if low < -1 or high >= features:
        raise ValueError(f"x has numbers from {low} to {high}; expected features 0 to {features - 1}, or -1 for none")
    row, place = np.nonzero(numbers >= 0)
    starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(numbers)))])
    fires = sparse.csr_matrix(
        (np.ones(len(row), bool), numbers[row, place].astype(np.int32), starts), shape=(len(numbers), features)
    )
    fires.sum_duplicates()
    fires.data[:] = True
    return fires


def count_pairs(
    left: sparse.csr_matrix,
    right: sparse.csr_matrix,
    scale: np.ndarray,
    rate: float,
    sign: int,
    between: tuple[int, int] | None = None,
) -> Counts:
    """Pairs a < b whose 2 x 2 table has a G-test of at most ``rate``.

    Args:
        left: (n, d) from ``read_firing``.
        right: (n, d) the same, or with rows moved.
        scale: (d,) what G is divided by for a pair is the product of two of these, at least 1.
        rate: largest p-value kept.
        sign: 1 for pairs that fire together more often than chance, -1 for less often, 0 for both.
        between: the first a, and one past the last; ``None`` for all.
    """
    (n, d), columns = left.shape, left.tocsc()
    fires = np.bincount(left.indices, minlength=d), np.bincount(right.indices, minlength=d)
    least = float(chdtri(1, rate)) if rate < 1 else -1.0
    table = _log_table(n)
    first, last = between or (0, d)
    matrices = (columns.indptr, columns.indices, right.indptr, right.indices)
    arguments = (*matrices, *fires, n, scale, least, sign, table, first, last)
    starts = np.concatenate([[0], np.cumsum(_pairs(*arguments, np.zeros(0, np.int64), *_room(0)))])
    room = _room(int(starts[-1]))
    _pairs(*arguments, starts, *room)
    b, together, nats, g = room
    a = np.repeat(np.arange(d, dtype=np.int32), np.diff(starts))
    return Counts(a, b, together, nats, chdtrc(1, g))


def _room(size: int) -> tuple[np.ndarray, ...]:
    return np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size), np.empty(size)


def _log_table(n: int) -> np.ndarray:
    """c log c for c from 0 to n."""
    counts = np.arange(n + 1, dtype=np.float64)
    return counts * np.log(np.maximum(counts, 1))


@kernel(nogil=True)
def _nats(c: int, a: int, b: int, n: int, table: Any) -> float:
    """Plug-in MI of the 2 x 2 table with ``c`` rows where both fire."""
    cells = table[c] + table[a - c] + table[b - c] + table[n - a - b + c]
    return (cells - table[a] - table[n - a] - table[b] - table[n - b] + table[n]) / n


@kernel(parallel=True, nogil=True, error_model="numpy")
def _pairs(
    starts: Any, rows: Any, row_starts: Any, features: Any, of_left: Any, of_right: Any, n: int, scale: Any, least: float,
    sign: int, table: Any, first: int, last: int, places: Any, b_out: Any, together: Any, nats: Any, g_out: Any,
) -> Any:  # fmt: skip
    """How many pairs each feature has; with ``places``, they are written from there on."""
    d = of_left.size
    number = np.zeros(d, np.int64)
    for chunk in prange((last - first + CHUNK - 1) // CHUNK):
        counts = np.zeros(d, np.int32)
        for a in range(first + chunk * CHUNK, min(last, first + (chunk + 1) * CHUNK)):
            if of_left[a] == 0 or of_left[a] == n:
                continue
            counts[:] = 0
            for place in range(starts[a], starts[a + 1]):
                row = rows[place]
                for other in range(row_starts[row], row_starts[row + 1]):
                    counts[features[other]] += 1
            for b in range(a + 1, d):
                if of_right[b] == 0 or of_right[b] == n:
                    continue
                excess = counts[b] * float(n) - float(of_left[a]) * of_right[b]
                if sign * excess < 0:
                    continue
                value = _nats(counts[b], of_left[a], of_right[b], n, table)
                g = max(0.0, 2 * n * value / max(1.0, scale[a] * scale[b]))
                if g >= least:
                    if places.size:
                        here = places[a] + number[a]
                        b_out[here], together[here], nats[here], g_out[here] = b, counts[b], value, g
                    number[a] += 1
    return number


def null_inflation(
    rows: sparse.csr_matrix, documents: torch.Tensor, scheme: Scheme, generator: torch.Generator, draws: int
) -> np.ndarray:
    """(d,) numbers whose product for two features is how much larger G is than a chi-squared when they share nothing.

    G of all pairs is taken with the documents of one side moved; a feature's mean over its pairs with at least 5 rows
    expected, divided by the root of the mean of all, is its number. Features without such pairs get the root.

    Args:
        rows: (n, d) from ``read_firing``.
        documents: (n,) the document of each row.
        scheme: "documents" or "shift".
        generator: randomness.
        draws: times that documents are moved.
    """
    (n, d), columns = rows.shape, rows.tocsc()
    fires = np.bincount(rows.indices, minlength=d)
    total, number = np.zeros(d), np.zeros(d)
    for _ in range(draws):
        moved = rows[null_rows(documents, scheme, generator).numpy()]
        sums = _sums(columns.indptr, columns.indices, moved.indptr, moved.indices, fires, n, DOUBTFUL, _log_table(n))
        total += sums[0]
        number += sums[1]
    overall = total.sum() / number.sum() if number.sum() else 1.0
    mean = np.divide(total + overall * 30, number + 30)  # the mean of all weighs as much as 30 pairs
    return mean / np.sqrt(overall)


@kernel(parallel=True, nogil=True, error_model="numpy")
def _sums(starts: Any, rows: Any, row_starts: Any, features: Any, fires: Any, n: int, least: float, table: Any) -> Any:
    """(2, d) sum of G of each feature with all others that are expected in ``least`` rows, and how many those are."""
    d = fires.size
    sums = np.zeros((2, d))
    for chunk in prange((d + CHUNK - 1) // CHUNK):
        counts = np.zeros(d, np.int32)
        for a in range(chunk * CHUNK, min(d, (chunk + 1) * CHUNK)):
            counts[:] = 0
            for place in range(starts[a], starts[a + 1]):
                row = rows[place]
                for other in range(row_starts[row], row_starts[row + 1]):
                    counts[features[other]] += 1
            for b in range(d):
                if b != a and fires[b] < n and fires[a] < n and float(fires[a]) * fires[b] >= least * n:
                    sums[0, a] += 2 * n * _nats(counts[b], fires[a], fires[b], n, table)
                    sums[1, a] += 1
    return sums
