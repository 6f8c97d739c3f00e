"""The t copula: heavy tails that come together behind monotone maps of single columns, and how heavy they are.

The columns' ranks, brought to quantiles of a t law, follow a multivariate t density whatever monotone maps the columns went
through. Demarta and McNeil, The t copula and related copulas, International Statistical Review (2005).
"""

from __future__ import annotations

import math

import torch
from scipy.special import ndtr, stdtrit
from torch import Tensor

DEGREES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0, 15.0, 25.0)  # of freedom that are tried
SMALLEST_EIGENVALUE = 1e-3  # of the correlations; columns that are functions of others would rule the likelihood


def t_scores(scores: Tensor, degrees: float) -> Tensor:
    """Quantiles of the t law for normal scores (n, d).

    >>> t_scores(torch.tensor([[0.0], [1.6449]], dtype=torch.float64), 3.0).round(decimals=2).flatten().tolist()
    [0.0, 2.35]
    """
    return torch.from_numpy(stdtrit(degrees, ndtr(scores.double().numpy())))


def t_copula_degrees(scores: Tensor) -> tuple[float, float]:
    """The degrees of freedom under which normal scores (n, d) are likeliest, and twice the gain over the normal copula.

    The log density of the t copula is log t_d(w; R, v) - sum_j log t_1(w_j; v) at w = t scores; R is that of the normal scores.

    Returns:
        Degrees of freedom, and 2 (log likelihood - that of the normal copula), nats; by chance a few at most.

    >>> g = torch.Generator().manual_seed(0)
    >>> z = torch.randn(1000, 4, generator=g, dtype=torch.float64)
    >>> t_copula_degrees(z)[1] < 4
    True
    """
    z = scores.double()
    n, d = z.shape
    values, vectors = torch.linalg.eigh(z.T @ z / n)
    values = values.clamp(min=SMALLEST_EIGENVALUE * float(values[-1]))
    correlation = (vectors * values) @ vectors.T
    scale = correlation.diagonal().rsqrt()
    root = vectors * values.rsqrt() / scale[:, None]  # of the inverse of the correlations of unit diagonal
    log_det = float(values.log().sum()) + 2 * float(scale.log().sum())
    normal = -0.5 * (n * log_det + float(((z @ root).square().sum(1) - z.square().sum(1)).sum()))
    best, most = math.inf, 0.0
    for degrees in DEGREES:
        w = t_scores(z, degrees)
        squares = (w @ root).square().sum(1)
        constant = math.lgamma((degrees + d) / 2) + (d - 1) * math.lgamma(degrees / 2)
        constant -= d * math.lgamma((degrees + 1) / 2)
        joint = -0.5 * (degrees + d) * torch.log1p(squares / degrees)
        single = -0.5 * (degrees + 1) * torch.log1p(w.square() / degrees).sum(1)
        gain = 2 * (n * constant - 0.5 * n * log_det + float((joint - single).sum()) - normal)
        if gain > most:
            best, most = degrees, gain
    return best, most
