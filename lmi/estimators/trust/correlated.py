"""Columns that clearly go with a column of the other side, among more columns than there are samples to fit.

Correlations of single columns need no covariance matrix: of a million pairs the largest correlation of independent columns is
about sqrt(2 log 10^6) standard errors. Fan and Lv, Sure independence screening for ultrahigh dimensional feature space,
J. R. Stat. Soc. B 70 (2008).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.folds import Fold
from lmi.estimators.trust.plain_thresholds import CORRELATED_SURE

SAMPLES_A_COLUMN = 8  # of the smallest fitted part, for both sides together


def correlated_columns(x: Tensor, y: Tensor, folds: Sequence[Fold]) -> tuple[Tensor, Tensor] | None:
    """Columns of either side that in what every fold is fitted to go with a column of the other side; ``None`` for none.

    Args:
        x: (n, dx).
        y: (n, dy).
        folds: what is not measured of each is asked.

    Returns:
        (p,) columns of x and (q,) columns of y, the clearest where there are too many for a fit.

    >>> g = torch.Generator().manual_seed(0)
    >>> x, y = torch.randn(200, 500, generator=g), torch.randn(200, 1, generator=g)
    >>> y = y + x[:, [3]] + x[:, [70]]
    >>> folds = [Fold(torch.arange(120), torch.arange(120, 140), torch.arange(140, 200))]
    >>> correlated_columns(x, y, folds)
    (tensor([ 3, 70]), tensor([0]))
    >>> correlated_columns(x.flip(0), y, folds) is None
    True
    """
    chance = math.sqrt(2 * math.log(x.shape[1] * y.shape[1])) + CORRELATED_SURE
    clearest = torch.full((x.shape[1], y.shape[1]), math.inf, dtype=torch.float64)
    for fold in folds:
        u, v = (normal_scores(z[fold.fit]) for z in (x, y))
        u, v = ((z - z.mean(0)) / z.std(0, correction=0).clamp(min=1e-300) for z in (u, v))
        clearest = torch.minimum(clearest, (u.T @ v).abs() / u.shape[0] ** 0.5)
    most = min(fold.fit.numel() for fold in folds) // (2 * SAMPLES_A_COLUMN)
    sides = []
    for strength in (clearest.amax(1), clearest.amax(0)):
        order = strength.argsort(descending=True)[:most]
        sides.append(order[strength[order] > chance].sort().values)
    return (sides[0], sides[1]) if sides[0].numel() and sides[1].numel() else None
