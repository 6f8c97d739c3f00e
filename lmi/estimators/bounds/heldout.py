"""A critic judged on pairs that trained none of it: lower bounds over all pairs, term by term.

Whatever the scores f(x, y) were fitted to, on fresh pairs the mean of f - log E exp f is below the mutual information,
so of several critics the one with the highest bound is the best.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lmi.estimators.bounds.bounds import SMILE_CLIP, log_mean_exp_off_diagonal

Scores = Callable[[Tensor, Tensor], Tensor]

BoundName = Literal["dv", "nwj", "infonce", "smile"]

BLOCK = 1000  # pairs are compared inside blocks of this many, so that memory grows as N


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Bounds on fresh pairs, as terms whose mean is the bound.

    Args:
        dv: (n,) Donsker-Varadhan, nats.
        infonce: (n,) InfoNCE, both ways averaged; at most the log of the block.
        log_ratio: (n,) the scores of the pairs themselves: log p(x, y) / p(x) p(y) where the critic is a density ratio.
    """

    dv: Tensor
    infonce: Tensor
    log_ratio: Tensor


def held_out(scores: Scores, x: Tensor, y: Tensor) -> HeldOut:
    """The bounds of a critic on pairs that it was not fitted to.

    Args:
        scores: (b, dx), (b, dy) -> (b, b), entry (i, j) for x_i with y_j.
        x: (n, dx).
        y: (n, dy).

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(800, 1, generator=g)
    >>> judged = held_out(lambda a, b: torch.zeros(len(a), len(b)), x, x)
    >>> round(abs(float(judged.dv.mean())), 4), round(abs(float(judged.infonce.mean())), 4)
    (0.0, 0.0)
    """
    parts = []
    for _, f in held_out_blocks(scores, x, y):
        b, paired = f.shape[0], f.diagonal()
        rows, columns, others = log_sums(f)
        parts.append((paired - (others - math.log(b * (b - 1))), paired - 0.5 * (rows + columns) + math.log(b), paired))
    dv, infonce, log_ratio = (torch.cat(column).double() for column in zip(*parts, strict=True))
    return HeldOut(dv, infonce, log_ratio)


