"""The normal closed form, on as many principal components as fresh pairs find useful."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.auto.protocol.candidate import Candidate, FittedCandidate, Number, Traits, score_folds
from lmi.auto.spaces import Space
from lmi.estimators.bounds.heldout import Scores
from lmi.estimators.densities.mixture import Mixture, fit_mixture
from lmi.estimators.folds import Fold
from lmi.estimators.gaussian.canonical import canonical_fit, gaussian_bias
from lmi.estimators.gaussian.debiased import ClosedForm, closed_form
from lmi.estimators.gaussian.linear import RANKS, fit_linear
from lmi.estimators.trust.row_order import random_orders
from lmi.estimators.trust.thresholds import DETERMINED
from lmi.evidence import Null
from lmi.types import Context

SAMPLES_A_COMPONENT = 4  # of each fold's training part


@dataclass(frozen=True, eq=False)
class Normal(Candidate):
    """Jointly normal components of ``space``; their number is chosen by fresh pairs unless there are few columns.

    Args:
        space: where it is fitted.
        low_dimensional: whether all columns are used as they are.
        approximate: whether the space leaves out columns that may share something.
    """

    space: Space
    low_dimensional: bool
    approximate: bool = False

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return f"normal on {self.space.name}"

    def fit(self, folds: list[Fold]) -> FittedNormal:
        """See ``Candidate``.

        Raises:
            ValueError: where a direction of one side determines one of the other.
        """
        x, y = self.space.x, self.space.y
        trials = [(rank, score_folds(self.space, folds, self._critics(folds, rank))) for rank in self._ranks(folds)]
        rank, cross_fit = max(trials, key=lambda trial: trial[1].bound)
        if float(canonical_fit(x[:, :rank], y[:, :rank]).correlations[0]) > DETERMINED:
            raise ValueError("x and y have a common part, to which the normal closed form gives infinitely many nats")
        name = self.name if self.low_dimensional else f"{self.name} ({rank} components)"
        loss = gaussian_bias(folds[0].fit.numel(), rank, rank)
        approximate = self.approximate or self.space.coarse
        traits = Traits(1, bounded=False, linear=True, rises=False, expected_loss=loss, approximate=approximate)
        return FittedNormal(self, name, traits, cross_fit, rank)

    def _critics(self, folds: list[Fold], rank: int) -> list[Scores]:
        x, y = self.space.x, self.space.y
        return [fit_linear(x[fold.fit], y[fold.fit], rank).scores for fold in folds]

    def _ranks(self, folds: list[Fold]) -> list[int]:
        narrow, wide = sorted((self.space.x.shape[1], self.space.y.shape[1]))
        smallest = min(fold.fit.numel() for fold in folds)
        ranks = {wide} if self.low_dimensional else {min(rank, wide) for rank in (*RANKS, wide)}
        return [rank for rank in sorted(ranks) if SAMPLES_A_COMPONENT * rank < smallest] or [narrow]


@dataclass(frozen=True, eq=False)
class FittedNormal(FittedCandidate):
    """The closed form of ``rank`` components a side."""

    rank: int

    @property
    def closed_form(self) -> ClosedForm:
        """The debiased closed form on all samples."""
        space = self.cross_fit.space
        return closed_form(space.x, space.y, self.rank, space.counted)

    def number(self) -> Number:
        """The debiased closed form."""
        return Number(*self.closed_form[:2])

    def null(self, permutations: int, generator: torch.Generator) -> Null:
        """The closed form of shuffled pairs."""
        return self.null_of(random_orders(self.cross_fit.space.num_samples, permutations, generator))

    def null_of(self, orders: list[Tensor]) -> Null:
        """The closed form of pairs in these orders (n,) of y's rows."""
        space = self.cross_fit.space
        values = [closed_form(space.x, space.y[order], self.rank, space.counted).nats for order in orders]
        return Null(torch.tensor(values, dtype=torch.float64), self.closed_form.nats)

    def density(self, rivals: Sequence[FittedCandidate], x: Tensor, y: Tensor, context: Context) -> Mixture:
        """One normal; see ``FittedCandidate``."""
        return fit_mixture(x, y, 1, context.generator("ksg draws"), heavy=False)

    @property
    def components(self) -> int:
        """None of t shape."""
        return 0

    @property
    def stand_in(self) -> FittedCandidate:
        """Itself."""
        return self
