"""Four measures of dependence side by side, row by row, with permutation p-values from the same shuffles."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

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

    Distance correlation is ``dcor``'s biased (V-statistic) one of Szekely, Rizzo and Bakirov (2007), 0 to 1.

    >>> x = np.linspace(-1, 1, 201)[None]
    >>> measures(x, x**2 + 1e-3 * np.sin(1e4 * x)).round(1)[0, :2] + 0.0
    array([0., 0.])
    """
    import dcor  # here, since it compiles its kernels on import, which takes seconds

    x, y = check_rows(x, y)
    x, y = ((values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True) for values in (x, y))
    return np.stack(
        [
            correlation(x, y),
            correlation(rankdata(x, axis=1), rankdata(y, axis=1)),
            dcor.rowwise(dcor.distance_correlation, x, y),
            ksg_pointwise(x, y, k).mean(axis=1),
        ],
        axis=1,
    )


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
