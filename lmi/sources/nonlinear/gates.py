"""Columns that multiply: a gate that is seen, noise that grows with the signal, a fork that leaves the sign open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.sources.integrals import LOG_2PI, line_entropy, normal_log_density, normal_nodes
from lmi.types import Pairs

Form = Literal["gate", "growing", "fork"]
NODES = 800  # of the uniform variable of a fork
POINTS = 4001  # of y
SLOW = 20  # every so-manieth of them for the entropy given x, which is smooth


@dataclass(frozen=True)
class Gates:
    """Independent columns j of x, each with its own column or two of y; e is normal noise.

    Args:
        form: ``gate``: y holds x_j z_j + s e_j and the gate z_j, normal x and z: I = d/2 E log(1 + z^2 / s^2) by quadrature.
            ``growing``: y_j = x_j + (s + 3 s |x_j|) e_j, normal x. ``fork``: y_j = +-sqrt(x_j) + s e_j, uniform x and a
            random sign. I = d (h(y) - E h(y | x)) by quadrature.
        dim: d, columns of x.
        noise: s.

    >>> round(Gates("gate", 1, 0.3).truth, 3), Gates("gate", 2).sample(5, torch.Generator().manual_seed(0)).y.shape
    (0.905, torch.Size([5, 4]))
    """

    form: Form = "gate"
    dim: Annotated[int, Field(ge=1)] = 1
    noise: Annotated[float, Field(gt=0)] = 0.3

    @property
    def truth(self) -> float:
        """I(X; Y), nats."""
        return self.dim * column_information(self.form, self.noise)

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs.

        Raises:
            ValueError: where no number is given.
        """
        num_samples = sample_count(num_samples)
        x, z, e = torch.randn(3, num_samples, self.dim, generator=generator, dtype=torch.float64)
        if self.form == "gate":
            return Pairs(x, torch.cat((x * z + self.noise * e, z), 1), self.truth)
        if self.form == "growing":
            return Pairs(x, x + self.noise * (1 + 3 * x.abs()) * e, self.truth)
        x = torch.special.ndtr(x)
        return Pairs(x, z.sign() * x.sqrt() + self.noise * e, self.truth)


@lru_cache(maxsize=32)
def column_information(form: Form, noise: float) -> float:
    """I of one column, nats."""
    nodes, weights = normal_nodes()
    if form == "gate":
        return float((weights * 0.5 * (nodes / noise).square().log1p()).sum())
    if form == "growing":
        spread = noise * (1 + 3 * nodes.abs())
        reach = float((nodes.abs() + 9 * spread).max())
        given = float((weights * spread.log()).sum()) + 0.5 * (1 + LOG_2PI)
        return line_entropy(lambda y: mixed(y, nodes, spread, weights), -reach, reach, POINTS) - given
    roots = ((torch.arange(NODES, dtype=torch.float64) + 0.5) / NODES).sqrt()
    reach, even = 1 + 9 * noise, torch.full((2 * NODES,), 0.5 / NODES, dtype=torch.float64)
    both = torch.cat((roots, -roots))
    entropy = line_entropy(lambda y: mixed(y, both, torch.full_like(both, noise), even), -reach, reach, POINTS)
    half, same = torch.full((2,), 0.5, dtype=torch.float64), torch.full((2,), noise, dtype=torch.float64)
    of_forks = [
        line_entropy(
            partial(mixed, centres=torch.stack((root, -root)), spread=same, weights=half), -reach, reach, POINTS
        )
        for root in roots[SLOW // 2 :: SLOW]
    ]
    return entropy - math.fsum(of_forks) / len(of_forks)


def mixed(y: Tensor, centres: Tensor, spread: Tensor, weights: Tensor) -> Tensor:
    """(m,) density at y (m,) of normals at ``centres`` (k,) of deviations ``spread`` (k,) and ``weights`` (k,)."""
    blocks = [normal_log_density(block[:, None] - centres, spread**2).exp() @ weights for block in y.split(1000)]
    return torch.cat(blocks)
