"""Clayton's copula: columns that come together where they are small and hardly where they are large."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field

from lmi.arguments import sample_count
from lmi.types import Pairs


@dataclass(frozen=True)
class Clayton:
    """Column by column C(u, v) = (u^-t + v^-t - 1)^(-1/t); x = -log u, y normal. Clayton, Biometrika 65, 141 (1978).

    I = d [log(1 + t) + 2 (1 + t) - (2 t + 1)(2 + t) / (1 + t)]: E log u = -1, and E log C = -(2 + t) / (1 + t) by Kendall's
    distribution K(c) = c + c (1 - c^t) / t.

    Args:
        dim: d, columns of each side.
        strength: t.

    >>> round(Clayton(1, 3.0).truth, 4)
    0.6363
    """

    dim: Annotated[int, Field(ge=1)] = 1
    strength: Annotated[float, Field(gt=0)] = 3.0

    @property
    def truth(self) -> float:
        """I(X; Y), nats."""
        t = self.strength
        return self.dim * (math.log1p(t) + 2 * (1 + t) - (2 * t + 1) * (2 + t) / (1 + t))

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs.

        Raises:
            ValueError: where no number is given.
        """
        num_samples = sample_count(num_samples)
        t = self.strength
        u, w = torch.rand(2, num_samples, self.dim, generator=generator, dtype=torch.float64).clamp(1e-12, 1 - 1e-12)
        v = (1 + u**-t * (w ** (-t / (1 + t)) - 1)) ** (-1 / t)
        return Pairs(-u.log(), torch.special.ndtri(v.clamp(1e-12, 1 - 1e-12)), self.truth)
