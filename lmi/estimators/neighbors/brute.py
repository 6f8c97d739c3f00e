"""Blocked brute-force kernels: every distance, a block at a time in cache, on all cores.

Columns are stored one after the other, (d, n), so that the inner loop runs over neighbouring memory and vectorises.
"""

from __future__ import annotations

import numpy as np
from numba import get_num_threads, prange

from lmi.compiled import kernel

BLOCK = 512
_FAST = {"nnan", "ninf", "nsz", "contract"}


@kernel(fastmath=_FAST, inline="always")
def _block_distances(columns, query, i, start, stop, squared, out):  # type: ignore[no-untyped-def]
    size = stop - start
    for j in range(size):
        out[j] = 0.0
    for dim in range(columns.shape[0]):
        centre = query[dim, i]
        column = columns[dim, start:stop]
        if squared:
            for j in range(size):
                gap = column[j] - centre
                out[j] += gap * gap
        else:
            for j in range(size):
                out[j] = max(out[j], abs(column[j] - centre))


@kernel(parallel=True, fastmath=_FAST)
def _nearest(columns, query, k, squared, exclude_self, workers):  # type: ignore[no-untyped-def]
    n, m = columns.shape[1], query.shape[1]
    distances = np.empty((m, k))
    indices = np.empty((m, k), dtype=np.int64)
    for worker in prange(workers):
        block = np.empty(BLOCK)
        for i in range(worker * m // workers, (worker + 1) * m // workers):
            best = distances[i]
            who = indices[i]
            best[:] = np.finfo(np.float64).max
            who[:] = -1
            for start in range(0, n, BLOCK):
                stop = min(n, start + BLOCK)
                _block_distances(columns, query, i, start, stop, squared, block)
                closest = block[0]
                for j in range(stop - start):
                    closest = min(closest, block[j])
                if closest >= best[k - 1]:
                    continue
                for j in range(stop - start):
                    if block[j] < best[k - 1] and not (exclude_self and start + j == i):
                        place = k - 1
                        while place > 0 and best[place - 1] > block[j]:
                            best[place] = best[place - 1]
                            who[place] = who[place - 1]
                            place -= 1
                        best[place] = block[j]
                        who[place] = start + j
    return distances, indices


@kernel(parallel=True, fastmath=_FAST)
def _count(columns, query, radius, squared, workers):  # type: ignore[no-untyped-def]
    n, m = columns.shape[1], query.shape[1]
    counts = np.empty(m, dtype=np.int64)
    for worker in prange(workers):
        block = np.empty(BLOCK)
        for i in range(worker * m // workers, (worker + 1) * m // workers):
            limit = radius[i]
            total = 0
            for start in range(0, n, BLOCK):
                stop = min(n, start + BLOCK)
                _block_distances(columns, query, i, start, stop, squared, block)
                if squared:
                    for j in range(stop - start):
                        total += np.sqrt(block[j]) < limit
                else:
                    for j in range(stop - start):
                        total += block[j] < limit
            counts[i] = total
    return counts


@kernel()
def _count_sorted(points, query, radius):  # type: ignore[no-untyped-def]
    # The test |x_j - x_i| < r is made on the rounded difference, as everywhere else, and not on x_i + r.
    n = points.shape[0]
    counts = np.empty(query.shape[0], dtype=np.int64)
    for i in range(query.shape[0]):
        centre, limit = query[i], radius[i]
        middle = np.searchsorted(points, centre)
        low, high = 0, middle
        while low < high:
            probe = (low + high) // 2
            if centre - points[probe] < limit:
                high = probe
            else:
                low = probe + 1
        first = low
        low, high = middle, n
        while low < high:
            probe = (low + high) // 2
            if points[probe] - centre < limit:
                low = probe + 1
            else:
                high = probe
        counts[i] = low - first
    return counts


def nearest_brute(
    columns: np.ndarray, query: np.ndarray, k: int, euclidean: bool, exclude_self: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Distances (m, k) and indices (m, k) of the nearest among ``columns`` (d, n) to each of ``query`` (d, m).

    Args:
        columns: (d, n) points, a row for each coordinate.
        query: (d, m) points.
        k: neighbours.
        euclidean: in place of the maximum norm.
        exclude_self: whether point i is no neighbour of query i.
    """
    distances, indices = _nearest(columns, query, k, euclidean, exclude_self, 8 * get_num_threads())
    return (np.sqrt(distances) if euclidean else distances), indices


def count_brute(columns: np.ndarray, query: np.ndarray, radius: np.ndarray, euclidean: bool) -> np.ndarray:
    """How many of ``columns`` (d, n) lie strictly inside ``radius`` (m,) of each of ``query`` (d, m).

    Args:
        columns: (d, n) points, a row for each coordinate.
        query: (d, m) points.
        radius: (m,) of each query.
        euclidean: in place of the maximum norm.
    """
    return _count(columns, query, radius, euclidean, 8 * get_num_threads())


def count_sorted(points: np.ndarray, query: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """The same for one dimension, by bisection: ``points`` (n,), ``query`` (m,), ``radius`` (m,)."""
    return _count_sorted(np.sort(points), query, radius)
