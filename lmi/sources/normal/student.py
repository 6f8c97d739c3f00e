"""Multivariate Student t pairs: heavy tails, and information even without correlation, with the truth in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.types import Pairs


@dataclass(frozen=True)
class StudentT:
    """(X, Y) jointly t: a normal pair with correlation rho in each dimension, divided by one common sqrt(chi2_nu / nu).

    I = -d/2 log(1 - rho^2) + log[G(nu) G(nu + 2d) / G(nu + d)^2] + 2 h(nu + d) - h(nu + 2d) - h(nu), with
    G(a) = Gamma(a / 2) and h(a) = a/2 psi(a / 2). Arellano-Valle, Contreras-Reyes, Genton, Scand. J. Stat. 40 (2013).

    Args:
        dim: d, dimensions of each side.
        degrees: nu, of freedom.
        correlation: rho.

    >>> round(StudentT(dim=1, degrees=1, correlation=0.0).truth, 4)
    0.2242
    """

    dim: Annotated[int, Field(ge=1)] = 1
    degrees: Annotated[float, Field(gt=0)] = 3.0
    correlation: Annotated[float, Field(gt=-1, lt=1)] = 0.5

    @property
    def truth(self) -> float:
        """I(X; Y), nats."""
        d, nu = self.dim, self.degrees

        def h(a: float) -> float:
            return 0.5 * a * float(torch.digamma(torch.tensor(a / 2, dtype=torch.float64)))

        gammas = math.lgamma(nu / 2) + math.lgamma(nu / 2 + d) - 2 * math.lgamma((nu + d) / 2)
        tails = gammas + 2 * h(nu + d) - h(nu + 2 * d) - h(nu)
        return -0.5 * d * math.log1p(-(self.correlation**2)) + tails

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs.

        Raises:
            ValueError: where no number is given.
        """
        num_samples = sample_count(num_samples)
        z = torch.randn(num_samples, 2 * self.dim, generator=generator, dtype=torch.float64)
        x = z[:, : self.dim]
        y = self.correlation * x + math.sqrt(1 - self.correlation**2) * z[:, self.dim :]
        radius = (chi_square(num_samples, self.degrees, generator) / self.degrees).sqrt()[:, None]
        return Pairs(x / radius, y / radius, self.truth)


def chi_square(n: int, degrees: float, generator: torch.Generator) -> Tensor:
    """(n,) chi-square draws by inverting the distribution function at uniform draws of ``generator``."""
    from scipy.special import gammaincinv

    uniform = torch.rand(n, generator=generator, dtype=torch.float64).clamp(min=1e-300)
    return 2 * torch.from_numpy(gammaincinv(degrees / 2, uniform.numpy()))
