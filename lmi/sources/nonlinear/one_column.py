"""A wave, stairs or a kink of one column among many: what no line, no square and no product shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.sources.integrals import LOG_2PI, line_entropy, normal_log_density, normal_nodes
from lmi.types import Pairs

Form = Literal["wave", "stairs", "kink"]


@dataclass(frozen=True)
class OneColumn:
    """y = f(x1) + s e for normal columns x and noise e; I = h(y) - h(s e), h(y) by quadrature.

    Args:
        form: ``wave``: f = sin 3 x1. ``stairs``: f = floor(2 x1) / 2. ``kink``: f = |x1|.
        dim: columns of x.
        noise: s.

    >>> pairs = OneColumn("wave", 5).sample(4, torch.Generator().manual_seed(0))
    >>> pairs.x.shape, pairs.y.shape, round(pairs.truth, 3)
    (torch.Size([4, 5]), torch.Size([4, 1]), 0.862)
    """

    form: Form = "wave"
    dim: Annotated[int, Field(ge=1)] = 10
    noise: Annotated[float, Field(gt=0)] = 0.3

    @property
    def truth(self) -> float:
        """I(X; Y), nats."""
        return one_column_information(self)

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs.

        Raises:
            ValueError: where no number is given.
        """
        num_samples = sample_count(num_samples)
        x = torch.randn(num_samples, self.dim, generator=generator, dtype=torch.float64)
        e = torch.randn(num_samples, 1, generator=generator, dtype=torch.float64)
        return Pairs(x, shape(x[:, :1], self.form) + self.noise * e, self.truth)


def shape(z: Tensor, form: Form) -> Tensor:
    """f(z), see ``OneColumn``."""
    if form == "wave":
        return (3 * z).sin()
    return (2 * z).floor() / 2 if form == "stairs" else z.abs()


@lru_cache(maxsize=64)
def one_column_information(source: OneColumn) -> float:
    """I(X; Y), nats."""
    nodes, weights = normal_nodes(7.0, 2001)
    if source.form == "stairs":  # a step has the mass between its edges
        steps = torch.arange(-14, 14, dtype=torch.float64) / 2
        nodes, weights = steps, torch.special.ndtr(steps + 0.5) - torch.special.ndtr(steps)
    centres = shape(nodes, source.form)
    low, high = float(centres.min()) - 9 * source.noise, float(centres.max()) + 9 * source.noise

    def density(y: Tensor) -> Tensor:
        parts = [normal_log_density(p[:, None] - centres, source.noise**2).exp() @ weights for p in y.split(2000)]
        return torch.cat(parts)

    return line_entropy(density, low, high) - 0.5 * (1 + LOG_2PI) - math.log(source.noise)
