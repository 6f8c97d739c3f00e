"""Hundreds of columns of which a few products tell something about the other side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.types import Pairs

NODES = 1601  # of the grid over x_b


@dataclass(frozen=True)
class Interactions:
    """x: independent normal columns; of y, ``count`` columns are products of two columns of x plus noise, the rest is noise.

    y_j = x_a x_b + noise * e with pairs (a, b) that share no column, so that the terms are independent and I(X; Y) is their
    sum, ``count`` (h(y_j) - h(noise * e)). Given x_b, y_j is normal with variance x_b^2 + noise^2: its density is an average
    over x_b, its entropy an integral on a line. Every column of y is uncorrelated with every one of x.

    Args:
        columns: of each side.
        count: of products.
        noise: standard deviation of the noise that is added to a product.

    >>> pairs = Interactions(columns=20, count=2).sample(6, torch.Generator().manual_seed(0))
    >>> pairs.x.shape, round(Interactions(count=2).truth() / Interactions(count=1).truth(), 6)
    (torch.Size([6, 20]), 2.0)
    """

    columns: Annotated[int, Field(ge=2)] = 500
    count: Annotated[int, Field(ge=0)] = 3
    noise: Annotated[float, Field(gt=0)] = 0.3

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs; ``core`` holds the columns that carry something.

        Raises:
            ValueError: where no number is given, or the columns do not suffice.
        """
        num_samples = sample_count(num_samples)
        if 2 * self.count > self.columns:
            raise ValueError(f"count={self.count} products need {2 * self.count} columns; got columns={self.columns}")
        x, y = torch.randn(2, num_samples, self.columns, generator=generator, dtype=torch.float64)
        factors = torch.randperm(self.columns, generator=generator)[: 2 * self.count]
        places = torch.randperm(self.columns, generator=generator)[: self.count]
        first, second = factors[: self.count], factors[self.count :]
        y[:, places] = x[:, first] * x[:, second] + self.noise * y[:, places]
        core = (x[:, factors], y[:, places]) if self.count else None
        return Pairs(x, y, self.truth(), core)

    def truth(self) -> float:
        """I(X; Y) in nats."""
        values = torch.linspace(-40.0, 40.0, 40_001, dtype=torch.float64)
        density = self.density(values)
        entropy = -torch.trapezoid(torch.xlogy(density, density), values)
        return self.count * (float(entropy) - 0.5 * math.log(2 * math.pi * math.e * self.noise**2))

    def density(self, values: Tensor) -> Tensor:
        """(m,) density of x_a x_b + noise * e at values (m,)."""
        # An even function of x_b, smooth on the scale of the noise, so that the trapezoidal rule converges fast.
        nodes = torch.linspace(-8.0, 8.0, NODES, dtype=torch.float64)
        weights = torch.exp(-0.5 * nodes**2)
        weights = weights / weights.sum()
        variance = nodes**2 + self.noise**2
        total = torch.zeros_like(values)
        for w, v in zip(weights.tolist(), variance.tolist()):
            total += w / math.sqrt(2 * math.pi * v) * torch.exp(-(values**2) / (2 * v))
        return total
