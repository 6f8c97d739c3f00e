"""Exact nearest neighbours and counts inside a radius, in Chebyshev or Euclidean distance, on any device.

Three ways that give the same numbers: a k-d tree and a blocked brute force on the CPU, chunked tensors elsewhere.
Which of the CPU ways is faster was measured (``experiment=neighbors_speed`` prints the table): brute force wins up to
``TREE_SAMPLES`` points in any dimension; beyond, a tree wins where there are few dimensions to cut.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

Metric = Literal["chebyshev", "euclidean"]
Way = Literal["auto", "tree", "brute", "chunked"]

TREE_SAMPLES = 4000
TREE_NEAREST_DIMENSIONS = 8
TREE_COUNT_DIMENSIONS = 2
CHUNK_ELEMENTS = 1 << 25


def nearest(
    points: Tensor, k: int, query: Tensor | None = None, metric: Metric = "chebyshev", way: Way = "auto"
) -> tuple[Tensor, Tensor]:
    """The ``k`` nearest of ``points`` to each query, nearest first.

    Args:
        points: (n, d).
        k: how many; at most n - 1 where the points are their own queries.
        query: (m, d); ``None`` asks for the points' own neighbours, each without itself.
        metric: ``chebyshev`` is max_j |a_j - b_j|, ``euclidean`` the root of the sum of squares.
        way: ``auto`` or one way by name.

    Returns:
        distances (m, k) float64 and indices (m, k) int64.

    Raises:
        ValueError: where there are not ``k`` neighbours to find.

    >>> distances, indices = nearest(torch.tensor([[0.0], [1.0], [3.0]]), k=1)
    >>> distances.flatten().tolist(), indices.flatten().tolist()
    ([1.0, 1.0, 2.0], [1, 0, 1])
    """
    available = points.shape[0] - (query is None)
    if not 1 <= k <= available:
        raise ValueError(f"k must be between 1 and {available}, the neighbours that there are; got k={k}")
    points, targets = _pair(points, query)
    way = _choose(way, points, TREE_NEAREST_DIMENSIONS)
    if way == "chunked":
        return _nearest_chunked(points, targets, k, metric, exclude_self=query is None)
    if way == "tree":
        return _nearest_tree(points, targets, k, metric, exclude_self=query is None)
    from lmi.estimators.neighbors.brute import nearest_brute

    distances, indices = nearest_brute(_columns(points), _columns(targets), k, metric == "euclidean", query is None)
    return torch.from_numpy(distances), torch.from_numpy(indices)


def count_inside(
    points: Tensor, radius: Tensor, query: Tensor | None = None, metric: Metric = "chebyshev", way: Way = "auto"
) -> Tensor:
    """How many of ``points`` lie strictly inside ``radius`` of each query, the query itself included where it is one.

    Args:
        points: (n, d).
        radius: (m,) one radius a query.
        query: (m, d); ``None`` takes the points themselves.
        metric: as in ``nearest``.
        way: as in ``nearest``.

    Returns:
        counts (m,) int64.

    >>> count_inside(torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([1.0, 1.5, 9.0])).tolist()
    [1, 2, 3]
    """
    points, targets = _pair(points, query)
    radius = radius.to(points)
    way = _choose(way, points, TREE_COUNT_DIMENSIONS)
    if way == "chunked":
        return _count_chunked(points, targets, radius, metric)
    if points.shape[1] == 1:
        from lmi.estimators.neighbors.brute import count_sorted

        return torch.from_numpy(count_sorted(*(array.flatten().numpy() for array in (points, targets, radius))))
    if way == "tree":
        from scipy.spatial import cKDTree

        tree = cKDTree(points.numpy())
        inside = np.nextafter(radius.numpy(), -1.0)
        counts = tree.query_ball_point(
            targets.numpy(), inside, p=_order(metric), return_length=True, workers=torch.get_num_threads()
        )
        return torch.from_numpy(np.asarray(counts, dtype=np.int64))
    from lmi.estimators.neighbors.brute import count_brute

    return torch.from_numpy(count_brute(_columns(points), _columns(targets), radius.numpy(), metric == "euclidean"))


def _pair(points: Tensor, query: Tensor | None) -> tuple[Tensor, Tensor]:
    points = points.detach().to(torch.float64)
    return points, points if query is None else query.detach().to(points)


def _choose(way: Way, points: Tensor, tree_dimensions: int) -> Way:
    if way != "auto":
        return way
    if points.device.type != "cpu":
        return "chunked"
    return "tree" if points.shape[0] > TREE_SAMPLES and points.shape[1] <= tree_dimensions else "brute"


def _columns(points: Tensor) -> np.ndarray:
    return np.ascontiguousarray(points.numpy().T)


def _order(metric: Metric) -> float:
    return np.inf if metric == "chebyshev" else 2.0


def _nearest_tree(points: Tensor, query: Tensor, k: int, metric: Metric, exclude_self: bool) -> tuple[Tensor, Tensor]:
    from scipy.spatial import cKDTree

    tree = cKDTree(points.numpy())
    distances, indices = tree.query(
        query.numpy(), k=np.arange(1, k + 1 + exclude_self), p=_order(metric), workers=torch.get_num_threads()
    )
    blocks, where = torch.from_numpy(distances), torch.from_numpy(indices.astype(np.int64))
    if not exclude_self:
        return blocks, where
    # Among duplicates the tree may list a twin first, or not list the point at all: drop the point itself where it
    # stands, else the last neighbour.
    is_self = where == torch.arange(points.shape[0])[:, None]
    is_self[:, -1] |= ~is_self.any(1)
    return blocks[~is_self].view(-1, k), where[~is_self].view(-1, k)


def _distances(chunk: Tensor, points: Tensor, metric: Metric) -> Tensor:
    total = torch.zeros(chunk.shape[0], points.shape[0], dtype=points.dtype, device=points.device)
    for column in range(points.shape[1]):
        gap = (chunk[:, column, None] - points[None, :, column]).abs_()
        if metric == "chebyshev":
            torch.maximum(total, gap, out=total)
        else:
            total.addcmul_(gap, gap)
    return total if metric == "chebyshev" else total.sqrt_()


def _chunk_rows(points: Tensor) -> int:
    return max(1, CHUNK_ELEMENTS // points.shape[0])


def _nearest_chunked(
    points: Tensor, query: Tensor, k: int, metric: Metric, exclude_self: bool
) -> tuple[Tensor, Tensor]:
    rows = _chunk_rows(points)
    blocks: list[tuple[Tensor, Tensor]] = []
    for start in range(0, query.shape[0], rows):
        distances = _distances(query[start : start + rows], points, metric)
        if exclude_self:
            places = torch.arange(distances.shape[0], device=points.device)
            distances[places, places + start] = torch.inf
        blocks.append(torch.topk(distances, k, dim=1, largest=False))
    return torch.cat([part[0] for part in blocks]), torch.cat([part[1] for part in blocks])


def _count_chunked(points: Tensor, query: Tensor, radius: Tensor, metric: Metric) -> Tensor:
    rows = _chunk_rows(points)
    return torch.cat(
        [
            (_distances(query[start : start + rows], points, metric) < radius[start : start + rows, None]).sum(1)
            for start in range(0, query.shape[0], rows)
        ]
    )
