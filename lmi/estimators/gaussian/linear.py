"""The normal model between two sides as a critic: canonical variates fitted to some samples, scored on others."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.estimators.bounds.heldout import held_out
from lmi.estimators.columns import principal_components
from lmi.estimators.folds import cross_fitting

MOST_COMPONENTS = 96
RANKS = (1, 2, 3, 4, 6, 9, 12, 18, 26, 38, 56, 96)
CLOSEST = 1 - 1e-9  # the largest canonical correlation a score is written down for


@dataclass(frozen=True, eq=False)
class LinearCritic:
    """Canonical directions of the first rx and ry columns, and their correlations.

    Args:
        mean_x: (rx,) of the fitted samples.
        mean_y: (ry,).
        to_u: (rx, r) takes centred x to canonical variates of unit variance.
        to_v: (ry, r).
        correlations: (r,) largest first.
    """

    mean_x: Tensor
    mean_y: Tensor
    to_u: Tensor
    to_v: Tensor
    correlations: Tensor

    def variates(self, x: Tensor, y: Tensor, most: int | None = None) -> tuple[Tensor, Tensor]:
        """(n, r) canonical variates of each side, the first ``most`` of them; further columns of x and y are ignored."""
        u = (x[:, : self.mean_x.numel()] - self.mean_x) @ self.to_u[:, :most]
        v = (y[:, : self.mean_y.numel()] - self.mean_y) @ self.to_v[:, :most]
        return u, v

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m) log p(x, y) / p(x) p(y) of every x with every y under the fitted normal, nats."""
        return self.between(*self.variates(x, y))

    def between(self, u: Tensor, v: Tensor) -> Tensor:
        """(n, m) the same of canonical variates u (n, r), v (m, r)."""
        r = self.correlations
        rest = 1 - r**2
        weight = 0.5 * r**2 / rest
        constant = -0.5 * rest.log().sum()
        return constant - (u**2 @ weight)[:, None] - (v**2 @ weight)[None, :] + (u * (r / rest)) @ v.T


def fit_linear(x: Tensor, y: Tensor, rank: int) -> LinearCritic:
    """Canonical correlation analysis of the first ``rank`` columns of each side.

    Args:
        x: (n, dx), of full rank.
        y: (n, dy).
        rank: columns used on each side, at most dx and dy.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(5000, 2, generator=g, dtype=torch.float64)
    >>> y = 0.6 * x + 0.8 * torch.randn(5000, 2, generator=g, dtype=torch.float64)
    >>> [round(r, 1) for r in fit_linear(x, y, 2).correlations.tolist()]
    [0.6, 0.6]
    """
    x, y = x[:, :rank], y[:, :rank]
    mean_x, mean_y = x.mean(0), y.mean(0)
    white_x, white_y = _whitening(x - mean_x), _whitening(y - mean_y)
    across = ((x - mean_x) @ white_x).T @ ((y - mean_y) @ white_y) / x.shape[0]
    left, correlations, right = torch.linalg.svd(across, full_matrices=False)
    return LinearCritic(mean_x, mean_y, white_x @ left, white_y @ right.T, correlations.clamp(max=CLOSEST))


def fit_correlations(correlations: Tensor, dx: int) -> LinearCritic:
    """Canonical correlation analysis of a joint correlation matrix, for columns of mean 0.

    Args:
        correlations: (d, d) positive definite, x's columns first.
        dx: how many columns are x's.

    >>> round(float(fit_correlations(torch.tensor([[1.0, 0.6], [0.6, 1.0]], dtype=torch.float64), 1).correlations), 6)
    0.6
    """
    x, y, across = correlations[:dx, :dx], correlations[dx:, dx:], correlations[:dx, dx:]
    white_x, white_y = _inverse_root(x), _inverse_root(y)
    left, canonical, right = torch.linalg.svd(white_x.T @ across @ white_y, full_matrices=False)
    zero_x, zero_y = (torch.zeros(z.shape[0], dtype=z.dtype) for z in (x, y))
    return LinearCritic(zero_x, zero_y, white_x @ left, white_y @ right.T, canonical.clamp(max=CLOSEST))


def leading_components(x: Tensor, y: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The first principal components of each side's standardised columns.

    Args:
        x: (n, dx).
        y: (n, dy).
        count: how many; 0 takes as many as score held-out pairs best, over three folds.
        generator: deals the folds.

    Raises:
        ValueError: where the samples are too few to fit a single component.
    """
    most = count or MOST_COMPONENTS
    x, y = (principal_components((z - z.mean(0)) / z.std(0, correction=0).clamp(min=1e-300), most) for z in (x, y))
    if count:
        return x, y
    n, widest = x.shape[0], max(x.shape[1], y.shape[1])
    folds = cross_fitting(n, 3, generator)
    ranks = [rank for rank in sorted({min(rank, widest) for rank in (*RANKS, widest)}) if 6 * rank < n]
    if not ranks:
        raise ValueError(f"{n} samples are too few to choose among principal components; expected at least 7")

    def bound(rank: int) -> float:
        fits = ((fit_linear(x[rest], y[rest], rank), test) for rest, test in folds)
        return sum(float(held_out(fit.scores, x[test], y[test]).infonce.sum()) for fit, test in fits)

    best = max(ranks, key=bound)
    return x[:, :best], y[:, :best]


def _whitening(z: Tensor) -> Tensor:
    """(d, r) map of centred z to uncorrelated columns of unit variance; directions that do not vary are left out."""
    return _inverse_root(z.T @ z / z.shape[0])


def _inverse_root(covariance: Tensor) -> Tensor:
    """(d, r) map to uncorrelated variables of unit variance."""
    variances, directions = torch.linalg.eigh(covariance)
    kept = variances > 1e-12 * variances[-1]
    return directions[:, kept] / variances[kept].sqrt()
