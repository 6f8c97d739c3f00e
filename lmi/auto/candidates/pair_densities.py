"""Densities in the plane, of columns that belong together: pairs that are not normal, in more columns than a density fits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from lmi.auto.protocol.candidate import EXACT_COMPONENTS, Candidate, Number, Traits, score_folds
from lmi.auto.protocol.numbers import FIT_SAMPLES, FITTING_ERROR
from lmi.auto.protocol.scores import FittedScores
from lmi.auto.spaces import Space
from lmi.estimators.columns import normal_scores
from lmi.estimators.densities.paired import Cuts, Paired, beside_pairs, fit_paired, matched
from lmi.estimators.densities.turns import AS_THEY_ARE, turns
from lmi.estimators.folds import Fold
from lmi.estimators.neighbors.residuals import redrawn, residual_ksg
from lmi.estimators.trust.by_pair import beyond_normal
from lmi.estimators.trust.normality import mardia
from lmi.estimators.trust.thresholds import (
    BESIDE_PAIRS,
    BY_COLUMN,
    LOWER_BOUND,
    NOT_NORMAL,
    RESIDUALS_IN_DOUBT,
    SIGNIFICANT,
)
from lmi.types import Context

COMPLEXITY = 30  # above mixtures, below kernel variates
ASKED = 2000  # rows that are asked whether pairs are more than normal
NEIGHBOURS = 10  # of residuals


def turns_to_pairs(space: Space, first: Fold, context: Context, always: bool = False) -> list[str]:
    """Names of the turns of both sides after which columns share nothing beside their pairs, and pairs more than a line.

    Where a side is not jointly normal after its ranks, pairs may be: the side is what densities of all columns get wrong.

    Args:
        space: single columns, scaled.
        first: fold, whose training samples are asked.
        context: draws normal pairs.
        always: whether pairs need not share more than a line.
    """
    rows = first.train[:FIT_SAMPLES]
    x, y = space.x[rows].double(), space.y[rows].double()
    is_bent = max(abs(score) for z in (x, y) for score in mardia(normal_scores(z))) > NOT_NORMAL
    names = []
    for name, turn in turns(x, y):
        u, v = x @ turn.x, y @ turn.y
        pairs = matched(u, v)
        if not pairs or beside_pairs(u, v, pairs) > BESIDE_PAIRS:
            continue
        of_x, of_y = (list(side) for side in zip(*pairs, strict=True))
        u, v = u[:ASKED, of_x], v[:ASKED, of_y]
        if always or is_bent or beyond_normal(u, v, context.generator("normal pairs")).deviations > BY_COLUMN:
            names.append(name)
    return names


@dataclass(frozen=True, eq=False)
class PairDensities(Candidate):
    """A mixture of t densities of each pair of columns, after the linear turn of both sides that fresh pairs like best.

    Args:
        space: single columns, scaled.
        names: turns that are tried.
        context: seeds starts and draws.
        cuts: of columns as they are, where values are set apart; no turn is then tried.
    """

    space: Space
    names: list[str]
    context: Context
    cuts: Cuts | None = None

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return "densities of pairs"

    def fit(self, folds: list[Fold]) -> FittedPairDensities:
        """See ``Candidate``."""
        models = {name: self._model(folds[0], name, 0) for name in self.names}
        bounds = {name: score_folds(self.space, folds[:1], [model.scores]).bound for name, model in models.items()}
        name = max(bounds, key=bounds.__getitem__)
        chosen = [models[name]] + [self._model(fold, name, i) for i, fold in enumerate(folds[1:], start=1)]
        cross_fit = score_folds(self.space, folds, [model.scores for model in chosen])
        # Turns are learned: from half of the samples they mix what belongs apart.
        traits = Traits(COMPLEXITY, rises=name != AS_THEY_ARE, exceeds_bound=True)
        return FittedPairDensities(self, f"{self.name} of {name}", traits, cross_fit, chosen, self.context)

    def _model(self, fold: Fold, name: str, index: int) -> Paired:
        rows = fold.train[:FIT_SAMPLES]
        tried = turns(self.space.x[rows].double(), self.space.y[rows].double())
        turn = next((turn for tried_name, turn in tried if tried_name == name), None)
        if turn is None:
            raise ValueError(f"{name} is no turn of these samples")
        generator = self.context.generator("pairs", name, index)
        return fit_paired(self.space.x, self.space.y, Fold(rows, fold.stop, fold.test), turn, generator, self.cuts)


@dataclass(frozen=True, eq=False)
class FittedPairDensities(FittedScores):
    """One turn and one set of densities a fold."""

    models: list[Paired]
    context: Context

    def number(self) -> Number:
        """The sum over pairs of the mean log ratio, corrected by residuals as on a line each.

        Of fresh samples I = E[log q(y | x) / q(y)] + I(u; X) + D(u) - D(w) holds for any q. Where that correction is not
        sure and the density is simple, the mean over seen and fresh samples stands instead, and the interval reaches up to what
        all of these corrections together would have said, if that is sure.
        """
        x, y = self.cross_fit.space.x, self.cross_fit.space.y
        nats = correction = variance = apart = mixed = unsure = doubted = 0.0
        ratios = []
        for i, (fold, paired) in enumerate(zip(self.cross_fit.folds, self.models, strict=True)):
            generator = self.context.generator("quantiles of pairs", i)
            share = fold.test.numel() / x.shape[0]
            ratio = torch.zeros(fold.test.numel(), dtype=torch.float64)
            for pair, model in zip(paired.variates(x, y), paired.models, strict=True):
                u, v = redrawn(torch.cat(pair, 1), generator).split(1, 1)
                fresh, seen = (model.ratio(u[rows], v[rows]) for rows in (fold.test, fold.fit))
                ratio += fresh
                held = residual_ksg(u[fold.test], v[fold.test], model, NEIGHBOURS)
                if model.centres.shape[0] <= EXACT_COMPONENTS and abs(held.correction) < SIGNIFICANT * held.noise:
                    learned = float(seen.mean() - fresh.mean())
                    nats += share * (float(fresh.mean()) + 0.5 * learned)
                    apart += share * learned
                    unsure += share * (held.correction - 0.5 * learned)
                    doubted += (share * held.noise) ** 2
                else:
                    nats += share * held.nats
                    correction += share * held.correction
                    variance += (share * held.noise) ** 2
                    mixed += share * held.nats
            ratios.append(ratio)
        every = torch.cat(ratios)
        sampling = math.sqrt(float(every.var()) / x.shape[0] + variance)
        error = math.hypot(sampling, RESIDUALS_IN_DOUBT * correction, FITTING_ERROR * apart)
        # What is faint in each of twenty pairs may be plain in all of them.
        lacks = unsure if unsure > SIGNIFICANT * math.sqrt(doubted) else 0.0
        return Number(nats, error, sampling, above=max(LOWER_BOUND * mixed, lacks, 0.0))
