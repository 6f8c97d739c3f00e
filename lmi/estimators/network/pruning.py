"""Which edges of a network are direct: the data processing inequality over triangles (ARACNE)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from scipy import sparse

from lmi.compiled import kernel


def indirect_edges(a: np.ndarray, b: np.ndarray, nats: np.ndarray, size: int, tolerance: float = 0.0) -> np.ndarray:
    """(m,) whether an edge is the weakest of a triangle of edges: what passes through a third column.

    The data processing inequality: where i and j share something only through k, I(i; j) <= min(I(i; k), I(k; j)). An
    edge is called indirect where some k with both other edges has I(i; j) < min(I(i; k), I(k; j)) - ``tolerance``.
    All triangles are judged by the edges as they came, so that the order does not matter. Margolin et al., "ARACNE",
    BMC Bioinformatics 7:S7, 2006.

    Args:
        a: (m,) one end of each edge.
        b: (m,) the other.
        nats: (m,) their MI.
        size: number of columns.
        tolerance: nats by which an edge has to be weaker.

    >>> indirect_edges(np.array([0, 0, 1]), np.array([1, 2, 2]), np.array([0.5, 0.2, 0.4]), 3)
    array([False,  True, False])
    """
    if not len(a):
        return np.zeros(0, dtype=bool)
    values = np.ascontiguousarray(nats, dtype=np.float64)
    a, b = np.asarray(a, np.int64), np.asarray(b, np.int64)
    return _weakest(a, b, values, *neighbour_lists(a, b, size), float(tolerance))


def neighbour_lists(a: np.ndarray, b: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(starts, other, edge): columns joined to column i, ascending, are ``other[starts[i] : starts[i + 1]]``, by ``edge``.

    Raises:
        ValueError: for an edge that occurs twice, or joins a column to itself.
    """
    ends = np.concatenate([a, b]), np.concatenate([b, a])
    number = np.tile(np.arange(1, len(a) + 1), 2)  # from 1 on, since a stored 0 may be dropped
    table = sparse.csr_matrix((number, ends), shape=(size, size))
    table.sort_indices()
    if table.nnz != 2 * len(a):
        raise ValueError("an edge occurs twice, or joins a column to itself; expected each pair once")
    starts, other, edge = (part.astype(np.int64) for part in (table.indptr, table.indices, table.data - 1))
    return starts, other, edge


@kernel(parallel=True, nogil=True)
def _weakest(a: Any, b: Any, nats: Any, starts: Any, other: Any, edge: Any, tolerance: float) -> Any:
    """Walk the sorted neighbours of both ends side by side and look at each that they share."""
    weakest = np.zeros(a.size, dtype=np.bool_)
    for index in prange(a.size):
        i, i_end = starts[a[index]], starts[a[index] + 1]
        j, j_end = starts[b[index]], starts[b[index] + 1]
        while i < i_end and j < j_end:
            if other[i] == other[j]:
                if nats[index] < min(nats[edge[i]], nats[edge[j]]) - tolerance:
                    weakest[index] = True
                    break
                i += 1
                j += 1
            elif other[i] < other[j]:
                i += 1
            else:
                j += 1
    return weakest