def log_sums(f: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """log-sum-exp of every row (b,), of every column (b,), and of everything off the diagonal (), with one exponential.

    >>> f = torch.randn(50, 50, generator=torch.Generator().manual_seed(0))
    >>> rows, columns, _ = log_sums(f)
    >>> torch.testing.assert_close((rows, columns), (torch.logsumexp(f, 1), torch.logsumexp(f, 0)))
    """
    paired = f.diagonal()
    apart = f.clone()
    apart.diagonal().fill_(-math.inf)
    top = apart.amax(1)
    e = apart.sub_(top[:, None]).exp_()
    most = top.max()
    rows, columns = top + e.sum(1).log(), (top - most).exp_() @ e
    # Columns that lie far below the largest score vanish next to it: those are summed with a scale of their own.
    lost = columns < 1e-30
    columns = most + columns.log()
    if bool(lost.any()):
        columns[lost] = torch.logsumexp(f[:, lost].masked_fill(torch.diag(lost)[:, lost], -math.inf), 0)
    return torch.logaddexp(rows, paired), torch.logaddexp(columns, paired), torch.logsumexp(rows, 0)


def held_out_blocks(scores: Scores, x: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Indices (b,) of a block of pairs and their scores (b, b), block by block."""
    n = x.shape[0]
    for indices in torch.arange(n).tensor_split(-(-n // BLOCK)):
        yield indices, scores(x[indices], y[indices])


def bound_terms(f: Tensor, bound: BoundName) -> Tensor:
    """(b,) terms whose mean is the bound of a block of scores, nats.

    ``dv``: E f - log E exp f'; ``nwj``: 1 + E f - E exp f', for scores that are log density ratios; ``infonce``: both ways
    averaged; ``smile``: ``dv`` with f' clipped to +-5. E is over pairs that belong together for f and over all others for f'.

    Args:
        f: (b, b) scores, pairs that belong together on the diagonal.
        bound: see above.
    """
    b, paired = f.shape[0], f.diagonal()
    if bound == "infonce":
        rows, columns, _ = log_sums(f)
        return paired - 0.5 * (rows + columns) + math.log(b)
    partition = _log_mean_exp_apart(f, bound)
    return 1 + paired - partition.exp() if bound == "nwj" else paired - partition


def bound_influence(f: Tensor, bound: BoundName) -> Tensor:
    """(b,) what each pair adds to the bound, nats, with the bound for a mean: their spread over sqrt(b) is its standard error.

    A pair is in the partition term through its row and through its column, which the terms themselves do not show.

    >>> f = torch.randn(50, 50, generator=torch.Generator().manual_seed(0))
    >>> bool(torch.allclose(bound_influence(f, "dv").mean(), bound_terms(f, "dv").mean(), atol=1e-5))
    True
    """
    terms = bound_terms(f, bound)
    if bound == "infonce":
        return terms
    b, partition = f.shape[0], _log_mean_exp_apart(f, bound)
    weights = ((f.clamp(-SMILE_CLIP, SMILE_CLIP) if bound == "smile" else f) - partition).exp()
    weights.diagonal().fill_(0.0)
    around = 2 - (weights.sum(1) + weights.sum(0)) / (b - 1)  # mean 0
    return terms + (partition.exp() * around if bound == "nwj" else around)


def shuffled_bounds(f: Tensor, bound: BoundName, factors: Sequence[float], orders: Sequence[Tensor]) -> Tensor:
    """(k, r) the bound of k multiples of a block of scores under r permutations of the partners, nats.

    The same as ``bound_terms(factor * f[:, order], bound).mean()`` at the cost of a few passes over the block in all.
    For ``nwj`` the shift is chosen anew, which makes it Donsker-Varadhan.

    Args:
        f: (b, b) scores, pairs that belong together on the diagonal.
        bound: which.
        factors: k multiples of the scores.
        orders: r permutations (b,) of the partners.

    >>> f = torch.randn(50, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> order = torch.randperm(50, generator=torch.Generator().manual_seed(1))
    >>> slow = [bound_terms(0.5 * f[:, order], name).mean() for name in ("dv", "infonce")]
    >>> fast = [shuffled_bounds(f, name, (0.5,), [order])[0, 0] for name in ("dv", "infonce")]
    >>> [bool(torch.allclose(a, b)) for a, b in zip(slow, fast)]
    [True, True]
    """
    b, rows = f.shape[0], torch.arange(f.shape[0])
    values = []
    for factor in factors:
        g = factor * f.double()
        if bound == "infonce":
            whole = 0.5 * float((torch.logsumexp(g, 1) + torch.logsumexp(g, 0)).mean()) - math.log(b)
            values.append([float(g[rows, order].mean()) - whole for order in orders])
            continue
        apart = g.clamp(-SMILE_CLIP, SMILE_CLIP) if bound == "smile" else g
        most = float(apart.max())
        weights = (apart - most).exp()
        total = float(weights.sum())
        rest = [(total - float(weights[rows, order].sum())) / (b * (b - 1)) for order in orders]
        values.append(
            [
                float(g[rows, order].mean()) - most - math.log(max(mean, 1e-300))
                for order, mean in zip(orders, rest, strict=True)
            ]
        )
    return torch.tensor(values, dtype=torch.float64).reshape(len(factors), len(orders))


def _log_mean_exp_apart(f: Tensor, bound: BoundName) -> Tensor:
    """Log mean exp of the off-diagonal scores, clipped for ``smile``."""
    return log_mean_exp_off_diagonal(f.clamp(-SMILE_CLIP, SMILE_CLIP) if bound == "smile" else f)
