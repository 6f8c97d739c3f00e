"""Canonical variates that are not linear: ridge canonical correlations of features of each side.

What two sides share through any smooth map becomes, as far as so many samples show it, a correlation of few numbers:
kernel canonical correlation analysis (Bach and Jordan, JMLR 3, 2002) on random landmarks (Nystrom features). Bumps around
landmarks cannot fill eight columns; what turns or grows with the distance from the centre, as a spiral does, is linear in the
columns times polynomials of that distance. An absolute value of a hidden direction
among twenty columns is nearly linear in products of principal components.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from lmi.estimators.densities.predictions import with_products

LANDMARKS = 150
WIDTHS = (0.25, 0.5, 1.0, 2.0)  # of the Gaussian bumps, in median distances between landmarks
RIDGES = (1e-5, 1e-4, 1e-3, 1e-2, 3e-2)  # as shares of the features' total variance
FIT_SHARE = 0.6
POLYNOMIALS = (3, 5, 8)  # of the distance from the centre, the constant among them
PRODUCTS_OF = (8, 20)  # principal components at most, whose products are features
FURTHEST = 4.0  # standard deviations of a component; what is farther out counts as that
FEATURES_A_ROW = 0.25

Features = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class ByDistance:
    """Whitened columns times Legendre polynomials of the rank of their distance from the centre.

    Args:
        centre: (d,).
        whiten: (d, d).
        distances: (m,) from the centre, sorted.
        count: of polynomials.
    """

    centre: Tensor
    whiten: Tensor
    distances: Tensor
    count: int

    @classmethod
    def of(cls, z: Tensor, count: int) -> ByDistance:
        """Centre, scales and distances of z (n, d)."""
        centre, whiten = _whitened(z)
        return cls(centre, whiten, ((z - centre) @ whiten).norm(dim=1).sort().values, count)

    def __call__(self, z: Tensor) -> Tensor:
        """(n, d) -> (n, d count)."""
        z = (z - self.centre) @ self.whiten
        t = 2 * torch.searchsorted(self.distances, z.norm(dim=1)).double() / self.distances.numel() - 1
        powers = [torch.ones_like(t), t]
        for i in range(1, self.count - 1):
            powers.append(((2 * i + 1) * t * powers[i] - i * powers[i - 1]) / (i + 1))
        return (z[:, :, None] * torch.stack(powers, 1)[:, None]).flatten(1)


@dataclass(frozen=True, eq=False)
class Products:
    """Whitened principal components, their squares and their products.

    Args:
        centre: (d,).
        whiten: (d, k).
    """

    centre: Tensor
    whiten: Tensor

    @classmethod
    def of(cls, z: Tensor, most: int) -> Products:
        """Up to ``most`` leading components of z (n, d)."""
        centre, whiten = _whitened(z)
        return cls(centre, whiten.flip(1)[:, :most])

    def __call__(self, z: Tensor) -> Tensor:
        """(n, d) -> (n, k + k (k + 1) / 2)."""
        return with_products(((z - self.centre) @ self.whiten).clamp(-FURTHEST, FURTHEST))


@dataclass(frozen=True, eq=False)
class Variates:
    """Features of one side, centred, and their projection to uncorrelated directions.

    Args:
        features: (n, d) -> (n, m).
        mean: (m,) of the features on the fitted samples.
        to_variates: (m, r) directions.
    """

    features: Features
    mean: Tensor
    to_variates: Tensor

    def __call__(self, z: Tensor) -> Tensor:
        """(n, d) -> (n, r)."""
        return (self.features(z) - self.mean) @ self.to_variates

    def first(self, most: int) -> Variates:
        """The same with the first ``most`` variates only."""
        return replace(self, to_variates=self.to_variates[:, :most])


@dataclass(frozen=True, eq=False)
class KernelVariates:
    """Variates of both sides, each of unit variance on samples that did not fit it.

    Args:
        x: variates of X.
        y: variates of Y.
        rest: indices of the samples that the variates were chosen on but not fitted to.
        correlations: (r,) on those samples.
    """

    x: Variates
    y: Variates
    rest: Tensor
    correlations: Tensor

    def first(self, most: int) -> KernelVariates:
        """The same with the ``most`` best correlated variates only."""
        return KernelVariates(self.x.first(most), self.y.first(most), self.rest, self.correlations[:most])


def fit_kernel_variates(x: Tensor, y: Tensor, fit: Tensor, most: int, generator: torch.Generator) -> KernelVariates:
    """Variates fitted to a part of the samples in ``fit``; features, ridge and number are chosen on the rest of them.

    A setting is scored by -1/2 sum log(1 - r_j^2) over the correlations of fresh variates that exceed two standard errors.

    Args:
        x: (n, dx), float64, of about unit scale.
        y: (n, dy).
        fit: indices that may be used; no other sample is looked at.
        most: variates of each side at most; at least one is kept.
        generator: deals the samples and picks the landmarks.

    Raises:
        ValueError: for fewer than 20 samples to fit.

    >>> g = torch.Generator().manual_seed(0)
    >>> angle = 6.28 * torch.rand(600, 1, generator=g, dtype=torch.float64)
    >>> x = torch.cat((angle.cos(), angle.sin()), 1)
    >>> found = fit_kernel_variates(x, (2 * angle).cos(), torch.arange(600), 2, g)
    >>> bool(found.correlations[0] > 0.99)
    True
    """
    if fit.numel() < 20:
        raise ValueError(f"{fit.numel()} samples are too few for kernel variates; expected at least 20")
    order = fit[torch.randperm(fit.numel(), generator=generator)]
    cut = round(FIT_SHARE * fit.numel())
    fitted_rows, rest = order[:cut], order[cut:]
    marks_x, marks_y = (z[fitted_rows[torch.randperm(cut, generator=generator)[:LANDMARKS]]] for z in (x, y))
    unit_x, unit_y = (_median_distance(marks) for marks in (marks_x, marks_y))
    chosen: tuple[float, Variates, Variates, Tensor] | None = None
    ways: list[tuple[Features, Features]] = [
        (
            partial(_bumps, landmarks=marks_x, width=width * unit_x),
            partial(_bumps, landmarks=marks_y, width=width * unit_y),
        )
        for width in WIDTHS
    ]
    widest = max(x.shape[1], y.shape[1])
    ways += [
        (ByDistance.of(x[fitted_rows], count), ByDistance.of(y[fitted_rows], count))
        for count in POLYNOMIALS
        if min(x.shape[1], y.shape[1]) > 1 and count * widest <= FEATURES_A_ROW * cut
    ]
    ways += [
        (Products.of(x[fitted_rows], most), Products.of(y[fitted_rows], most))
        for fewer, most in zip((0, *PRODUCTS_OF), PRODUCTS_OF, strict=False)
        if fewer < widest and (kept := min(most, widest)) * (kept + 3) / 2 <= FEATURES_A_ROW * cut
    ]
    for of_x, of_y in ways:
        own_x, rest_x, own_y, rest_y = (f(z[part]) for f, z in ((of_x, x), (of_y, y)) for part in (fitted_rows, rest))
        mean_x, mean_y = own_x.mean(0), own_y.mean(0)
        axes_x, axes_y = principal_axes(own_x - mean_x), principal_axes(own_y - mean_y)
        across = (own_x - mean_x).T @ (own_y - mean_y) / cut
        for ridge in RIDGES:
            white_x, white_y = ridge_whitening(*axes_x, ridge), ridge_whitening(*axes_y, ridge)
            left, _, right = torch.linalg.svd(white_x.T @ across @ white_y, full_matrices=False)
            to_u, to_v = white_x @ left[:, :most], white_y @ right[:most].T
            u, v = (rest_x - mean_x) @ to_u, (rest_y - mean_y) @ to_v
            scale_u, scale_v = u.std(0).clamp(min=1e-12), v.std(0).clamp(min=1e-12)
            r = ((u - u.mean(0)) * (v - v.mean(0))).mean(0) / (scale_u * scale_v)
            r = torch.where(r > 2 / rest.numel() ** 0.5, r, torch.zeros_like(r)).clamp(max=1 - 1e-9)
            score = float(-0.5 * torch.log1p(-(r**2)).sum())
            if chosen is None or score > chosen[0]:
                best = r.argsort(descending=True)[: max(1, int((r > 0).sum()))]
                chosen = (
                    score,
                    Variates(of_x, mean_x, to_u[:, best] / scale_u[best]),
                    Variates(of_y, mean_y, to_v[:, best] / scale_v[best]),
                    r[best],
                )
    assert chosen is not None
    return KernelVariates(chosen[1], chosen[2], rest, chosen[3])


def _bumps(z: Tensor, landmarks: Tensor, width: float) -> Tensor:
    return torch.exp(torch.cdist(z, landmarks).square_().div_(-2 * width**2))


def _median_distance(z: Tensor) -> float:
    apart = torch.pdist(z)
    return float(apart.median()) or float(apart.mean()) or 1.0


def _whitened(z: Tensor) -> tuple[Tensor, Tensor]:
    """Centre (d,) and whitening (d, d) of z (n, d), the direction of least variance first."""
    centre = z.mean(0)
    return centre, ridge_whitening(*principal_axes(z - centre), RIDGES[0])


def principal_axes(features: Tensor) -> tuple[Tensor, Tensor]:
    """Variances (m,) along the principal directions (m, m) of centred features."""
    variances, directions = torch.linalg.eigh(features.T @ features / features.shape[0])
    return variances.clamp(min=0), directions


def ridge_whitening(variances: Tensor, directions: Tensor, ridge: float) -> Tensor:
    return directions / (variances + ridge * variances.sum() + 1e-300).sqrt()
