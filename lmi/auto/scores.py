"""A fitted candidate that is a way to score pairs and no density of the variables: what is the same for all of these."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.auto.candidate import FittedCandidate, Number
from lmi.auto.nulls import bound_null
from lmi.auto.numbers import rival_density
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
