"""Regularised canonical correlation analysis, cross-fitted: variates learned on some samples, the closed form on others.

Vinod, J. Econometrics 4 (1976); shrinkage as Ledoit and Wolf's, towards a multiple of the identity. Where dimensions are as
many as samples the sample correlations of plain CCA are near 1 whatever the truth; those of held-out samples along learned
directions are not, and on so few variates the closed form's bias is known exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.estimators.columns import principal_components
from lmi.estimators.folds import cross_fitting
from lmi.estimators.gaussian.canonical import canonical_fit, gaussian_bias, gaussian_pointwise, gaussian_standard_error
from lmi.estimators.trust.uncertainty import Spread, permutation_null
from lmi.types import Context, Estimate

SHRINKAGES = (1e-4, 1e-3, 1e-2, 0.1, 0.5)
VARIATES = (1, 2, 3, 4, 6, 9, 13, 18)
MOST_COMPONENTS = 256  # of each side; shrinkage makes nothing of the rest
FOLDS = 3
SAMPLES_A_VARIATE = 10  # held-out samples for each pair of variates, wherever their number is chosen
SMALLEST = 60

Variates = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, eq=False)
class Half:
    """The singular vectors of one side's fitted samples.

    Args:
        mean: (d,) of the fitted samples.
        left: (n, r) orthonormal.
        variances: (r,) along ``right``.
        right: (r, d).
    """

    mean: Tensor
    left: Tensor
    variances: Tensor
    right: Tensor

    def whitening(self, shrinkage: float) -> Tensor:
        """(r,) factors 1 / sqrt of (1 - shrinkage) variance + shrinkage * mean variance."""
        return ((1 - shrinkage) * self.variances + shrinkage * self.variances.mean()).rsqrt()


def half(z: Tensor) -> Half:
    """Singular value decomposition of centred samples (n, d)."""
    mean = z.mean(0)
    left, values, right = torch.linalg.svd(z - mean, full_matrices=False)
    kept = values > 1e-9 * values[0]
    return Half(mean, left[:, kept], values[kept] ** 2 / z.shape[0], right[kept])


def ridge_directions(x: Half, y: Half, shrinkage: float, most: int) -> Variates:
    """The ``most`` leading pairs of directions of CCA with both covariances shrunk towards the identity.

    Args:
        x: one side of the fitted rows.
        y: the other.
        shrinkage: share of the identity, 0 to 1.
        most: directions of each side.

    Returns:
        A map of samples (n, dx), (n, dy) to variates (n, r), (n, r).

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(500, 3, generator=g, dtype=torch.float64)
    >>> y = x + torch.randn(500, 3, generator=g, dtype=torch.float64)
    >>> u, v = ridge_directions(half(x), half(y), 1e-12, 2)(x, y)
    >>> torch.allclose(torch.corrcoef(torch.stack((u[:, 0], v[:, 0])))[0, 1], canonical_fit(x, y).correlations[0])
    True
    """
    white_x, white_y = x.whitening(shrinkage), y.whitening(shrinkage)
    across = (x.variances.sqrt() * white_x)[:, None] * (x.left.T @ y.left) * (y.variances.sqrt() * white_y)
    left, _, right = torch.linalg.svd(across, full_matrices=False)
    to_u = x.right.T @ (white_x[:, None] * left[:, :most])
    to_v = y.right.T @ (white_y[:, None] * right[:most].T)
    return lambda a, b: ((a - x.mean) @ to_u, (b - y.mean) @ to_v)


def chosen_ridge(x: Tensor, y: Tensor, largest: int, generator: torch.Generator) -> tuple[float, int]:
    """The shrinkage and the number of variates whose closed form is highest on pairs that fitted none of them.

    Args:
        x: (n, dx).
        y: (n, dy).
        largest: most variates.
        generator: deals the folds.
    """
    total = dict.fromkeys(((s, r) for s in SHRINKAGES for r in VARIATES if r <= largest), 0.0)
    for rest, test in cross_fitting(x.shape[0], FOLDS, generator):
        halves = half(x[rest]), half(y[rest])
        for shrinkage in SHRINKAGES:
            u, v = ridge_directions(*halves, shrinkage, largest)(x[test], y[test])
            for s, r in total:
                if s == shrinkage:
                    fit = canonical_fit(u[:, :r], v[:, :r])
                    plug_in = float(gaussian_pointwise(fit).mean())
                    total[s, r] += plug_in - gaussian_bias(test.numel(), fit.rank_x, fit.rank_y)
    return max(total, key=total.__getitem__)


def ridge_estimate(x: Tensor, y: Tensor, permutations: int, context: Context) -> Estimate:
    """The closed form on variates that other samples taught, averaged over folds: every sample counts once.

    What learned directions miss is missing, so this is the debiased estimate of a lower bound.

    Args:
        x: (n, dx).
        y: (n, dy).
        permutations: size of the null, in which held-out partners are shuffled; 0 for none.
        context: deals the folds.

    Raises:
        ValueError: for fewer than 60 samples.
    """
    n = x.shape[0]
    if n < SMALLEST:
        raise ValueError(
            f"regularised CCA learns and measures on different samples: got {n}, expected at least {SMALLEST}"
        )
    x, y = (
        principal_components((z - z.mean(0)) / z.std(0, correction=0).clamp(min=1e-300), MOST_COMPONENTS)
        for z in (x.double(), y.double())
    )
    generator = context.generator("ridge")
    folds = cross_fitting(n, FOLDS, generator)
    inner_test = n * (FOLDS - 1) // FOLDS**2
    largest = max(1, min(x.shape[1], y.shape[1], inner_test // SAMPLES_A_VARIATE))
    pointwise = torch.empty(n, dtype=torch.float64)
    fits, variance, choices = [], 0.0, []
    for rest, test in folds:
        shrinkage, count = chosen_ridge(x[rest], y[rest], largest, generator)
        u, v = ridge_directions(half(x[rest]), half(y[rest]), shrinkage, count)(x[test], y[test])
        fit = canonical_fit(u, v)
        pointwise[test] = gaussian_pointwise(fit) - gaussian_bias(test.numel(), fit.rank_x, fit.rank_y)
        variance += (gaussian_standard_error(fit) * test.numel() / n) ** 2
        fits.append(fit)
        choices.append((shrinkage, count))
    nats = float(pointwise.mean())

    def shuffled(order: Tensor) -> float:
        total = 0.0
        for fit in fits:
            m = fit.x.shape[0]
            partners = torch.argsort(order[:m])  # a uniform permutation of m partners, whatever the values of ``order``
            correlations = torch.linalg.svdvals(fit.basis_x.T @ fit.basis_y[partners])
            total += (
                m / n * (float(-0.5 * torch.log1p(-(correlations**2)).sum()) - gaussian_bias(m, fit.rank_x, fit.rank_y))
            )
        return total

    spread = Spread(variance**0.5, 0.0, 0.0, 1)
    words = ", ".join(f"{count} with shrinkage {shrinkage:g}" for shrinkage, count in choices)
    return Estimate(
        nats=nats,
        estimator="gaussian",
        num_samples=n,
        pointwise=pointwise,
        interval=spread.interval(nats),
        null=permutation_null(shuffled, n, nats, permutations, context) if permutations else None,
        details={
            "standard_error_nats": spread.standard_error,
            "variates_count": sum(count for _, count in choices) / FOLDS,
        },
        choice=f"regularised CCA chose, fold by fold, {words}; on fresh samples, so a lower bound",
    )
