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
        rows, columns, others = log_sums(f)
        infonce = own - 0.5 * (rows + columns) + math.log(b)
        dv = own - (others - math.log(b * (b - 1)))
        parts.append((dv, infonce, own))
    dv, infonce, plain = (torch.cat(column).double() for column in zip(*parts, strict=True))
    return HeldOut(dv, infonce, plain)


def log_sums(f: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """log-sum-exp of every row (b,), of every column (b,), and of everything off the diagonal (), with one exponential.

    >>> f = torch.randn(50, 50, generator=torch.Generator().manual_seed(0))
    >>> rows, columns, _ = log_sums(f)
    >>> torch.testing.assert_close((rows, columns), (torch.logsumexp(f, 1), torch.logsumexp(f, 0)))
    """
    top = f.amax(1)
    e = (f - top[:, None]).exp_()
    most = top.max()
    weights = (top - most).exp_()
    rows, columns = top + e.sum(1).log(), weights @ e
    # Columns that lie far below the largest score vanish next to it: those are summed with a scale of their own.
    lost = columns < 1e-30
    columns = most + columns.log()
    if bool(lost.any()):
        columns[lost] = torch.logsumexp(f[:, lost], 0)
    e.diagonal().fill_(0.0)
    return rows, columns, most + (weights @ e.sum(1)).log()


def shuffled_bounds(scores: Scores, x: Tensor, y: Tensor, permutations: int, generator: torch.Generator) -> Tensor:
    """(r,) InfoNCE of the same critic on the same pairs shuffled, nats: what it says where there is nothing.

    Shuffling y permutes the columns of the scores, so the two log sums stay and only the diagonal changes.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(500, 1, generator=g)
    >>> null = shuffled_bounds(lambda a, b: -10 * (a - b.T) ** 2, x, x, 50, g)
    >>> bool(null.max() < 0 < held_out(lambda a, b: -10 * (a - b.T) ** 2, x, x).infonce.mean())
    True
    """
    n = x.shape[0]
    totals = torch.zeros(permutations, dtype=torch.float64)
    for indices in torch.arange(n).tensor_split(-(-n // BLOCK)):
        f = scores(x[indices], y[indices]).double()
        b = f.shape[0]
        rows, columns, _ = log_sums(f)
        rest = math.log(b) - 0.5 * (rows + columns).mean()
        for i in range(permutations):
            order = torch.randperm(b, generator=generator)
            totals[i] += b * (f[torch.arange(b), order].mean() + rest)
    return totals / n
