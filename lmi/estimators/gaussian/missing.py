"""Jointly normal columns of which entries are missing by chance, as dropout leaves them: the closed form of what is there.

Each row shows some columns of x and some of y. What these share is the closed form of the present ones, so that the mutual
information is its mean over rows, plus what the patterns of missing entries share. The covariance is found by expectation
maximisation. Little and Rubin, Statistical Analysis with Missing Data (2002), chapter 8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.trust.thresholds import TIED

STEPS = 15  # of expectation maximisation
ROWS = 3000  # that a covariance is fitted to
ROWS_A_COLUMN = 5  # that must show any two columns together, for each column
DISTINCT = 0.5  # share of a column's other values that must be distinct, for the shared one to stand for missing
RIDGE = 1e-3  # added to variances of unit size
TILE = 1 << 21  # numbers of the matrices that are factored at once


@dataclass(frozen=True, eq=False)
class MissingNormal:
    """A joint covariance of columns of mean 0.

    Args:
        covariance: (d, d), x's columns first.
        dx: how many are x's.
    """

    covariance: Tensor
    dx: int

    def ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """(n,) log density ratio of the present columns of the pairs x (n, dx), y (n, dy), NaN where missing; nats."""
        joint = log_density(torch.cat((x, y), 1), self.covariance)
        x_side = log_density(x, self.covariance[: self.dx, : self.dx])
        return joint - x_side - log_density(y, self.covariance[self.dx :, self.dx :])

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m) the same of every x with every y: the density of y's present columns given x's, over that without x."""
        dx, dy = self.dx, y.shape[1]
        across, within = self.covariance[:dx, dx:], self.covariance[dx:, dx:]
        there_x, values_x = _split(x)
        there, values = _split(y)
        # (n, dx, dy) weights of x's present columns, and what they leave of y's covariance.
        weights = torch.linalg.solve(_present(self.covariance[:dx, :dx], there_x), there_x[:, :, None] * across)
        means = torch.einsum("ni,nij->nj", values_x, weights)
        left = within - across.T @ (there_x[:, :, None] * weights)
        out = torch.empty(x.shape[0], y.shape[0], dtype=torch.float64)
        height = max(1, TILE // (y.shape[0] * dy * dy))
        for first in range(0, x.shape[0], height):
            rows = slice(first, first + height)
            covariance = _present(left[rows, None].expand(-1, y.shape[0], -1, -1), there)
            out[rows] = _normal(there * (values - means[rows, None]), covariance, there)
        return out - log_density(y, within)


def fit_missing(x: Tensor, y: Tensor) -> MissingNormal:
    """Expectation maximisation over all entries that are there.

    Args:
        x: (n, dx) columns of mean 0 and unit variance where they are there, NaN elsewhere.
        y: (n, dy).

    Raises:
        ValueError: where fewer than five rows show two columns together for each column.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(2000, 1, generator=g, dtype=torch.float64)
    >>> y = 0.8 * x + 0.6 * torch.randn(2000, 1, generator=g, dtype=torch.float64)
    >>> x, y = (z.masked_fill(torch.rand(2000, 1, generator=g) < 0.4, torch.nan) for z in (x, y))
    >>> fitted = fit_missing(x, y)
    >>> abs(float(fitted.covariance[0, 1]) - 0.8) < 0.04, abs(float(fitted.ratio(x, y).mean()) - 0.36 * 0.511) < 0.03
    (True, True)
    """
    both = torch.cat((x, y), 1)[:ROWS]
    there, values = _split(both)
    n, d = both.shape
    together, least = seen_together(x[:ROWS], y[:ROWS]), ROWS_A_COLUMN * d
    if together < least:
        raise ValueError(
            f"only {together} of {n} rows show some two columns together; expected at least {least} "
            f"for the covariance of {d} columns"
        )
    covariance = torch.diag((values.square().sum(0) / there.sum(0)).clamp(min=RIDGE))
    for _ in range(STEPS):
        moments = torch.zeros(d, d, dtype=torch.float64)
        height = max(1, TILE // (d * d))
        for first in range(0, n, height):
            seen, known = there[first : first + height], values[first : first + height]
            # Given what is there, what is missing is normal around its regression.
            weights = torch.linalg.solve(_present(covariance, seen), seen[:, :, None] * covariance)
            filled = torch.einsum("ni,nij->nj", known, weights)
            moments += filled.T @ filled + seen.shape[0] * covariance - covariance @ weights.sum(0)
        covariance = 0.5 * (moments + moments.T) / n + RIDGE * torch.eye(d, dtype=torch.float64)
    return MissingNormal(covariance, x.shape[1])


def values_there(z: Tensor) -> Tensor:
    """(n, d) normal scores of each column's values, NaN where the column has the one value that many rows share.

    Args:
        z: (n, d). A column of which no value, or more than one, is shared by many is there everywhere.

    >>> z = torch.tensor([[0.0], [0.0], [0.0], [3.0], [7.0]])
    >>> [round(score, 2) for score in values_there(z).flatten().tolist()]
    [nan, nan, nan, -0.67, 0.67]
    """
    z = z.detach().cpu().double()
    out = normal_scores(z)
    for j in range(z.shape[1]):
        values, counts = torch.unique(z[:, j], return_counts=True)
        most = int(counts.argmax())
        rest = z.shape[0] - int(counts[most])
        if int(counts[most]) <= TIED * z.shape[0] or values.numel() - 1 <= DISTINCT * rest:
            continue
        kept = z[:, j] != values[most]
        out[:, j] = torch.nan
        out[kept, j] = normal_scores(z[kept, j : j + 1])[:, 0]
    return out


def seen_together(x: Tensor, y: Tensor) -> int:
    """The fewest rows that show any two columns of both sides x (n, dx), y (n, dy) together."""
    there, _ = _split(torch.cat((x, y), 1))
    return int((there.T @ there).min())


def log_density(z: Tensor, covariance: Tensor) -> Tensor:
    """(n,) log normal density of the present columns of z (n, d), NaN where missing."""
    there, values = _split(z)
    return _normal(values, _present(covariance, there), there)


def _split(z: Tensor) -> tuple[Tensor, Tensor]:
    """Ones where z (n, d) is there, and its values, 0 elsewhere."""
    return (~z.isnan()).double(), z.nan_to_num(nan=0.0)


def _present(covariance: Tensor, there: Tensor) -> Tensor:
    """(..., d, d) the covariance of the columns that are there, with ones on the diagonal for those that are not."""
    pairs = there[..., :, None] * there[..., None, :]
    return covariance * pairs + torch.diag_embed(1 - there)


def _normal(values: Tensor, covariance: Tensor, there: Tensor) -> Tensor:
    """(...) log normal density of values (..., d) that are 0 where missing."""
    root = torch.linalg.cholesky(covariance)
    white = torch.linalg.solve_triangular(root, values[..., None], upper=False)[..., 0]
    logs = root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return -0.5 * white.square().sum(-1) - logs - 0.5 * math.log(2 * math.pi) * there.sum(-1)
