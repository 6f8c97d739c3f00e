"""Sides that are independent given a latent that nobody sees: counts, items, volatility, networks, code words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.sources.integrals import mean_of_draws, normal_nodes
from lmi.sources.normal.coarse_normal import LEVELS
from lmi.types import Pairs

Kind = Literal["counts", "items", "volatility", "network", "classes"]
PLANE = 45  # nodes along each axis of two latents
PRECISION = 2e-3  # standard error of a truth, nats
PRECISION_OF_NETWORKS = 5e-3  # the same of two latents: 2e-3 would take a minute
DRAWS = 2000  # at a time, of which each is held against every node


@dataclass(frozen=True)
class SharedLatent:
    """Columns of both sides, all independent given one latent z.

    I = E log sum_k w_k p(x | z_k) p(y | z_k) / (sum_k w_k p(x | z_k) sum_k w_k p(y | z_k)), the sums a quadrature
    over z (exact for classes), the mean over fresh draws.

    Args:
        kind: ``counts``: Poisson with rate 2 exp(s z - s^2 / 2), s the ``strength``. ``items``: five levels of s z +
            sqrt(1 - s^2) e. ``volatility``: e exp(s z). ``network``: a random network with two hidden layers of ReLU
            of two latents, plus noise of deviation 1 / s. ``classes``: one of ``classes`` normal code words plus
            noise of deviation 1 / s.
        dim: columns of each side.
        strength: s.
        classes: how many code words.
        shape_seed: draws the networks and the code words.

    >>> pairs = SharedLatent("counts", 2).sample(5, torch.Generator().manual_seed(0))
    >>> pairs.x.shape, pairs.truth > 0
    (torch.Size([5, 2]), True)
    """

    kind: Kind = "counts"
    dim: Annotated[int, Field(ge=1)] = 1
    strength: Annotated[float, Field(gt=0)] = 0.7
    classes: Annotated[int, Field(ge=2)] = 10
    shape_seed: int = 0

    @property
    def truth(self) -> float:
        """I(X; Y), nats."""
        return latent_information(self)

    def nodes(self) -> tuple[Tensor, Tensor]:
        """(k, latents) places of z and (k,) log weights."""
        if self.kind == "classes":
            return torch.arange(self.classes)[:, None], torch.full((self.classes,), -math.log(self.classes)).double()
        if self.kind != "network":
            z, weights = normal_nodes(6.0, 401)
            return z[:, None], weights.log()
        z, weights = normal_nodes(4.0, PLANE)
        places = torch.cartesian_prod(z, z)
        return places, (weights[:, None] * weights).flatten().log()

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, latents) draws of z."""
        if self.kind == "classes":
            return torch.randint(self.classes, (n, 1), generator=generator)
        return torch.randn(n, 2 if self.kind == "network" else 1, generator=generator, dtype=torch.float64)

    def centres(self, z: Tensor, side: int) -> Tensor:
        """(n, dim) means of a side given z, for ``network`` and ``classes``."""
        generator = torch.Generator().manual_seed(2 * self.shape_seed + side)
        if self.kind == "classes":
            return torch.randn(self.classes, self.dim, generator=generator, dtype=torch.float64)[z[:, 0]]
        widths = (2, 16, 16, self.dim)
        h = z
        for i in range(3):
            weight = torch.randn(widths[i], widths[i + 1], generator=generator, dtype=torch.float64)
            bias = torch.randn(widths[i + 1], generator=generator, dtype=torch.float64)
            h = (h if i == 0 else h.relu()) @ weight / (0.5 * widths[i]) ** 0.5 + 0.5 * bias
        return h

    def given(self, z: Tensor, side: int, generator: torch.Generator) -> Tensor:
        """(n, dim) draws of a side given z."""
        noise = torch.randn(z.shape[0], self.dim, generator=generator, dtype=torch.float64)
        s = self.strength
        if self.kind == "counts":
            return torch.poisson(
                (2 * torch.exp(s * z - s**2 / 2)).expand(-1, self.dim).contiguous(), generator=generator
            )
        if self.kind == "items":
            hidden = s * z + math.sqrt(1 - s**2) * noise
            return torch.bucketize(hidden, torch.tensor(LEVELS, dtype=torch.float64)).double() + 1
        if self.kind == "volatility":
            return noise * torch.exp(s * z)
        return self.centres(z, side) + noise / s

    def log_density(self, values: Tensor, side: int) -> Tensor:
        """(n, k) log p(values (n, dim) | z) of a side at every node."""
        z, s = self.nodes()[0], self.strength
        if self.kind == "counts":
            log_rate = math.log(2.0) + s * z[:, 0] - s**2 / 2
            total = values.sum(1, keepdim=True)
            return total * log_rate - self.dim * log_rate.exp() - torch.lgamma(values + 1).sum(1, keepdim=True)
        if self.kind == "items":
            ends = torch.tensor([-torch.inf, *LEVELS, torch.inf], dtype=torch.float64)
            places = torch.special.ndtr((ends - s * z) / math.sqrt(1 - s**2))
            logs = places.diff(dim=1).clamp(min=1e-300).log()  # (k, levels)
            counts = torch.nn.functional.one_hot(values.long() - 1, len(LEVELS) + 1).sum(1).double()
            return counts @ logs.T
        if self.kind == "volatility":
            squares = values.square().sum(1, keepdim=True)
            return -0.5 * squares * torch.exp(-2 * s * z[:, 0]) - self.dim * s * z[:, 0]
        return -0.5 * s**2 * torch.cdist(values, self.centres(z, side)).square()

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs.

        Raises:
            ValueError: where no number is given.
        """
        num_samples = sample_count(num_samples)
        z = self.latents(num_samples, generator)
        return Pairs(self.given(z, 0, generator), self.given(z, 1, generator), self.truth)


@lru_cache(maxsize=256)
def latent_information(source: SharedLatent) -> float:
    """I(X; Y), nats."""
    weights = source.nodes()[1].exp()

    def terms(count: int, generator: torch.Generator) -> Tensor:
        z = source.latents(count, generator)
        x, y = (source.log_density(source.given(z, side, generator), side) for side in (0, 1))
        x, y = ((log - log.max(1, keepdim=True).values).exp() for log in (x, y))  # the maxima cancel
        return ((x * y) @ weights).log() - (x @ weights).log() - (y @ weights).log()

    precision = PRECISION_OF_NETWORKS if source.kind == "network" else PRECISION
    return mean_of_draws(terms, source.shape_seed, DRAWS, precision)
