"""Which edges are direct: triangles that the data processing inequality leaves open, judged by conditional MI."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numba import prange
from torch import Tensor

from lmi.arguments import checked_seed, false_discovery_rate
from lmi.compiled import kernel
from lmi.estimators.network.edges import Edges
from lmi.estimators.network.pruning import neighbour_lists
from lmi.estimators.pairwise.ksg_window import psi_table
from lmi.inputs import read_columns
from lmi.types import Context

MOST_ROWS = 1000  # rows that conditional MI is measured on, at most
NEIGHBOURS = 10  # of conditional MI: many, since what counts is a small variance
NEARBY = 5.0  # places by which rows are moved along the third column in the null
MOVES = 10  # times that they are moved


def direct_edges(edges: Edges, x: Any, *, tolerance: float = 0.1, rate: float | None = 0.05, seed: int = 0) -> Edges:
    """The edges less those that pass through a third column, and those that are left at a false-discovery rate.

    1. An edge goes where it is the weakest of a triangle by more than ``tolerance``, see ``Edges.pruned``.
    2. A triangle whose two weakest edges are closer than that loses the one with the smallest conditional evidence:
       I(i; j | k) by nearest neighbours of the ranks (Frenzel and Pompe, PRL 99:204101, 2007), in standard deviations of
       what is left when i is moved among rows that have nearly the same k (Runge, AISTATS 2018). Two edges of a triangle
       may differ by less than the bias of an estimator; this difference has none where i and j share nothing but k.
    3. Pairs of pure chance are in no triangle and stay, so that their share grows with every edge that goes: q-values are
       worked out anew among the edges left, and those above ``rate`` go.

    Args:
        edges: with p-values, from ``lmi.pairwise_edges``.
        x: (n, d) the samples they are edges of; step 2 takes rows as independent, and 1,000 of them at most.
        tolerance: nats.
        rate: of chance among the edges left; ``None`` leaves their q-values as they are.
        seed: the same seed moves rows in the same way.

    Raises:
        ValueError: for samples with other columns, a tolerance below 0, or edges without p-values where there is a rate.

    >>> x = torch.randn(300, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> from lmi.estimators.network.pairwise_edges import pairwise_edges
    >>> chain = torch.stack([x[:, 0], x[:, 0] + 0.5 * x[:, 1], x[:, 0] + 0.5 * x[:, 1] + 0.5 * x[:, 2]], 1)
    >>> direct_edges(pairwise_edges(chain), chain).frame()[["a", "b"]].values.tolist()
    [['1', '2'], ['0', '1']]
    """
    if not isinstance(edges, Edges):
        raise ValueError(f"edges is a {type(edges).__name__}; expected those of lmi.pairwise_edges")
    (side,) = read_columns(("x", x))
    numbers = tuple(map(str, range(side.values.shape[1])))
    names = numbers if side.columns is None else tuple(map(str, side.columns))
    if len(names) != len(edges.names):
        raise ValueError(f"x has {len(names)} columns; expected the {len(edges.names)} that edges are of")
    if edges.names not in (names, numbers) and names != numbers:
        first = next(i for i in range(len(names)) if names[i] != edges.names[i])
        raise ValueError(
            f"x has column {names[first]!r} where edges have {edges.names[first]!r}; expected the same columns"
        )
    seed, rate = checked_seed(seed), None if rate is None else false_discovery_rate(rate)
    if rate is not None and np.isnan(edges.p).any():
        raise ValueError("edges have no p-values; expected rate=None, or edges of lmi.pairwise_edges with a null")
    kept = edges.pruned(tolerance)
    table = _open_triangles(edges, kept, tolerance)
    if len(table):
        evidence = conditional_evidence(side.values.cpu(), table, seed)
        kept = kept.chosen(~_weakest(kept, table, evidence))
    return kept if rate is None else rated(kept, rate)


def rated(edges: Edges, rate: float) -> Edges:
    """Edges with q-values among themselves: all tested pairs that chance puts below p, over the edges that are there."""
    ascending = np.argsort(edges.p, kind="stable")
    stepped = edges.p[ascending] * edges.tested / np.arange(1, len(edges) + 1)
    q = np.empty(len(edges))
    q[ascending] = np.minimum.accumulate(stepped[::-1])[::-1].clip(max=1.0)
    return replace(edges, q=q).chosen(q <= rate)


def _open_triangles(edges: Edges, kept: Edges, tolerance: float) -> np.ndarray:
    """(m, 3) i, j, k of edges that are left and not clearly stronger than the weaker of the two others of a triangle."""
    starts, other, edge = neighbour_lists(edges.a, edges.b, len(edges.names))
    rows = []
    for i, j, nats in zip(kept.a, kept.b, kept.nats):
        of_i, of_j = slice(starts[i], starts[i + 1]), slice(starts[j], starts[j + 1])
        third, at_i, at_j = np.intersect1d(other[of_i], other[of_j], True, True)
        weaker = np.minimum(edges.nats[edge[of_i][at_i]], edges.nats[edge[of_j][at_j]])
        rows += [(i, j, k) for k in third[nats < weaker + tolerance]]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _weakest(kept: Edges, table: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """(m,) whether an edge that is left has the smallest evidence of an open triangle, of those that are open there."""
    size = len(kept.names)
    place = {code: index for index, code in enumerate((kept.a * size + kept.b).tolist())}
    triangles: dict[tuple[int, ...], list[tuple[float, int]]] = {}
    for (i, j, k), value in zip(table.tolist(), evidence.tolist()):
        triangles.setdefault(tuple(sorted((i, j, k))), []).append((value, place[i * size + j]))
    weakest = np.zeros(len(kept), dtype=bool)
    for members in triangles.values():
        if len(members) > 1:
            weakest[min(members)[1]] = True
    return weakest


def conditional_evidence(x: Tensor, triples: np.ndarray, seed: int = 0) -> np.ndarray:
    """(m,) I(i; j | k) of columns ``triples`` (m, 3) of x (n, d), in standard deviations above its mean under the null.

    The null moves i among rows next to each other in k; its standard deviation is that of all triples together.
    """
    generator = Context(seed).generator("direct edges")
    if len(x) > MOST_ROWS:
        x = x[torch.randperm(len(x), generator=generator)[:MOST_ROWS]]
    n = len(x)
    columns, places = np.unique(triples, return_inverse=True)
    shuffled = x[torch.randperm(n, generator=generator)][:, torch.from_numpy(columns)]  # ties in any order
    order = np.ascontiguousarray(shuffled.argsort(dim=0, stable=True).T.numpy())
    ranks = np.ascontiguousarray(np.argsort(order, axis=1))
    steps = NEARBY * (2 * torch.rand(MOVES, n, generator=generator, dtype=torch.float64) - 1)
    moves = (torch.arange(n) + steps).argsort(dim=1).numpy()
    k = min(NEIGHBOURS, n - 2)
    values = _conditional(ranks, order, places.reshape(triples.shape), moves, k, psi_table(n))
    observed, null = values[:, 0], values[:, 1:]
    return (observed - null.mean(1)) / (null - null.mean(1, keepdims=True)).std(ddof=1)


@kernel(parallel=True, nogil=True, error_model="numpy")
def _conditional(ranks: Any, order: Any, triples: Any, moves: Any, k: int, psi: Any) -> Any:
    """(m, 1 + r) conditional MI in nats of ranks (d, n): as it is, and with i moved along k in each of r ways."""
    n = ranks.shape[1]
    values = np.empty((triples.shape[0], 1 + moves.shape[0]))
    for index in prange(triples.shape[0]):
        rows = order[triples[index, 2]]
        x, y, moved = ranks[triples[index, 0]][rows], ranks[triples[index, 1]][rows], np.empty(n, ranks.dtype)
        nearest = np.empty(k, np.int64)
        for move in range(values.shape[1]):
            for row in range(n):
                moved[row] = x[row] if move == 0 else x[moves[move - 1, row]]
            values[index, move] = _frenzel_pompe(moved, y, nearest, psi)
    return values


@kernel(nogil=True, error_model="numpy")
def _frenzel_pompe(x: Any, y: Any, nearest: Any, psi: Any) -> float:
    """I(x; y | place) of ranks x, y (n,) in the order of the third: psi(k) - <psi(c_xz) + psi(c_yz) - psi(c_z)>.

    Counts are of points strictly inside the distance to the k-th neighbour, the point itself included.
    """
    n, k = x.size, nearest.size
    total = 0.0
    for i in range(n):
        nearest[:] = n
        step = 1
        while step < nearest[k - 1]:
            for j in (i - step, i + step):
                if 0 <= j < n:
                    distance = max(step, abs(x[i] - x[j]), abs(y[i] - y[j]))
                    if distance < nearest[k - 1]:
                        place = k - 1
                        while place > 0 and nearest[place - 1] > distance:
                            nearest[place] = nearest[place - 1]
                            place -= 1
                        nearest[place] = distance
            step += 1
        radius = nearest[k - 1]
        with_x, with_y = 0, 0
        low, high = max(0, i - radius + 1), min(n, i + radius)
        for j in range(low, high):
            with_x += abs(x[i] - x[j]) < radius
            with_y += abs(y[i] - y[j]) < radius
        total += psi[k] - psi[with_x] - psi[with_y] + psi[high - low]
    return total / n
