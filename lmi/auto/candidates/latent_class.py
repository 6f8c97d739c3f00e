"""Latent classes: both sides are independent given a class, as two pictures of one digit are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.auto.candidate import Candidate, FittedCandidate, Number, Traits, judge
from lmi.auto.numbers import FIT_SAMPLES, bound_null, bound_number, rival_density
from lmi.auto.spaces import Space
from lmi.estimators.bounds.heldout import Scores
from lmi.estimators.densities.latent_classes import fit_latent_classes
from lmi.estimators.densities.mixture import Mixture
from lmi.estimators.folds import Fold
from lmi.evidence import Null
from lmi.types import Context


@dataclass(frozen=True, eq=False)
class LatentClass(Candidate):
    """``count`` latent classes of the components of ``space``.

    Args:
        space: where they are fitted.
        count: of classes.
        context: seeds the starts.
    """

    space: Space
    count: int
    context: Context

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return f"{self.count} latent classes on {self.space.name}"

    def fit(self, folds: list[Fold]) -> FittedLatentClass:
        """See ``Candidate``."""
        critics = [self._critic(fold, i) for i, fold in enumerate(folds)]
        return FittedLatentClass(self, self.name, Traits(3), judge(self.space, folds, critics))

    def _critic(self, fold: Fold, index: int) -> Scores:
        rows = fold.fit[:FIT_SAMPLES]
        seed = self.context.derive("latent classes", self.space.name, self.count, index) % 2**32
        return fit_latent_classes(self.space.x[rows], self.space.y[rows], self.count, seed).scores


@dataclass(frozen=True, eq=False)
class FittedLatentClass(FittedCandidate):
    """One set of classes a fold."""

    def number(self) -> Number:
        """The bound, half of what fitting cost added."""
        return bound_number(self.judged, self.judged.optimism())

    def null(self, permutations: int, generator: torch.Generator) -> Null:
        """The bound of shuffled pairs."""
        return bound_null(self.judged, permutations, generator)

    def density(self, rivals: Sequence[FittedCandidate], x: Tensor, y: Tensor, context: Context) -> Mixture:
        """That of the best rival, or one normal; see ``FittedCandidate``."""
        return rival_density(self, rivals, x, y, context)

    @property
    def components(self) -> int:
        """None: it is no density of the variables themselves."""
        return 0

    @property
    def stand_in(self) -> FittedCandidate:
        """Itself."""
        return self
