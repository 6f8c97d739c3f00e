"""Closed forms for multivariate normal variables, from samples, with the finite-sample bias taken off exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.gaussian.linear import leading_components
from lmi.estimators.neighbors.terms import ksg_pointwise
from lmi.estimators.trust.thresholds import DETERMINED
from lmi.estimators.trust.uncertainty import Spread, permutation_null
from lmi.estimators.trust.verdict import judged
from lmi.types import Context, Estimate

NEIGHBOUR_DIMENSIONS = 6  # both sides together, up to which nearest neighbours are asked for a second opinion
NEIGHBOUR_SAMPLES = 5000
NEIGHBOURS = 5


@dataclass(frozen=True, eq=False)
class CanonicalFit:
    """What samples say of two blocks of jointly normal variables.

    Args:
        correlations: (r,) sample canonical correlations, largest first.
        x: (n, r) canonical variates of X, unit mean square.
        y: (n, r) canonical variates of Y.
        basis_x: (n, rank_x) orthonormal basis of X's centred columns.
        basis_y: (n, rank_y) orthonormal basis of Y's centred columns.
    """

    correlations: Tensor
    x: Tensor
    y: Tensor
    basis_x: Tensor
    basis_y: Tensor

    @property
    def rank_x(self) -> int:
        """Dimension of X's support."""
        return self.basis_x.shape[1]

    @property
    def rank_y(self) -> int:
        """Dimension of Y's support."""
        return self.basis_y.shape[1]


def canonical_fit(x: Tensor, y: Tensor) -> CanonicalFit:
    """Canonical correlations of the samples, on the support where columns are redundant.

    Args:
        x: (n, dx).
        y: (n, dy).

    Raises:
        ValueError: where rank(x) + rank(y) >= n: the sample correlations then say nothing.
    """
    n = x.shape[0]
    basis_x, basis_y = _basis(x), _basis(y)
    rank_x, rank_y = basis_x.shape[1], basis_y.shape[1]
    if rank_x + rank_y >= n:
        raise ValueError(
            f"the Gaussian closed form needs more samples than dimensions: got {n} samples for {rank_x} + {rank_y} "
            f"independent columns; components=0 or ridge=true reduce the dimension first"
        )
    left, correlations, right = torch.linalg.svd(basis_x.T @ basis_y, full_matrices=False)
    scale = n**0.5
    return CanonicalFit(
        correlations.clamp(max=1.0), scale * (basis_x @ left), scale * (basis_y @ right.T), basis_x, basis_y
    )


def gaussian_pointwise(fit: CanonicalFit) -> Tensor:
    """log p(x, y) / (p(x) p(y)) at each sample under the fitted normal; their mean is the plug-in MI.

    sum_j -1/2 log(1 - r_j^2) - (r_j^2 u_j^2 - 2 r_j u_j v_j + r_j^2 v_j^2) / (2 (1 - r_j^2)) for canonical variates u, v.

    Returns:
        (n,) nats, with the plug-in's bias still in them.
    """
    r = fit.correlations
    rest = 1 - r**2
    quadratic = r**2 * (fit.x**2 + fit.y**2) - 2 * r * fit.x * fit.y
    return (-0.5 * rest.log() - quadratic / (2 * rest)).sum(1)


def gaussian_bias(n: int, rank_x: int, rank_y: int) -> float:
    """Exact bias of the plug-in MI of ``n`` samples with estimated mean, nats; add its negative.

    A Wishart matrix with n - 1 degrees of freedom has E log det W = sum_i psi((n - i) / 2) + log det S + d log 2, so the
    bias is 1/2 [s(rx) + s(ry) - s(rx + ry)] with s(d) = sum_{i=1..d} psi((n - i) / 2), whatever the true MI.

    >>> round(gaussian_bias(100, 1, 1), 6)
    0.005128
    """

    def log_determinant_bias(d: int) -> float:
        return float(torch.digamma((n - torch.arange(1, d + 1, dtype=torch.float64)) / 2).sum())

    return 0.5 * (log_determinant_bias(rank_x) + log_determinant_bias(rank_y) - log_determinant_bias(rank_x + rank_y))


def gaussian_standard_error(fit: CanonicalFit) -> float:
    """Standard error of the estimate under normality, nats: sqrt(sum r_j^2 / n + rx ry / (2 n^2))."""
    n = fit.x.shape[0]
    return float((fit.correlations**2).sum() / n + fit.rank_x * fit.rank_y / (2 * n**2)) ** 0.5


def _basis(z: Tensor) -> Tensor:
    """Orthonormal basis (n, rank) of the centred columns, each scaled first, so that units do not decide the rank."""
    z = z.detach().to(torch.float64)
    z = z - z.mean(0)
    z = z / z.norm(dim=0).clamp(min=torch.finfo(z.dtype).tiny)
    left, values, _ = torch.linalg.svd(z, full_matrices=False)
    tolerance = values.max() * max(z.shape) * torch.finfo(torch.float32).eps / 16
    return left[:, values > tolerance]


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

    permutations: Annotated[int, Field(ge=0)] = 100
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
            from lmi.estimators.gaussian.ridge import read_ridge

            return read_ridge(x, y, self.permutations, context)
        if self.components is not None:
            x, y = leading_components(x, y, self.components, context.generator("components"))
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
        found = Estimate(
            nats=nats,
            estimator="gaussian",
            num_samples=n,
            pointwise=pointwise,
            interval=spread.interval(nats),
            null=permutation_null(shuffled, n, nats, self.permutations, context) if self.permutations else None,
            warnings=warnings,
            details={"standard_error_nats": spread.standard_error, "rank_x": fit.rank_x, "rank_y": fit.rank_y},
        )
        return replace(found, verdict=judged(found, normality_doubts(x, y, nats, spread.standard_error, self.ranks)))


def normality_doubts(x: Tensor, y: Tensor, nats: float, error: float, ranks: bool) -> tuple[str, ...]:
    """What speaks against the closed form: it changes with the columns' normal scores, or neighbours find more.

    Args:
        x: (n, dx) as measured.
        y: (n, dy).
        nats: the estimate.
        error: its standard error, nats.
        ranks: whether the columns are normal scores already.
    """
    reasons = []
    tolerance = max(4 * error, 0.05)
    n, dims = x.shape[0], x.shape[1] + y.shape[1]
    if not ranks and 10 * dims <= n:
        fit = canonical_fit(normal_scores(x), normal_scores(y))
        scored = float(gaussian_pointwise(fit).mean()) - gaussian_bias(n, fit.rank_x, fit.rank_y)
        if abs(scored - nats) > max(tolerance, 4 * gaussian_standard_error(fit)):
            reasons.append(f"on the columns' normal scores it is {scored:.2f} nats: they are not jointly normal")
    if dims <= NEIGHBOUR_DIMENSIONS and n > 10 * NEIGHBOURS:
        few = slice(0, NEIGHBOUR_SAMPLES)
        terms = ksg_pointwise(normal_scores(x[few]), normal_scores(y[few]), NEIGHBOURS)
        said, own = float(terms.mean()), float(terms.std()) / terms.numel() ** 0.5
        if said - nats > max(tolerance, 4 * own):
            reasons.append(f"nearest neighbours find {said:.2f} nats: there is dependence that is not linear")
    return tuple(reasons)
