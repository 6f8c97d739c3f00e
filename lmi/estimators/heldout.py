"""A critic judged on pairs that trained none of it: lower bounds over all pairs, term by term.

Whatever the scores f(x, y) were fitted to, on fresh pairs the mean of f - log E exp f is below the mutual information,
so of several critics the one with the highest bound is the best.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Scores = Callable[[Tensor, Tensor], Tensor]

BLOCK = 1000  # pairs are compared inside blocks of this many, so that memory grows as N


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Bounds on fresh pairs, as terms whose mean is the bound.

    Args:
        dv: (n,) Donsker-Varadhan, nats.
        infonce: (n,) InfoNCE, both ways averaged; at most the log of the block.
        plain: (n,) the scores of the pairs themselves: log p(x, y) / p(x) p(y) where the critic is a density ratio.
    """

    dv: Tensor
    infonce: Tensor
    plain: Tensor


def held_out(scores: Scores, x: Tensor, y: Tensor) -> HeldOut:
    """The bounds of a critic on pairs that it was not fitted to.

    Args:
        scores: (b, dx), (b, dy) -> (b, b), entry (i, j) for x_i with y_j.
        x: (n, dx).
        y: (n, dy).

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(800, 1, generator=g)
    >>> judged = held_out(lambda a, b: torch.zeros(len(a), len(b)), x, x)
    >>> round(abs(float(judged.dv.mean())), 6), round(abs(float(judged.infonce.mean())), 6)
    (0.0, 0.0)
    """
    n = x.shape[0]
    parts = []
    for indices in torch.arange(n).tensor_split(-(-n // BLOCK)):
        f = scores(x[indices], y[indices])
        b = f.shape[0]
        own = f.diagonal().clone()
        infonce = own - 0.5 * (torch.logsumexp(f, 1) + torch.logsumexp(f, 0)) + math.log(b)
        f.diagonal().fill_(-math.inf)
        dv = own - (torch.logsumexp(f.flatten(), 0) - math.log(b * (b - 1)))
        parts.append((dv, infonce, own))
    dv, infonce, plain = (torch.cat(column).double() for column in zip(*parts, strict=True))
    return HeldOut(dv, infonce, plain)
