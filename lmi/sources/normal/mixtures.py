"""Mixtures of normal pairs: non-Gaussian joint densities whose log ratio is exact and whose mean is integrated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.types import Pairs

PRECISION = 1e-3  # standard error of the truth, nats
CHUNK = 200_000
MOST_CHUNKS = 100


@dataclass(frozen=True)
class NormalMixture:
    """Equal shares of normal components whose centres and covariances are drawn once, by ``shape_seed``.

    The truth is the mean of log p(x, y) - log p(x) - log p(y) over fresh draws until its standard error is below 1e-3
    nats. Czyz, Grabowski, Vogt, Beerenwinkel, Marx, On the properties and estimation of pointwise mutual information
    profiles, TMLR (2025).

    Args:
        dim: dimensions of each side.
        components: how many.
        separation: standard deviation of the centres, where that of a component is about 1 in each dimension.
        shape_seed: draws the density itself; the samples come from the run's own generator.

    >>> pairs = NormalMixture(dim=1, components=2).sample(50, torch.Generator().manual_seed(0))
    >>> pairs.x.shape, pairs.truth > 0
    (torch.Size([50, 1]), True)
    """

    dim: Annotated[int, Field(ge=1)] = 1
    components: Annotated[int, Field(ge=1)] = 3
    separation: Annotated[float, Field(ge=0)] = 2.0
    shape_seed: int = 0

    def shape(self) -> tuple[Tensor, Tensor]:
        """Centres (m, 2d) and covariances (m, 2d, 2d)."""
        generator = torch.Generator().manual_seed(self.shape_seed)
        d = 2 * self.dim
        centres = self.separation * torch.randn(self.components, d, generator=generator, dtype=torch.float64)
        factors = torch.randn(self.components, d, 2 * d, generator=generator, dtype=torch.float64)
        return centres, factors @ factors.transpose(1, 2) / (2 * d)

    def truth(self) -> tuple[float, float]:
        """I(X; Y) and its standard error, nats."""
        generator = torch.Generator().manual_seed(self.shape_seed + 1)
        total, squares, n = 0.0, 0.0, 0
        for _ in range(MOST_CHUNKS):
            terms = self.ratio(*self.draw(CHUNK, generator))
            total, squares, n = total + float(terms.sum()), squares + float((terms**2).sum()), n + CHUNK
            error = math.sqrt(max(squares / n - (total / n) ** 2, 0.0) / n)
            if error < 0.9 * PRECISION:
                return total / n, error
        raise ValueError(f"{n} draws leave a standard error of {error:.1e} nats: expected below {PRECISION}")

    def ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """(n,) log p(x, y) - log p(x) - log p(y), nats."""
        centres, covariances = self.shape()
        d = self.dim
        joint = _log_density(torch.cat((x, y), 1), centres, covariances)
        own_x = _log_density(x, centres[:, :d], covariances[:, :d, :d])
        return joint - own_x - _log_density(y, centres[:, d:], covariances[:, d:, d:])

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """``n`` pairs."""
        centres, covariances = self.shape()
        which = torch.randint(self.components, (n,), generator=generator)
        normal = torch.randn(n, 2 * self.dim, generator=generator, dtype=torch.float64)
        z = torch.empty_like(normal)
        for i, (centre, root) in enumerate(zip(centres, torch.linalg.cholesky(covariances), strict=True)):
            z[which == i] = centre + normal[which == i] @ root.T
        return z[:, : self.dim], z[:, self.dim :]

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs with the integrated truth.

        Raises:
            ValueError: where no number is given.
        """
        num_samples = sample_count(num_samples)
        return Pairs(*self.draw(num_samples, generator), self.truth()[0])


def _log_density(z: Tensor, centres: Tensor, covariances: Tensor) -> Tensor:
    roots = torch.linalg.cholesky(covariances)
    logs = []
    for centre, root in zip(centres, roots, strict=True):
        white = torch.linalg.solve_triangular(root, (z - centre).T, upper=False)
        logs.append(-0.5 * (white**2).sum(0) - root.diagonal().log().sum())
    return torch.logsumexp(torch.stack(logs), 0) - math.log(len(logs)) - 0.5 * z.shape[1] * math.log(2 * math.pi)
