"""Pictures of a rectangle: four parameters, its edges, are all that two pictures share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.sources.pictures.correlated import correlated_parameters, side_by_side
from lmi.types import NATS_PER_BIT, Pairs


@dataclass(frozen=True)
class Rectangles:
    """Two pictures, each of a bright rectangle somewhere; sizes and places are correlated.

    Of four uniform parameters (a, b, c, d) the first two say how high the rectangle is and where it starts, height =
    smallest + a * (largest - smallest) and top = b * (size - height), the others its width and where that starts. A pixel is
    as bright as the share of it that is covered, so that the sums over rows and columns give the edges back exactly: the
    picture is an injective map of the parameters, and I(X; Y) = -2 log(1 - rho^2) is that of the four normal pairs whose
    distribution functions they are. With ``largest`` = 1 there is next to no room for large rectangles, and what b and d
    carry there shows in small parts of a pixel.

    Args:
        size: rows and columns of the pictures.
        bits: I(X; Y).
        smallest: height and width of a rectangle at least, as a share of ``size``.
        largest: the same at most.

    >>> pairs = Rectangles(size=8, bits=1.0).sample(5, torch.Generator().manual_seed(0))
    >>> pairs.x.shape, bool((pairs.x >= 0).all() and (pairs.x <= 1).all())
    (torch.Size([5, 1, 8, 8]), True)
    """

    size: Annotated[int, Field(ge=4)] = 16
    bits: Annotated[float, Field(ge=0)] = 2.0
    smallest: Annotated[float, Field(gt=0, lt=1)] = 0.15
    largest: Annotated[float, Field(gt=0, le=1)] = 0.7

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs; ``core`` holds the normal variables behind the edges.

        Raises:
            ValueError: where no number is given, or rectangles do not fit.
        """
        num_samples = sample_count(num_samples)
        if not 1 / self.size <= self.smallest < self.largest:
            raise ValueError(
                f"smallest must be below largest={self.largest} and at least a pixel, {1 / self.size:.3f}; got {self.smallest}"
            )
        drawn = correlated_parameters(num_samples, 4, self.bits * NATS_PER_BIT, generator)
        x, y = self.draw(drawn.x), self.draw(drawn.y)
        return Pairs(
            x, y, self.bits * NATS_PER_BIT, (drawn.normal_x, drawn.normal_y), images=side_by_side(x, y)
        )  # fmt: skip

    def draw(self, parameters: Tensor) -> Tensor:
        """(n, 1, size, size) float32 pictures of parameters (n, 4) in (0, 1)."""
        at = torch.arange(self.size, dtype=parameters.dtype)

        def covered(share: Tensor, place: Tensor) -> Tensor:
            length = self.size * (self.smallest + share * (self.largest - self.smallest))
            start = place * (self.size - length)
            end = start + length
            return (torch.minimum(at + 1, end[:, None]) - torch.maximum(at, start[:, None])).clamp(0, 1)

        a, b, c, d = parameters.unbind(1)
        return (covered(a, b)[:, :, None] * covered(c, d)[:, None, :])[:, None].float()
