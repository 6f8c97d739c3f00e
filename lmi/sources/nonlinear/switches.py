"""Columns whose law switches where nobody sees it: noise that is large now and then, a slope that is one of three."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import torch
from pydantic import Field

from lmi.arguments import sample_count
from lmi.sources.integrals import line_entropy, normal_nodes
from lmi.sources.nonlinear.gates import mixed
from lmi.types import Pairs

Form = Literal["sparse", "regressions"]
LARGE, OFTEN = 10.0, 0.1  # how many times the noise is larger, and in which share of the entries
SLOPES = (-1.5, 0.0, 1.5)
NODES = 121  # of x, of which the entropy given x is a smooth function
POINTS = 8001  # of y


@dataclass(frozen=True)
class Switches:
    """Independent normal columns x_j, each with its own column of y; I = d (h(y) - E h(y | x)) by quadrature.

    Args:
        form: ``sparse``: y_j = x_j + s e_j, and in one entry of ten the noise is ten times as large. ``regressions``: y_j =
            b x_j + s e_j, b one of -1.5, 0 and 1.5 in each entry.
        dim: d, columns of x.
        noise: s.

    >>> round(Switches("sparse", 6, 0.5).truth, 3), round(Switches("regressions", 1, 0.4).truth, 3)
    (3.912, 0.437)
    """

    form: Form = "sparse"
    dim: Annotated[int, Field(ge=1)] = 1
    noise: Annotated[float, Field(gt=0)] = 0.5

    @property
    def truth(self) -> float:
        """I(X; Y), nats."""
        return self.dim * column_information(self.form, self.noise)

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs.

        Raises:
            ValueError: where no number is given.
        """
        num_samples = sample_count(num_samples)
        shape = num_samples, self.dim
        x, e = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
        if self.form == "sparse":
            large = torch.rand(shape, generator=generator) < OFTEN
            return Pairs(x, x + self.noise * torch.where(large, LARGE * e, e), self.truth)
        slopes = torch.tensor(SLOPES, dtype=torch.float64)
        return Pairs(x, slopes[torch.randint(3, shape, generator=generator)] * x + self.noise * e, self.truth)


@lru_cache(maxsize=32)
def column_information(form: Form, noise: float) -> float:
    """I of one column, nats."""

    def entropy(centres: torch.Tensor, spread: torch.Tensor, weights: torch.Tensor) -> float:
        reach = float(centres.abs().max() + 9 * spread.max())
        return line_entropy(lambda y: mixed(y, centres, spread, weights), -reach, reach, POINTS)

    if form == "sparse":
        weights = torch.tensor([1 - OFTEN, OFTEN], dtype=torch.float64)
        spread = noise * torch.tensor([1.0, LARGE], dtype=torch.float64)
        nowhere = torch.zeros(2, dtype=torch.float64)
        return entropy(nowhere, (1 + spread**2).sqrt(), weights) - entropy(nowhere, spread, weights)
    slopes, even = torch.tensor(SLOPES, dtype=torch.float64), torch.full((3,), 1 / 3, dtype=torch.float64)
    nodes, weights = normal_nodes(6.0, NODES)
    given = (entropy(slopes * node, torch.full_like(slopes, noise), even) for node in nodes)
    alone = entropy(torch.zeros_like(slopes), (slopes**2 + noise**2).sqrt(), even)
    return alone - math.fsum(float(weight) * value for weight, value in zip(weights, given, strict=True))
