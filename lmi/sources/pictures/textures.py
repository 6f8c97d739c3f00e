"""Pictures of waves: their direction and length are shared, where their crests lie is each picture's own chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.sources.pictures.correlated import correlated_parameters, side_by_side
from lmi.types import NATS_PER_BIT, Pairs


@dataclass(frozen=True)
class Textures:
    """Two pictures of plane waves, cos(2 pi (p row + q column) / size + phase).

    The waves per picture (p, q) are uniform in [1, ``waves``] x [1, ``waves``], each the distribution function of a normal
    variable that is correlated with its partner's; the phase is uniform and independent of everything. Two waves of one
    quadrant of (p, q) below the grid's limit of size / 2 are different pictures whatever their phases, so the picture is an
    injective map of (p, q, phase), and I(X; Y) is that of (p, q) alone: -log(1 - rho^2). No pixel correlates with any of the
    other picture: what is shared shows in products of pixels only.

    Args:
        size: rows and columns of the pictures.
        bits: I(X; Y).
        waves: most waves per picture along a row or a column.

    >>> pairs = Textures(size=8, bits=1.0).sample(4000, torch.Generator().manual_seed(0))
    >>> together = (pairs.x.flatten(1).T @ pairs.y.flatten(1) / 4000).abs().max()
    >>> pairs.x.shape, bool(together < 0.05)
    (torch.Size([4000, 1, 8, 8]), True)
    """

    size: Annotated[int, Field(ge=4)] = 16
    bits: Annotated[float, Field(ge=0)] = 2.0
    waves: Annotated[float, Field(gt=1)] = 3.0

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs; ``core`` holds the normal variables behind (p, q).

        Raises:
            ValueError: where no number is given, or the waves are too short for the grid.
        """
        num_samples = sample_count(num_samples)
        if self.waves >= self.size / 2:
            raise ValueError(f"waves must be below half of size={self.size}, or waves look alike; got {self.waves}")
        drawn = correlated_parameters(num_samples, 2, self.bits * NATS_PER_BIT, generator)
        phases = 2 * math.pi * torch.rand(2, num_samples, generator=generator, dtype=torch.float64)
        x, y = self.draw(drawn.x, phases[0]), self.draw(drawn.y, phases[1])
        return Pairs(
            x, y, self.bits * NATS_PER_BIT, (drawn.normal_x, drawn.normal_y), images=side_by_side(x, y)
        )  # fmt: skip

    def draw(self, parameters: Tensor, phase: Tensor) -> Tensor:
        """(n, 1, size, size) float32 pictures of parameters (n, 2) in (0, 1) and phases (n,)."""
        at = torch.arange(self.size, dtype=parameters.dtype) / self.size
        p, q = (1 + (self.waves - 1) * parameters).unbind(1)
        turns = p[:, None, None] * at[:, None] + q[:, None, None] * at
        return torch.cos(2 * math.pi * turns + phase[:, None, None])[:, None].float()
