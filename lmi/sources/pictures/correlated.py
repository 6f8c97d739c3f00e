"""Parameters of pictures in pairs: uniform on (0, 1), and as informative of their partners as asked."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class CorrelatedParameters(NamedTuple):
    """Paired parameters and the normal variables behind them.

    Fields:
        x: (n, d) uniform on (0, 1), independent columns.
        y: (n, d) the partners.
        normal_x: (n, d) the normal variables that ``x`` is the distribution function of.
        normal_y: (n, d) the same of ``y``.
    """

    x: Tensor
    y: Tensor
    normal_x: Tensor
    normal_y: Tensor


def correlation_of(nats: float, dims: int) -> float:
    """The correlation rho of ``dims`` independent normal pairs that share ``nats``: -dims / 2 log(1 - rho^2) = nats.

    >>> round(correlation_of(-math.log(1 - 0.6**2), 2), 6)
    0.6
    """
    return math.sqrt(-math.expm1(-2 * nats / dims))


def correlated_parameters(n: int, dims: int, nats: float, generator: torch.Generator) -> CorrelatedParameters:
    """``n`` pairs of ``dims`` uniform parameters with I(X; Y) = ``nats``, shared out evenly.

    Each is the distribution function of a normal variable, an increasing map, which leaves the information as it is.

    Args:
        n: how many pairs.
        dims: parameters of each side.
        nats: I(X; Y).
        generator: draws them.

    >>> drawn = correlated_parameters(4000, 2, 1.0, torch.Generator().manual_seed(0))
    >>> drawn.x.shape, bool((drawn.x > 0).all() and (drawn.x < 1).all())
    (torch.Size([4000, 2]), True)
    """
    rho = correlation_of(nats, dims)
    normal_x, rest = torch.randn(2, n, dims, generator=generator, dtype=torch.float64)
    normal_y = rho * normal_x + math.sqrt(1 - rho**2) * rest
    return CorrelatedParameters(
        torch.special.ndtr(normal_x), torch.special.ndtr(normal_y), normal_x, normal_y
    )  # (n, d) each


def side_by_side(x: Tensor, y: Tensor) -> Tensor:
    """(n, h, w + 1 + w) pictures x (n, 1, h, w) and y (n, 1, h, w) with a bright line between them."""
    line = torch.full((x.shape[0], x.shape[2], 1), float(torch.maximum(x.max(), y.max())), dtype=x.dtype)
    return torch.cat((x[:, 0], line, y[:, 0]), 2)
