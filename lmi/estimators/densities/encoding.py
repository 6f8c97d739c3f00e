"""A side of many columns as a function of one of few, and normal noise: tuning curves, position codes, dose and image.

p(y | x) is normal around a kernel ridge regression m(x), p(y) its mean over the samples' own x. Whatever the noise is, the mean
of log p(y | x) / p(y) over fresh pairs is a lower bound: it is that of Barber and Agakov, The IM algorithm (2003), as
p(x) p(y | x) / p(y) is a law of x given y.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.estimators.densities.kernel_ridge import fit_kernel_ridge

RIDGE = 0.01  # share of the mean variance of the noise that is added to that of every direction
ROWS_A_COLUMN = 8  # of the noise's covariance


@dataclass(frozen=True, eq=False)
class Encoding:
    """The fitted law of y given x.

    Args:
        predict: rows (m, dx) to means (m, k) of the leading columns of y.
        whiten: (k, k) map after which the noise is standard normal.
        means: (n, k) of the fitted samples, whitened.
    """

    predict: Callable[[Tensor], Tensor]
    whiten: Tensor
    means: Tensor

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m) log density ratio of every x (n, dx) with every y (m, dy), nats."""
        y = y[:, : self.whiten.shape[0]] @ self.whiten
        around = torch.cdist(self.means, y).square().mul(-0.5).logsumexp(0) - math.log(self.means.shape[0])
        return torch.cdist(self.predict(x) @ self.whiten, y).square().mul(-0.5) - around


def fit_encoding(x: Tensor, y: Tensor) -> Encoding:
    """Means by kernel ridge regression, noise from what each row is predicted by the others.

    Args:
        x: (n, dx) rows in a random order, columns of comparable scale.
        y: (n, dy); no more of its columns are looked at, from the first on, than one for eight samples.

    >>> g = torch.Generator().manual_seed(0)
    >>> place = torch.rand(1000, 1, generator=g, dtype=torch.float64)
    >>> y = (place * torch.linspace(1, 20, 12)).sin() + 0.2 * torch.randn(1000, 12, generator=g, dtype=torch.float64)
    >>> scores = fit_encoding(place[:600], y[:600]).scores(place[600:], y[600:])
    >>> float(scores.diagonal().mean()) > 2
    True
    """
    y = y[:, : max(x.shape[0] // ROWS_A_COLUMN, 1)]
    fit = fit_kernel_ridge(x, y, lambda rest: torch.logdet(_covariance(rest)))
    whiten = torch.linalg.inv(torch.linalg.cholesky(_covariance(y - fit.apart))).T
    return Encoding(fit.predict, whiten, fit.predict(x) @ whiten)


def _covariance(rest: Tensor) -> Tensor:
    covariance = rest.T @ rest / rest.shape[0]
    return covariance + RIDGE * covariance.diagonal().mean() * torch.eye(rest.shape[1], dtype=rest.dtype)
