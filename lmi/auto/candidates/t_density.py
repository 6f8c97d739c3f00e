"""One t density of the leading components of each side, or a mixture of a few: heavy tails, signs that flip, few classes."""

from __future__ import annotations

from dataclasses import dataclass

from lmi.auto.candidates.t_mixture import shape_name
from lmi.auto.protocol.candidate import EXACT_COMPONENTS, Candidate, Number, Traits, score_folds
from lmi.auto.protocol.numbers import FIT_SAMPLES, density_number
from lmi.auto.protocol.scores import FittedScores
from lmi.auto.spaces import Space
from lmi.estimators.bounds.heldout import Scores
from lmi.estimators.densities.mixture import Mixture, fit_mixture
from lmi.estimators.folds import Fold
from lmi.types import Context


@dataclass(frozen=True, eq=False)
class TDensity(Candidate):
    """``count`` t densities of ``rank`` components a side.

    Args:
        space: where it is fitted.
        rank: components of each side.
        context: seeds the starts.
        count: of densities.
    """

    space: Space
    rank: int
    context: Context
    count: int = 1

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return f"{shape_name(self.count)} of {self.rank} components of {self.space.name}"

    def fit(self, folds: list[Fold]) -> FittedTDensity:
        """See ``Candidate``."""
        models = [self._model(fold, i) for i, fold in enumerate(folds)]
        cross_fit = score_folds(self.space, folds, [self._critic(model) for model in models])
        traits = Traits(1 + self.count, approximate=self.count > EXACT_COMPONENTS or self.space.coarse)
        return FittedTDensity(self, self.name, traits, cross_fit, models)

    def _model(self, fold: Fold, index: int) -> Mixture:
        x, y = (z[fold.fit[:FIT_SAMPLES], : self.rank] for z in (self.space.x, self.space.y))
        names = () if self.count == 1 else (self.count,)
        generator = self.context.generator("t density", self.space.name, index, *names)
        return fit_mixture(x, y, self.count, generator, iterations=100, tolerance=1e-4)

    def _critic(self, model: Mixture) -> Scores:
        return lambda a, b: model.scores(a[:, : self.rank], b[:, : self.rank])


@dataclass(frozen=True, eq=False)
class FittedTDensity(FittedScores):
    """One density a fold."""

    models: list[Mixture]

    def number(self) -> Number:
        """The mean log ratio, on seen and on fresh pairs."""
        return density_number(self.cross_fit, self.models)
