"""Linear dependence that leading components do not show: in many columns, in a few of many, or in a late component."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field

from lmi.arguments import sample_count
from lmi.types import Pairs

FEW = 3  # columns of the kind of that name


@dataclass(frozen=True)
class FaintLinear:
    """Jointly normal columns; I = -1/2 log(1 - r^2) for one y, d times that for pairs.

    Args:
        kind: ``equal``: y a combination of ``dim`` equal columns. ``late``: columns whose k-th principal component
            has variance 1 / k, y a combination with the ``component``-th. ``pairs``: ``dim`` independent pairs of
            columns. ``few``: y a combination of three of ``dim`` columns, where samples may be fewer than columns.
            ``redundant``: ``dim`` smooth functions of one factor on each side.
        dim: columns of x.
        correlation: r, of y with its combination; of each pair; of both factors.
        component: which of the components carries it.

    >>> round(FaintLinear("pairs", 30, 0.1).truth, 4)
    0.1508
    """

    kind: Literal["equal", "late", "pairs", "few", "redundant"] = "equal"
    dim: Annotated[int, Field(ge=1)] = 300
    correlation: Annotated[float, Field(gt=-1, lt=1)] = 0.866
    component: Annotated[int, Field(ge=1)] = 120

    @property
    def truth(self) -> float:
        """I(X; Y), nats."""
        return abs((self.dim if self.kind == "pairs" else 1) * 0.5 * math.log(1 - self.correlation**2))

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs.

        Raises:
            ValueError: where no number is given, or there are fewer columns than components.
        """
        num_samples = sample_count(num_samples)
        if self.kind == "late" and self.component > self.dim:
            raise ValueError(f"component {self.component} of {self.dim} columns: expected at most as many")
        if self.kind == "few" and self.dim < FEW:
            raise ValueError(f"{FEW} of {self.dim} columns: expected at least as many")
        wide = 1 if self.kind == "redundant" else self.dim
        x = torch.randn(num_samples, wide, generator=generator, dtype=torch.float64)
        signal = x
        if self.kind == "equal":
            signal = x.sum(1, keepdim=True) / self.dim**0.5
        elif self.kind == "few":
            signal = x[:, :FEW].sum(1, keepdim=True) / FEW**0.5
        elif self.kind == "late":
            signal = x[:, self.component - 1 : self.component]
            turn = torch.linalg.qr(torch.randn(wide, wide, generator=generator, dtype=torch.float64)).Q
            x = x / torch.arange(1, wide + 1, dtype=torch.float64).sqrt() @ turn
        e = torch.randn(signal.shape, generator=generator, dtype=torch.float64)
        y = self.correlation * signal + math.sqrt(1 - self.correlation**2) * e
        if self.kind == "redundant":
            slopes = torch.linspace(0.3, 1.5, self.dim, dtype=torch.float64)
            shifts = torch.linspace(-1.0, 1.0, self.dim, dtype=torch.float64)
            x, y = torch.tanh(slopes * x + shifts), torch.tanh(slopes.flip(0) * y + shifts)
        return Pairs(x, y, self.truth)
