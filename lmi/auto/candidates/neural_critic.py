"""A neural critic that learns what to add to the best of the others."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from lmi.auto.protocol.candidate import HELD_OUT_SAMPLES, Candidate, FittedCandidate, Number, Traits, score_folds
from lmi.auto.protocol.numbers import bound_number
from lmi.auto.protocol.scores import FittedScores
from lmi.auto.spaces import Space
from lmi.estimators.bounds.heldout import Scores, held_out
from lmi.estimators.folds import Fold
from lmi.estimators.trust.thresholds import NEURAL_MARGIN
from lmi.neural.critic import CriticSettings, fit_critic
from lmi.types import Context

COMPLEXITY = 100  # above that of any density
FACTORS = (0.3, 0.5, 0.65, 0.8, 0.9, 1.0, 1.1)  # that over-confident scores are tried with


@dataclass(frozen=True, eq=False)
class NeuralCritic(Candidate):
    """A network's scores, added to those of ``base`` where there is one.

    Args:
        space: where it is fitted.
        base: the candidate whose scores it adds to, fitted; ``None`` for a network alone.
        settings: of the network and its fit.
        context: seeds weights and batches.
    """

    space: Space
    base: FittedCandidate | None
    settings: CriticSettings
    context: Context

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return f"neural critic on {self.space.name}" + (f" over {self.base.name}" if self.base else "")

    def fit(self, folds: list[Fold]) -> FittedNeuralCritic:
        """See ``Candidate``. On other folds than the base's, the base is fitted again too.

        Where the first fold's network gains too little to be chosen, the base's scores stand for all: a network a fold is
        most of what an estimate costs.
        """
        base = self.base
        if base is not None and base.cross_fit.folds is not folds:
            base = base.candidate.fit(folds)
        below = [None] * len(folds) if base is None else base.cross_fit.critics
        critics = [self._critic(folds[0], below[0], 0)]
        if base is not None and not self._promises(folds[0], critics[0], base):
            critics = base.cross_fit.critics
        else:
            rest = zip(folds[1:], below[1:], strict=True)
            critics += [self._critic(fold, scores, i) for i, (fold, scores) in enumerate(rest, start=1)]
        traits = Traits(COMPLEXITY, margin=NEURAL_MARGIN, learned=True, approximate=True)
        return FittedNeuralCritic(self, self.name, traits, score_folds(self.space, folds, critics), base=base)

    def _promises(self, fold: Fold, scores: Scores, base: FittedCandidate) -> bool:
        """Whether the first fold's fresh pairs gain half of what all folds together must."""
        test = fold.test[:HELD_OUT_SAMPLES]
        bound = float(held_out(scores, self.space.x[test], self.space.y[test]).infonce.mean())
        before = float(base.cross_fit.terms[test].nanmean())
        return bound - before > 0.5 * NEURAL_MARGIN * before

    def _critic(self, fold: Fold, below: Scores | None, index: int) -> Scores:
        x, y = self.space.x, self.space.y
        scale_x, scale_y = x.std(0).max(), y.std(0).max()

        def base_scores(a: Tensor, b: Tensor) -> Tensor:
            # The base sees the samples in their own scale, the network in unit scale.
            assert below is not None
            return below(a * scale_x, b * scale_y)

        train, stop = ((x[rows] / scale_x, y[rows] / scale_y) for rows in (fold.train, fold.stop))
        context = self.context.child("neural", index)
        network, _ = fit_critic(train, stop, "infonce", self.settings, context, base_scores if below else None)

        def scores(a: Tensor, b: Tensor) -> Tensor:
            added = network.scores(a / scale_x, b / scale_y)
            return added if below is None else added + below(a, b)

        factor = calibration(scores, x[fold.stop], y[fold.stop])
        return lambda a, b: factor * scores(a, b)


def calibration(scores: Scores, x: Tensor, y: Tensor) -> float:
    """The factor on the scores that makes the bound on pairs x (n, dx), y (n, dy) largest."""
    f = scores(x, y)
    return max(FACTORS, key=lambda factor: float(held_out(lambda a, b: factor * f, x, y).dv.mean()))


@dataclass(frozen=True, eq=False)
class FittedNeuralCritic(FittedScores):
    """One network a fold, on top of ``base``."""

    def number(self) -> Number:
        """The base's number plus what the network gains on fresh pairs; the bound where the base gives none to add to.

        What a network remembers of its training part says nothing about fresh pairs; what its base lost to fitting does. A
        closed form that a network improves on is not exact, and may say too much: the interval reaches down to the bound.
        """
        if self.base is None or self.base.traits.exceeds_bound:
            return bound_number(self.cross_fit, self.base.cross_fit.optimism() if self.base else 0.0)
        number = self.base.number()
        gain = (self.cross_fit.terms - self.base.cross_fit.terms)[~self.cross_fit.terms.isnan()]
        nats = number.nats + float(gain.mean())
        error = math.hypot(number.error, float(gain.std()) / gain.numel() ** 0.5)
        unconfirmed = nats - self.bound - self.traits.expected_loss if self.base.traits.linear else 0.0
        return Number(nats, error, below=max(unconfirmed, 0.0))
