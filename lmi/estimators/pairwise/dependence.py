"""Four measures of dependence side by side, row by row, with permutation p-values from the same shuffles."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from lmi.compiled import kernel
from lmi.estimators.pairwise.rowwise import check_rows, correlation, ksg_pointwise

Array = NDArray[np.float64]
MEASURES = ("covariance", "spearman", "distance", "mi")


class Dependence(NamedTuple):
    """One pair of columns under the four measures, in the order of ``MEASURES``.

    Fields:
        values: (4,) covariance of the standardised columns, Spearman's rho, distance correlation, KSG MI in nats.
        p_values: (4,) shares of shuffles at least as far from zero, counted with the data themselves: never zero.
    """

    values: Array
    p_values: Array


def measures(x: Any, y: Any, k: int = 3) -> Array:
    """(m, n) and (m, n) -> (m, 4): covariance of standardised rows, Spearman, distance correlation, KSG MI in nats.

    >>> x = np.linspace(-1, 1, 201)[None]
    >>> measures(x, x**2 + 1e-3 * np.sin(1e4 * x)).round(1)[0, :2] + 0.0
    array([0., 0.])
    """
    x, y = check_rows(x, y)
    x, y = ((values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True) for values in (x, y))
    return np.stack(
        [
            correlation(x, y),
            correlation(rankdata(x, axis=1), rankdata(y, axis=1)),
            distance_correlation(x, y),
            ksg_pointwise(x, y, k).mean(axis=1),
        ],
        axis=1,
    )


def distance_correlation(x: Array, y: Array) -> Array:
    """(m, n) and (m, n) -> (m,): distance correlation of every row, 0 to 1, as a V-statistic; 0 for a constant row.

    With distances a_ij = |x_i - x_j|, b_ij = |y_i - y_j| and bars for means over the indices that are left out,
    dCov^2(x, y) = mean(a_ij b_ij) - 2 mean(a_i b_i) + a b and dCor^2 = dCov^2(x, y) / sqrt(dCov^2(x, x) dCov^2(y, y)):
    Szekely, Rizzo and Bakirov, "Measuring and testing dependence by correlation of distances", 2007. All n^2 pairs are
    visited: no other memory than the rows' means.

    >>> x = np.linspace(-1, 1, 101)[None]
    >>> distance_correlation(x, -2 * x).round(6), distance_correlation(x, x**2).round(1)
    (array([1.]), array([0.5]))
    """
    xy, xx, yy = _distance_covariances(np.ascontiguousarray(x), np.ascontiguousarray(y)).T
    scale = np.sqrt(np.maximum(xx, 0) * np.maximum(yy, 0))
    return np.sqrt(np.divide(np.maximum(xy, 0), scale, out=np.zeros_like(xy), where=scale > 0))


@kernel(nogil=True, fastmath={"reassoc", "contract"})
def _distance_covariances(x: Any, y: Any) -> Any:
    m, n = x.shape
    out = np.empty((m, 3))
    for row in range(m):
        u, v = x[row], y[row]
        products_xy = products_xx = products_yy = means_xy = means_xx = means_yy = total_x = total_y = 0.0
        for i in range(n):
            mean_x = mean_y = 0.0
            for j in range(n):
                a, b = abs(u[i] - u[j]), abs(v[i] - v[j])
                products_xy += a * b
                products_xx += a * a
                products_yy += b * b
                mean_x += a
                mean_y += b
            mean_x /= n
            mean_y /= n
            means_xy += mean_x * mean_y
            means_xx += mean_x * mean_x
            means_yy += mean_y * mean_y
            total_x += mean_x
            total_y += mean_y
        total_x /= n
        total_y /= n
        out[row, 0] = (products_xy / n - 2 * means_xy) / n + total_x * total_y
        out[row, 1] = (products_xx / n - 2 * means_xx) / n + total_x * total_x
        out[row, 2] = (products_yy / n - 2 * means_yy) / n + total_y * total_y
    return out


def dependence(x: Any, y: Any, permutations: int, generator: torch.Generator, k: int = 3) -> Dependence:
    """The four measures of one pair of columns (n,), (n,), and how often shuffled partners say as much.

    Two-sided for the signed measures; p = (1 + #{|shuffled| >= |observed|}) / (1 + permutations).
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    n = x.size
    orders = [np.arange(n), *(torch.randperm(n, generator=generator).numpy() for _ in range(permutations))]
    values = measures(np.broadcast_to(x, (len(orders), n)), y[np.stack(orders)], k)
    strength = values.copy()
    strength[:, :3] = np.abs(strength[:, :3])
    reached = (strength[1:] >= strength[0] * (1 - 1e-12)).sum(axis=0)
    return Dependence(values[0], (1 + reached) / (1 + permutations))
