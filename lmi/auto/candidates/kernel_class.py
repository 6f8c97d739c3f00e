"""Latent classes that kernels tell apart, of any shape: two handwritten digits, rings, half moons."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from lmi.auto.candidate import Candidate, Number, Traits, score_folds
from lmi.auto.numbers import FIT_SAMPLES, bound_number
from lmi.auto.scores import FittedScores
from lmi.auto.spaces import Space
from lmi.estimators.densities.kernel_classes import KernelClasses, KernelRidge, fit_kernel_classes
from lmi.estimators.folds import Fold
from lmi.estimators.trust.thresholds import SAMPLES_A_CLASS
from lmi.types import Context

COMPLEXITY = 45  # above mixtures, below kernel variates
COUNTS = (2, 3, 5, 7, 10, 14, 20, 28, 40, 56, 80)  # a few more than there are do little harm: classes meet in a table


@dataclass(frozen=True, eq=False)
class KernelClass(Candidate):
    """As many classes as likelihood asks for where each sample is predicted without itself, from a first guess.

    Args:
        space: where they are fitted.
        guess: how many classes other candidates found.
        context: seeds the starts.
    """

    space: Space
    guess: int
    context: Context

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return f"kernel classes of {self.space.name}"

    def fit(self, folds: list[Fold]) -> FittedKernelClass:
        """See ``Candidate``."""
        guess, fitted = self.guess, []
        for i, fold in enumerate(folds):
            fitted.append(self._classes(fold.fit[:FIT_SAMPLES], guess, i))
            guess = fitted[0].count
        cross_fit = score_folds(self.space, folds, [classes.scores for classes in fitted])
        name = f"{guess} kernel classes of {self.space.name}"
        return FittedKernelClass(self, name, Traits(COMPLEXITY, approximate=True), cross_fit)

    def _classes(self, rows: Tensor, guess: int, fold: int) -> KernelClasses:
        """The likeliest number of classes near a guess, first upwards, then downwards."""
        x, y = self.space.x[rows], self.space.y[rows]
        ridges = KernelRidge.on(x), KernelRidge.on(y)

        def of(count: int) -> KernelClasses:
            seed = self.context.derive("kernel classes", self.space.name, count, fold) % 2**32
            return fit_kernel_classes(x, y, count, seed, ridges)

        counts = [count for count in COUNTS if SAMPLES_A_CLASS * count <= rows.numel()]
        if not counts:
            raise ValueError(f"{rows.numel()} samples are too few for latent classes")
        start = min(range(len(counts)), key=lambda i: abs(math.log(counts[i] / guess)))
        best = of(counts[start])
        for way in (counts[start + 1 :], counts[:start][::-1]):
            for count in way:
                classes = of(count)
                if classes.criterion <= best.criterion:
                    break
                best = classes
        return best


@dataclass(frozen=True, eq=False)
class FittedKernelClass(FittedScores):
    """One set of classes a fold."""

    def number(self) -> Number:
        """The bound: what is predicted without itself says nothing of what fitting cost."""
        return bound_number(self.cross_fit, 0.0)
