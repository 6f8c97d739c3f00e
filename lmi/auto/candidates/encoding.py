"""The wide side as a function of the narrow one and normal noise: a response of many neurons to one stimulus."""

from __future__ import annotations

from dataclasses import dataclass

from lmi.auto.protocol.candidate import Candidate, Number, Traits, score_folds
from lmi.auto.protocol.numbers import FIT_SAMPLES, bound_number
from lmi.auto.protocol.scores import FittedScores
from lmi.auto.spaces import Space
from lmi.estimators.bounds.heldout import Scores
from lmi.estimators.densities.encoding import fit_encoding
from lmi.estimators.folds import Fold

COMPLEXITY = 55  # above kernel variates, below predictions


@dataclass(frozen=True, eq=False)
class EncodingModel(Candidate):
    """Kernel ridge regression of the side of more columns on the other, and normal noise.

    Args:
        space: where it is fitted.
    """

    space: Space

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return f"encoding of {'y by x' if self._of_y else 'x by y'} on {self.space.name}"

    @property
    def _of_y(self) -> bool:
        return self.space.x.shape[1] <= self.space.y.shape[1]

    def fit(self, folds: list[Fold]) -> FittedEncodingModel:
        """See ``Candidate``."""
        cross_fit = score_folds(self.space, folds, [self._critic(fold) for fold in folds])
        return FittedEncodingModel(self, self.name, Traits(COMPLEXITY, approximate=True), cross_fit)

    def _critic(self, fold: Fold) -> Scores:
        rows = fold.fit[:FIT_SAMPLES]
        x, y = self.space.x[rows], self.space.y[rows]
        if self._of_y:
            return fit_encoding(x, y).scores
        model = fit_encoding(y, x)
        return lambda a, b: model.scores(b, a).T


@dataclass(frozen=True, eq=False)
class FittedEncodingModel(FittedScores):
    """One law of the wide side a fold."""

    def number(self) -> Number:
        """The bound, half of what fitting cost added."""
        return bound_number(self.cross_fit, self.cross_fit.optimism())
