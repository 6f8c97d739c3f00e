"""Latent classes: both sides are independent given a class, as two pictures of one digit are."""

from __future__ import annotations

from dataclasses import dataclass

from lmi.auto.candidate import Candidate, Number, Traits, score_folds
from lmi.auto.numbers import FIT_SAMPLES, bound_number
from lmi.auto.scores import FittedScores
from lmi.auto.spaces import Space
from lmi.estimators.bounds.heldout import Scores
from lmi.estimators.densities.latent_classes import fit_latent_classes
from lmi.estimators.folds import Fold
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
        return FittedLatentClass(self, self.name, Traits(3), score_folds(self.space, folds, critics))

    def _critic(self, fold: Fold, index: int) -> Scores:
        rows = fold.fit[:FIT_SAMPLES]
        seed = self.context.derive("latent classes", self.space.name, self.count, index) % 2**32
        return fit_latent_classes(self.space.x[rows], self.space.y[rows], self.count, seed).scores


@dataclass(frozen=True, eq=False)
class FittedLatentClass(FittedScores):
    """One set of classes a fold."""

    def number(self) -> Number:
        """The bound, half of what fitting cost added."""
        return bound_number(self.cross_fit, self.cross_fit.optimism())
