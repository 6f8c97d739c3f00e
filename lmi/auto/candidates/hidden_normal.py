"""A normal copula seen through levels: ReLU and clipped activations, counts, items of a questionnaire, rounded values."""

from __future__ import annotations

from dataclasses import dataclass

from lmi.auto.protocol.candidate import Candidate, Number, Traits, score_folds
from lmi.auto.protocol.numbers import ratio_number
from lmi.auto.protocol.scores import FittedScores
from lmi.auto.spaces import Space
from lmi.estimators.folds import Fold
from lmi.estimators.gaussian.intervals import IntervalNormal, fit_intervals
from lmi.estimators.trust.plain_thresholds import SOFT_END
from lmi.estimators.trust.thresholds import BLURRED, HIDDEN_NOT_NORMAL
from lmi.types import Context

COMPLEXITY = 0.5  # it is the normal model, with as many parameters, less what is known to be wrong with it
MANY_AT_AN_END = 0.1  # share of the rows, as for zeros
HELD_OUT = 400  # pairs of a fold: every x is held against every y with several draws each
MEASURED = 1500  # rows of either part of a fold, of which the number is the mean


@dataclass(frozen=True, eq=False)
class HiddenNormal(Candidate):
    """Hidden normal scores, of which each entry shows an interval.

    Args:
        space: the ends of the intervals, as ``lmi.estimators.gaussian.intervals.intervals`` gives them.
        context: seeds the draws.
    """

    space: Space
    context: Context

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return "normal scores hidden behind levels"

    def fit(self, folds: list[Fold]) -> FittedHiddenNormal:
        """See ``Candidate``."""
        models = [self._model(fold, i) for i, fold in enumerate(folds)]
        cross_fit = score_folds(self.space, folds, [model.scores for model in models], HELD_OUT)
        # Where the hidden scores are not jointly normal, the copula of their correlations is only like theirs.
        off = models[0].not_normal(self.space.x, self.space.y) > HIDDEN_NOT_NORMAL
        traits = Traits(COMPLEXITY, blurred=BLURRED, costly=True, approximate=off)
        return FittedHiddenNormal(self, self.name, traits, cross_fit, models)

    def _model(self, fold: Fold, index: int) -> IntervalNormal:
        seed = self.context.derive("hidden normal", index)
        return fit_intervals(self.space.x[fold.fit], self.space.y[fold.fit], seed)


@dataclass(frozen=True, eq=False)
class FittedHiddenNormal(FittedScores):
    """One copula a fold."""

    models: list[IntervalNormal]

    def number(self) -> Number:
        """The mean log ratio, on seen and on fresh pairs.

        Where many values stand at one end of a column, such as zeros, the interval opens upwards: that end may be soft, as
        where faint genes drop out more often than strong ones, which hidden scores with a sharp end cannot tell.
        """
        space = self.cross_fit.space
        number = ratio_number(self.cross_fit.folds, space.x, space.y, [model.ratio for model in self.models], MEASURED)
        at_an_end = max(float(ends.isinf().double().mean(0).max()) for ends in (space.x, space.y))
        return number._replace(above=SOFT_END * max(number.nats, 0.0)) if at_an_end > MANY_AT_AN_END else number
