"""Latent classes of any shape, told apart by kernels: p(x, y) / p(x) p(y) = sum_cd q(c | x) q(d | y) M_cd / pi_c rho_d.

q(c | x) and q(d | y) are kernel ridge regressions of memberships, M is a table of how often the classes meet. Each side's
predictions are labels for the other: expectation maximisation in which every sample is predicted without itself, by the
closed form of leaving one out. Memberships that only memorise are so never taken for classes. Starts from normal classes.
Blum and Mitchell, Combining labeled and unlabeled data with co-training, COLT (1998).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lmi.estimators.densities.latent_classes import fit_latent_classes

LANDMARKS = 800  # rows that kernels are centred on, at most
BANDWIDTH = 0.5  # of the median distance of two rows
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
SHARPNESS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)  # factors of predicted memberships before their softmax
START = 8.0  # sharpness, with which penalties are compared at first
LEAST_STEPS, STEPS, TABLE_STEPS = 4, 12, 5
ENOUGH = 1e-3  # nats a sample, below which a step of all ends the climb
DIRECTIONS = 1e-8  # share of the largest eigenvalue of the landmarks' kernel, below which one is left out


class Predicted(NamedTuple):
    """Memberships of one side, each row's from the others.

    Args:
        share: (n, c) probabilities.
        penalty: of the ridge regression.
        sharpness: factor before the softmax.
    """

    share: Tensor
    penalty: float
    sharpness: float


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
    def on(cls, z: Tensor) -> KernelRidge:
        """On rows z (n, d) in a random order."""
        landmarks = z[:LANDMARKS]
        apart = torch.cdist(landmarks, landmarks)
        width = BANDWIDTH * float(apart[apart > 0].median())
        values, vectors = torch.linalg.eigh(_gaussian(apart, width))
        kept = values > DIRECTIONS * values.max()
        root = vectors[:, kept] / values[kept].sqrt()
        features = _gaussian(torch.cdist(z, landmarks), width) @ root
        return cls(landmarks, width, root, *torch.linalg.svd(features, full_matrices=False))

    def without_each(self, targets: Tensor) -> dict[float, Tensor]:
        """For each penalty (n, c) predictions of ``targets`` (n, c), each row's by a fit to the others."""
        along, squares = self.left.T @ targets, self.left.square()
        out = {}
        for penalty in PENALTIES:
            kept = self.values.square() / (self.values.square() + penalty)
            leverage = (squares @ kept)[:, None]
            fitted = self.left @ (kept[:, None] * along)
            out[penalty] = (fitted - leverage * targets) / (1 - leverage).clamp(min=1e-6)
        return out

    def predicted(self, share: Tensor, sharpness: float) -> Predicted:
        """Memberships ``share`` (n, c) by a fit to the other rows.

        Args:
            share: (n, c) probabilities.
            sharpness: with which penalties are compared; the penalty's best one is looked for afterwards.
        """

        def loss(raw: Tensor, sharpness: float) -> float:
            return -float((share * torch.log_softmax(sharpness * raw, 1)).sum(1).mean())

        trials = self.without_each(share - share.mean(0))
        penalty = min(PENALTIES, key=lambda penalty: loss(trials[penalty], sharpness))
        sharpness = min(SHARPNESS, key=lambda sharpness: loss(trials[penalty], sharpness))
        return Predicted(torch.softmax(sharpness * trials[penalty], 1), penalty, sharpness)

    def classifier(self, share: Tensor, like: Predicted) -> Callable[[Tensor], Tensor]:
        """The map of rows (m, d) to probabilities (m, c), fitted to all memberships ``share`` (n, c)."""
        along = self.left.T @ (share - share.mean(0))
        weights = self.root @ (self.right.T @ ((self.values / (self.values.square() + like.penalty))[:, None] * along))
        return lambda a: torch.softmax(
            like.sharpness * (_gaussian(torch.cdist(a, self.landmarks), self.width) @ weights), 1
        )


@dataclass(frozen=True, eq=False)
class KernelClasses:
    """Classes of both sides.

    Args:
        of_x: rows (n, dx) to probabilities (n, c).
        of_y: rows (m, dy) to probabilities (m, c).
        ratios: (c, c) how much more often classes meet than by chance.
        likelihood: mean log ratio of the samples, each predicted without itself, nats.
        criterion: the likelihood less half a nat over n for each number of the table, by which numbers of classes compare.
    """

    of_x: Callable[[Tensor], Tensor]
    of_y: Callable[[Tensor], Tensor]
    ratios: Tensor
    likelihood: float
    criterion: float

    @property
    def count(self) -> int:
        """Of the classes of each side."""
        return self.ratios.shape[0]

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m) log density ratio of every x (n, dx) with every y (m, dy), nats."""
        return (self.of_x(x) @ self.ratios @ self.of_y(y).T).clamp(min=1e-300).log()


def fit_kernel_classes(
    x: Tensor, y: Tensor, count: int, seed: int, ridges: tuple[KernelRidge, KernelRidge]
) -> KernelClasses:
    """Expectation maximisation from ``fit_latent_classes``.

    Args:
        x: (n, dx) rows in a random order, of comparable scale.
        y: (n, dy).
        count: classes of each side.
        seed: of the start.
        ridges: of x and of y.

    Raises:
        ValueError: for fewer than three samples a class.

    >>> g = torch.Generator().manual_seed(0)
    >>> outer = torch.rand(900, 1, generator=g) < 0.5  # two rings are no clusters
    >>> def on_rings():
    ...     angle = 6.28 * torch.rand(900, 1, generator=g, dtype=torch.float64)
    ...     return torch.cat((angle.cos(), angle.sin()), 1) * torch.where(outer, 3.0, 1.0)
    >>> x, y = on_rings(), on_rings()
    >>> fitted = fit_kernel_classes(x, y, 5, 0, (KernelRidge.on(x), KernelRidge.on(y)))
    >>> abs(fitted.likelihood - 0.693) < 0.02
    True
    """
    n = x.shape[0]
    share = fit_latent_classes(x, y, count, seed).memberships(x, y)
    sides, sharpness = [share, share], [START, START]
    joint = None
    before = -torch.inf
    for step in range(STEPS):
        predicted = [ridge.predicted(*given) for ridge, given in zip(ridges, zip(sides, sharpness), strict=True)]
        sharpness = [one.sharpness for one in predicted]
        qx, qy = (one.share for one in predicted)
        chance = qx.mean(0)[:, None] * qy.mean(0)
        joint = qx.T @ qy / n if joint is None else joint
        for _ in range(TABLE_STEPS):
            density = (qx @ (joint / chance) * qy).sum(1, keepdim=True)
            joint = joint * ((qx / density).T @ qy) / n / chance
        # As many pairs as there are classes, which met by chance, are added: rare meetings are no certain ones.
        ratios = (n * joint / joint.sum() + count * chance) / (n + count) / chance
        density = (qx @ ratios * qy).sum(1, keepdim=True)
        sides = [qx * (qy @ ratios.T) / density, qy * (qx @ ratios) / density]
        likelihood = float(density.log().mean())
        if step >= LEAST_STEPS and likelihood < before + ENOUGH:
            break
        before = likelihood
    of_x, of_y = (ridge.classifier(side, like) for ridge, side, like in zip(ridges, sides, predicted, strict=True))
    return KernelClasses(of_x, of_y, ratios, likelihood, likelihood - 0.5 * count**2 / n)


def _gaussian(apart: Tensor, width: float) -> Tensor:
    """Kernels of distances."""
    return (apart.square() * (-0.5 / width**2)).exp()
