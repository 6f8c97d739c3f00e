"""The estimator ``gaussian``: the debiased closed form of multivariate normal variables, its null and its doubts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.gaussian.canonical import canonical_fit, gaussian_bias, gaussian_pointwise, gaussian_standard_error
from lmi.estimators.gaussian.doubts import closed_form_doubts
from lmi.estimators.gaussian.linear import leading_components
from lmi.estimators.gaussian.ridge import ridge_estimate
from lmi.estimators.trust.grouped import with_groups
from lmi.estimators.trust.row_order import time_doubts
from lmi.estimators.trust.thresholds import DETERMINED
from lmi.estimators.trust.uncertainty import Spread, permutation_null
from lmi.estimators.trust.verdict import default_verdict
from lmi.evidence import Permutations
from lmi.types import Context, Estimate

LEAST_SAMPLES = 4  # neighbouring rows are compared, and a fourth of the rows is the longest lag


@dataclass(frozen=True)
class GaussianEstimator:
    """The closed form, debiased: exact for jointly normal variables, blind to every dependence but the linear.

    Args:
        permutations: size of the permutation null; 0 leaves it out.
        ranks: each column to normal scores first, so that increasing maps of columns change nothing.
        components: principal components of each side that are kept; 0 lets fresh pairs choose how many, ``None`` keeps
            all columns.
        ridge: regularised CCA, whose shrinkage fresh pairs choose and whose variates are measured on samples that taught
            none of them; for dimensions as many as samples. In place of ``components``.
    """

    permutations: Permutations = 100
    ranks: bool = False
    components: Annotated[int, Field(ge=0)] | None = None
    ridge: bool = False

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``.

        Raises:
            ValueError: where there are not more samples than independent columns, or ``ridge`` is set with ``components``.
        """
        if self.ridge and self.components is not None:
            raise ValueError(f"ridge and components={self.components} are two ways to reduce the dimension: set one")
        n = x.shape[0]
        if self.ranks:
            x, y = normal_scores(x), normal_scores(y)
        if self.ridge:
            return ridge_estimate(x, y, self.permutations, context)
        if self.components is not None:
            x, y = leading_components(x, y, self.components, context.generator("components"))
        if n < LEAST_SAMPLES:
            raise ValueError(f"got {n} samples; the Gaussian closed form and its doubts need at least {LEAST_SAMPLES}")
        fit = canonical_fit(x, y)
        if bool((fit.correlations > DETERMINED).any()):
            count = int((fit.correlations > DETERMINED).sum())
            raise ValueError(
                f"{count} linear combination(s) of x equal one of y exactly: the MI of such normal variables is infinite"
            )
        pointwise = gaussian_pointwise(fit) - gaussian_bias(n, fit.rank_x, fit.rank_y)
        nats = float(pointwise.mean())
        basis_x, basis_y = fit.basis_x, fit.basis_y

        def shuffled(order: Tensor) -> float:
            correlations = torch.linalg.svdvals(basis_x.T @ basis_y[order])
            return float(-0.5 * torch.log1p(-(correlations**2)).sum()) - gaussian_bias(n, fit.rank_x, fit.rank_y)

        spread = Spread(gaussian_standard_error(fit), 0.0, 0.0, 1)
        warnings: tuple[str, ...] = ()
        if 10 * (fit.rank_x + fit.rank_y) > n:
            warnings = (f"{n} samples are few for {fit.rank_x} + {fit.rank_y} columns: the interval is optimistic",)
        estimate = Estimate(
            nats=nats,
            estimator="gaussian",
            num_samples=n,
            pointwise=pointwise,
            interval=spread.interval(nats),
            null=permutation_null(shuffled, n, nats, self.permutations, context) if self.permutations else None,
            warnings=warnings,
            details={"standard_error_nats": spread.standard_error, "rank_x": fit.rank_x, "rank_y": fit.rank_y},
        )
        generator = context.generator("left over")
        doubts = closed_form_doubts(x, y, fit, nats, self.ranks, generator)
        reasons = (*doubts, *time_doubts(x, y))
        return replace(estimate, verdict=default_verdict(estimate, reasons))

    def estimate_groups(self, x: Tensor, y: Tensor, groups: Tensor, context: Context) -> Estimate:
        """The estimate with an interval and a null that respect groups, see ``lmi.estimators.trust.grouped``."""
        if self.ridge or self.components is not None:
            raise ValueError("ridge and components do not take groups; expected neither")
        estimate = replace(self, permutations=0).estimate(x, y, context)
        if self.ranks:
            x, y = normal_scores(x), normal_scores(y)

        def statistic(of_x: Tensor, of_y: Tensor) -> float:
            fit = canonical_fit(x[of_x], y[of_y])
            return float(gaussian_pointwise(fit).mean()) - gaussian_bias(len(of_x), fit.rank_x, fit.rank_y)

        return with_groups(estimate, statistic, groups, self.permutations, context)
