"""Mixtures of t densities of kernel variates: smooth dependence that no line and no cluster shows.

Judged by the mixture's bound like any candidate; its number is what neighbours say of fresh variates, which are few.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lmi.auto.candidate import Candidate, FittedCandidate, Judged, Number, Traits, judge
from lmi.auto.numbers import FIT_SAMPLES, bound_null, rival_density
from lmi.auto.spaces import Space
from lmi.estimators.bounds.heldout import Scores
from lmi.estimators.columns import normal_scores
from lmi.estimators.densities.kernel_variates import KernelVariates, fit_kernel_variates
from lmi.estimators.densities.mixture import Mixture, fit_mixture
from lmi.estimators.folds import Fold
from lmi.estimators.neighbors.control import controlled_ksg
from lmi.estimators.neighbors.terms import ksg_pointwise
from lmi.evidence import Null
from lmi.types import Context

COMPLEXITY = 50  # above mixtures, below neural critics
NUMBER_SAMPLES = 4000  # fresh pairs of a fold that neighbours look at
NUMBERS = (1, 2, 4)  # of variates a side
COMPONENTS = (1, 2, 4)
NEIGHBOURS = 5
UNCONFIRMED_ERROR = 0.3  # standard error, as a share of what the bound does not confirm


class Trial(NamedTuple):
    """Variates and densities of each fold, and what their scores find in fresh pairs."""

    variates: list[KernelVariates]
    models: list[Mixture]
    judged: Judged


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
        best: Trial | None = None
        reason = ""
        # Of a single shared direction the further variates are functions, which a density of all of them does not know.
        for most, count in itertools.product(NUMBERS, COMPONENTS):
            if most > NUMBERS[0] and all(fold.correlations.numel() < most for fold in variates):
                break
            try:
                trial = self._trial(folds, [fold.first(most) for fold in variates], most, count)
            except ValueError as error:
                # Too few samples for so many components: fewer have been fitted, or none and that is said below.
                reason = str(error)
                continue
            if best is None or trial.judged.bound > best.judged.bound:
                best = trial
        if best is None:
            raise ValueError(reason)
        traits = Traits(COMPLEXITY, exceeds_bound=True)
        return FittedKernelMixture(self, self.name, traits, best.judged, best.variates, best.models, self.context)

    def _variates(self, fold: Fold, index: int) -> KernelVariates:
        generator = self.context.generator("kernel", self.space.name, index)
        return fit_kernel_variates(self.space.x, self.space.y, fold.fit[:FIT_SAMPLES], NUMBERS[-1], generator)

    def _trial(self, folds: list[Fold], variates: list[KernelVariates], most: int, count: int) -> Trial:
        models = [self._model(fold, most, count, i) for i, fold in enumerate(variates)]
        critics = [_critic(fold, model) for fold, model in zip(variates, models, strict=True)]
        return Trial(variates, models, judge(self.space, folds, critics))

    def _model(self, variates: KernelVariates, most: int, count: int, index: int) -> Mixture:
        u, v = variates.x(self.space.x[variates.rest]), variates.y(self.space.y[variates.rest])
        generator = self.context.generator("curved", self.space.name, most, count, index)
        return fit_mixture(u, v, count, generator, iterations=100, tolerance=1e-4)


def _critic(variates: KernelVariates, model: Mixture) -> Scores:
    return lambda a, b: model.scores(variates.x(a), variates.y(b))


@dataclass(frozen=True, eq=False)
class FittedKernelMixture(FittedCandidate):
    """One set of variates and one density of them a fold."""

    variates: list[KernelVariates]
    models: list[Mixture]
    context: Context

    def number(self) -> Number:
        """KSG on fresh variates, corrected by the density in more than 1 + 1 dimensions.

        What the bound does not confirm and what the variates lost are of one order, and neither is a sampling error.
        """
        nats, sampling = self._measured()
        return Number(nats, math.hypot(sampling, UNCONFIRMED_ERROR * max(nats - self.bound, 0.0)), sampling)

    def _measured(self) -> tuple[float, float]:
        """What neighbours say of fresh variates, and its sampling error, nats."""
        space = self.judged.space
        tests = [fold.test[:NUMBER_SAMPLES] for fold in self.judged.folds]
        total = sum(test.numel() for test in tests)
        nats = variance = 0.0
        for i, (test, variates, model) in enumerate(zip(tests, self.variates, self.models, strict=True)):
            u, v = variates.x(space.x[test]), variates.y(space.y[test])
            fold_nats, error = self._fold_number(u, v, model, i)
            share = test.numel() / total
            nats += share * fold_nats
            variance += (share * error) ** 2
        return nats, math.sqrt(variance)

    def _fold_number(self, u: Tensor, v: Tensor, model: Mixture, index: int) -> tuple[float, float]:
        if u.shape[1] + v.shape[1] == 2:
            terms = ksg_pointwise(normal_scores(u), normal_scores(v), NEIGHBOURS)
            return float(terms.mean()), float(terms.std()) / terms.numel() ** 0.5
        held = controlled_ksg(u, v, model, NEIGHBOURS, self.context.generator("curved draws", index))
        return held.nats, held.error

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
