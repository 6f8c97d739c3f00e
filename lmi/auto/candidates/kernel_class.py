"""Latent classes that kernels tell apart, of any shape: two handwritten digits, rings, half moons."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from lmi.auto.protocol.candidate import HELD_OUT_SAMPLES, Candidate, Number, Traits, score_folds
from lmi.auto.protocol.numbers import FIT_SAMPLES, bound_number
from lmi.auto.protocol.scores import FittedScores
from lmi.auto.spaces import Space
from lmi.estimators.densities.kernel_classes import BANDWIDTH, LANDMARKS, KernelClasses, fit_kernel_classes
from lmi.estimators.densities.kernel_ridge import KernelRidge
from lmi.estimators.folds import Fold
from lmi.estimators.probes.labels import label_entropy
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
        return FittedKernelClass(self, name, Traits(COMPLEXITY, approximate=True), cross_fit, fitted)

    def _classes(self, rows: Tensor, guess: int, fold: int) -> KernelClasses:
        """The likeliest number of classes near a guess, first upwards, then downwards."""
        x, y = self.space.x[rows], self.space.y[rows]
        ridges = KernelRidge.on(x, BANDWIDTH, LANDMARKS), KernelRidge.on(y, BANDWIDTH, LANDMARKS)

        def with_count(count: int) -> KernelClasses:
            seed = self.context.derive("kernel classes", self.space.name, count, fold) % 2**32
            return fit_kernel_classes(x, y, count, seed, ridges)

        counts = [count for count in COUNTS if SAMPLES_A_CLASS * count <= rows.numel()]
        if not counts:
            raise ValueError(f"{rows.numel()} samples are too few for latent classes")
        start = min(range(len(counts)), key=lambda i: abs(math.log(counts[i] / guess)))
        best = with_count(counts[start])
        for way in (counts[start + 1 :], counts[:start][::-1]):
            for count in way:
                classes = with_count(count)
                if classes.criterion <= best.criterion:
                    break
                best = classes
        return best


@dataclass(frozen=True, eq=False)
class FittedKernelClass(FittedScores):
    """One set of classes a fold."""

    classes: list[KernelClasses]

    def number(self) -> Number:
        """The bound, or what the likeliest classes of fresh pairs share where that is more.

        Both are lower bounds: a class is a function of its side. The table knows nothing of how sure a class is, the bound
        has to know how often classes meet. Entropies of the table are plug-in ones with Miller and Madow's correction.
        """
        number = bound_number(self.cross_fit, 0.0)
        space = self.cross_fit.space
        tables = 0.0
        for fold, classes in zip(self.cross_fit.folds, self.classes, strict=True):
            test = fold.test[:HELD_OUT_SAMPLES]
            a, b = classes.of_x(space.x[test]).argmax(1), classes.of_y(space.y[test]).argmax(1)
            shared = label_entropy(a) + label_entropy(b) - label_entropy(a * classes.count + b)
            tables += shared / len(self.classes)
        return number._replace(nats=max(number.nats, tables))
