"""The debiased closed form on leading components, with its standard error and its distance from independence."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from lmi.estimators.gaussian.canonical import canonical_fit, gaussian_bias, gaussian_pointwise, gaussian_standard_error


class ClosedForm(NamedTuple):
    """A closed-form estimate, nats; its standard error, nats; its distance from 0 under independence, standard deviations."""

    nats: float
    error: float
    deviations: float


def closed_form(x: Tensor, y: Tensor, rank: int) -> ClosedForm:
    """-1/2 sum log(1 - rho_i^2) over canonical correlations, minus its exact bias.

    Args:
        x: (n, dx) components, leading first.
        y: (n, dy).
        rank: how many components of each side are used.

    >>> import torch
    >>> z = torch.randn(2000, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> closed_form(z[:, :2], z[:, 2:], 2).nats < 0.01
    True
    """
    fit = canonical_fit(x[:, :rank], y[:, :rank])
    n = x.shape[0]
    nats = float(gaussian_pointwise(fit).mean()) - gaussian_bias(n, fit.rank_x, fit.rank_y)
    return ClosedForm(nats, gaussian_standard_error(fit), nats / ((fit.rank_x * fit.rank_y / 2) ** 0.5 / n))
