"""Kernel ridge regression of any targets, with every sample's prediction from the others by a closed form.

Saunders, Gammerman, Vovk, Ridge regression learning algorithm in dual variables, ICML (1998); landmarks as of Nystrom.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

LANDMARKS = 500  # rows that kernels are centred on, at most
DIRECTIONS = 1e-8  # share of the largest eigenvalue of the landmarks' kernel, below which one is left out
WIDTHS = (0.05, 0.25, 0.5, 1.0, 2.0)  # of the median distance of two rows
PENALTIES = (1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
TRIED_ROWS = 400  # that the width is chosen on


@dataclass(frozen=True, eq=False)
class KernelRidge:
    """Kernel ridge regression on the rows z (n, d), of any targets, with every row's prediction from the others.

    Args:
        landmarks: (m, d) rows that kernels are centred on.
        width: of the Gaussian kernel.
        root: (m, r) from kernels to orthogonal features.
        left: (n, r) left singular vectors of the features of z.
        values: (r,) singular values.
        right: (r, r) right singular vectors, one a row.
    """

    landmarks: Tensor
    width: float
    root: Tensor
    left: Tensor
    values: Tensor
    right: Tensor

    @classmethod
    def on(cls, z: Tensor, width: float, most: int = LANDMARKS) -> KernelRidge:
        """On rows z (n, d) in a random order, the first ``most`` landmarks, with kernels of ``width`` median distances."""
        landmarks = z[:most]
        apart = torch.cdist(landmarks, landmarks)
        width = width * float(apart[apart > 0].median())
        values, vectors = torch.linalg.eigh(_gaussian(apart, width))
        kept = values > DIRECTIONS * values.max()
        root = vectors[:, kept] / values[kept].sqrt()
        features = _gaussian(torch.cdist(z, landmarks), width) @ root
        return cls(landmarks, width, root, *torch.linalg.svd(features, full_matrices=False))

    def without_each(self, targets: Tensor, penalty: float) -> Tensor:
        """(n, c) predictions of ``targets`` (n, c), each row's by a fit to the others."""
        kept = self.values.square() / (self.values.square() + penalty)
        leverage = (self.left.square() @ kept)[:, None]
        fitted = self.left @ (kept[:, None] * (self.left.T @ targets))
        return (fitted - leverage * targets) / (1 - leverage).clamp(min=1e-6)

    def fitted(self, targets: Tensor, penalty: float) -> Callable[[Tensor], Tensor]:
        """The map of rows (m, d) to predictions (m, c), fitted to all ``targets`` (n, c)."""
        along = self.left.T @ targets
        weights = self.root @ (self.right.T @ ((self.values / (self.values.square() + penalty))[:, None] * along))
        return lambda a: _gaussian(torch.cdist(a, self.landmarks), self.width) @ weights


class Regression(NamedTuple):
    """A regression of y (n, k) on x (n, d).

    Args:
        predict: of rows (m, d), (m, k).
        apart: (n, k) each row's prediction from the others.
    """

    predict: Callable[[Tensor], Tensor]
    apart: Tensor


def fit_kernel_ridge(x: Tensor, y: Tensor, loss: Callable[[Tensor], Tensor]) -> Regression:
    """Kernel ridge regression whose width and penalty are chosen by leaving one out, the width on the first few rows.

    Args:
        x: (n, d) rows in a random order, columns of comparable scale.
        y: (n, k).
        loss: of residuals (m, k).

    >>> g = torch.Generator().manual_seed(0)
    >>> x = 3 * torch.randn(500, 2, generator=g, dtype=torch.float64)
    >>> wave = x.sum(1, keepdim=True).sin()
    >>> fit = fit_kernel_ridge(x, wave, lambda rest: rest.square().mean())
    >>> float((fit.apart - wave).square().mean()) < 0.1 * float(wave.var())
    True
    """
    level = y.mean(0)

    def best_penalty(ridge: KernelRidge, y: Tensor) -> tuple[float, float]:
        return min((float(loss(y - ridge.without_each(y, penalty))), penalty) for penalty in PENALTIES)

    few = slice(TRIED_ROWS)
    width = min((best_penalty(KernelRidge.on(x[few], width), y[few] - level)[0], width) for width in WIDTHS)[1]
    ridge = KernelRidge.on(x, width)
    penalty = best_penalty(ridge, y - level)[1]
    fitted = ridge.fitted(y - level, penalty)
    return Regression(lambda a: fitted(a) + level, ridge.without_each(y - level, penalty) + level)


def _gaussian(apart: Tensor, width: float) -> Tensor:
    """Kernels of distances."""
    return (apart.square() * (-0.5 / width**2)).exp()
