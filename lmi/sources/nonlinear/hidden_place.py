"""Both sides see one place on a circle: as a bump among pixels, as spikes of tuned neurons, or as a point of a spiral."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.sources.integrals import mean_of_draws
from lmi.types import Pairs

View = Literal["bumps", "spikes", "spiral"]
PLACES = 240  # on the circle, all as likely
WIDTH = 0.06  # of a bump, as a share of the circle
SHARP, BASE = 3.0, 0.3  # of a tuning curve, and its least rate
TURNS = 2  # of the spiral, from radius 1 to 1 + 2 TURNS
PRECISION = 5e-3  # standard error of a truth, nats
DRAWS = 2000  # at a time, of which each is held against every place


@dataclass(frozen=True)
class HiddenPlace:
    """x and y, independent given one of 240 places u on a circle.

    I = E log [K sum_k p(x | u_k) p(y | u_k) / (sum_k p(x | u_k) sum_k p(y | u_k))], exact sums, the mean over fresh draws.

    Args:
        view: ``bumps``: a bump at u among ``dim`` pixels, plus normal noise of deviation ``noise``, on both sides.
            ``spikes``: Poisson counts of ``dim`` neurons of rates .3 + exp(3 cos(u - u_j) - 3) / noise, on both sides.
            ``spiral``: x the point of a spiral of two turns in the plane, y how far along it is, each with noise.
        dim: pixels or neurons of each side.
        noise: see ``view``.

    >>> pairs = HiddenPlace("bumps", 16).sample(5, torch.Generator().manual_seed(0))
    >>> pairs.x.shape, 0 < pairs.truth < math.log(240)
    (torch.Size([5, 16]), True)
    """

    view: View = "bumps"
    dim: Annotated[int, Field(ge=1)] = 32
    noise: Annotated[float, Field(gt=0)] = 0.5

    @property
    def truth(self) -> float:
        """I(X; Y), nats."""
        return place_information(self)

    def means(self) -> tuple[Tensor, Tensor]:
        """(240, dx), (240, dy) what is seen of each place, without noise."""
        share = torch.arange(PLACES, dtype=torch.float64)[:, None] / PLACES
        if self.view == "spiral":
            angle, radius = 2 * math.pi * TURNS * share, 1 + 2 * TURNS * share
            return radius * torch.cat((angle.cos(), angle.sin()), 1), 2 * TURNS * share
        apart = share - torch.arange(self.dim, dtype=torch.float64) / self.dim
        if self.view == "spikes":
            rates = BASE + (SHARP * ((2 * math.pi * apart).cos() - 1)).exp() / self.noise
            return rates, rates
        seen = (-0.5 * ((apart + 0.5).remainder(1) - 0.5).square() / WIDTH**2).exp()
        return seen, seen

    def seen(self, means: Tensor, generator: torch.Generator) -> Tensor:
        """Draws around ``means`` (n, d)."""
        if self.view == "spikes":
            return torch.poisson(means, generator=generator)
        return means + self.noise * torch.randn(means.shape, generator=generator, dtype=torch.float64)

    def log_density(self, z: Tensor, means: Tensor) -> Tensor:
        """(n, k) log p(z | place) of z (n, d), without what does not depend on the place."""
        if self.view == "spikes":
            return z @ means.log().T - means.sum(1)
        return (z @ means.T - 0.5 * means.square().sum(1)) / self.noise**2

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs.

        Raises:
            ValueError: where no number is given.
        """
        num_samples = sample_count(num_samples)
        place = torch.randint(PLACES, (num_samples,), generator=generator)
        x, y = (self.seen(means[place], generator) for means in self.means())
        return Pairs(x, y, self.truth)


@lru_cache(maxsize=32)
def place_information(source: HiddenPlace) -> float:
    """I(X; Y), nats."""
    means_x, means_y = source.means()

    def terms(count: int, generator: torch.Generator) -> Tensor:
        place = torch.randint(PLACES, (count,), generator=generator)
        of_x = source.log_density(source.seen(means_x[place], generator), means_x)
        of_y = source.log_density(source.seen(means_y[place], generator), means_y)
        return math.log(PLACES) + (of_x + of_y).logsumexp(1) - of_x.logsumexp(1) - of_y.logsumexp(1)

    return mean_of_draws(terms, 0, DRAWS, PRECISION)
