"""Points on a sphere, as LayerNorm leaves activations, and their von Mises-Fisher neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from scipy import special, stats
from torch import Tensor

from lmi.arguments import sample_count
from lmi.types import Pairs


@dataclass(frozen=True)
class Sphere:
    """x uniform on the unit sphere in d dimensions, y given x von Mises-Fisher around it; both in d + 1 columns that sum to 0.

    I = log C(k) + k A(k) + log area: C(k) = k^v / ((2 pi)^(v + 1) I_v(k)), A(k) = I_(v+1)(k) / I_v(k), v = d / 2 - 1, and area
    2 pi^(d/2) / Gamma(d/2). Mardia and Jupp, Directional Statistics (2000).

    Args:
        dim: d. LayerNorm of d + 1 activations leaves such a sphere.
        concentration: k.

    >>> round(Sphere(3, 5.0).truth, 4)
    1.3031
    """

    dim: Annotated[int, Field(ge=2)] = 3
    concentration: Annotated[float, Field(gt=0)] = 5.0

    @property
    def truth(self) -> float:
        """I(X; Y), nats."""
        half, k = self.dim / 2, self.concentration
        bessel, next_one = (float(special.ive(order, k)) for order in (half - 1, half))
        constant = (half - 1) * math.log(k) - half * math.log(2 * math.pi) - math.log(bessel) - k
        return constant + k * next_one / bessel + math.log(2) + half * math.log(math.pi) - math.lgamma(half)

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs.

        Raises:
            ValueError: where no number is given.
        """
        num_samples = sample_count(num_samples)
        d = self.dim
        x = torch.randn(num_samples, d, generator=generator, dtype=torch.float64)
        x = x / x.norm(dim=1, keepdim=True)
        seed = int(torch.randint(2**31, (1,), generator=generator))
        pole = torch.from_numpy(
            stats.vonmises_fisher([1.0] + [0.0] * (d - 1), self.concentration).rvs(num_samples, random_state=seed)
        )
        basis = torch.linalg.svd(torch.eye(d + 1, dtype=torch.float64) - 1 / (d + 1))[0][:, :d]
        return Pairs(x @ basis.T * (d + 1) ** 0.5, turned(pole, x) @ basis.T * (d + 1) ** 0.5, self.truth)


def turned(z: Tensor, to: Tensor) -> Tensor:
    """z (n, d) after the reflection that brings the first axis to each of ``to`` (n, d), of unit length."""
    normal = -to.clone()
    normal[:, 0] += 1
    normal = normal / normal.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return z - 2 * (z * normal).sum(1, keepdim=True) * normal
