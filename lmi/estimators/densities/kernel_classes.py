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

from lmi.estimators.densities.kernel_ridge import KernelRidge
from lmi.estimators.densities.latent_classes import fit_latent_classes

LANDMARKS = 800  # rows that kernels are centred on, at most
BANDWIDTH = 0.5  # of the median distance of two rows
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
SHARPNESS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)  # factors of predicted memberships before their softmax
START = 8.0  # sharpness, with which penalties are compared at first
LEAST_STEPS, STEPS, TABLE_STEPS = 4, 12, 5
ENOUGH = 1e-3  # nats a sample, below which a step of all ends the climb


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


def predicted(ridge: KernelRidge, share: Tensor, sharpness: float) -> Predicted:
    """Memberships ``share`` (n, c) by a fit to the other rows.

    Args:
        ridge: on the rows.
        share: (n, c) probabilities.
        sharpness: with which penalties are compared; the penalty's best one is looked for afterwards.
    """

    def loss(raw: Tensor, sharpness: float) -> float:
        return -float((share * torch.log_softmax(sharpness * raw, 1)).sum(1).mean())

    trials = {penalty: ridge.without_each(share - share.mean(0), penalty) for penalty in PENALTIES}
    penalty = min(PENALTIES, key=lambda penalty: loss(trials[penalty], sharpness))
    sharpness = min(SHARPNESS, key=lambda sharpness: loss(trials[penalty], sharpness))
    return Predicted(torch.softmax(sharpness * trials[penalty], 1), penalty, sharpness)


def classifier(ridge: KernelRidge, share: Tensor, like: Predicted) -> Callable[[Tensor], Tensor]:
    """The map of rows (m, d) to probabilities (m, c), fitted to all memberships ``share`` (n, c)."""
    fitted = ridge.fitted(share - share.mean(0), like.penalty)
    return lambda a: torch.softmax(like.sharpness * fitted(a), 1)


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
    >>> fitted = fit_kernel_classes(x, y, 5, 0, (KernelRidge.on(x, BANDWIDTH), KernelRidge.on(y, BANDWIDTH)))
    >>> abs(fitted.likelihood - 0.693) < 0.02
    True
    """
    n = x.shape[0]
    share = fit_latent_classes(x, y, count, seed).memberships(x, y)
    sides, sharpness = [share, share], [START, START]
    joint = None
    before = -torch.inf
    for step in range(STEPS):
        members = [predicted(ridge, *given) for ridge, given in zip(ridges, zip(sides, sharpness), strict=True)]
        sharpness = [one.sharpness for one in members]
        qx, qy = (one.share for one in members)
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
    of_x, of_y = (classifier(ridge, side, like) for ridge, side, like in zip(ridges, sides, members, strict=True))
    return KernelClasses(of_x, of_y, ratios, likelihood, likelihood - 0.5 * count**2 / n)
