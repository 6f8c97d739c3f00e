"""Pictures of a bump: two parameters, the place of its centre, are all that two pictures share."""

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
class Bumps:
    """Two pictures, each of a Gaussian bump somewhere; the places are correlated.

    A picture is exp(-((row - r)^2 + (column - c)^2) / (2 w^2)) at the pixels, with w = ``width`` * size. Its two parameters
    (r, c) can be read back from it (the ratio of neighbouring pixels gives each), so that the picture is an injective map of
    them and I(X; Y) is that of the parameters: uniform variables, each the distribution function of a normal one, whose
    partner it is correlated with by rho = sqrt(1 - exp(-I)), I = -log(1 - rho^2). Butakov et al., ICLR (2024), measure such
    pictures.

    Args:
        size: rows and columns of the pictures.
        bits: I(X; Y).
        width: of the bump, as a share of ``size``.

    >>> pairs = Bumps(size=8, bits=1.0).sample(5, torch.Generator().manual_seed(0))
    >>> pairs.x.shape, pairs.y.shape, round(pairs.truth / NATS_PER_BIT, 6)
    (torch.Size([5, 1, 8, 8]), torch.Size([5, 1, 8, 8]), 1.0)
    """

    size: Annotated[int, Field(ge=4)] = 16
    bits: Annotated[float, Field(ge=0)] = 2.0
    width: Annotated[float, Field(gt=0.02, le=1)] = 0.15

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs; ``core`` holds the normal variables behind the places.

        Raises:
            ValueError: where no number is given.
        """
        num_samples = sample_count(num_samples)
        drawn = correlated_parameters(num_samples, 2, self.bits * NATS_PER_BIT, generator)
        x, y = self.draw(drawn.x), self.draw(drawn.y)
        return Pairs(
            x, y, self.bits * NATS_PER_BIT, (drawn.normal_x, drawn.normal_y), images=side_by_side(x, y)
        )  # fmt: skip

    def draw(self, parameters: Tensor) -> Tensor:
        """(n, 1, size, size) float32 pictures of parameters (n, 2) in (0, 1): row and column, as shares of the picture."""
        at = torch.arange(self.size, dtype=parameters.dtype)
        centre = parameters * (self.size - 1)
        row, column = (
            torch.exp(-((at - c[:, None]) ** 2) / (2 * (self.width * self.size) ** 2)) for c in centre.unbind(1)
        )
        return (row[:, :, None] * column[:, None, :])[:, None].float()
