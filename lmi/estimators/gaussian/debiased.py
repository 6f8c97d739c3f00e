"""The debiased closed form on leading components, with its standard error and its distance from independence."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

from lmi.estimators.gaussian.canonical import canonical_fit, gaussian_bias, gaussian_pointwise


class ClosedForm(NamedTuple):
    """A closed-form estimate, nats; its standard error, nats; its distance from 0 under independence, standard deviations."""

    nats: float
    error: float
    deviations: float


def closed_form(x: Tensor, y: Tensor, rank: int, effective: float | None = None) -> ClosedForm:
    """-1/2 sum log(1 - rho_i^2) over canonical correlations, minus its exact bias.

    Args:
        x: (n, dx) components, leading first.
        y: (n, dy).
        rank: how many components of each side are used.
        effective: how many independent samples the rows count as; ``None`` for as many as there are.

    Raises:
        ValueError: where the samples are no more than the components.

    >>> import torch
    >>> z = torch.randn(2000, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> closed_form(z[:, :2], z[:, 2:], 2).nats < 0.01
    True
    """
    fit = canonical_fit(x[:, :rank], y[:, :rank])
    n = x.shape[0] if effective is None else effective
    if n <= fit.rank_x + fit.rank_y + 1:
        raise ValueError(f"{n:.0f} effective samples are too few for {fit.rank_x} + {fit.rank_y} components")
    nats = float(gaussian_pointwise(fit).mean()) - gaussian_bias(n, fit.rank_x, fit.rank_y)
    spread = (fit.rank_x * fit.rank_y / 2) ** 0.5 / n
    error = math.hypot(float((fit.correlations**2).sum() / n) ** 0.5, spread)
    return ClosedForm(nats, error, nats / spread)
