"""KSG between every two columns: a window that slides along sorted columns, sixteen points at a time.

For a pair (x, y) the points stand in the order of x. The k-th neighbour of a point lies, in the joint maximum norm, at
least as far as its distance in x, so neighbours are looked for outwards from the point and the search ends where the
distance in x alone exceeds the k-th smallest so far: about 2 sqrt(k n) of n points for independent columns. The counts
of points strictly inside are found by walking the two sorted columns in the same way. Long columns take rank strips, see
``ksg_strips``, whose numbers are the same. Distances are differences of the
same float64 numbers that scikit-learn forms, so that the neighbours and the counts are the same integers. Where more
than k points coincide the radius is 0 and k is the number of them (Gao et al. 2017): what ties and discrete columns need.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.preprocessing import scale
from torch import Tensor

from lmi.estimators.pairwise.ksg_strips import ksg_strip_pairs
from lmi.estimators.pairwise.ksg_window import FAR, TINY, WIDTH, ksg_pairs, psi_table
from lmi.estimators.pairwise.prepared import selection

STRIP_ROWS = 2048  # rows from which strips are faster than the window on any columns


@dataclass(frozen=True, eq=False)
class SortedColumns:
    """t scaled columns.

    Args:
        values: (t, n).
        order: (t, n) row numbers that sort them.
        sorted: (t, n + 2 WIDTH) sorted and padded.
        crowding: (t,) how densely points stand: the smaller, the shorter the window along this column.
    """

    values: np.ndarray
    order: np.ndarray
    sorted: np.ndarray
    crowding: np.ndarray


@dataclass(frozen=True)
class KsgPairs:
    """KSG1 (Kraskov, Stoegbauer, Grassberger 2004) between columns, ``k`` neighbours, compiled for the CPU."""

    k: int = 3

    @property
    def value_bytes(self) -> int:
        """See ``Measure``: a value, its row's order and its place among the sorted."""
        return 20

    def prepare(self, columns: Tensor) -> SortedColumns:
        """Columns (n, t), divided by their standard deviation as scikit-learn does, and sorted."""
        values = np.ascontiguousarray(scaled(columns).T)
        order = np.argsort(values, axis=1)
        ranked = np.take_along_axis(values, order, axis=1)
        padded = np.pad(ranked, ((0, 0), (WIDTH, WIDTH)))
        padded[:, :WIDTH], padded[:, -WIDTH:] = -FAR, FAR
        step = max(1, round((self.k * ranked.shape[1]) ** 0.5 / 2))
        gaps = np.maximum(ranked[:, step:] - ranked[:, :-step], TINY**0.5)
        return SortedColumns(values, order.astype(np.int32), padded, (1.0 / gaps).mean(1))

    def tile(self, x: SortedColumns, y: SortedColumns, upper: bool = False) -> Tensor:
        """(tx, ty) values in nats; ``upper`` leaves out what is on and below the diagonal."""
        size = (x.order.shape[0], y.order.shape[0])
        left, right = np.triu_indices(size[0], 1, size[1]) if upper else np.indices(size).reshape(2, -1)
        nats = np.zeros(size)
        nats[left, right] = self._pairs(x, y, left, right)
        return torch.from_numpy(nats)

    def take(self, columns: SortedColumns, which: Tensor, rows: Tensor | None = None) -> SortedColumns:
        """Columns ``which`` of prepared ones, row i holding what row ``rows[i]`` held: nothing is sorted again."""
        index = selection(which)
        values, order = columns.values[index], columns.order[index]
        if rows is not None:
            moved = rows.numpy()
            values, order = np.take(values, moved, axis=1), np.argsort(moved).astype(np.int32)[order]
        return SortedColumns(values, order, columns.sorted[index], columns.crowding[index])

    def diagonal(self, columns: SortedColumns) -> Tensor:
        """(t,) each column against itself: psi(n) - psi(k) where no two values are equal, the estimator's ceiling."""
        every = np.arange(len(columns.values))
        return torch.from_numpy(self._pairs(columns, columns, every, every))

    def _pairs(self, x: SortedColumns, y: SortedColumns, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Columns ``left`` of x against columns ``right`` of y; each pair walks along its less crowded column."""
        n = x.values.shape[1]
        psi = psi_table(n)
        size = (0,) * self.k  # a tuple, so that k is known to the compiler
        nats = np.empty(left.size)
        along_x = x.crowding[left] <= y.crowding[right]
        for chosen, (a, b, i, j) in ((along_x, (x, y, left, right)), (~along_x, (y, x, right, left))):
            columns = (a.sorted, a.order, b.values, b.sorted, b.order, i[chosen], j[chosen], size, psi)
            if n < STRIP_ROWS:
                nats[chosen] = ksg_pairs(*columns)
            else:  # strips of 2 to 4 sqrt(n) points
                nats[chosen] = ksg_strip_pairs(*columns, (n.bit_length() + 3) // 2)
        return nats


def scaled(columns: Tensor) -> np.ndarray:
    """(n, t) float64, each column divided by its standard deviation (ddof 0), its mean left where it is."""
    return scale(columns.detach().cpu().numpy().astype(np.float64), with_mean=False)
