"""What the normal closed form says of an estimate that is a lower bound: the bound itself cannot tell how far below it lies."""

from __future__ import annotations

import torch
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.gaussian import canonical_fit, gaussian_bias, gaussian_pointwise, gaussian_standard_error
from lmi.estimators.linear import leading_components

TOLERANCE = 0.1  # share of the closed form that a bound may lack


def linear_doubts(x: Tensor, y: Tensor, nats: float, error: float, generator: torch.Generator) -> tuple[str, ...]:
    """A reason where the debiased closed form of the columns' normal scores is clearly above a lower bound.

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
    fit = canonical_fit(*leading_components(normal_scores(x), normal_scores(y), 0, generator))
    said = float(gaussian_pointwise(fit).mean()) - gaussian_bias(x.shape[0], fit.rank_x, fit.rank_y)
    own = gaussian_standard_error(fit)
    if said - nats <= max(4 * own, 4 * error, TOLERANCE * said, 0.02):
        return ()
    return (f"the normal closed form of the columns' normal scores finds {said:.2f} nats, and a bound lies below",)
