"""Mixtures of t densities of the variables themselves: heavy tails and clusters in few dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.auto.protocol.candidate import EXACT_COMPONENTS, Candidate, FittedCandidate, Number, Traits, score_folds
from lmi.auto.protocol.numbers import FIT_SAMPLES, density_number, refit_density
from lmi.auto.protocol.scores import bound_null
from lmi.auto.spaces import Space
from lmi.estimators.densities.mixture import Mixture, fit_mixture
from lmi.estimators.folds import Fold
from lmi.evidence import Null
from lmi.types import Context


@dataclass(frozen=True, eq=False)
class TMixture(Candidate):
    """``count`` t densities of all columns of ``space``.

    Args:
        space: where it is fitted.
        count: how many components.
        context: seeds the starts.
    """

    space: Space
    count: int
    context: Context

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return f"{shape_name(self.count)} on {self.space.name}"

    def fit(self, folds: list[Fold]) -> FittedTMixture:
        """See ``Candidate``."""
        models = [self._model(fold, i) for i, fold in enumerate(folds)]
        cross_fit = score_folds(self.space, folds, [model.scores for model in models])
        traits = Traits(1 + self.count, approximate=self.count > EXACT_COMPONENTS)
        return FittedTMixture(self, self.name, traits, cross_fit, models, self.context)

    def _model(self, fold: Fold, index: int) -> Mixture:
        fit = fold.fit[:FIT_SAMPLES]
        generator = self.context.generator("mixture", self.space.name, self.count, index)
        return fit_mixture(self.space.x[fit], self.space.y[fit], self.count, generator, iterations=100, tolerance=1e-4)


def shape_name(count: int) -> str:
    """A mixture of ``count`` t densities, in words."""
    return "t density" if count == 1 else f"mixture of {count} t densities"


@dataclass(frozen=True, eq=False)
class FittedTMixture(FittedCandidate):
    """One density a fold."""

    models: list[Mixture]
    context: Context

    def number(self) -> Number:
        """The mean log ratio, on seen and on fresh pairs."""
        return density_number(self.cross_fit, self.models)

    def null(self, permutations: int, generator: torch.Generator) -> Null:
        """The bound of shuffled pairs."""
        return bound_null(self.cross_fit, permutations, generator)

    def density(self, rivals: Sequence[FittedCandidate], x: Tensor, y: Tensor, context: Context) -> Mixture:
        """As many components, fitted once more to all samples; see ``FittedCandidate``."""
        return refit_density(self.components, x, y, context)

    @property
    def components(self) -> int:
        """Of the first fold's density."""
        return self.models[0].centres.shape[0]

    @property
    def stand_in(self) -> FittedCandidate:
        """Itself."""
        return self
