"""Mixtures of t densities of kernel variates: smooth dependence that no line and no cluster shows.

Judged by the mixture's bound like any candidate; its number is what neighbours say of fresh variates, which are few.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from lmi.auto.protocol.candidate import Candidate, Number, Traits, score_folds
from lmi.auto.protocol.numbers import FIT_SAMPLES, neighbours_number
from lmi.auto.protocol.scores import FittedScores
from lmi.auto.spaces import Space
from lmi.estimators.bounds.heldout import Scores
from lmi.estimators.densities.kernel_variates import KernelVariates, fit_kernel_variates
from lmi.estimators.densities.mixture import Mixture, fit_mixture
from lmi.estimators.folds import Fold
from lmi.types import Context

COMPLEXITY = 50  # above mixtures, below neural critics
NUMBERS = (1, 2, 4, 8)  # of variates a side, at most
COMPONENTS = (1, 2, 4)


class Trial(NamedTuple):
    """So many variates of the first fold, how many components their density has, and what it finds in fresh pairs."""

    most: int
    components: int
    model: Mixture
    bound: float


@dataclass(frozen=True, eq=False)
class KernelMixture(Candidate):
    """The best of a few mixtures of t densities of kernel variates, fitted to samples that fitted neither.

    Args:
        space: where it is fitted.
        context: seeds landmarks and starts.
    """

    space: Space
    context: Context

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return f"kernel variates of {self.space.name}"

    def fit(self, folds: list[Fold]) -> FittedKernelMixture:
        """See ``Candidate``."""
        variates = [self._variates(fold, i) for i, fold in enumerate(folds)]
        # One fold chooses for all: twelve densities of each fold would cost more than all other candidates together.
        first = max(self._trials(folds[0], variates[0]), key=lambda trial: trial.bound)
        variates = [fold.first(first.most) for fold in variates]
        others = [self._model(fold, first.most, first.components, i) for i, fold in enumerate(variates[1:], start=1)]
        models = [first.model, *others]
        critics = [_critic(fold, model) for fold, model in zip(variates, models, strict=True)]
        cross_fit = score_folds(self.space, folds, critics)
        traits = Traits(COMPLEXITY, exceeds_bound=True, approximate=True)
        return FittedKernelMixture(self, self.name, traits, cross_fit, variates, models, self.context)

    def _trials(self, first: Fold, variates: KernelVariates) -> list[Trial]:
        """Densities of few and many variates, of few and many components, fitted on the first fold and judged by it.

        Args:
            first: the fold.
            variates: all of it.

        Raises:
            ValueError: where the samples are too few for any.
        """
        trials: list[Trial] = []
        reason = ""
        # Of a single shared direction the further variates are functions, which a density of all of them does not know.
        found = variates.correlations.numel()
        numbers = [most for fewer, most in zip((0, *NUMBERS), NUMBERS, strict=False) if found > fewer]
        for most, count in itertools.product(numbers, COMPONENTS):
            try:
                model = self._model(variates.first(most), most, count, 0)
            except ValueError as error:
                # Too few samples for so many components: fewer have been fitted, or none and that is said below.
                reason = str(error)
                continue
            bound = score_folds(self.space, [first], [_critic(variates.first(most), model)]).bound
            trials.append(Trial(most, count, model, bound))
        if not trials:
            raise ValueError(reason)
        return trials

    def _variates(self, fold: Fold, index: int) -> KernelVariates:
        generator = self.context.generator("kernel", self.space.name, index)
        return fit_kernel_variates(self.space.x, self.space.y, fold.fit[:FIT_SAMPLES], NUMBERS[-1], generator)

    def _model(self, variates: KernelVariates, most: int, count: int, index: int) -> Mixture:
        u, v = variates.x(self.space.x[variates.rest]), variates.y(self.space.y[variates.rest])
        generator = self.context.generator("curved", self.space.name, most, count, index)
        return fit_mixture(u, v, count, generator, iterations=100, tolerance=1e-4)


def _critic(variates: KernelVariates, model: Mixture) -> Scores:
    return lambda a, b: model.scores(variates.x(a), variates.y(b))


@dataclass(frozen=True, eq=False)
class FittedKernelMixture(FittedScores):
    """One set of variates and one density of them a fold."""

    variates: list[KernelVariates]
    models: list[Mixture]
    context: Context

    def number(self) -> Number:
        """KSG on fresh variates, corrected by the density in more than 1 + 1 dimensions.

        What the bound does not confirm and what the variates lost are of one order, and neither is a sampling error.
        """
        space = self.cross_fit.space

        def of_fold(variates: KernelVariates) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
            return lambda rows: (variates.x(space.x[rows]), variates.y(space.y[rows]))

        return neighbours_number(self.cross_fit, [of_fold(fold) for fold in self.variates], self.models, self.context)
