"""Densities with edges: uniform noise, steps, angles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.sources.integrals import LOG_2PI, line_entropy, normal_log_density
from lmi.types import Pairs

Kind = Literal["uniform", "normal_uniform", "steps", "angle", "circle"]
STEPS = 4


@dataclass(frozen=True)
class Edges:
    """Independent pairs of columns with an edge somewhere; I = h(y) - h(y | x), each in closed form or by quadrature.

    Args:
        kind: ``uniform``: y = x + w e, x and e uniform on [0, 1]. ``normal_uniform``: the same with x normal.
            ``steps``: y is the quarter of [0, 1] that x is in, 0 to 3, plus normal noise of deviation w. ``angle``: x
            a uniform angle, y = x plus a normal angle of deviation w, both modulo 2 pi. ``circle``: the same as
            cosines and sines.
        dim: pairs.
        width: w.

    >>> round(Edges("uniform", 1, 0.2).truth, 4)
    1.7094
    """

    kind: Kind = "uniform"
    dim: Annotated[int, Field(ge=1)] = 1
    width: Annotated[float, Field(gt=0, le=1)] = 0.2

    @property
    def truth(self) -> float:
        """I(X; Y), nats."""
        w = self.width
        if self.kind == "uniform":
            return self.dim * (w / 2 - math.log(w))
        if self.kind == "normal_uniform":

            def density(y: Tensor) -> Tensor:
                return (torch.special.ndtr(y) - torch.special.ndtr(y - w)) / w

            return self.dim * (line_entropy(density, -9.0, 9.0 + w) - math.log(w))
        if self.kind == "steps":
            steps = torch.arange(STEPS, dtype=torch.float64)
            noise_entropy = 0.5 * (1 + LOG_2PI) + math.log(w)
            entropy = line_entropy(
                lambda y: normal_log_density(y[:, None] - steps, w**2).exp().mean(1), -9 * w, STEPS - 1 + 9 * w
            )
            return self.dim * (entropy - noise_entropy)
        wraps = 2 * math.pi * torch.arange(-3, 4, dtype=torch.float64)
        noise_entropy = line_entropy(
            lambda e: normal_log_density(e[:, None] - wraps, w**2).exp().sum(1), -math.pi, math.pi
        )
        return self.dim * (math.log(2 * math.pi) - noise_entropy)

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs.

        Raises:
            ValueError: where no number is given.
        """
        num_samples = sample_count(num_samples)
        shape = (num_samples, self.dim)
        x = torch.rand(shape, generator=generator, dtype=torch.float64)
        if self.kind in ("uniform", "normal_uniform"):
            x = torch.randn(shape, generator=generator, dtype=torch.float64) if self.kind == "normal_uniform" else x
            y = x + self.width * torch.rand(shape, generator=generator, dtype=torch.float64)
            return Pairs(x, y, self.truth)
        e = self.width * torch.randn(shape, generator=generator, dtype=torch.float64)
        if self.kind == "steps":
            return Pairs(x, (STEPS * x).floor() + e, self.truth)
        x = 2 * math.pi * x
        y = (x + e) % (2 * math.pi)
        if self.kind == "circle":
            x, y = (torch.cat((z.cos(), z.sin()), 1) for z in (x, y))
        return Pairs(x, y, self.truth)
