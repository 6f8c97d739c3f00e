"""Mutual information from nearest-neighbour distances: KSG1, KSG2 and the mixture form for ties and discrete values.

Kraskov, Stoegbauer, Grassberger, Phys. Rev. E 69, 066138 (2004); Gao, Kannan, Oh, Viswanath, NeurIPS (2017).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from lmi.estimators.neighbors.search import count_inside, nearest

Variant = Literal["ksg1", "ksg2", "mixture"]

_TINY = 2.2250738585072014e-308  # the smallest normal float64: strictly inside it lies only distance 0


def ksg_pointwise(x: Tensor, y: Tensor, k: int = 3, variant: Variant = "ksg1") -> Tensor:
    """The terms of the estimate, one a sample; their mean is I(X; Y).

    With distances max(|x - x'|, |y - y'|), eps_i the one to the k-th neighbour and counts c that include the sample
    itself and are strictly inside:

    - ``ksg1``: psi(k) + psi(N) - psi(cx_i) - psi(cy_i), both counts inside eps_i;
    - ``ksg2``: psi(k) - 1/k + psi(N) - psi(nx_i) - psi(ny_i), counts (without the sample itself) up to the sides of the
      rectangle that just holds the k neighbours;
    - ``mixture``: psi(k_i) + log N - psi(cx_i) - psi(cy_i), where k_i counts the samples at distance 0 if eps_i = 0:
      right for continuous, discrete and mixed variables alike.

    Args:
        x: (n, dx).
        y: (n, dy).
        k: neighbours; small is less biased and noisier.
        variant: see above.

    Returns:
        (n,) float64, nats. Terms and mean may be negative.

    Raises:
        ValueError: where k < 1 or k >= n, or lengths differ.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(4000, 1, generator=g)
    >>> y = 0.6 * x + 0.8 * torch.randn(4000, 1, generator=g)
    >>> abs(ksg_pointwise(x, y).mean().item() + 0.5 * math.log(1 - 0.6**2)) < 0.05
    True
    """
    x, y = as_columns(x), as_columns(y)
    n = x.shape[0]
    if y.shape[0] != n:
        raise ValueError(f"x and y must be paired: got {n} and {y.shape[0]} samples")
    distances, neighbours = nearest(torch.cat((x, y), dim=1), k)
    if variant == "ksg2":
        side_x = (x[neighbours] - x[:, None]).abs().amax(dim=(1, 2))
        side_y = (y[neighbours] - y[:, None]).abs().amax(dim=(1, 2))
        counts_x, counts_y = (count_inside(z, just_above(side)) - 1 for z, side in ((x, side_x), (y, side_y)))
        return psi(k, x) - 1 / k + psi(n, x) - torch.digamma(counts_x.to(x)) - torch.digamma(counts_y.to(x))
    radius = distances[:, -1]
    if variant == "ksg1":
        counts_x, counts_y = count_inside(x, radius), count_inside(y, radius)
        # A tie of all k neighbours leaves nobody strictly inside, not even the sample: it still counts itself.
        counts_x, counts_y = counts_x.clamp(min=1), counts_y.clamp(min=1)
        return psi(k, x) + psi(n, x) - torch.digamma(counts_x.to(x)) - torch.digamma(counts_y.to(x))
    tied = radius == 0
    radius = torch.where(tied, torch.full_like(radius, _TINY), radius)
    counts_x, counts_y = count_inside(x, radius), count_inside(y, radius)
    neighbours_i = torch.full_like(radius, k)
    if tied.any():
        joint = torch.cat((x, y), dim=1)
        neighbours_i[tied] = count_inside(joint, radius[tied], query=joint[tied]).to(x)
    return torch.digamma(neighbours_i) + math.log(n) - torch.digamma(counts_x.to(x)) - torch.digamma(counts_y.to(x))


def ksg_pointwise_at(x: Tensor, y: Tensor, new_x: Tensor, new_y: Tensor, k: int = 3) -> Tensor:
    """The terms of KSG1 for samples outside the reference sample, as if each alone were added to it.

    psi(k) + psi(N + 1) - psi(cx + 1) - psi(cy + 1) with the counts among the N reference samples.

    Args:
        x: (n, dx) reference.
        y: (n, dy) reference.
        new_x: (m, dx).
        new_y: (m, dy).
        k: neighbours in the reference.

    Returns:
        (m,) float64, nats.
    """
    x, y, new_x, new_y = (as_columns(z) for z in (x, y, new_x, new_y))
    distances, _ = nearest(torch.cat((x, y), dim=1), k, query=torch.cat((new_x, new_y), dim=1))
    radius = distances[:, -1]
    counts_x, counts_y = count_inside(x, radius, new_x) + 1, count_inside(y, radius, new_y) + 1
    return psi(k, x) + psi(x.shape[0] + 1, x) - torch.digamma(counts_x.to(x)) - torch.digamma(counts_y.to(x))


def ksg_ceiling(n: int, k: int) -> float:
    """The most that KSG1 can say with ``n`` samples, psi(n) - psi(k + 1), nats; identical variables approach it.

    >>> round(ksg_ceiling(1000, 3), 3)
    5.651
    """
    return float(psi(n) - psi(k + 1))


def psi(value: float, like: Tensor | None = None) -> Tensor:
    """The digamma function of one number, float64, on the device of ``like``."""
    return torch.digamma(torch.tensor(float(value), dtype=torch.float64, device=None if like is None else like.device))


def just_above(radius: Tensor) -> Tensor:
    """(n,) the next float64, so that what lies at the radius itself is inside; never 0."""
    return torch.nextafter(radius, torch.full_like(radius, torch.inf)).clamp(min=_TINY)


def as_columns(z: Tensor) -> Tensor:
    """(n, d) float64 from (n,), (n, d) or (n, ...)."""
    z = z.detach().to(torch.float64)
    return z[:, None] if z.ndim == 1 else z.flatten(1)


def repeats(z: Tensor) -> int:
    """How many rows of z (n, d) are copies of an earlier one."""
    return int(z.shape[0] - torch.unique(z, dim=0).shape[0])
