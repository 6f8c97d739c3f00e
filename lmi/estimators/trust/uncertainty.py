"""How far an estimate can be trusted: intervals from disjoint subsamples, drift with sample size, permutation nulls.

Holmes and Nemenman, Phys. Rev. E 100, 022404 (2019). Resampling with replacement would put duplicates into the sample,
which nearest-neighbour estimators take for structure, so nothing here does that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.special import stdtrit
from torch import Tensor

from lmi.evidence import Null
from lmi.types import Context

SUBSAMPLE_PARTS = (4, 6, 8)
SMALLEST_SUBSAMPLE = 40
Z_90 = 1.6448536269514722  # the normal distribution's 95th percentile

Statistic = Callable[[Tensor], float]


@dataclass(frozen=True)
class Spread:
    """Sampling error of an estimate.

    Args:
        standard_error: of the estimate on all samples, nats.
        drift: estimate on all samples minus the mean over the largest subsamples, nats: bias that still shrinks.
        drift_error: standard error of that difference, nats.
        parts: how many subsamples the largest ones were.
        quantile: half the interval's width in standard errors: Student's t where the error itself is uncertain.
    """

    standard_error: float
    drift: float
    drift_error: float
    parts: int
    quantile: float = Z_90

    def interval(self, nats: float) -> tuple[float, float]:
        """The 90% interval around ``nats`` for sampling error alone."""
        return nats - self.quantile * self.standard_error, nats + self.quantile * self.standard_error

    @property
    def drifts(self) -> bool:
        """Whether the estimate moves with the sample size by more than chance."""
        return abs(self.drift) > 2 * Z_90 * self.standard_error

    def opened(self, nats: float, dims: float) -> tuple[float, float]:
        """The 90% interval, opened to the side on which the estimate still moves as samples are added.

        The bias of nearest-neighbour estimates in d dimensions falls about as N^(-2/d), like squared distances to
        neighbours. After a drift D from N/m to N what is left of it is D r / (1 - r), r = m^(-2/d).

        Args:
            nats: the estimate.
            dims: d, both sides together.

        >>> Spread(0.01, 0.2, 0.01, parts=4, quantile=2.0).opened(1.0, dims=4)
        (0.98, 1.22)
        """
        low, high = self.interval(nats)
        if abs(self.drift) <= self.drift_error:
            return low, high
        ratio = self.parts ** (-2 / max(dims, 1.0))
        rest = self.drift * ratio / (1 - ratio)
        return low + min(0.0, rest), high + max(0.0, rest)


def subsample_spread(statistic: Statistic, n: int, full: float, generator: torch.Generator) -> Spread | None:
    """The standard error of an estimate from its spread over disjoint subsamples, whose variance falls as 1/N.

    For each number of parts m the samples are dealt into m disjoint subsamples; the variance of the estimate on all N is
    sum_m (m - 1) s_m^2 / m over sum_m (m - 1), with s_m^2 the variance over the m parts. The divisions share their samples,
    so the interval takes Student's t with the degrees of freedom of the finest one alone.

    Args:
        statistic: indices (n',) -> estimate in nats on those samples.
        n: number of samples.
        full: the estimate on all of them, nats.
        generator: deals the samples.

    Returns:
        ``None`` where the samples are too few to be divided.
    """
    usable = [m for m in SUBSAMPLE_PARTS if n // m >= SMALLEST_SUBSAMPLE]
    if not usable:
        return None
    weighted, weight = 0.0, 0
    drift, drift_variance_per_n = 0.0, 0.0
    for m in usable:
        order = torch.randperm(n, generator=generator)
        values = torch.tensor([statistic(rows) for rows in order.tensor_split(m)], dtype=torch.float64)
        weighted += (m - 1) * float(values.var()) / m
        weight += m - 1
        if m == usable[0]:
            drift, drift_variance_per_n = full - float(values.mean()), float(values.var()) / m
    quantile = float(stdtrit(usable[-1] - 1, 0.95))
    return Spread(math.sqrt(weighted / weight), drift, math.sqrt(drift_variance_per_n), usable[0], quantile)


def permutation_null(statistic: Statistic, n: int, observed: float, permutations: int, context: Context) -> Null:
    """The estimate with the pairing destroyed, ``permutations`` times.

    Args:
        statistic: a permutation (n,) of the partners -> estimate in nats.
        n: number of samples.
        observed: the estimate on the true pairing, nats.
        permutations: how many; p-values come no smaller than 1 / (1 + permutations).
        context: its stream ``null`` draws the permutations.
    """
    generator = context.generator("null")
    orders = [torch.randperm(n, generator=generator) for _ in range(permutations)]
    values = [statistic(order) for order in context.bar(orders, "permutation null")]
    return Null(torch.tensor(values, dtype=torch.float64), observed)


def doubts(nats: float, spread: Spread | None, ceiling: float, n: int, dims: float) -> tuple[str, ...]:
    """Reasons, in words, not to take an estimate at its face.

    Args:
        nats: the estimate.
        spread: its sampling error, ``None`` where there were too few samples to tell.
        ceiling: the most the estimator can say, nats.
        n: samples it was measured on.
        dims: dimensions of the space it was measured in, both sides together.
    """
    reasons = []
    if nats > 0.8 * ceiling:
        reasons.append(
            f"the estimate ({nats:.2f} nats) is near the most that {n} samples can show ({ceiling:.2f} nats): "
            f"the true value may be anything above"
        )
    if spread is None:
        reasons.append(f"no interval: {n} samples are too few to be divided (needs {4 * SMALLEST_SUBSAMPLE})")
    else:
        low, high = spread.interval(nats)
        if high - low > abs(nats):
            reasons.append(
                f"the 90% interval is wider ({high - low:.3f} nats) than the estimate itself: more samples would help"
            )
        if spread.drifts:
            reasons.append(
                f"the estimate still moves with the sample size (by {spread.drift:+.3f} nats from {n // spread.parts} "
                f"to {n} samples): it is biased, and its interval is opened to that side by what is left of it"
            )
    if n < 2 ** min(dims, 60):
        reasons.append(
            f"{n} samples are few for {dims:.0f} dimensions: nearest neighbours are far away and the estimate tends to be "
            f"too low unless the samples lie on something of lower dimension"
        )
    return tuple(reasons)
