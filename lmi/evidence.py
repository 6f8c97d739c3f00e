"""What an estimate says for and against itself: the null of shuffled pairs, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

MOST_PERMUTATIONS = 100_000  # p-values down to 1e-5; a billion would not end, and its null alone would take 8 GB
Permutations = Annotated[int, Field(ge=0, le=MOST_PERMUTATIONS)]


@dataclass(frozen=True, eq=False)
class Null:
    """What the estimator says of the same samples when the pairing is shuffled.

    Args:
        nats: (r,) estimates under r permutations.
        observed: the estimate on the true pairing, nats.

    >>> null = Null(torch.tensor([0.0, 0.1, -0.1]), observed=0.5)
    >>> round(null.mean, 3), round(null.p_value, 3)
    (0.0, 0.25)
    """

    nats: Tensor
    observed: float

    @property
    def mean(self) -> float:
        """Mean over permutations, nats: what independence looks like to the estimator."""
        return float(self.nats.mean())

    @property
    def high(self) -> float:
        """95th percentile over permutations, nats."""
        return float(torch.quantile(self.nats.double(), 0.95))

    @property
    def p_value(self) -> float:
        """(1 + #{null >= observed}) / (1 + r), which is never zero."""
        return (1 + int((self.nats >= self.observed).sum())) / (1 + self.nats.numel())


Level = Literal["reliable", "doubtful", "abstain"]


@dataclass(frozen=True)
class Verdict:
    """How far an estimate can be trusted.

    Args:
        level: ``reliable``; ``doubtful``, for the reasons given; ``abstain``, where the number should not be used.
        reasons: in words.
    """

    level: Level
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.level + "".join(f"; {reason}" for reason in self.reasons)
