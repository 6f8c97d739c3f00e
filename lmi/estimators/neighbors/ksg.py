"""The KSG estimator: nearest-neighbour terms with their interval, null, ceiling and verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from lmi.estimators.neighbors.bias import Bias, ksg_bias
from lmi.estimators.neighbors.terms import Variant as Variant
from lmi.estimators.neighbors.terms import as_columns
from lmi.estimators.neighbors.terms import ksg_ceiling as ksg_ceiling
from lmi.estimators.neighbors.terms import ksg_pointwise as ksg_pointwise
from lmi.estimators.neighbors.terms import ksg_pointwise_at as ksg_pointwise_at
from lmi.estimators.neighbors.terms import repeats as repeats
from lmi.estimators.trust.quick_models import normal_bound
from lmi.estimators.trust.row_order import time_doubts
from lmi.estimators.trust.uncertainty import doubts, permutation_null, subsample_spread
from lmi.estimators.trust.verdict import default_verdict, drift, neighbour_doubts, worst
from lmi.evidence import Permutations, Verdict
from lmi.types import Context, Estimate


@dataclass(frozen=True)
class KSGEstimator:
    """KSG on the variables themselves.

    Args:
        k: neighbours.
        variant: ``auto`` is KSG1, and the mixture form where rows of x or of y repeat.
        standardise: divide each column by its standard deviation first, so that units do not matter.
        permutations: size of the permutation null; 0 leaves it out.
        control_variate: measure the effective canonical variates, and take off what KSG says of draws
            from the normal with their covariance; see ``lmi.estimators.neighbors.control``.
        null_samples: the null is measured on at most so many samples: it is then wider than that of all of them.
    """

    k: Annotated[int, Field(ge=1)] = 3
    variant: Variant | Literal["auto"] = "auto"
    standardise: bool = True
    permutations: Permutations = 20
    null_samples: Annotated[int, Field(ge=2)] = 5000
    control_variate: bool = False

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``."""
        n = x.shape[0]
        require_neighbours(n, self.k)
        if self.control_variate:
            from lmi.estimators.neighbors.control import control_variate_estimate

            return control_variate_estimate(x, y, self.k, context)
        if self.standardise:
            x, y = standardised(x), standardised(y)
        variant: Variant
        if self.variant == "auto":
            variant = "mixture" if repeats(x) or repeats(y) else "ksg1"
        else:
            variant = self.variant
        estimate = ksg_estimate(x, y, self.k, variant, self.permutations, self.null_samples, context)
        few = torch.randperm(n, generator=context.generator("bias samples"))[: self.null_samples]
        bias = ksg_bias(x[few], y[few], self.k, context.generator("bias"))
        verdict = ksg_verdict(estimate, bias, x, y, self.k, variant, self.null_samples, context)
        interval = None if estimate.interval is None else bias.opened(estimate.interval)
        # Neighbours take milliseconds, of which t densities would make a third of a second.
        quick = normal_bound(x, y, context.generator("second opinion"))
        opened, low = quick.challenge(replace(estimate, interval=interval))
        return replace(opened, verdict=worst(verdict, default_verdict(opened, low)))

    def estimate_groups(self, x: Tensor, y: Tensor, groups: Tensor, context: Context) -> Estimate:
        """The estimate with an interval and a null that respect groups, see ``lmi.estimators.trust.grouped``."""
        from lmi.estimators.trust.grouped import with_groups

        if self.control_variate:
            raise ValueError("control_variate does not take groups; expected control_variate=False")
        estimate = replace(self, permutations=0).estimate(x, y, context)
        x, y = (standardised(side) if self.standardise else as_columns(side) for side in (x, y))
        variant = self.variant if self.variant != "auto" else "mixture" if repeats(x) or repeats(y) else "ksg1"

        def statistic(of_x: Tensor, of_y: Tensor) -> float:
            return float(ksg_pointwise(x[of_x], y[of_y], self.k, variant).mean())

        return with_groups(estimate, statistic, groups, self.permutations, context)

    def estimate_label(self, x: Tensor, label: Tensor, context: Context) -> Estimate:
        """I(X; L) for a label, see ``lmi.estimators.neighbors.conditional``."""
        from lmi.estimators.neighbors.conditional import read_label

        return read_label(standardised(x) if self.standardise else as_columns(x), label, self.k, context)

    def estimate_given(self, x: Tensor, y: Tensor, z: Tensor, context: Context) -> Estimate:
        """I(X; Y | Z), see ``lmi.estimators.neighbors.conditional``."""
        from lmi.estimators.neighbors.conditional import read_conditional

        require_neighbours(x.shape[0], self.k)
        x, y, z = (standardised(side) if self.standardise else as_columns(side) for side in (x, y, z))
        return read_conditional(x, y, z, self.k, context)


def ksg_verdict(
    estimate: Estimate, bias: Bias, x: Tensor, y: Tensor, k: int, variant: Variant, most: int, context: Context
) -> Verdict:
    """Drift with the number of samples, stability in k, and bias at samples like these.

    On at most ``most`` samples, beside the estimate's own warnings.

    Args:
        estimate: with its interval.
        bias: at samples like these.
        x: (n, dx) as measured.
        y: (n, dy).
        k: neighbours.
        variant: form of KSG.
        most: samples that are looked at.
        context: deals subsamples.
    """
    in_time = time_doubts(x, y)
    subsample = torch.randperm(x.shape[0], generator=context.generator("verdict"))[:most]
    x, y = x[subsample], y[subsample]
    n = subsample.numel()
    if estimate.interval is None or n <= 2 * k:
        return default_verdict(estimate, in_time)

    def statistic(rows: Tensor) -> float:
        return float(ksg_pointwise(x[rows], y[rows], k, variant).mean())

    half = (estimate.interval[1] - estimate.interval[0]) / 2
    base = estimate.nats if n == estimate.num_samples else float(ksg_pointwise(x, y, k, variant).mean())
    twice = float(ksg_pointwise(x, y, 2 * k, variant).mean())
    moved = drift(statistic, n, context.generator("drift"))
    return default_verdict(estimate, (*neighbour_doubts(base, twice, half, moved), *bias.doubts(k, half), *in_time))


def ksg_estimate(
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
    x, y = as_columns(x), as_columns(y)
    dims = float(x.shape[1] + y.shape[1]) if dims is None else dims
    pointwise = ksg_pointwise(x, y, k, variant)
    nats = float(pointwise.mean())
    spread = subsample_spread(
        lambda rows: float(ksg_pointwise(x[rows], y[rows], k, variant).mean()), n, nats, context.generator("subsamples")
    )
    subsample = torch.randperm(n, generator=context.generator("null samples"))[:null_samples]
    null_x, null_y = x[subsample], y[subsample]
    null = (
        permutation_null(
            lambda order: float(ksg_pointwise(null_x, null_y[order], k, variant).mean()),
            subsample.numel(),
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
    """Columns (n, d) with mean 0 and standard deviation 1 (ddof 0), float64; constant columns become 0."""
    z = as_columns(z)
    z = z - z.mean(0)
    scale = z.std(0, correction=0)
    return z / torch.where(scale > 0, scale, torch.ones_like(scale))
