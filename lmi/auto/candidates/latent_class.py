"""Latent classes: both sides are independent given a class, as two pictures of one digit are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lmi.auto.protocol.candidate import HELD_OUT_SAMPLES, Candidate, FittedCandidate, Number, Traits, score_folds
from lmi.auto.protocol.numbers import FIT_SAMPLES, bound_number
from lmi.auto.protocol.scores import FittedScores
from lmi.auto.spaces import Space
from lmi.estimators.densities.latent_classes import LatentClasses, fit_latent_classes
from lmi.estimators.folds import Fold
from lmi.estimators.trust.plain_thresholds import WITHIN_CLASSES
from lmi.estimators.trust.within_classes import within_classes
from lmi.types import Context


@dataclass(frozen=True, eq=False)
class LatentClass(Candidate):
    """``count`` latent classes of the components of ``space``.

    Args:
        space: where they are fitted.
        count: of classes.
        context: seeds the starts.
        alike: whether all classes have the same variances.
    """

    space: Space
    count: int
    context: Context
    alike: bool = True

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return f"{self.count} latent classes{'' if self.alike else ' of their own variances'} on {self.space.name}"

    def fit(self, folds: list[Fold]) -> FittedLatentClass:
        """See ``Candidate``. Classes that fresh samples contradict may lose information."""
        fitted = [self._classes(fold, i) for i, fold in enumerate(folds)]
        cross_fit = score_folds(self.space, folds, [classes.scores for classes in fitted])
        fresh, generator = folds[0].test[:HELD_OUT_SAMPLES], self.context.generator("within classes")
        off = within_classes(
            self.space.x[fresh], self.space.y[fresh], fitted[0], folds[0].fit[:FIT_SAMPLES].numel(), generator
        )
        traits = Traits(3 if self.alike else 3.5, approximate=off > WITHIN_CLASSES)
        return FittedLatentClass(self, self.name, traits, cross_fit)

    def _classes(self, fold: Fold, index: int) -> LatentClasses:
        rows = fold.fit[:FIT_SAMPLES]
        seed = self.context.derive("latent classes", self.space.name, self.count, index) % 2**32
        return fit_latent_classes(self.space.x[rows], self.space.y[rows], self.count, seed, self.alike)


@dataclass(frozen=True, eq=False)
class FittedLatentClass(FittedScores):
    """One set of classes a fold."""

    candidate: LatentClass

    def number(self) -> Number:
        """The bound, half of what fitting cost added."""
        return bound_number(self.cross_fit, self.cross_fit.optimism())

    def with_twice_as_many(self, candidates: Sequence[FittedCandidate]) -> Sequence[FittedCandidate]:
        """Those of twice as many classes; see ``FittedCandidate``."""
        classes = [c for c in candidates if isinstance(c, FittedLatentClass)]
        asked = 2 * self.candidate.count, self.candidate.alike
        return [c for c in classes if (c.candidate.count, c.candidate.alike) == asked]
