"""What the normal model says of an estimate that may be too low: bounds, and neighbours, cannot tell how far below they lie."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lmi.estimators.bounds.heldout import held_out
from lmi.estimators.columns import normal_scores
from lmi.estimators.folds import cross_fitting
from lmi.estimators.gaussian.canonical import canonical_fit, gaussian_bias, gaussian_pointwise, gaussian_standard_error
from lmi.estimators.gaussian.linear import fit_linear, leading_components

TOLERANCE = 0.1  # share of the closed form that a bound may lack
SAMPLES_A_COLUMN = 10  # from here on the closed form of all columns is asked, too
MOST_COLUMNS = 400  # of both sides, up to which it is


def linear_doubts(x: Tensor, y: Tensor, nats: float, error: float, generator: torch.Generator) -> tuple[str, ...]:
    """A reason where the debiased closed form of the columns' normal scores is clearly above a lower bound.

    Of the leading principal components, and where samples are many of all of them: many weak correlations hide in the rest.

    Args:
        x: (n, dx).
        y: (n, dy).
        nats: the bound.
        error: its standard error, nats.
        generator: deals the folds on which fresh pairs choose how many principal components the closed form has.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(1000, 3, generator=g)
    >>> y = x + torch.randn(1000, 3, generator=g)
    >>> linear_doubts(x, y, 1.0, 0.05, g), linear_doubts(x, y, 0.3, 0.05, g)[0][:22]
    ((), 'the normal closed form')
    """
    u, v = normal_scores(x), normal_scores(y)
    pairs = [leading_components(u, v, 0, generator)]
    n, columns = u.shape[0], u.shape[1] + v.shape[1]
    if columns <= min(n / SAMPLES_A_COLUMN, MOST_COLUMNS):
        pairs.append((u, v))
    for a, b in pairs:
        fit = canonical_fit(a, b)
        said = float(gaussian_pointwise(fit).mean()) - gaussian_bias(n, fit.rank_x, fit.rank_y)
        # Squared correlations of independent columns sum to a chi-squared variable over n.
        gaussian_error = math.hypot(gaussian_standard_error(fit), (fit.rank_x * fit.rank_y / 2) ** 0.5 / n)
        if said - nats > max(4 * gaussian_error, 4 * error, TOLERANCE * said, 0.02):
            return (
                f"the normal closed form of the columns' normal scores finds {said:.2f} nats, and a bound lies below",
            )
    return ()


def confirmed(x: Tensor, y: Tensor, folds: int, generator: torch.Generator) -> tuple[float, float]:
    """What the normal model finds in fresh pairs, on columns or on their normal scores: a lower bound on the MI.

    Args:
        x: (n, dx).
        y: (n, dy).
        folds: each is judged by what the others taught; at least 2.
        generator: deals them.

    Returns:
        The larger held-out InfoNCE bound, nats, and its standard error.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(1000, 3, generator=g)
    >>> bound, error = confirmed(x, x + torch.randn(1000, 3, generator=g), 3, g)
    >>> 0.9 < bound < 1.04 + 3 * error  # the truth is 1.04
    True
    """
    best = (-math.inf, 0.0)
    pairs = cross_fitting(x.shape[0], folds, generator)
    for u, v in ((x, y), (normal_scores(x), normal_scores(y))):
        u, v = leading_components(u.double(), v.double(), 0, generator)
        terms = [
            held_out(fit_linear(u[rest], v[rest], u.shape[1]).scores, u[test], v[test]).infonce for rest, test in pairs
        ]
        every = torch.cat(terms)
        best = max(best, (float(every.mean()), float(every.std()) / every.numel() ** 0.5))
    return best
