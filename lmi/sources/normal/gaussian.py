"""Low-rank normal variables in any ambient dimension, with their exact mutual information."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.types import NATS_PER_BIT, Pairs


@dataclass(frozen=True)
class LowRankGaussian:
    """A correlated normal core of few dimensions, mixed into many: x = A zx + nuisance + noise, and so for y.

    The entries of the mixing matrices are standard normal and drawn with the samples. Without noise the ambient variables
    carry exactly the core's information; with noise the truth is that of the sufficient statistics, which are normal too.

    Args:
        rank: dimensions of the core on each side, all with the same correlation.
        bits: I(X; Y) of the noiseless variables; give this or ``covariance``.
        covariance: of the core, X's half first, in place of ``rank`` and ``bits``.
        x_dim: ambient dimensions of X.
        y_dim: ambient dimensions of Y.
        noise: standard deviation of independent noise on each ambient coordinate, where the core alone gives each a
            variance of its rank.
        nuisance_dims: independent dimensions mixed into each side as the core is, which carry no information.
        nuisance_scale: their standard deviation.
        condition: ratio of the largest to the smallest singular value of each mixing matrix, the others between them at equal
            ratios; 0 leaves them as they were drawn.

    >>> source = LowRankGaussian(rank=2, bits=1.0, x_dim=10, y_dim=20)
    >>> pairs = source.sample(100, torch.Generator().manual_seed(0))
    >>> pairs.x.shape, pairs.y.shape, round(pairs.truth / NATS_PER_BIT, 6)
    (torch.Size([100, 10]), torch.Size([100, 20]), 1.0)
    """

    rank: Annotated[int, Field(ge=1)] = 1
    bits: Annotated[float, Field(ge=0)] | None = None
    covariance: tuple[tuple[float, ...], ...] | None = None
    x_dim: Annotated[int, Field(ge=1)] = 100
    y_dim: Annotated[int, Field(ge=1)] = 100
    noise: Annotated[float, Field(ge=0)] = 0.0
    nuisance_dims: Annotated[int, Field(ge=0)] = 0
    nuisance_scale: Annotated[float, Field(ge=0)] = 1.0
    condition: Annotated[float, Field(ge=0)] = 0.0

    def core_covariance(self) -> Tensor:
        """(2r, 2r) covariance of the core.

        Raises:
            ValueError: unless exactly one of ``bits`` and ``covariance`` is given, and the latter is positive definite.
        """
        if (self.bits is None) == (self.covariance is None):
            raise ValueError(f"give either bits or covariance; got bits={self.bits}, covariance={self.covariance}")
        if self.covariance is not None:
            s = torch.tensor(self.covariance, dtype=torch.float64)
            square = s.ndim == 2 and s.shape[0] == s.shape[1] and s.shape[0] % 2 == 0
            if not square or not torch.equal(s, s.T) or float(torch.linalg.eigvalsh(s)[0]) <= 0:
                raise ValueError(
                    f"covariance must be symmetric, positive definite and of even size; got {self.covariance}"
                )
            return s
        assert self.bits is not None
        correlation = math.sqrt(-math.expm1(-2 * self.bits * NATS_PER_BIT / self.rank))
        eye = torch.eye(self.rank, dtype=torch.float64)
        return torch.cat((torch.cat((eye, correlation * eye), 1), torch.cat((correlation * eye, eye), 1)))

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs; ``core`` holds the sufficient statistics of each side.

        Raises:
            ValueError: where no number is given, the core and the nuisance do not fit into the ambient dimensions, or
                ``condition`` is between 0 and 1.
        """
        if 0 < self.condition < 1:
            raise ValueError(f"condition must be 0 or at least 1; got {self.condition}")
        num_samples = sample_count(num_samples)
        covariance = self.core_covariance()
        rank = covariance.shape[0] // 2
        for side, dim in (("x_dim", self.x_dim), ("y_dim", self.y_dim)):
            if rank + self.nuisance_dims > dim:
                raise ValueError(
                    f"{side}={dim} cannot hold a core of rank {rank} and {self.nuisance_dims} nuisance dimensions"
                )
        core = _normal(num_samples, 2 * rank, generator) @ torch.linalg.cholesky(covariance).T
        x, statistic_x, error_x = self._mix(core[:, :rank], self.x_dim, generator)
        y, statistic_y, error_y = self._mix(core[:, rank:], self.y_dim, generator)
        total = covariance + torch.block_diag(error_x, error_y)
        truth = 0.5 * float(_logdet(total[:rank, :rank]) + _logdet(total[rank:, rank:]) - _logdet(total))
        return Pairs(x, y, max(truth, 0.0), (statistic_x, statistic_y))

    def _mix(self, core: Tensor, dim: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Ambient samples, their sufficient statistic for the core, and the covariance of its error."""
        n, rank = core.shape
        mixing = _normal(rank, dim, generator)
        if self.condition:
            left, _, right = torch.linalg.svd(mixing, full_matrices=False)
            mixing = (
                left @ torch.diag(torch.logspace(0, -math.log10(self.condition), rank, dtype=torch.float64)) @ right
            )
        z = core @ mixing
        disturbance = None
        if self.nuisance_dims:
            disturbance = self.nuisance_scale * _normal(self.nuisance_dims, dim, generator)
            z = z + _normal(n, self.nuisance_dims, generator) @ disturbance
        if self.noise == 0:
            return z, core, torch.zeros(rank, rank, dtype=torch.float64)
        z = z + self.noise * _normal(n, dim, generator)
        spread = self.noise**2 * torch.eye(dim, dtype=torch.float64)
        if disturbance is not None:
            spread = spread + disturbance.T @ disturbance
        weights = torch.linalg.solve(spread, mixing.T)
        error = torch.linalg.inv(mixing @ weights)
        return z, z @ weights @ error, 0.5 * (error + error.T)


def _normal(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64)


def _logdet(matrix: Tensor) -> Tensor:
    return torch.linalg.slogdet(matrix).logabsdet
