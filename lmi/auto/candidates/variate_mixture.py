"""Mixtures of t densities of the leading canonical variates: clusters and heavy tails in many dimensions."""

from __future__ import annotations

from dataclasses import dataclass

from lmi.auto.candidates.t_mixture import shape_name
from lmi.auto.protocol.candidate import Candidate, Number, Traits, score_folds
from lmi.auto.protocol.numbers import FIT_SAMPLES, bound_number
from lmi.auto.protocol.scores import FittedScores
from lmi.auto.spaces import Space
from lmi.estimators.bounds.heldout import Scores
from lmi.estimators.densities.mixture import fit_mixture
from lmi.estimators.folds import Fold
from lmi.estimators.gaussian.linear import fit_linear
from lmi.types import Context

VARIATES = 4  # canonical variates of each side: more have too many parameters for the samples of a fold


@dataclass(frozen=True, eq=False)
class VariateMixture(Candidate):
    """``count`` t densities of four canonical variates a side.

    Args:
        space: where it is fitted.
        count: how many components.
        rank: principal components of each side that the variates are combinations of.
        context: seeds the starts.
    """

    space: Space
    count: int
    rank: int
    context: Context

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return f"{shape_name(self.count)} on canonical variates of {self.space.name}"

    def fit(self, folds: list[Fold]) -> FittedVariateMixture:
        """See ``Candidate``."""
        critics = [self._critic(fold, i) for i, fold in enumerate(folds)]
        traits = Traits(1 + self.count, approximate=True)
        return FittedVariateMixture(self, self.name, traits, score_folds(self.space, folds, critics))

    def _critic(self, fold: Fold, index: int) -> Scores:
        x, y, rows = self.space.x, self.space.y, fold.fit[:FIT_SAMPLES]
        linear = fit_linear(x[fold.fit], y[fold.fit], self.rank)
        u, v = linear.variates(x[rows], y[rows], VARIATES)
        generator = self.context.generator("mixture", self.space.name, self.count, index)
        model = fit_mixture(u, v, self.count, generator, iterations=100, tolerance=1e-4)
        return lambda a, b: model.scores(*linear.variates(a, b, VARIATES))


@dataclass(frozen=True, eq=False)
class FittedVariateMixture(FittedScores):
    """One density of the variates a fold."""

    def number(self) -> Number:
        """The bound, half of what fitting cost added."""
        return bound_number(self.cross_fit, self.cross_fit.optimism())
