"""Independent sides with ten odd marginals: an estimator must find nothing in any of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.types import Pairs

MARGINALS: dict[str, Callable[[Tensor], Tensor]] = {  # of uniform draws
    "normal": torch.special.ndtri,
    "uniform": lambda u: u,
    "exponential": lambda u: -torch.log1p(-u),
    "cauchy": lambda u: torch.tan(torch.pi * (u - 0.5)),
    "lognormal": lambda u: torch.exp(1.5 * torch.special.ndtri(u)),
    "two_humps": lambda u: torch.special.ndtri((2 * u) % 1.0) + 6 * (u > 0.5),
    "arcsine": lambda u: torch.sin(torch.pi * (u - 0.5)),
    "counts": lambda u: torch.floor(-3 * torch.log1p(-u)),
    "rounded": lambda u: (2 * torch.special.ndtri(u)).round() / 2,
    "half_zeros": lambda u: torch.special.ndtri(u).clamp(min=0.0),
}


@dataclass(frozen=True)
class OddMarginals:
    """Independent columns, all of one marginal.

    Args:
        marginal: one of ten, see ``MARGINALS``.
        dim: columns of each side.

    Raises:
        ValueError: for a marginal that is none of these.

    >>> OddMarginals("cauchy", 2).sample(3, torch.Generator().manual_seed(0)).truth
    0.0
    """

    marginal: str = "exponential"
    dim: Annotated[int, Field(ge=1)] = 1

    def __post_init__(self) -> None:
        if self.marginal not in MARGINALS:
            raise ValueError(f"marginal is {self.marginal!r}; expected one of {', '.join(MARGINALS)}")

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs that share nothing.

        Raises:
            ValueError: where no number is given.
        """
        num_samples = sample_count(num_samples)
        u = torch.rand(2, num_samples, self.dim, generator=generator, dtype=torch.float64).clamp(1e-9, 1 - 1e-9)
        x, y = MARGINALS[self.marginal](u)
        return Pairs(x, y, 0.0)
