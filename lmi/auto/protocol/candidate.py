"""The protocol of a candidate: a way to score pairs, fitted on folds, that gives its own number, null and density.

A ``Candidate`` holds a space and its settings. ``fit`` gives a ``FittedCandidate``, which is judged by held-out bounds.
Nobody asks of what kind it is: what matters to the choice and to the verdict stands in its ``Traits``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from lmi.auto.spaces import Space
from lmi.estimators.bounds.heldout import HeldOut, Scores, held_out
from lmi.estimators.densities.mixture import Mixture
from lmi.estimators.folds import Fold
from lmi.estimators.trust.uncertainty import Z_90
from lmi.evidence import Null
from lmi.types import Context

HELD_OUT_SAMPLES = 2000  # of a fold's test part, on which its scores are judged
EXACT_COMPONENTS = 2  # a mixture of more is only an approximation
SEEN_SAMPLES = 1000  # of a fold's training part, on which the same bound shows how much was learned by heart


class Number(NamedTuple):
    """An estimate in nats, with what its interval is made of.

    Args:
        nats: the estimate.
        error: its standard error.
        sampling: the part of the error that is sampling alone.
        above: how much further up the interval reaches, for what may be missing.
        below: how much further down, for what may be too much.
    """

    nats: float
    error: float
    sampling: float = 0.0
    above: float = 0.0
    below: float = 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """90%: 1.645 standard errors a side, and what may be missing or too much."""
        return self.nats - Z_90 * self.error - self.below, self.nats + Z_90 * self.error + self.above


@dataclass(frozen=True)
class Traits:
    """What the choice and the verdict have to know of a candidate.

    Args:
        complexity: candidates are compared in this order, and a more complex one must win clearly.
        margin: share of the rival's bound by which it must win on top of that.
        bounded: whether n samples limit what it can say; a covariance says more.
        linear: whether its number is right only if nothing but a line, or nothing at all, ties the sides together.
        learned: whether what it finds beyond all others is only a part of what is there.
        rises: whether its bound may still rise with more samples, so that halves of them are asked.
        exceeds_bound: whether its number is measured in fresh pairs and may exceed its held-out bound by much.
        expected_loss: nats by which its held-out bound lies below its number for want of samples, as is known beforehand.
        blurred: share of its bound that its scores may lose by chance draws, by which a rival must win on top.
        costly: whether its scores take too long to be what a network adds to.
        approximate: whether it sees the variables through something that may lose information: a lower bound.
    """

    complexity: float
    margin: float = 0.0
    bounded: bool = True
    linear: bool = False
    learned: bool = False
    rises: bool = True
    exceeds_bound: bool = False
    expected_loss: float = 0.0
    blurred: float = 0.0
    costly: bool = False
    approximate: bool = False


@dataclass(frozen=True, eq=False)
class CrossFit:
    """Scores fitted on each fold, and what they find in the pairs that the fold held out.

    Args:
        space: where the scores live.
        folds: what was fitted on, and what judges.
        critics: the fitted scores of each fold.
        terms: (n,) held-out InfoNCE terms, nats, NaN where not judged: what candidates are compared by.
        held_out: each fold's bounds on fresh pairs.
        most: pairs of each fold that were judged.
    """

    space: Space
    folds: list[Fold]
    critics: list[Scores]
    terms: Tensor
    held_out: list[HeldOut]
    most: int = HELD_OUT_SAMPLES

    @property
    def bound(self) -> float:
        """Held-out InfoNCE, nats: at most the log of the block."""
        return float(self.terms.nanmean())

    @property
    def dv(self) -> float:
        """Held-out Donsker-Varadhan, nats."""
        return float(torch.cat([fold.dv for fold in self.held_out]).mean())

    @property
    def log_ratio(self) -> Tensor:
        """(m,) held-out log density ratios, nats."""
        return torch.cat([fold.log_ratio for fold in self.held_out])

    def optimism(self) -> float:
        """The mean bound on the training part minus the mean on fresh pairs, nats."""
        total = 0.0
        for fold, scores, fresh in zip(self.folds, self.critics, self.held_out, strict=True):
            seen = fold.fit[:SEEN_SAMPLES]
            total += float(
                held_out(scores, self.space.x[seen], self.space.y[seen]).infonce.mean() - fresh.infonce.mean()
            )
        return total / len(self.folds)


def score_folds(space: Space, folds: list[Fold], critics: list[Scores], most: int = HELD_OUT_SAMPLES) -> CrossFit:
    """The held-out terms of each fold's critic on the fold's own test part.

    Args:
        space: where the scores live.
        folds: what was fitted on, and what judges.
        critics: the fitted scores of each fold.
        most: pairs of a fold that are judged.
    """
    terms = torch.full((space.num_samples,), torch.nan, dtype=torch.float64)
    bounds = []
    for fold, scores in zip(folds, critics, strict=True):
        test = fold.test[:most]
        bounds.append(held_out(scores, space.x[test], space.y[test]))
        terms[test] = bounds[-1].infonce
    return CrossFit(space, folds, critics, terms, bounds, most)


@dataclass(frozen=True, eq=False)
class FittedCandidate(ABC):
    """A candidate that was fitted on folds.

    Args:
        candidate: what was fitted; ``candidate.fit`` fits it to other folds.
        name: what it is, in words.
        traits: what the choice and the verdict have to know.
        cross_fit: its scores, fitted on each fold, and what they say of fresh pairs.
        base: the candidate that it adds to, for scores on top of others'.
    """

    candidate: Candidate
    name: str
    traits: Traits
    cross_fit: CrossFit
    base: FittedCandidate | None = field(default=None, kw_only=True)

    @property
    def bound(self) -> float:
        """Held-out InfoNCE, nats."""
        return self.cross_fit.bound

    @abstractmethod
    def number(self) -> Number:
        """The estimate, debiased as it can be: closed form, density, neighbours or bound."""

    @abstractmethod
    def null(self, permutations: int, generator: torch.Generator) -> Null | None:
        """What it says of shuffled pairs; ``None`` where it has nothing to measure dependence by."""

    @abstractmethod
    def density(self, rivals: Sequence[FittedCandidate], x: Tensor, y: Tensor, context: Context) -> Mixture | None:
        """A density like the candidate's of the pairs x (n, dx), y (n, dy), for the control variate; ``None`` is independence.

        Asked in few dimensions only, where densities are fitted to the variables themselves.

        Args:
            rivals: all fitted candidates.
            x: (n, dx) the pairs.
            y: (n, dy).
            context: seeds the fit.
        """

    @property
    @abstractmethod
    def components(self) -> int:
        """How many t components its own density of the variables has; 0 for none."""

    def with_twice_as_many(self, candidates: Sequence[FittedCandidate]) -> Sequence[FittedCandidate]:
        """Those of twice as many densities of the same columns; of none where it has none."""
        twice, space = 2 * self.components, self.cross_fit.space
        return [c for c in candidates if twice and c.components == twice and c.cross_fit.space is space]

    @property
    @abstractmethod
    def stand_in(self) -> FittedCandidate:
        """The candidate whose number stands for this one: itself, where nothing else is evident."""


class Candidate(ABC):
    """A way to score pairs in a space, not fitted yet."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is, in words, for the case that it cannot be fitted."""

    @abstractmethod
    def fit(self, folds: list[Fold]) -> FittedCandidate:
        """Fit it on every fold.

        Raises:
            ValueError: where the samples are too few for it, or the fit failed.
        """
