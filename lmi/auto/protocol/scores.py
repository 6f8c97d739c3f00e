"""A fitted candidate that is a way to score pairs and no density of the variables: what is the same for all of these."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.auto.protocol.candidate import CrossFit, FittedCandidate, Number
from lmi.auto.protocol.numbers import rival_density
from lmi.estimators.bounds.heldout import held_out_blocks, shuffled_bounds
from lmi.estimators.densities.mixture import Mixture
from lmi.evidence import Null
from lmi.types import Context


@dataclass(frozen=True, eq=False)
class FittedScores(FittedCandidate):
    """Its null is the bound of shuffled pairs, its density that of the best rival."""

    @abstractmethod
    def number(self) -> Number:
        """The estimate: neighbours, density ratio or bound."""

    def null(self, permutations: int, generator: torch.Generator) -> Null:
        """The bound of shuffled pairs."""
        return bound_null(self.cross_fit, permutations, generator)

    def density(self, rivals: Sequence[FittedCandidate], x: Tensor, y: Tensor, context: Context) -> Mixture:
        """That of the best rival, or one normal of x (n, dx) and y (n, dy); see ``FittedCandidate``."""
        return rival_density(self, rivals, x, y, context)

    @property
    def components(self) -> int:
        """None: it is no density of the variables themselves."""
        return 0

    @property
    def stand_in(self) -> FittedCandidate:
        """Itself."""
        return self


def bound_null(cross_fit: CrossFit, permutations: int, generator: torch.Generator) -> Null:
    """The held-out InfoNCE bound of the fitted scores under shuffled pairs, 0 at least.

    Scores that are sure of their pairs are as sure of wrong ones, and their bound of shuffled pairs lies far below 0. That says
    how strong the dependence is, and not what independence looks like: scores of 0, whose bound is 0, are granted to every
    shuffle.

    Args:
        cross_fit: the scores on fresh pairs.
        permutations: how many shuffles of each block of test pairs.
        generator: draws them.
    """
    tests = [fold.test[: cross_fit.most] for fold in cross_fit.folds]
    values = torch.zeros(permutations, dtype=torch.float64)
    for scores, test in zip(cross_fit.critics, tests, strict=True):
        for block, f in held_out_blocks(scores, cross_fit.space.x[test], cross_fit.space.y[test]):
            orders = [torch.randperm(block.numel(), generator=generator) for _ in range(permutations)]
            values += block.numel() * shuffled_bounds(f, "infonce", (1.0,), orders)[0]
    values = (values / sum(test.numel() for test in tests)).clamp(min=0.0)
    return Null(values, cross_fit.bound)
