"""Nearest neighbours for a label and under a condition: I(X; L) and I(X; Y | Z).

Ross, PLoS ONE 9, e87357 (2014); Frenzel and Pompe, Phys. Rev. Lett. 99, 204101 (2007); Mesner and Shalizi, Conditional mutual
information estimation for mixed, discrete and continuous data, IEEE Trans. Inf. Theory 67 (2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from lmi.estimators.neighbors.search import count_inside, nearest
from lmi.estimators.neighbors.terms import as_columns, just_above, ksg_ceiling, psi, repeats
from lmi.estimators.trust.uncertainty import subsample_spread
from lmi.estimators.trust.verdict import default_verdict, drift, neighbour_doubts
from lmi.types import Context, Estimate

SAMPLES_A_LEVEL = 10  # of each triple of levels, below which a table's plug-in is clearly too large


def read_label(x: Tensor, label: Tensor, k: int, context: Context) -> Estimate:
    """I(X; L) with its evidence; the label's entropy is the ceiling.

    Args:
        x: (n, dx).
        label: (n,) class numbers.
        k: neighbours.
        context: deals subsamples.
    """
    shares = torch.unique(label, return_counts=True)[1].double() / label.numel()
    entropy = float(-(shares * shares.log()).sum())
    return read_terms(
        lambda rows, near: ross_pointwise(x[rows], label[rows], near), k, "ross", x.shape[0], entropy, context
    )


def read_conditional(x: Tensor, y: Tensor, z: Tensor, k: int, context: Context) -> Estimate:
    """I(X; Y | Z) with its evidence.

    Args:
        x: (n, dx).
        y: (n, dy).
        z: (n, dz) what is conditioned on.
        k: neighbours.
        context: deals subsamples.
    """
    n = x.shape[0]
    distinct = n - repeats(torch.cat((x, y, z), 1))
    reasons: tuple[str, ...] = ()
    if n / SAMPLES_A_LEVEL < distinct < n / 2:
        reasons = (
            f"{n} samples are few for {distinct} distinct triples: what is discrete seems to share more than it does",
        )
    return read_terms(
        lambda rows, near: conditional_pointwise(x[rows], y[rows], z[rows], near),
        k,
        "ksg given z",
        n,
        ksg_ceiling(n, k),
        context,
        reasons,
    )


def read_terms(
    terms: Callable[[Tensor, int], Tensor],
    k: int,
    name: str,
    n: int,
    ceiling: float,
    context: Context,
    reasons: tuple[str, ...] = (),
) -> Estimate:
    """An estimate from its terms on any subset: interval from disjoint subsamples, drift, stability in k, ceiling, verdict.

    Args:
        terms: rows (m,) and neighbours -> (m,) terms, nats.
        k: neighbours.
        name: of the estimator.
        n: samples.
        ceiling: nats.
        context: deals subsamples.
        reasons: for doubt, known already.
    """
    pointwise = terms(torch.arange(n), k)
    nats = float(pointwise.mean())

    def statistic(rows: Tensor) -> float:
        return float(terms(rows, k).mean())

    spread = subsample_spread(statistic, n, nats, context.generator("subsamples"))
    estimate = Estimate(
        nats=nats,
        estimator=name,
        num_samples=n,
        pointwise=pointwise,
        interval=None if spread is None else spread.interval(nats),
        ceiling=ceiling,
    )
    if estimate.interval is None:
        return replace(estimate, verdict=default_verdict(estimate, reasons))
    half = (estimate.interval[1] - estimate.interval[0]) / 2
    twice = float(terms(torch.arange(n), 2 * k).mean()) if n > 2 * k else nats
    moved = drift(statistic, n, context.generator("drift"))
    return replace(estimate, verdict=default_verdict(estimate, (*reasons, *neighbour_doubts(nats, twice, half, moved))))


def ross_pointwise(x: Tensor, label: Tensor, k: int = 3) -> Tensor:
    """The terms of I(X; L) for continuous x and a label l: psi(N) + psi(k_i) - psi(N_l) - psi(m_i).

    The k_i = min(k, N_l - 1) nearest samples of the same label give the radius, m_i counts all samples inside it, the k-th
    and not the sample itself. Samples whose label is alone are left out. Ross, PLoS ONE 9, e87357 (2014).

    Args:
        x: (n, dx).
        label: (n,).
        k: neighbours of the same label.

    Returns:
        (n,) float64, nats; 0 for a label that is alone.

    Raises:
        ValueError: where no label has two samples.

    >>> label = torch.arange(400) % 2
    >>> x = 10.0 * label[:, None] + torch.randn(400, 1, generator=torch.Generator().manual_seed(0))
    >>> abs(float(ross_pointwise(x, label).mean()) - 0.6931) < 0.01
    True
    """
    x = as_columns(x)
    kept = torch.zeros(x.shape[0], dtype=torch.bool)
    radius, sizes, neighbours = (torch.zeros(x.shape[0], dtype=torch.float64) for _ in range(3))
    for value in torch.unique(label):
        rows = (label == value).nonzero().flatten()
        if rows.numel() < 2:
            continue
        near = min(k, rows.numel() - 1)
        radius[rows] = nearest(x[rows], near)[0][:, -1]
        sizes[rows], neighbours[rows], kept[rows] = float(rows.numel()), float(near), True
    if not kept.any():
        raise ValueError("every sample has a label of its own: expected a label, got what looks like a number")
    counted = x[kept]
    inside = (count_inside(counted, just_above(radius[kept])) - 1).clamp(min=1).to(x)
    terms = torch.zeros(x.shape[0], dtype=torch.float64)
    terms[kept] = (
        psi(int(kept.sum())) + torch.digamma(neighbours[kept]) - torch.digamma(sizes[kept]) - torch.digamma(inside)
    )
    return terms


def conditional_pointwise(x: Tensor, y: Tensor, z: Tensor, k: int = 3) -> Tensor:
    """The terms of I(X; Y | Z): psi(k) + psi(c_z) - psi(c_xz) - psi(c_yz), counts strictly inside, the sample included.

    Where values repeat and more than k samples lie up to the distance of the k-th, that number takes the place of k, and
    the counts are up to that distance too (Mesner and Shalizi): of discrete variables it is the plug-in of their table.

    Args:
        x: (n, dx).
        y: (n, dy).
        z: (n, dz).
        k: neighbours in (x, y, z).

    Returns:
        (n,) float64, nats.

    >>> g = torch.Generator().manual_seed(0)
    >>> z = torch.randn(3000, 1, generator=g)
    >>> x, y = z + torch.randn(3000, 1, generator=g), z + torch.randn(3000, 1, generator=g)
    >>> abs(float(conditional_pointwise(x, y, z).mean())) < 0.05
    True
    """
    x, y, z = as_columns(x), as_columns(y), as_columns(z)
    joint, sides = torch.cat((x, y, z), 1), (z, torch.cat((x, z), 1), torch.cat((y, z), 1))
    radius = nearest(joint, k)[0][:, -1]
    near = torch.full_like(radius, k)
    if any(repeats(side) for side in (x, y, z)):
        reached = count_inside(joint, just_above(radius))
        tied = reached > k + 1
        near[tied] = reached[tied].to(near)
        radius = torch.where(tied, just_above(radius), radius)
    counts = [count_inside(side, radius).clamp(min=1).to(x) for side in sides]
    return torch.digamma(near) + torch.digamma(counts[0]) - torch.digamma(counts[1]) - torch.digamma(counts[2])
