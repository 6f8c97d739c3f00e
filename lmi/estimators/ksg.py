"""Mutual information from nearest-neighbour distances: KSG1, KSG2 and the mixture form for ties and discrete values.

Kraskov, Stoegbauer, Grassberger, Phys. Rev. E 69, 066138 (2004); Gao, Kannan, Oh, Viswanath, NeurIPS (2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from lmi.estimators.neighbors import count_inside, nearest
from lmi.estimators.uncertainty import doubts, permutation_null, subsample_spread
from lmi.estimators.verdict import drift, judged, neighbour_doubts
from lmi.types import Context, Estimate, Verdict

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
    x, y = _columns(x), _columns(y)
    n = x.shape[0]
    if y.shape[0] != n:
        raise ValueError(f"x and y must be paired: got {n} and {y.shape[0]} samples")
    distances, neighbours = nearest(torch.cat((x, y), dim=1), k)
    if variant == "ksg2":
        side_x = (x[neighbours] - x[:, None]).abs().amax(dim=(1, 2))
        side_y = (y[neighbours] - y[:, None]).abs().amax(dim=(1, 2))
        counts_x, counts_y = (count_inside(z, _above(side)) - 1 for z, side in ((x, side_x), (y, side_y)))
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
    x, y, new_x, new_y = (_columns(z) for z in (x, y, new_x, new_y))
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


def _above(radius: Tensor) -> Tensor:
    return torch.nextafter(radius, torch.full_like(radius, torch.inf)).clamp(min=_TINY)


def _columns(z: Tensor) -> Tensor:
    z = z.detach().to(torch.float64)
    return z[:, None] if z.ndim == 1 else z.flatten(1)


@dataclass(frozen=True)
class KSGEstimator:
    """KSG on the variables themselves.

    Args:
        k: neighbours.
        variant: ``auto`` is KSG1, and the mixture form where rows of x or of y repeat.
        standardise: divide each column by its standard deviation first, so that units do not matter.
        permutations: size of the permutation null; 0 leaves it out.
        control_variate: measure the effective canonical variates, and take off what KSG says of draws
            from the normal with their covariance; see ``lmi.estimators.control``.
        null_samples: the null is measured on at most so many samples: it is then wider than that of all of them.
    """

    k: Annotated[int, Field(ge=1)] = 3
    variant: Variant | Literal["auto"] = "auto"
    standardise: bool = True
    permutations: Annotated[int, Field(ge=0)] = 20
    null_samples: Annotated[int, Field(ge=2)] = 5000
    control_variate: bool = False

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``."""
        n = x.shape[0]
        require_neighbours(n, self.k)
        if self.control_variate:
            from lmi.estimators.control import read_controlled

            return read_controlled(x, y, self.k, context)
        if self.standardise:
            x, y = standardised(x), standardised(y)
        variant: Variant
        if self.variant == "auto":
            variant = "mixture" if repeats(x) or repeats(y) else "ksg1"
        else:
            variant = self.variant
        found = read_ksg(x, y, self.k, variant, self.permutations, self.null_samples, context)
        return replace(found, verdict=ksg_verdict(found, x, y, self.k, variant, self.null_samples, context))

    def estimate_label(self, x: Tensor, label: Tensor, context: Context) -> Estimate:
        """I(X; L) for a label, see ``lmi.estimators.conditional``."""
        from lmi.estimators.conditional import read_label

        return read_label(standardised(x) if self.standardise else _columns(x), label, self.k, context)

    def estimate_given(self, x: Tensor, y: Tensor, z: Tensor, context: Context) -> Estimate:
        """I(X; Y | Z), see ``lmi.estimators.conditional``."""
        from lmi.estimators.conditional import read_conditional

        require_neighbours(x.shape[0], self.k)
        x, y, z = (standardised(side) if self.standardise else _columns(side) for side in (x, y, z))
        return read_conditional(x, y, z, self.k, context)


def ksg_verdict(
    found: Estimate, x: Tensor, y: Tensor, k: int, variant: Variant, most: int, context: Context
) -> Verdict:
    """Drift with the number of samples and stability in k, on at most ``most`` samples, beside the estimate's own warnings."""
    few = torch.randperm(x.shape[0], generator=context.generator("verdict"))[:most]
    x, y = x[few], y[few]
    n = few.numel()
    if found.interval is None or n <= 2 * k:
        return judged(found)

    def statistic(part: Tensor) -> float:
        return float(ksg_pointwise(x[part], y[part], k, variant).mean())

    half = (found.interval[1] - found.interval[0]) / 2
    base = found.nats if n == found.num_samples else float(ksg_pointwise(x, y, k, variant).mean())
    twice = float(ksg_pointwise(x, y, 2 * k, variant).mean())
    moved = drift(statistic, n, context.generator("drift"))
    return judged(found, neighbour_doubts(base, twice, half, moved))


def read_ksg(
    x: Tensor,
    y: Tensor,
    k: int,
    variant: Variant,
    permutations: int,
    null_samples: int,
    context: Context,
    dims: float | None = None,
) -> Estimate:
    """KSG with its evidence: pointwise terms, interval from disjoint subsamples, permutation null, ceiling, doubts.

    Args:
        x: (n, dx).
        y: (n, dy).
        k: neighbours.
        variant: form of KSG.
        permutations: size of the null, 0 for none.
        null_samples: most samples that the null is measured on.
        context: seeds of the subsamples and of the null.
        dims: dimension that the samples really fill, where it is below dx + dy.
    """
    n = x.shape[0]
    x, y = _columns(x), _columns(y)
    dims = float(x.shape[1] + y.shape[1]) if dims is None else dims
    pointwise = ksg_pointwise(x, y, k, variant)
    nats = float(pointwise.mean())
    spread = subsample_spread(
        lambda part: float(ksg_pointwise(x[part], y[part], k, variant).mean()), n, nats, context.generator("subsamples")
    )
    few = torch.randperm(n, generator=context.generator("null samples"))[:null_samples]
    null_x, null_y = x[few], y[few]
    null = (
        permutation_null(
            lambda order: float(ksg_pointwise(null_x, null_y[order], k, variant).mean()),
            few.numel(),
            nats,
            permutations,
            context,
        )
        if permutations
        else None
    )
    ceiling = ksg_ceiling(n, k)
    return Estimate(
        nats=nats,
        estimator=variant,
        num_samples=n,
        pointwise=pointwise,
        interval=None if spread is None else spread.opened(nats, dims),
        null=null,
        ceiling=ceiling,
        warnings=doubts(nats, spread, ceiling, n, dims),
        details={}
        if spread is None
        else {
            "standard_error_nats": spread.standard_error,
            "sampling_error_nats": spread.quantile * spread.standard_error,
            "drift_nats": spread.drift,
            "drift_error_nats": spread.drift_error,
        },
    )


def require_neighbours(n: int, k: int) -> None:
    """Raise ``ValueError`` unless there are k + 1 samples."""
    if n < k + 1:
        raise ValueError(f"k={k} neighbours need at least {k + 1} samples; got {n}")


def standardised(z: Tensor) -> Tensor:
    """Columns with mean 0 and standard deviation 1 (ddof 0), float64; constant columns become 0."""
    z = _columns(z)
    z = z - z.mean(0)
    scale = z.std(0, correction=0)
    return z / torch.where(scale > 0, scale, torch.ones_like(scale))


def repeats(z: Tensor) -> int:
    """How many rows of z (n, d) are copies of an earlier one."""
    return int(z.shape[0] - torch.unique(z, dim=0).shape[0])
