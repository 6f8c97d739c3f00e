"""Independence: the candidate that says nothing is shared, unless many small correlations are plain together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.auto.candidates.normal import FittedNormal
from lmi.auto.protocol.candidate import Candidate, CrossFit, FittedCandidate, Number, Traits
from lmi.auto.spaces import Space
from lmi.estimators.bounds.heldout import HeldOut
from lmi.estimators.folds import Fold
from lmi.estimators.trust.thresholds import CLEAR_SIGNAL
from lmi.evidence import Null
from lmi.types import Context


@dataclass(frozen=True, eq=False)
class Independence(Candidate):
    """Nothing is shared.

    Args:
        space: where neighbours may look for what is shared nevertheless.
        normals: the fitted closed forms, whose parameters may be plain together where none is singly worth its cost.
    """

    space: Space
    normals: tuple[FittedNormal, ...]

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return "independence"

    def fit(self, folds: list[Fold]) -> FittedIndependence:
        """Nothing is fitted: all scores are 0."""
        zero = torch.zeros(self.space.num_samples, dtype=torch.float64)
        flat = [HeldOut(*(zero[fold.test] for _ in range(3))) for fold in folds]
        cross_fit = CrossFit(self.space, folds, [no_score for _ in folds], zero, flat)
        return FittedIndependence(self, self.name, Traits(0, linear=True, rises=False), cross_fit, self.normals)


def no_score(x: Tensor, y: Tensor) -> Tensor:
    """(n, m) zeros: every x goes with every y alike."""
    return torch.zeros(x.shape[0], y.shape[0], dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class FittedIndependence(FittedCandidate):
    """Zero, as far as n samples and the parameters of the closed form can tell."""

    normals: tuple[FittedNormal, ...]

    def number(self) -> Number:
        """0, give or take half of a nat per parameter and sample that a closed form would have needed."""
        n = self.cross_fit.space.counted
        return Number(0.0, max(1 / n, min([0.5 * normal.rank / n for normal in self.normals], default=1 / n)))

    def null(self, permutations: int, generator: torch.Generator) -> Null | None:
        """That of the last closed form."""
        return self.normals[-1].null(permutations, generator) if self.normals else None

    def density(self, rivals: Sequence[FittedCandidate], x: Tensor, y: Tensor, context: Context) -> None:
        """Shuffled pairs; see ``FittedCandidate``."""

    @property
    def components(self) -> int:
        """None."""
        return 0

    @property
    def stand_in(self) -> FittedCandidate:
        """The first closed form that independence would not reach by chance."""
        for normal in self.normals:
            form = normal.closed_form
            if form.deviations > CLEAR_SIGNAL and form.nats > 0:
                return normal
        return self
