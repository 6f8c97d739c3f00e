"""What quick models confirm: a lower bound on the truth, for estimates that may be too low and cannot tell.

A bound in learned latents, a table of codes and neighbours in many columns each miss something of their own. A normal model
and a few t densities, fitted to one half of the samples and judged on the other, are wrong in other ways and take a fraction
of a second: where they confirm more than the interval of an estimate holds, that interval is wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lmi.estimators.bounds.heldout import held_out
from lmi.estimators.columns import normal_scores, principal_components
from lmi.estimators.densities.mixture import fit_mixture
from lmi.estimators.folds import cross_fitting
from lmi.estimators.gaussian.canonical import canonical_fit, gaussian_bias, gaussian_pointwise, gaussian_standard_error
from lmi.estimators.trust.by_pair import by_pair
from lmi.estimators.trust.normality import faintest, mardia
from lmi.estimators.trust.products import products_left
from lmi.estimators.trust.second_opinion import SAMPLES_A_COLUMN, confirmed
from lmi.estimators.trust.thresholds import BY_COLUMN, NOT_NORMAL
from lmi.estimators.trust.uncertainty import Z_90
from lmi.types import Estimate

MOST_ROWS = 3000
MOST_COLUMNS = 16  # of both sides, up to which t densities are fitted
COUNTS = (1, 2, 4)  # of them
DENSITIES_SEE, PRODUCTS_OF = 6, 100  # columns of both sides, between which products of two columns are asked
FOLDS = 2
STEPS, GAIN = 60, 1e-3  # of each fit: at most so many, and no more where they gain less, nats a sample


@dataclass(frozen=True, eq=False)
class QuickBound:
    """The highest lower bound of the models.

    Args:
        nats: the bound.
        error: its standard error, nats.
        name: of the model.
    """

    nats: float
    error: float
    name: str

    def challenge(self, estimate: Estimate) -> tuple[Estimate, tuple[str, ...]]:
        """The estimate with its interval open to the bound, and a reason, where the bound is above it.

        >>> low = Estimate(0.2, "ksg1", 500, interval=(0.1, 0.3))
        >>> opened, reasons = QuickBound(0.5, 0.01, "a normal model").challenge(low)
        >>> round(opened.interval[1], 3), reasons[0][:44]
        (0.516, 'a normal model confirms 0.50 nats, a lower b')
        >>> QuickBound(0.29, 0.01, "a normal model").challenge(low)[1]
        ()
        """
        if estimate.interval is None or self.nats <= estimate.interval[1]:
            return estimate, ()
        low, high = estimate.interval
        words = f"{self.name} confirms {self.nats:.2f} nats, a lower bound: the estimate is too low"
        return replace(estimate, interval=(low, max(high, self.nats + Z_90 * self.error))), (words,)


def normal_bound(x: Tensor, y: Tensor, generator: torch.Generator) -> QuickBound:
    """That of a normal model of x (n, dx), y (n, dy) on fresh pairs; the generator deals rows and folds."""
    rows = torch.randperm(x.shape[0], generator=generator)[:MOST_ROWS]
    return QuickBound(*confirmed(x[rows], y[rows], FOLDS, generator), "a normal model in fresh pairs")


def quick_bound(x: Tensor, y: Tensor, generator: torch.Generator) -> QuickBound:
    """The best of a normal model and, in few columns, t densities on fresh pairs, and of the closed form of normal sides.

    Args:
        x: (n, dx); of many rows 3,000 are looked at.
        y: (n, dy).
        generator: deals rows and folds, and starts the densities.

    >>> g = torch.Generator().manual_seed(0)
    >>> x, e = torch.randn(2, 1000, 1, generator=g)
    >>> y = x * torch.randn(1000, 1, generator=g).sign() + 0.3 * e
    >>> quick_bound(x, y, g).nats > 0.5  # the truth is .9, and a line shows nothing of it
    True
    """
    rows = torch.randperm(x.shape[0], generator=generator)[:MOST_ROWS]
    x, y = x[rows], y[rows]
    bounds = [normal_bound(x, y, generator), *_of_normal_sides(x, y, generator), *_of_products(x, y)]
    if x.shape[1] + y.shape[1] <= MOST_COLUMNS:
        bounds += _of_densities(x, y, generator)
    return max(bounds, key=lambda bound: bound.nats)


def _of_densities(x: Tensor, y: Tensor, generator: torch.Generator) -> list[QuickBound]:
    """Of one, two and four t densities, as far as the samples go."""
    u, v = (principal_components(normal_scores(z), MOST_COLUMNS) for z in (x, y))
    pairs, bounds = cross_fitting(x.shape[0], FOLDS, generator), []
    for count in COUNTS:
        try:
            models = [fit_mixture(u[rest], v[rest], count, generator, True, STEPS, GAIN) for rest, _ in pairs]
        except (
            ValueError,
            RuntimeError,
        ):  # too few rows for so many, or one shrank to a point and has no Cholesky root
            break
        terms = torch.cat([held_out(f.scores, u[test], v[test]).infonce for f, (_, test) in zip(models, pairs)])
        error = float(terms.std()) / terms.numel() ** 0.5
        bounds.append(QuickBound(float(terms.mean()), error, f"{t_densities(count)} in fresh pairs"))
    return bounds


def _of_normal_sides(x: Tensor, y: Tensor, generator: torch.Generator) -> list[QuickBound]:
    """The closed form of all columns' normal scores, where each side alone is jointly normal, and what pairs add to it.

    The normal law has the largest joint entropy of its covariance, so that of normal sides the closed form is a lower bound
    whatever ties them together; and how far a pair of columns is from the normal law is a part of how far all of them are.
    """
    n, columns = x.shape[0], x.shape[1] + y.shape[1]
    u, v = normal_scores(x), normal_scores(y)
    if columns * SAMPLES_A_COLUMN > n:
        return []
    if max(abs(score) for z in (u, v, faintest(u), faintest(v)) for score in mardia(z)) > NOT_NORMAL:
        return []
    fit = canonical_fit(u, v)
    nats = float(gaussian_pointwise(fit).mean()) - gaussian_bias(n, fit.rank_x, fit.rank_y)
    error = gaussian_standard_error(fit)
    bounds = [QuickBound(nats, error, "the closed form of jointly normal sides")]
    pairs = by_pair(x, y, generator)
    if pairs.deviations > BY_COLUMN:
        name = f"the closed form with {pairs.pairs} pairs of columns, that are not normal together,"
        bounds.append(QuickBound(nats + pairs.nats, math.hypot(error, pairs.nats / pairs.deviations), name))
    return bounds


def _of_products(x: Tensor, y: Tensor) -> list[QuickBound]:
    """Of products of two columns that go with a column of the other side, in more columns than densities see into."""
    if not DENSITIES_SEE < x.shape[1] + y.shape[1] <= PRODUCTS_OF:
        return []
    left = products_left(x, y)
    if left is None:
        return []
    nats = 0.5 * left.share
    return [QuickBound(nats, nats / left.deviations, f"that {left.words}")]


def t_densities(count: int) -> str:
    """So many, in words."""
    return "a t density" if count == 1 else f"{count} t densities"
