"""Gradient boosting of small regression trees on binned columns: what scikit-learn's histogram boosting does, for few rows.

scikit-learn's takes some 50 ms to fit a few hundred rows, nearly all of it spent between its kernels; one kernel takes 2 ms.
Friedman, Greedy function approximation: a gradient boosting machine, Annals of Statistics 2001.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmi.compiled import kernel

BINS = 255  # of each column, of equally many rows each: with 64, edges of steps cost a third of the error
TREES = 200  # at most
RATE = 0.1  # share of a leaf's mean that a tree takes
LEAVES = 15
LEAST = 20  # rows of a leaf
FRESH = 0.15  # share of the rows that tell when to stop
PATIENCE = 10  # trees without a gain on them, after which boosting ends


@dataclass(frozen=True, eq=False)
class BoostedTrees:
    """Trees as tables of nodes.

    Args:
        level: the mean that the trees are added to.
        column: (trees, nodes) the column that a node asks for; -1 at leaves.
        edge: (trees, nodes) rows up to it go left.
        left: (trees, nodes) the left child; the right one is next to it.
        value: (trees, nodes) what a leaf adds.
    """

    level: float
    column: np.ndarray[Any, Any]
    edge: np.ndarray[Any, Any]
    left: np.ndarray[Any, Any]
    value: np.ndarray[Any, Any]

    def __call__(self, x: Tensor) -> Tensor:
        """(m,) predictions of rows (m, d)."""
        rows = np.ascontiguousarray(x.numpy(), dtype=np.float64)
        out = np.full(rows.shape[0], self.level)
        _add_leaves(rows, self.column, self.edge, self.left, self.value, out)
        return torch.from_numpy(out)


def fit_boosted_trees(x: Tensor, y: Tensor, seed: int) -> BoostedTrees:
    """Trees fitted to what is left of y (n,) on x (n, d), until a part of the rows, which they do not see, gains no more.

    >>> x = torch.rand(600, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> y = (x[:, 0] > 0.3).double() * x[:, 1]
    >>> bool((fit_boosted_trees(x[:400], y[:400], 0)(x[400:]) - y[400:]).square().mean() < 0.02 * y.var())
    True
    """
    order = torch.randperm(x.shape[0], generator=torch.Generator().manual_seed(seed))
    train = order[int(FRESH * x.shape[0]) :]
    rows, target = x.double(), y.double()
    shares = torch.linspace(0, 1, BINS + 1, dtype=torch.float64)[1:-1]
    edges = torch.quantile(rows[train], shares, 0, interpolation="midpoint").T.contiguous()
    # Bins count the edges below a value, so that "up to the edge" goes left in the tables and in the rows alike.
    bins = torch.searchsorted(edges, rows.T.contiguous()).to(torch.uint8)
    level = float(target[train].mean())
    rest = (target - level).numpy().copy()
    nodes, fresh = 2 * LEAVES - 1, order[: len(order) - len(train)]
    tables, value = np.full((3, TREES, nodes), -1), np.zeros((TREES, nodes))
    scratch = np.empty((6, max(len(train), nodes, BINS)), np.int64)
    space = scratch, np.empty(len(train)), np.empty(BINS), np.empty(nodes)
    kept = _boosted(bins.numpy(), rest, train.numpy(), fresh.numpy(), tables, value, *space)
    column, edge, left = tables[:, :kept]
    return BoostedTrees(level, column, edges.numpy()[column, edge], left, value[:kept])


@kernel()
def _boosted(
    bins: np.ndarray[Any, Any],
    rest: np.ndarray[Any, Any],
    rows: np.ndarray[Any, Any],
    fresh: np.ndarray[Any, Any],
    tables: np.ndarray[Any, Any],
    value: np.ndarray[Any, Any],
    scratch: np.ndarray[Any, Any],
    held: np.ndarray[Any, Any],
    sums: np.ndarray[Any, Any],
    gains: np.ndarray[Any, Any],
) -> int:
    """How many trees were grown; their tables are filled in, with edges by their number. Plain loops compile in a second.

    Args:
        bins: (d, n) the bin of each value.
        rest: (n,) what is to be predicted; what is left at the end.
        rows: that trees are grown on; reordered.
        fresh: rows that tell when to stop.
        tables: (3, trees, nodes) column, edge and left child, -1 at first.
        value: (trees, nodes) of leaves.
        scratch: (6, n) space.
        held: (n,) space.
        sums: (bins,) space.
        gains: (nodes,) space.
    """
    d, n = bins.shape[0], rows.size
    column, edge, left = tables[0], tables[1], tables[2]
    spare, counts = scratch[0], scratch[1]
    first, last, best_column, best_edge = scratch[2], scratch[3], scratch[4], scratch[5]
    best = 0.0
    for i in range(fresh.size):
        best += rest[fresh[i]] * rest[fresh[i]]
    best_tree = -1
    for tree in range(TREES):
        first[0], last[0], made, asked = 0, n, 1, 0
        for split in range(LEAVES):
            for node in range(asked, made):  # nodes that were made since: their best split
                size, total = last[node] - first[node], 0.0
                for i in range(first[node], last[node]):
                    held[i] = rest[rows[i]]
                    total += held[i]
                value[tree, node] = RATE * total / size
                gains[node] = 1e-12
                if split == LEAVES - 1 or size < 2 * LEAST:
                    continue
                for j in range(d):
                    for b in range(BINS):
                        sums[b], counts[b] = 0.0, 0
                    for i in range(first[node], last[node]):
                        b = bins[j, rows[i]]
                        sums[b] += held[i]
                        counts[b] += 1
                    below, many = 0.0, 0
                    for b in range(BINS - 1):
                        if counts[b] == 0:
                            continue
                        below += sums[b]
                        many += counts[b]
                        if many < LEAST:
                            continue
                        if size - many < LEAST:
                            break
                        gain = below * below / many + (total - below) ** 2 / (size - many) - total * total / size
                        if gain > gains[node]:
                            gains[node], best_column[node], best_edge[node] = gain, j, b
            asked = made
            if split == LEAVES - 1:
                break
            take = 0
            for node in range(made):
                if column[tree, node] < 0 and (gains[node] > gains[take] or column[tree, take] >= 0):
                    take = node
            if column[tree, take] >= 0 or gains[take] <= 1e-12:
                break
            j, b = best_column[take], best_edge[take]
            column[tree, take], edge[tree, take], left[tree, take] = j, b, made
            low, high = first[take], 0
            for i in range(first[take], last[take]):
                if bins[j, rows[i]] <= b:
                    rows[low] = rows[i]
                    low += 1
                else:
                    spare[high] = rows[i]
                    high += 1
            for i in range(high):
                rows[low + i] = spare[i]
            first[made], last[made], first[made + 1], last[made + 1] = first[take], low, low, last[take]
            made += 2
        for node in range(made):
            if column[tree, node] < 0:
                for i in range(first[node], last[node]):
                    rest[rows[i]] -= value[tree, node]
        loss = 0.0
        for i in range(fresh.size):
            row, node = fresh[i], 0
            while column[tree, node] >= 0:
                node = left[tree, node] + (bins[column[tree, node], row] > edge[tree, node])
            rest[row] -= value[tree, node]
            loss += rest[row] * rest[row]
        if loss < best:
            best, best_tree = loss, tree
        elif tree - best_tree >= PATIENCE:
            return tree + 1
    return TREES


@kernel()
def _add_leaves(
    x: np.ndarray[Any, Any],
    column: np.ndarray[Any, Any],
    edge: np.ndarray[Any, Any],
    left: np.ndarray[Any, Any],
    value: np.ndarray[Any, Any],
    out: np.ndarray[Any, Any],
) -> None:
    """Add to ``out`` (m,) the leaves that rows x (m, d) come to, in the tables of ``BoostedTrees``.

    Args:
        x: rows.
        column: what a node asks for.
        edge: where it parts.
        left: its child.
        value: of leaves.
        out: what they are added to.
    """
    for i in range(x.shape[0]):
        for tree in range(column.shape[0]):
            node = 0
            while column[tree, node] >= 0:
                node = left[tree, node] + (x[i, column[tree, node]] > edge[tree, node])
            out[i] += value[tree, node]
