"""Dropout: columns that share normal factors, each value replaced by zero by chance, as in single-cell counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field

from lmi.arguments import sample_count
from lmi.types import Pairs


@dataclass(frozen=True)
class PresentColumns:
    """exp of normal columns, zero where a value is missing by chance, and nothing else is zero.

    What is missing is seen and tells nothing, so I is the mean over patterns of the closed form of the columns
    present. With one factor, k columns of loading a tell of it what one of squared correlation s_k / (1 + s_k), s_k =
    k a^2 / (1 - a^2), does, so I = sum_kl B(k) B(l) -1/2 log(1 - s_k s_l / ((1 + s_k) (1 + s_l))) with B binomial.
    Pairs of columns: d q^2 -1/2 log(1 - a^4).

    Args:
        dim: columns of each side.
        loading: a, correlation of each column with its factor.
        missing: probability of a zero.
        one_factor: whether all columns share one factor; else each pair of columns has its own.

    >>> round(PresentColumns(1, 0.5**0.5, 0.0).truth, 4) == round(-0.5 * math.log(0.75), 4)
    True
    """

    dim: Annotated[int, Field(ge=1)] = 10
    loading: Annotated[float, Field(gt=0, lt=1)] = 0.8
    missing: Annotated[float, Field(ge=0, lt=1)] = 0.4
    one_factor: bool = True

    @property
    def truth(self) -> float:
        """I(X; Y), nats."""
        d, q = self.dim, 1 - self.missing
        if not self.one_factor:
            return d * q**2 * -0.5 * math.log(1 - self.loading**4)
        signal = self.loading**2 / (1 - self.loading**2)
        known = [k * signal / (1 + k * signal) for k in range(d + 1)]
        chance = [math.comb(d, k) * q**k * (1 - q) ** (d - k) for k in range(d + 1)]
        return sum(
            p * r * -0.5 * math.log(1 - a * b)
            for p, a in zip(chance, known, strict=True)
            for r, b in zip(chance, known, strict=True)
        )

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs.

        Raises:
            ValueError: where no number is given.
        """
        num_samples = sample_count(num_samples)
        factors = torch.randn(num_samples, 1 if self.one_factor else self.dim, generator=generator, dtype=torch.float64)
        sides = []
        for _ in range(2):
            e = torch.randn(num_samples, self.dim, generator=generator, dtype=torch.float64)
            values = torch.exp(self.loading * factors + math.sqrt(1 - self.loading**2) * e)
            there = torch.rand(num_samples, self.dim, generator=generator, dtype=torch.float64) >= self.missing
            sides.append(values * there)
        return Pairs(sides[0], sides[1], self.truth)
