"""Rows in time: autoregressive series whose rows depend on their neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field

from lmi.arguments import sample_count
from lmi.types import Pairs


@dataclass(frozen=True)
class Autoregressive:
    """Stationary z_t = phi z_(t-1) + e_t in every column; innovations of the k-th columns of both sides correlate.

    Rows of one time are normal with the same correlation, so I(x_t; y_t) = -d/2 log(1 - rho^2).

    Args:
        dim: columns of each side.
        phi: autocorrelation at lag one.
        correlation: rho.
        shuffled: whether the rows come in a random order, which loses nothing about I(x_t; y_t).
        stretch: how many times as many rows the series has as are kept: every so-manieth, or as many at random where shuffled.

    >>> Autoregressive(phi=0.9).truth
    0.0
    """

    dim: Annotated[int, Field(ge=1)] = 1
    phi: Annotated[float, Field(ge=0, lt=1)] = 0.9
    correlation: Annotated[float, Field(gt=-1, lt=1)] = 0.0
    shuffled: bool = False
    stretch: Annotated[int, Field(ge=1)] = 1

    @property
    def truth(self) -> float:
        """I(x_t; y_t), nats."""
        return abs(-0.5 * self.dim * math.log(1 - self.correlation**2))

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` rows of one stretch of time.

        Raises:
            ValueError: where no number is given.
        """
        from scipy.signal import lfilter

        num_samples = sample_count(num_samples)
        rows = num_samples * self.stretch
        x, e = torch.randn(2, rows, self.dim, generator=generator, dtype=torch.float64)
        y = self.correlation * x + math.sqrt(1 - self.correlation**2) * e
        sides = []
        for z in (x, y):
            z[1:] *= math.sqrt(1 - self.phi**2)  # the first row has the variance of all
            sides.append(torch.from_numpy(lfilter([1.0], [1.0, -self.phi], z.numpy(), axis=0)))
        if self.shuffled:
            order = torch.randperm(rows, generator=generator)[:num_samples]
        else:
            order = torch.arange(0, rows, self.stretch)
        return Pairs(sides[0][order], sides[1][order], self.truth)
