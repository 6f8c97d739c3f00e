"""Dependence that no single column shows: products, signs of products, random signs, sums modulo one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.sources.integrals import LOG_2PI, line_entropy, mean_of_draws, normal_log_density, normal_nodes
from lmi.types import Pairs

Kind = Literal["interaction", "product", "sign", "modular", "random_sign"]


@dataclass(frozen=True)
class ProductsAndSigns:
    """y of the first columns of x and noise e; the other columns of x tell nothing.

    I = h(y) - h(y | x), h(y) by quadrature; for the random sign the mean log ratio over fresh draws.

    Args:
        kind: ``interaction``: y = x1 + x2 x3 / 2 + s e. ``product``: y = x1 x2 + s e. ``sign``: y = sign(x1 x2) + s
            e. ``modular``: y = (x1 + x2 + s e) mod 1 for x uniform on [0, 1). ``random_sign``: y = t x + s e in all
            columns, with one sign t a row.
        dim: columns of x.
        noise: s.

    >>> pairs = ProductsAndSigns("product", 5, 0.3).sample(4, torch.Generator().manual_seed(0))
    >>> pairs.x.shape, pairs.y.shape
    (torch.Size([4, 5]), torch.Size([4, 1]))
    """

    kind: Kind = "interaction"
    dim: Annotated[int, Field(ge=1)] = 20
    noise: Annotated[float, Field(gt=0)] = 0.5

    @property
    def truth(self) -> float:
        """I(X; Y), nats."""
        return interaction_information(self)

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs.

        Raises:
            ValueError: where no number is given, or x has fewer columns than y takes.
        """
        least = {"interaction": 3, "random_sign": 1}.get(self.kind, 2)
        num_samples = sample_count(num_samples)
        if self.dim < least:
            raise ValueError(f"{self.kind} takes {least} columns; got dim={self.dim}")
        x = torch.randn(num_samples, self.dim, generator=generator, dtype=torch.float64)
        width = self.dim if self.kind == "random_sign" else 1
        e = self.noise * torch.randn(num_samples, width, generator=generator, dtype=torch.float64)
        if self.kind == "interaction":
            y = x[:, :1] + 0.5 * x[:, 1:2] * x[:, 2:3] + e
        elif self.kind == "product":
            y = x[:, :1] * x[:, 1:2] + e
        elif self.kind == "sign":
            y = (x[:, :1] * x[:, 1:2]).sign() + e
        elif self.kind == "modular":
            x = torch.rand(num_samples, self.dim, generator=generator, dtype=torch.float64)
            y = (x[:, :1] + x[:, 1:2] + e) % 1.0
        else:
            y = x * (2.0 * torch.randint(2, (num_samples, 1), generator=generator) - 1) + e
        return Pairs(x, y, self.truth)


@lru_cache(maxsize=256)
def interaction_information(source: ProductsAndSigns) -> float:
    """I(X; Y), nats."""
    s = source.noise
    if source.kind == "random_sign":
        d, total = source.dim, 1 + s**2

        def terms(count: int, generator: torch.Generator) -> Tensor:
            x, e = torch.randn(2, count, d, generator=generator, dtype=torch.float64)
            y = x + s * e  # by symmetry the sign of the draw does not matter
            signs = torch.stack([normal_log_density(y - t * x, s**2).sum(1) for t in (1, -1)])
            return signs.logsumexp(0) - math.log(2) - normal_log_density(y, total).sum(1)

        return mean_of_draws(terms, 5)
    if source.kind == "modular":
        wraps = torch.arange(-20, 21, dtype=torch.float64)
        return -line_entropy(lambda y: normal_log_density(y[:, None] - wraps, s**2).exp().sum(1), 0.0, 1.0)
    noise_entropy = 0.5 * (1 + LOG_2PI) + math.log(s)
    w, weights = normal_nodes(8.0, 801)
    if source.kind == "sign":
        w, weights = torch.tensor([-1.0, 1.0]).double(), torch.tensor([0.5, 0.5]).double()
        reach, centres, variances = 1 + 9 * s, w, torch.full((2,), s**2).double()
    else:
        reach, centres = 40.0 + 9 * s, torch.zeros_like(w)
        variances = s**2 + (w**2 if source.kind == "product" else 1 + 0.25 * w**2)

    def density(y: Tensor) -> Tensor:
        parts = [normal_log_density(p[:, None] - centres, variances).exp() @ weights for p in y.split(2000)]
        return torch.cat(parts)

    return line_entropy(density, -reach, reach) - noise_entropy
