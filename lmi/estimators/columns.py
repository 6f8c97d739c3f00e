"""What can be done to each side alone before measuring: ranks to normal scores, robust scale, principal components.

None of it looks at the pairing, so it may use all samples without spoiling what is held out.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

FEW_VALUES, APART = 3, 0.5  # so few values of a column keep clear of each other, by this share of their stretches
RANK_TOLERANCE = 1e-9  # share of the largest variance below which a direction is rounding


def normal_scores(z: Tensor) -> Tensor:
    """Each column through its ranks to normal quantiles, Phi^-1((rank - 1/2) / n); ties share their mean rank.

    An increasing map of a column changes nothing, and neither does it change the mutual information.

    >>> [round(score, 3) for score in normal_scores(torch.tensor([[1.0], [100.0], [2.0]])).flatten().tolist()]
    [-0.967, 0.967, 0.0]
    """
    z = z.detach().cpu().double()
    return torch.special.ndtri((mean_ranks(z) - 0.5) / z.shape[0])


def jitter_ties(z: Tensor, generator: torch.Generator) -> Tensor:
    """Each value that several rows of a column share, spread evenly by chance over half of the way to its neighbours.

    Two or three values in all keep clear of each other: over a quarter of the way.

    The value can be read back from where it went, and where in its stretch it went is chance: the spread variables have a
    density there, and exactly the mutual information of the tied ones. Rueschendorf, On the distributional transform,
    Sklar's theorem, and the empirical copula process, J. Stat. Plan. Inference 139 (2009).

    >>> z = torch.tensor([[0.0], [0.0], [1.0], [5.0]])
    >>> spread = jitter_ties(z, torch.Generator().manual_seed(0)).flatten()
    >>> bool((spread[:2].abs() <= 0.5).all()), spread[2:].tolist()
    (True, [1.0, 5.0])
    """
    out = z.detach().cpu().double().clone()
    ordered = out.T.sort(dim=1).values
    for j in (ordered[:, 1:] == ordered[:, :-1]).any(1).nonzero()[:, 0].tolist():
        values, place, counts = torch.unique(out[:, j], return_inverse=True, return_counts=True)
        if values.numel() == 1:
            continue
        middles = (values[1:] + values[:-1]) / 2
        edges = torch.cat((2 * values[:1] - middles[:1], middles, 2 * values[-1:] - middles[-1:]))
        tied = counts[place] > 1
        chance = torch.rand(int(tied.sum()), generator=generator, dtype=torch.float64)
        low, high = edges[:-1][place[tied]], edges[1:][place[tied]]
        width = APART if values.numel() <= FEW_VALUES else 1.0
        out[tied, j] = 0.5 * (low + high) + width * (high - low) * (chance - 0.5)
    return out


def mean_ranks(z: Tensor) -> Tensor:
    """(n, d) rank of each entry in its column, from 1; ties share the mean of theirs.

    >>> mean_ranks(torch.tensor([[3.0], [1.0], [3.0]])).flatten().tolist()
    [2.5, 1.0, 2.5]
    """
    columns = z.T.contiguous()
    ordered, order = columns.sort(dim=1)
    if bool((ordered[:, 1:] == ordered[:, :-1]).any()):
        below, up_to = (torch.searchsorted(ordered, columns, right=right) for right in (False, True))
        return ((below + up_to + 1).double() / 2).T.contiguous()
    places = torch.arange(1, z.shape[0] + 1, dtype=torch.float64, device=z.device).expand_as(columns)
    return torch.empty_like(places.contiguous()).scatter_(1, order, places).T.contiguous()


def normal_scores_at(reference: Tensor) -> Callable[[Tensor], Tensor]:
    """A map of new rows to normal scores by the columns of ``reference`` (n, d), at most as far out as its own extremes.

    >>> to_scores = normal_scores_at(torch.arange(9.0)[:, None])
    >>> [round(score, 3) for score in to_scores(torch.tensor([[-5.0], [4.0], [4.0], [99.0]])).flatten().tolist()]
    [-1.593, 0.0, 0.0, 1.593]
    """
    n = reference.shape[0]
    columns = reference.double().T.sort(dim=1).values.contiguous()

    def to_scores(z: Tensor) -> Tensor:
        rows = z.double().T.contiguous()
        below, up_to = (torch.searchsorted(columns, rows, right=right) for right in (False, True))
        return torch.special.ndtri(((below + up_to).double() / (2 * n)).clamp(0.5 / n, 1 - 0.5 / n)).T

    return to_scores


def smooth_scores_at(reference: Tensor) -> Callable[[Tensor], Tensor]:
    """``normal_scores_at``, and between two values of ``reference`` in a straight line of ranks, so that new rows do not tie.

    >>> to_scores = smooth_scores_at(torch.arange(9.0)[:, None])
    >>> [round(score, 3) for score in to_scores(torch.tensor([[-5.0], [4.0], [4.5], [99.0]])).flatten().tolist()]
    [-1.593, 0.0, 0.14, 1.593]
    """
    n = reference.shape[0]
    columns = reference.double().T.sort(dim=1).values.contiguous()

    def to_scores(z: Tensor) -> Tensor:
        rows = z.double().T.contiguous()
        below, up_to = (torch.searchsorted(columns, rows, right=right) for right in (False, True))
        low, high = (columns.gather(1, places.clamp(0, n - 1)) for places in (below - 1, below))
        between = (below == up_to) & (below > 0) & (below < n)
        share = torch.where(between, (rows - low) / torch.where(high > low, high - low, 1.0) - 0.5, 0.0)
        rank = (below + up_to).double() / 2 + share
        return torch.special.ndtri((rank / n).clamp(0.5 / n, 1 - 0.5 / n)).T

    return to_scores


def robust_scaled(z: Tensor) -> Tensor:
    """Columns (n, d) with median 0 and interquartile range of a unit normal, so that heavy tails do not set the scale.

    A column whose quartiles coincide is divided by its standard deviation instead.
    """
    z = z.detach().cpu().double()
    quartiles = torch.quantile(z, torch.tensor([0.25, 0.5, 0.75], dtype=z.dtype), dim=0)
    spread = (quartiles[2] - quartiles[0]) / 1.3489795003921634
    return (z - quartiles[1]) / torch.where(spread > 0, spread, z.std(0, correction=0).clamp(min=1e-300))


def tails_drawn_in(z: Tensor, far: float) -> Tensor:
    """Entries of z beyond ``far``, drawn in to sign(z) far (1 + log(|z| / far)): far values keep their order, and no two tie.

    >>> tails_drawn_in(torch.tensor([-1.0, 2.0, 20.0]), 2.0).tolist()
    [-1.0, 2.0, 6.605170249938965]
    """
    return torch.where(z.abs() > far, z.sign() * far * (1 + (z.abs() / far).clamp(min=1).log()), z)


def principal_components(z: Tensor, most: int) -> Tensor:
    """(n, r) coordinates along the principal directions of the centred columns, largest variance first, unscaled.

    Args:
        z: (n, d).
        most: r is at most this and the numerical rank.

    >>> z = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    >>> principal_components(torch.cat((z, z), 1), most=10).shape
    torch.Size([50, 2])
    """
    z = z.double()
    z = z - z.mean(0)
    n, d = z.shape
    top = min(most, n, d)
    variances, vectors = torch.linalg.eigh(z.T @ z if d <= n else z @ z.T)
    variances, vectors = variances[-top:].flip(0), vectors[:, -top:].flip(1)
    coordinates = z @ vectors if d <= n else vectors * variances.clamp(min=0).sqrt()
    return coordinates[:, variances > RANK_TOLERANCE * variances[0]]
