"""Normal pairs seen through a map that loses something: rectified, clipped, GELU, rounded, cut into levels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.sources.integrals import mean_of_draws, normal_log_density
from lmi.types import Pairs

Kind = Literal["relu", "clipped", "gelu", "rounded", "levels"]
EDGE = 8.0  # standard deviations, beyond which there is nothing
LEVELS = (-1.2, -0.4, 0.4, 1.2)  # where five levels are cut
GELU_TURN = -0.7517915  # where GELU is smallest: each value below 0 comes from either side of it


@dataclass(frozen=True)
class CoarseNormal:
    """Independent pairs of columns (f(u), f(v)) with u, v standard normal of one correlation.

    Atoms a, b and the part that is kept: I = sum P(a, b) log P(a, b) / P(a) P(b), the same with one or both sums an
    integral, by quadrature. GELU has two preimages below 0; its log ratio sums over them, and is averaged over fresh
    draws.

    Args:
        kind: f, which keeps u above 0 (``relu``), within one of 0 (``clipped``), all of u, folded (``gelu``),
            multiples of ``step`` (``rounded``), or five ``levels``.
        dim: columns of each side.
        correlation: of u and v.
        step: of ``rounded``.

    >>> pairs = CoarseNormal("relu", 2, 0.8).sample(6, torch.Generator().manual_seed(0))
    >>> bool((pairs.x >= 0).all()), 0 < pairs.truth < 2 * 0.511
    (True, True)
    """

    kind: Kind = "relu"
    dim: Annotated[int, Field(ge=1)] = 1
    correlation: Annotated[float, Field(gt=-1, lt=1)] = 0.6
    step: Annotated[float, Field(gt=0)] = 0.5

    @property
    def truth(self) -> float:
        """I(X; Y), nats."""
        one = gelu_information(self.correlation) if self.kind == "gelu" else coarse_information(self)
        return self.dim * one

    @property
    def cells(self) -> tuple[tuple[tuple[float, float], ...], tuple[float, float] | None]:
        """Stretches that become one value each, and the stretch that is kept as it is."""
        if self.kind == "relu":
            return ((-EDGE, 0.0),), (0.0, EDGE)
        if self.kind == "clipped":
            return ((-EDGE, -1.0), (1.0, EDGE)), (-1.0, 1.0)
        cuts = list(LEVELS)
        if self.kind == "rounded":
            most = math.floor(5.0 / self.step)
            cuts = [(i + 0.5) * self.step for i in range(-most - 1, most + 1)]
        ends = [-EDGE, *cuts, EDGE]
        return tuple(zip(ends[:-1], ends[1:], strict=True)), None

    def seen(self, u: Tensor) -> Tensor:
        """f(u)."""
        if self.kind == "relu":
            return u.clamp(min=0.0)
        if self.kind == "clipped":
            return u.clamp(-1.0, 1.0)
        if self.kind == "gelu":
            return torch.nn.functional.gelu(u)
        if self.kind == "rounded":
            return (u / self.step).round() * self.step
        return torch.bucketize(u, torch.tensor(LEVELS, dtype=u.dtype)).to(u.dtype) + 1

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs.

        Raises:
            ValueError: where no number is given.
        """
        num_samples = sample_count(num_samples)
        u, e = torch.randn(2, num_samples, self.dim, generator=generator, dtype=torch.float64)
        v = self.correlation * u + math.sqrt(1 - self.correlation**2) * e
        return Pairs(self.seen(u), self.seen(v), self.truth)


def nodes_within(low: float, high: float, count: int = 801) -> tuple[Tensor, Tensor]:
    """(k,) nodes and their weights under the standard normal density, trapezium rule."""
    u = torch.linspace(low, high, count, dtype=torch.float64)
    weights = normal_log_density(u, 1.0).exp() * (high - low) / (count - 1)
    weights[0], weights[-1] = 0.5 * weights[0], 0.5 * weights[-1]
    return u, weights


@lru_cache(maxsize=256)
def coarse_information(source: CoarseNormal) -> float:
    """I(f(u); f(v)) of one pair of columns, nats."""
    rho, rest = source.correlation, math.sqrt(1 - source.correlation**2)
    atoms, kept = source.cells

    def of_atoms(u: Tensor) -> Tensor:
        """(k, atoms) probability that v falls into each, given u."""
        ends = torch.tensor(atoms, dtype=torch.float64)
        return torch.special.ndtr((ends[:, 1] - rho * u[:, None]) / rest) - torch.special.ndtr(
            (ends[:, 0] - rho * u[:, None]) / rest
        )

    def weighed(p: Tensor, weights: Tensor) -> float:
        return float((weights[:, None] * torch.xlogy(p, p / alone)).sum())

    parts = [nodes_within(*atom, count=201) for atom in atoms]
    joint = torch.stack([(weights[:, None] * of_atoms(u)).sum(0) for u, weights in parts])
    alone = torch.stack([weights.sum() for _, weights in parts])
    total = float(torch.xlogy(joint, joint / (alone[:, None] * alone)).sum())
    if kept is not None:
        u, weights = nodes_within(*kept)
        total += 2 * weighed(of_atoms(u), weights)
        ratio = normal_log_density(u - rho * u[:, None], rest**2) - normal_log_density(u, 1.0)
        total += float((weights[:, None] * weights * ratio.exp() * ratio).sum())
    return total


@lru_cache(maxsize=64)
def gelu_information(correlation: float) -> float:
    """I(gelu(u); gelu(v)) of one pair of columns, nats."""
    rho, rest = correlation, 1 - correlation**2
    grid = torch.linspace(-12.0, GELU_TURN, 400_001, dtype=torch.float64)
    values = torch.nn.functional.gelu(grid).flip(0)  # rising

    def slope(u: Tensor) -> Tensor:
        return (torch.special.ndtr(u) + u * normal_log_density(u, 1.0).exp()).abs().clamp(min=1e-12)

    def preimages(u: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 2) both places of a value, and the log of 1 / slope there; -inf where there is none."""
        value = torch.nn.functional.gelu(u)
        left = grid.flip(0)[torch.searchsorted(values, value).clamp(max=grid.numel() - 1)]
        right = torch.full_like(u, GELU_TURN + 1e-9)
        high = torch.zeros_like(u)
        for _ in range(60):
            middle = 0.5 * (right + high)
            below = torch.nn.functional.gelu(middle) < value
            right, high = torch.where(below, middle, right), torch.where(below, high, middle)
        other = torch.where(u < GELU_TURN, right, left)
        log = -slope(other).log()
        return torch.stack((u, other), 1), torch.stack((-slope(u).log(), log.masked_fill(u >= 0, -torch.inf)), 1)

    def terms(count: int, generator: torch.Generator) -> Tensor:
        u, e = torch.randn(2, count, generator=generator, dtype=torch.float64)
        v = rho * u + math.sqrt(rest) * e
        (a, wa), (b, wb) = preimages(u), preimages(v)
        la, lb = wa + normal_log_density(a, 1.0), wb + normal_log_density(b, 1.0)
        both = (la[:, :, None] + wb[:, None] + normal_log_density(b[:, None] - rho * a[:, :, None], rest)).flatten(1)
        return both.logsumexp(1) - la.logsumexp(1) - lb.logsumexp(1)

    return mean_of_draws(terms, 11, precision=1e-3)
