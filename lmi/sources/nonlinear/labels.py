"""Labels and tables: classes that depend on several columns at once, and tables of many cells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import torch
from pydantic import Field

from lmi.arguments import sample_count
from lmi.sources.integrals import mean_of_draws
from lmi.types import NATS_PER_BIT, Pairs


@dataclass(frozen=True)
class LabelsAndTables:
    """A fair label of x's first columns that is turned over now and then, I = log 2 - H(flip); or a table of levels.

    Args:
        kind: ``xor``: whether x1 x2 is above 0. ``radius``: whether the sum of the squares of the first five columns
            is above its median. ``table``: both sides have ``dim`` levels, p(i, j) prop. to exp(4 cos(2 pi (i - j) /
            dim)); I is a sum over cells. ``argmax``: which of 2 x_j + Gumbel noise is largest: p(label | x) is a softmax
            and I = log dim + E sum_j p_j log p_j, over draws.
        dim: columns of x, or levels.
        flip: probability that a label is turned over.

    >>> round(LabelsAndTables("xor", 20, 0.0).truth, 4)
    0.6931
    """

    kind: Literal["xor", "radius", "table", "argmax"] = "xor"
    dim: Annotated[int, Field(ge=2)] = 20
    flip: Annotated[float, Field(ge=0, lt=0.5)] = 0.05

    @property
    def table(self) -> torch.Tensor:
        """(dim, dim) probabilities of the cells."""
        level = torch.arange(self.dim, dtype=torch.float64)
        cells = torch.exp(4 * torch.cos(2 * math.pi * (level[:, None] - level) / self.dim))
        return cells / cells.sum()

    @property
    def truth(self) -> float:
        """I(X; Y), nats."""
        if self.kind == "table":
            return float((self.table * (self.table * self.dim**2).log()).sum())
        if self.kind == "argmax":
            return softmax_information(self.dim)
        entropy = sum(-p * math.log(p) for p in (self.flip, 1 - self.flip) if p > 0)
        return NATS_PER_BIT - entropy

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs; y is one column of numbers that name classes.

        Raises:
            ValueError: where no number is given, or x has too few columns.
        """
        from scipy.special import chdtri

        num_samples = sample_count(num_samples)
        if self.kind == "table":
            cell = torch.multinomial(self.table.flatten(), num_samples, replacement=True, generator=generator)
            return Pairs((cell // self.dim)[:, None].double(), (cell % self.dim)[:, None].double(), self.truth)
        if self.kind == "radius" and self.dim < 5:
            raise ValueError(f"radius takes 5 columns; got dim={self.dim}")
        x = torch.randn(num_samples, self.dim, generator=generator, dtype=torch.float64)
        if self.kind == "argmax":
            noise = -torch.empty_like(x).exponential_(generator=generator).log()
            return Pairs(x, (2 * x + noise).argmax(1, keepdim=True).double(), self.truth)
        if self.kind == "xor":
            label = x[:, 0] * x[:, 1] > 0
        else:
            label = x[:, :5].square().sum(1) > float(chdtri(5, 0.5))
        label = label ^ (torch.rand(num_samples, generator=generator) < self.flip)
        return Pairs(x, label.double()[:, None], self.truth)


@lru_cache(maxsize=8)
def softmax_information(dim: int) -> float:
    """log dim + E sum p log p of p = softmax(2 x), x normal in ``dim`` columns, nats."""

    def terms(count: int, generator: torch.Generator) -> torch.Tensor:
        logs = (2 * torch.randn(count, dim, generator=generator, dtype=torch.float64)).log_softmax(1)
        return math.log(dim) + (logs.exp() * logs).sum(1)

    return mean_of_draws(terms, 0)
