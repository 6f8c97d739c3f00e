"""Cross-fitted predictions of a narrow side from the other: interactions, products, steps, links of a line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from lmi.auto.protocol.candidate import Candidate, Number, Traits, score_folds
from lmi.auto.protocol.numbers import FIT_SAMPLES, bound_number, neighbours_number
from lmi.auto.protocol.scores import FittedScores
from lmi.auto.spaces import Space
from lmi.estimators.bounds.heldout import Scores
from lmi.estimators.columns import jitter_ties, normal_scores
from lmi.estimators.densities.mixture import SAMPLES_A_PARAMETER, Mixture, fit_mixture
from lmi.estimators.densities.predictions import (
    FEW_COLUMNS,
    Kind,
    Predict,
    best_kind,
    fit_regression,
    predicted_columns,
)
from lmi.estimators.folds import Fold
from lmi.estimators.gaussian.debiased import closed_form
from lmi.estimators.trust.plain_thresholds import PREDICTED_LINE, UNPREDICTED_TOGETHER
from lmi.estimators.trust.thresholds import CLIMB_GAIN, FULL_RANK, KSG_DIMENSIONS, PREDICTED, UNPREDICTED
from lmi.estimators.trust.uncertainty import Z_90
from lmi.types import Context

COMPLEXITY = 60  # above kernel variates, below neural critics
COMPONENTS = (1, 2, 4, 8)
LINE: Kind = "linear"
CLIMB_FROM = 4  # components, from which on densities that gain nothing end the climb
Known = tuple[Predict, Tensor, Tensor]
Way = Callable[[int], Known]


@dataclass(frozen=True, eq=False)
class PredictiveVariates(Candidate):
    """Predictions of one side and a mixture of t densities of what is predicted and of its prediction.

    Where three columns or fewer matter to the prediction, they are also tried in its place: noise that changes with them
    is not in a prediction.

    Args:
        space: single columns, scaled: trees split columns, not components.
        of_y: whether y is predicted from x; otherwise x from y.
        context: seeds trees and starts.
        left_out: nats that columns which are not in the space are known to share.
        linear: whether a line alone predicts, from columns too many for their products.
    """

    space: Space
    of_y: bool
    context: Context
    left_out: float = 0.0
    linear: bool = False

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return f"{'linear ' if self.linear else ''}predictions of {'y from x' if self.of_y else 'x from y'}"

    def fit(self, folds: list[Fold]) -> FittedPredictiveVariates:
        """See ``Candidate``."""
        source, target = (self.space.x, self.space.y) if self.of_y else (self.space.y, self.space.x)
        rows = [fold.fit[:FIT_SAMPLES] for fold in folds]
        seeds = [self.context.derive("predictions", i) % 2**32 for i in range(len(folds))]
        # One fold chooses for all: a choice costs several times what a fit does.
        predicts = torch.arange(target.shape[1])
        if self.linear:
            kind, columns, matter = LINE, torch.arange(source.shape[1]), torch.arange(0)
        else:
            if target.shape[1] > PREDICTED:
                predicts = predicted_columns(source[rows[0]], target[rows[0]], seeds[0])
                target = target[:, predicts]
            kind, columns, matter = best_kind(source[rows[0]], target[rows[0]], seeds[0])

        def predicted(i: int) -> Known:
            x, y = source[rows[i]][:, columns], target[rows[i]]
            fit = fit_regression(x, y, kind, seeds[i])
            return lambda a: fit.predict(a[:, columns]), fit.apart, y

        def themselves(i: int) -> Known:
            return partial(torch.index_select, dim=1, index=matter), source[rows[i]][:, matter], target[rows[i]]

        ways = [predicted, themselves] if 0 < matter.numel() <= FEW_COLUMNS else [predicted]
        fewest = min(fit_rows.numel() for fit_rows in rows)
        trials = [trial for way in ways for trial in self._trials(folds[0], way, fewest, predicts)]
        _, way, count, known, model = max(trials, key=lambda trial: trial[0])
        fits = [known] + [way(i) for i in range(1, len(folds))]
        models = [model] + [self._density(fit, count, i) for i, fit in enumerate(fits[1:], start=1)]
        predictors = [predict for predict, _, _ in fits]
        critics = [self._critic(predict, model, predicts) for predict, model in zip(predictors, models, strict=True)]
        cross_fit = score_folds(self.space, folds, critics)
        # Of more than two columns it is the bound of a density, which a critic may add to.
        margin = PREDICTED_LINE if self.space.columns == 2 else 0.0
        costly = predicts.numel() <= PREDICTED
        traits = Traits(COMPLEXITY, margin=margin, exceeds_bound=True, costly=costly, approximate=True)
        return FittedPredictiveVariates(self, self.name, traits, cross_fit, predictors, models, predicts)

    def _trials(
        self, first: Fold, way: Way, fewest: int, predicts: Tensor
    ) -> Iterator[tuple[float, Way, int, Known, Mixture]]:
        """Densities of more and more components of what stands for the source and of what it belongs to, while they gain.

        Args:
            first: the fold that they are fitted on and judged by.
            way: of a fold, the map of the source, what it makes of the rows that are fitted to, and the target there.
            fewest: rows that any fold fits to.
            predicts: columns of the target.

        Yields:
            The bound on fresh pairs, what was given, the number of components and what was fitted.
        """
        known = way(0)
        least = SAMPLES_A_PARAMETER * (known[1].shape[1] + known[2].shape[1] + 1)
        best = -math.inf
        for count in (count for count in COMPONENTS if count == 1 or count * least <= fewest):
            model = self._density(known, count, 0)
            bound = score_folds(self.space, [first], [self._critic(known[0], model, predicts)]).bound
            yield bound, way, count, known, model
            if count >= CLIMB_FROM and bound < best + CLIMB_GAIN:
                return
            best = max(best, bound)

    def _density(self, known: Known, count: int, fold: int) -> Mixture:
        """A mixture of so many t densities of what a fold knows."""
        generator = self.context.generator("predicted", count, fold)
        return fit_mixture(known[1], known[2], count, generator, iterations=100, tolerance=1e-4)

    def _critic(self, predict: Predict, model: Mixture, predicts: Tensor) -> Scores:
        if self.of_y:
            return lambda a, b: model.scores(predict(a), b[:, predicts])
        return lambda a, b: model.scores(predict(b), a[:, predicts]).T


@dataclass(frozen=True, eq=False)
class FittedPredictiveVariates(FittedScores):
    """One predictor and one density a fold."""

    candidate: PredictiveVariates
    predictors: list[Predict]
    models: list[Mixture]
    predicts: Tensor

    def number(self) -> Number:
        """What neighbours say of fresh predictions and what they predict, or their density where it confirms more.

        Both are lower bounds, so the interval opens upwards. Predictions near two values cost neighbours more than the density.
        Trees of one column predict some seventy values for hundreds of rows, and neighbours find up to .1 nats too much where
        values are tied: ties are spread. On a spiral they find .04 too much as well: the interval reaches down to the bound.
        """
        asked, space = self.candidate, self.cross_fit.space
        source, target = (space.x, space.y) if asked.of_y else (space.y, space.x)
        target = target[:, self.predicts]

        def of_fold(predict: Predict, i: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
            generator = asked.context.generator("spread predictions", i)
            return lambda rows: (jitter_ties(predict(source[rows]), generator), target[rows])

        if 2 * target.shape[1] > KSG_DIMENSIONS:
            number = bound_number(self.cross_fit, 0.0)
        else:
            variates = [of_fold(predict, i) for i, predict in enumerate(self.predictors)]
            number = neighbours_number(
                self.cross_fit, variates, self.models, asked.context.child("predicted draws"), alike=True
            )
        bound = self.cross_fit.bound
        nats = max(number.nats, bound)
        below = max(nats - Z_90 * number.error - bound, 0.0)
        lacks = UNPREDICTED if self.predicts.numel() <= PREDICTED else UNPREDICTED_TOGETHER
        above = lacks * max(nats, 0.0) + asked.left_out
        if asked.linear:
            lost = self._lost_by_fitting(source, target)
            nats, above = nats + lost, above + lost
            number = number._replace(error=math.hypot(number.error, 0.5 * lost))
        return number._replace(nats=nats, above=above, below=below)

    def _lost_by_fitting(self, source: Tensor, target: Tensor) -> float:
        """Nats that the closed form of all columns, whose bias is exact, finds beyond that of fresh predictions.

        A line through d columns that m samples fitted predicts fresh ones worse than the best line does.

        Args:
            source: (n, d).
            target: (n, k).
        """
        n, d = source.shape
        if d + target.shape[1] > FULL_RANK * n:
            return 0.0
        fresh = torch.empty_like(target)
        for fold, predict in zip(self.cross_fit.folds, self.predictors, strict=True):
            fresh[fold.test] = predict(source[fold.test])
        scores = normal_scores(target)
        best = closed_form(normal_scores(source), scores, d, n).nats
        return max(best - closed_form(normal_scores(fresh), scores, target.shape[1], n).nats, 0.0)
