"""Canonical variates that are not linear: ridge canonical correlations of distances to landmarks, on each side.

What two sides share through any smooth map becomes, as far as so many samples show it, a correlation of few numbers:
kernel canonical correlation analysis (Bach and Jordan, JMLR 3, 2002) on random landmarks (Nystrom features).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

LANDMARKS = 150
WIDTHS = (0.25, 0.5, 1.0, 2.0)  # of the Gaussian bumps, in median distances between landmarks
RIDGES = (1e-5, 1e-4, 1e-3, 1e-2, 3e-2)  # as shares of the features' total variance
FIT_SHARE = 0.6


@dataclass(frozen=True, eq=False)
class Bumps:
    """Gaussian bumps around landmarks, centred, and their projection to uncorrelated directions.

    Args:
        landmarks: (m, d).
        width: of the bumps.
        mean: (m,) of the features on the fitted samples.
        to_variates: (m, r) directions.
    """

    landmarks: Tensor
    width: float
    mean: Tensor
    to_variates: Tensor

    def __call__(self, z: Tensor) -> Tensor:
        """(n, d) -> (n, r)."""
        return (_bumps(z, self.landmarks, self.width) - self.mean) @ self.to_variates

    def first(self, most: int) -> Bumps:
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

    x: Bumps
    y: Bumps
    rest: Tensor
    correlations: Tensor

    def first(self, most: int) -> KernelVariates:
        """The same with the ``most`` best correlated variates only."""
        return KernelVariates(self.x.first(most), self.y.first(most), self.rest, self.correlations[:most])


def fit_kernel_variates(x: Tensor, y: Tensor, fit: Tensor, most: int, generator: torch.Generator) -> KernelVariates:
    """Variates fitted to a part of the samples in ``fit``; width, ridge and number are chosen on the rest of them.

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
    chosen: tuple[float, Bumps, Bumps, Tensor] | None = None
    for width in WIDTHS:
        features = [
            (_bumps(z[part], marks, width * unit), part)
            for z, marks, unit in ((x, marks_x, unit_x), (y, marks_y, unit_y))
            for part in (fitted_rows, rest)
        ]
        (own_x, _), (rest_x, _), (own_y, _), (rest_y, _) = features
        mean_x, mean_y = own_x.mean(0), own_y.mean(0)
        axes_x, axes_y = _axes(own_x - mean_x), _axes(own_y - mean_y)
        across = (own_x - mean_x).T @ (own_y - mean_y) / cut
        for ridge in RIDGES:
            white_x, white_y = _ridge_whitening(*axes_x, ridge), _ridge_whitening(*axes_y, ridge)
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
                    Bumps(marks_x, width * unit_x, mean_x, to_u[:, best] / scale_u[best]),
                    Bumps(marks_y, width * unit_y, mean_y, to_v[:, best] / scale_v[best]),
                    r[best],
                )
    assert chosen is not None
    return KernelVariates(chosen[1], chosen[2], rest, chosen[3])


def _bumps(z: Tensor, landmarks: Tensor, width: float) -> Tensor:
    return torch.exp(torch.cdist(z, landmarks).square_().div_(-2 * width**2))


def _median_distance(z: Tensor) -> float:
    apart = torch.pdist(z)
    return float(apart.median()) or float(apart.mean()) or 1.0


def _axes(features: Tensor) -> tuple[Tensor, Tensor]:
    """Variances (m,) along the principal directions (m, m) of centred features."""
    variances, directions = torch.linalg.eigh(features.T @ features / features.shape[0])
    return variances.clamp(min=0), directions


def _ridge_whitening(variances: Tensor, directions: Tensor, ridge: float) -> Tensor:
    return directions / (variances + ridge * variances.sum() + 1e-300).sqrt()
