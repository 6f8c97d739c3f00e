"""KSG with a control variate whose sides are the samples' own: matchings of their rows that a model's scores draw.

Draws from a density fill the columns. Where a side lies on something thinner, such as an angle's cosine and sine on a circle,
neighbours there are nearer than in any draw, and KSG of the two has nothing in common. Matchings of the rows themselves keep
both sides as they are, whatever these look like, and change only who goes with whom.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.neighbors.control import Controlled, held_against
from lmi.estimators.neighbors.search import nearest
from lmi.estimators.neighbors.terms import ksg_pointwise
from lmi.estimators.trust.matchings import drawn_matchings

BALANCING = 50  # rounds of Sinkhorn's iteration
NEAR = 10  # neighbours that a dimension is read off


def matched_ksg(x: Tensor, y: Tensor, f: Tensor, k: int, generator: torch.Generator, draws: int = 2) -> Controlled:
    """mean[f] + (mean[KSG - f] at the samples - mean[KSG - f] at matchings), f a balanced log ratio.

    Args:
        x: (n, dx).
        y: (n, dy).
        f: (n, n) log ratio of every x with every y, nats, from ``balanced``.
        k: neighbours.
        generator: draws.
        draws: matchings.

    >>> g = torch.Generator().manual_seed(0)
    >>> angle = 6.28 * torch.rand(800, 1, generator=g, dtype=torch.float64)
    >>> turned = angle + 0.3 * torch.randn(800, 1, generator=g, dtype=torch.float64)
    >>> x, y = (torch.cat((z.cos(), z.sin()), 1) for z in (angle, turned))
    >>> estimate = matched_ksg(x, y, balanced(x @ y.T / 0.09), 5, g)
    >>> abs(estimate.nats - 1.623) < 0.1, abs(estimate.correction) < 0.1
    (True, True)
    """
    terms = ksg_pointwise(normal_scores(x), normal_scores(y), k)
    elsewhere = []
    for matching in drawn_matchings(f, generator, draws):
        matched = ksg_pointwise(normal_scores(x), normal_scores(y[matching]), k)
        elsewhere.append(matched - f.gather(1, matching[:, None])[:, 0])
    return held_against(terms, f.diagonal(), torch.cat(elsewhere))


def balanced(f: Tensor) -> Tensor:
    """(n, n) scores f with a term of each row and each column added, so that exp f has a mean of 1 along both.

    By Sinkhorn's iteration. exp f / n^2 is then a distribution over all pairs of rows under which each row of either side is
    as likely as any other.
    """
    log_n = math.log(f.shape[0])
    columns = torch.zeros(1, f.shape[1], dtype=f.dtype)
    rows = torch.zeros(f.shape[0], 1, dtype=f.dtype)
    for _ in range(BALANCING):
        rows = log_n - torch.logsumexp(f + columns, 1, keepdim=True)
        columns = log_n - torch.logsumexp(f + rows, 0, keepdim=True)
    return f + rows + columns


def intrinsic_dimension(z: Tensor) -> float:
    """How many dimensions the rows of z (n, d) fill among their ten nearest neighbours.

    (k - 2) / sum_j log(r_k / r_j), averaged as its inverse over rows: Levina and Bickel, NIPS (2004); MacKay and
    Ghahramani (2005).

    >>> g = torch.Generator().manual_seed(0)
    >>> angle = 6.28 * torch.rand(500, 1, generator=g)
    >>> circle, disc = torch.cat((angle.cos(), angle.sin()), 1), torch.randn(500, 2, generator=g)
    >>> round(intrinsic_dimension(circle)), round(intrinsic_dimension(disc))
    (1, 2)
    """
    distances = nearest(z, min(NEAR, z.shape[0] - 1), metric="euclidean")[0].clamp(min=1e-300).log()
    spread = (distances[:, -1:] - distances[:, :-1]).sum(1) / (distances.shape[1] - 2)
    return 1 / max(float(spread.mean()), 1e-300)
