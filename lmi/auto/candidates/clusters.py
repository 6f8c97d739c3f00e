"""Clusters of each side alone, and a table of how often they meet, shrunk a little towards independence."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.auto.protocol.candidate import Candidate, Number, Traits, score_folds
from lmi.auto.protocol.numbers import FIT_SAMPLES, bound_number
from lmi.auto.protocol.scores import FittedScores
from lmi.auto.spaces import Space
from lmi.estimators.bounds.heldout import Scores
from lmi.estimators.folds import Fold
from lmi.types import Context

COMPLEXITY = 7  # above latent classes and mixtures of all columns, which say the same better


@dataclass(frozen=True, eq=False)
class Clusters(Candidate):
    """``count`` k-means clusters of each side.

    Args:
        space: where the clusters are found.
        count: of each side.
        context: seeds the starts.
    """

    space: Space
    count: int
    context: Context

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return f"{self.count} clusters a side on {self.space.name}"

    def fit(self, folds: list[Fold]) -> FittedClusters:
        """See ``Candidate``."""
        centres = self._centres(self.space.x, "x"), self._centres(self.space.y, "y")
        critics = [self._critic(fold, *centres) for fold in folds]
        return FittedClusters(
            self, self.name, Traits(COMPLEXITY, approximate=True), score_folds(self.space, folds, critics), self.count
        )

    def _centres(self, z: Tensor, side: str) -> Tensor:
        from sklearn.cluster import KMeans

        seed = self.context.derive("codes", self.space.name, side, self.count) % 2**32
        means = KMeans(self.count, n_init=3, random_state=seed).fit(z[:FIT_SAMPLES].numpy())
        return torch.from_numpy(means.cluster_centers_).to(z)

    def _critic(self, fold: Fold, centres_x: Tensor, centres_y: Tensor) -> Scores:
        x, y = self.space.x[fold.fit], self.space.y[fold.fit]
        table = log_ratios(nearest(x, centres_x), nearest(y, centres_y), self.count)
        return lambda a, b: table[nearest(a, centres_x)][:, nearest(b, centres_y)]


def nearest(z: Tensor, centres: Tensor) -> Tensor:
    """(n,) the centre (m, d) nearest to each row of z (n, d)."""
    return torch.cdist(z, centres).argmin(1)


def log_ratios(codes_x: Tensor, codes_y: Tensor, count: int) -> Tensor:
    """(count, count) log of how often two codes meet over how often they would by chance, nats.

    Args:
        codes_x: (n,) codes below ``count``.
        codes_y: (n,).
        count: also the number of pairs that met by chance and are added.
    """
    joint = torch.bincount(codes_x * count + codes_y, minlength=count**2).double().reshape(count, count)
    chance = joint.sum(1, keepdim=True) @ joint.sum(0, keepdim=True) / joint.sum() ** 2
    table = (((joint + count * chance) / (joint.sum() + count)) / chance.clamp(min=1e-300)).log()
    return torch.where(chance > 0, table, torch.zeros_like(table))


@dataclass(frozen=True, eq=False)
class FittedClusters(FittedScores):
    """One table a fold."""

    count: int

    def number(self) -> Number:
        """The bound, half of what fitting cost added.

        Each cell of a table costs about 1 / 2n, which clear-cut clusters do not show in their terms.
        """
        cost = self.count**2 / (2 * self.cross_fit.space.num_samples)
        return bound_number(self.cross_fit, self.cross_fit.optimism(), cost)
