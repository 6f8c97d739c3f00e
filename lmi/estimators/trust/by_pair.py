"""Do pairs of columns share more than their correlation says? Neighbours in the plane, summed over the most correlated pairs.

Twenty columns that are each a folded function of a partner leave too little in any one place to be seen, and much together.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.pairwise.rowwise import ksg_pointwise

MOST_PAIRS, MOST_ROWS = 32, 3000
NEIGHBOURS = 5
UNTIED = 0.95  # share of different values in a column
DEPENDENT = 1.4  # standard errors of a mean of KSG terms, which share neighbours, in those of independent terms


class PairExcess(NamedTuple):
    """What neighbours find in pairs of columns beyond the normal law of their correlation.

    Args:
        deviations: the sum, in standard deviations of what normal pairs of the same correlations give.
        nats: the sum.
        pairs: how many.
    """

    deviations: float
    nats: float
    pairs: int


def by_pair(x: Tensor, y: Tensor, generator: torch.Generator) -> PairExcess:
    """KSG of each column and its most correlated partner less that of normal pairs, each beyond its closed form, summed.

    Args:
        x: (n, dx) columns, of which those that repeat values are left out; of the narrower side the 32 with the strongest
            correlations are looked at, and of many rows 3,000.
        y: (n, dy).
        generator: draws the normal pairs.

    >>> g = torch.Generator().manual_seed(0)
    >>> x, e = torch.randn(2, 1500, 10, generator=g, dtype=torch.float64)
    >>> abs(by_pair(x, x + 2 * e, g).deviations) < 3.5
    True
    >>> by_pair(x, (x - 0.7).square() + 2 * e, g).deviations > 6
    True
    """
    x, y = (z[:, [column.unique().numel() > UNTIED * column.numel() for column in z.T]] for z in (x, y))
    if not x.shape[1] or not y.shape[1]:
        return PairExcess(0.0, 0.0, 0)
    if x.shape[1] > y.shape[1]:
        x, y = y, x
    x, y = (normal_scores(z[:MOST_ROWS]) for z in (x, y))
    n = x.shape[0]
    correlations = x.T @ y / n
    best, partner = correlations.abs().max(1)
    kept = best.argsort(descending=True, stable=True)[:MOST_PAIRS]
    return beyond_normal(x[:, kept], y[:, partner[kept]], generator)


def beyond_normal(x: Tensor, y: Tensor, generator: torch.Generator) -> PairExcess:
    """KSG of each column of x (n, m) and its partner in y (n, m), less that of normal pairs, each beyond its closed form."""
    u, v = (normal_scores(z).T for z in (x, y))
    m, n = u.shape
    r = ((u * v).mean(1) / (u * u).mean(1)).clamp(-0.999, 0.999)[:, None]
    a, b = torch.randn(2, m, n, generator=generator, dtype=torch.float64)
    a, b = (normal_scores(z.T).T for z in (a, r * a + (1 - r**2).sqrt() * b))  # as fixed in their margins as x and y
    excess, control = _beyond(u, v, r), _beyond(a, b, r)
    nats = float((excess.mean(1) - control.mean(1)).sum())
    # Pairs may depend on each other: the error is that of the sum over pairs, row by row.
    error = DEPENDENT * math.sqrt(float(excess.sum(0).var() + control.sum(0).var()) / n)
    return PairExcess(nats / max(error, 1e-12), nats, m)


def _beyond(u: Tensor, v: Tensor, r: Tensor) -> Tensor:
    """(m, n) KSG terms of pairs u, v (m, n) less the log density ratio of normal pairs of correlation r (m, 1)."""
    terms = torch.from_numpy(ksg_pointwise(u.contiguous().numpy(), v.contiguous().numpy(), NEIGHBOURS))
    rest = 1 - r**2
    return terms - (-0.5 * rest.log() - (r**2 * (u**2 + v**2) - 2 * r * u * v) / (2 * rest))
