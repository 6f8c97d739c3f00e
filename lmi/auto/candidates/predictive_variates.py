"""Cross-fitted predictions of a narrow side from the other: interactions, products, steps among many columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from lmi.auto.candidate import Candidate, CrossFit, Number, Traits, score_folds
from lmi.auto.numbers import FIT_SAMPLES, neighbours_number
from lmi.auto.scores import FittedScores
from lmi.auto.spaces import Space
from lmi.estimators.bounds.heldout import Scores
from lmi.estimators.densities.mixture import SAMPLES_A_PARAMETER, Mixture, fit_mixture
from lmi.estimators.densities.predictions import FEW_COLUMNS, Predict, best_predictor
from lmi.estimators.folds import Fold
from lmi.estimators.trust.thresholds import UNPREDICTED
from lmi.types import Context

COMPLEXITY = 60  # above kernel variates, below neural critics
COMPONENTS = (1, 2, 4, 8)
Known = tuple[Predict, Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class PredictiveVariates(Candidate):
    """Predictions of one side and a mixture of t densities of what is predicted and of its prediction.

    Where three columns or fewer matter to the prediction, they are also tried in its place: noise that changes with them
    is not in a prediction.

    Args:
        space: single columns, scaled: trees split columns, not components.
        of_y: whether y is predicted from x; otherwise x from y.
        context: seeds trees and starts.
    """

    space: Space
    of_y: bool
    context: Context

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return f"predictions of {'y from x' if self.of_y else 'x from y'}"

    def fit(self, folds: list[Fold]) -> FittedPredictiveVariates:
        """See ``Candidate``."""
        source, target = (self.space.x, self.space.y) if self.of_y else (self.space.y, self.space.x)
        fits: list[Known] = []
        alone: list[Known] = []
        for i, fold in enumerate(folds):
            rows = fold.fit[:FIT_SAMPLES]
            seed = self.context.derive("predictions", i) % 2**32
            predict, apart, _, matter = best_predictor(source[rows], target[rows], seed)
            fits.append((predict, apart, target[rows]))
            alone.append((partial(torch.index_select, dim=1, index=matter), source[rows][:, matter], target[rows]))
        narrow = all(0 < columns.shape[1] <= FEW_COLUMNS for _, columns, _ in alone)
        trials = [trial for tried in ([fits, alone] if narrow else [fits]) for trial in self._trials(folds, tried)]
        cross_fit, predictors, models = max(trials, key=lambda trial: trial[0].bound)
        traits = Traits(COMPLEXITY, exceeds_bound=True, costly=True, approximate=True)
        return FittedPredictiveVariates(self, self.name, traits, cross_fit, predictors, models, self.of_y, self.context)

    def _trials(self, folds: list[Fold], fits: list[Known]) -> Iterator[tuple[CrossFit, list[Predict], list[Mixture]]]:
        """Densities of more and more components of what stands for the source and of what it belongs to.

        Args:
            folds: what judges.
            fits: of each fold, the map of the source, what it makes of the rows that are fitted to, and the target there.
        """
        fewest = min(known.shape[0] for _, _, known in fits)
        least = SAMPLES_A_PARAMETER * (max(made.shape[1] + known.shape[1] for _, made, known in fits) + 1)
        predictors = [predict for predict, _, _ in fits]
        for count in (count for count in COMPONENTS if count == 1 or count * least <= fewest):
            models = []
            for i, (_, made, known) in enumerate(fits):
                generator = self.context.generator("predicted", count, i)
                models.append(fit_mixture(made, known, count, generator, iterations=100, tolerance=1e-4))
            critics = [self._critic(predict, model) for predict, model in zip(predictors, models, strict=True)]
            yield score_folds(self.space, folds, critics), predictors, models

    def _critic(self, predict: Predict, model: Mixture) -> Scores:
        if self.of_y:
            return lambda a, b: model.scores(predict(a), b)
        return lambda a, b: model.scores(predict(b), a).T


@dataclass(frozen=True, eq=False)
class FittedPredictiveVariates(FittedScores):
    """One predictor and one density a fold."""

    predictors: list[Predict]
    models: list[Mixture]
    of_y: bool
    context: Context

    def number(self) -> Number:
        """What neighbours say of fresh predictions and what they predict, or their density where it confirms more.

        Both are lower bounds, so the interval opens upwards. Predictions near two values cost neighbours more than the density.
        """
        space = self.cross_fit.space
        source, target = (space.x, space.y) if self.of_y else (space.y, space.x)

        def of_fold(predict: Predict) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
            return lambda rows: (predict(source[rows]), target[rows])

        variates = [of_fold(predict) for predict in self.predictors]
        number = neighbours_number(self.cross_fit, variates, self.models, self.context.child("predicted draws"))
        nats = max(number.nats, self.cross_fit.bound)
        return number._replace(nats=nats, above=UNPREDICTED * max(nats, 0.0))
