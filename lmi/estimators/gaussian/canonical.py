"""Canonical correlations of samples, the mutual information they stand for, and its exact finite-sample bias."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class CanonicalFit:
    """What samples say of two blocks of jointly normal variables.

    Args:
        correlations: (r,) sample canonical correlations, largest first.
        x: (n, r) canonical variates of X, unit mean square.
        y: (n, r) canonical variates of Y.
        basis_x: (n, rank_x) orthonormal basis of X's centred columns.
        basis_y: (n, rank_y) orthonormal basis of Y's centred columns.
    """

    correlations: Tensor
    x: Tensor
    y: Tensor
    basis_x: Tensor
    basis_y: Tensor

    @property
    def rank_x(self) -> int:
        """Dimension of X's support."""
        return self.basis_x.shape[1]

    @property
    def rank_y(self) -> int:
        """Dimension of Y's support."""
        return self.basis_y.shape[1]


def canonical_fit(x: Tensor, y: Tensor) -> CanonicalFit:
    """Canonical correlations of the samples, on the support where columns are redundant.

    Args:
        x: (n, dx).
        y: (n, dy).

    Raises:
        ValueError: where rank(x) + rank(y) >= n: the sample correlations then say nothing.
    """
    n = x.shape[0]
    basis_x, basis_y = _basis(x), _basis(y)
    rank_x, rank_y = basis_x.shape[1], basis_y.shape[1]
    if rank_x + rank_y >= n:
        raise ValueError(
            f"the Gaussian closed form needs more samples than dimensions: got {n} samples for {rank_x} + {rank_y} "
            f"independent columns; components=0 or ridge=true reduce the dimension first"
        )
    left, correlations, right = torch.linalg.svd(basis_x.T @ basis_y, full_matrices=False)
    scale = n**0.5
    return CanonicalFit(
        correlations.clamp(max=1.0), scale * (basis_x @ left), scale * (basis_y @ right.T), basis_x, basis_y
    )


def gaussian_pointwise(fit: CanonicalFit) -> Tensor:
    """log p(x, y) / (p(x) p(y)) at each sample under the fitted normal; their mean is the plug-in MI.

    sum_j -1/2 log(1 - r_j^2) - (r_j^2 u_j^2 - 2 r_j u_j v_j + r_j^2 v_j^2) / (2 (1 - r_j^2)) for canonical variates u, v.

    Returns:
        (n,) nats, with the plug-in's bias still in them.
    """
    r = fit.correlations
    rest = 1 - r**2
    quadratic = r**2 * (fit.x**2 + fit.y**2) - 2 * r * fit.x * fit.y
    return (-0.5 * rest.log() - quadratic / (2 * rest)).sum(1)


def gaussian_bias(n: float, rank_x: int, rank_y: int) -> float:
    """Exact bias of the plug-in MI of ``n`` samples with estimated mean, nats; add its negative.

    A Wishart matrix with n - 1 degrees of freedom has E log det W = sum_i psi((n - i) / 2) + log det S + d log 2, so the
    bias is 1/2 [s(rx) + s(ry) - s(rx + ry)] with s(d) = sum_{i=1..d} psi((n - i) / 2), whatever the true MI.

    >>> round(gaussian_bias(100, 1, 1), 6)
    0.005128
    """

    def log_determinant_bias(d: int) -> float:
        return float(torch.digamma((n - torch.arange(1, d + 1, dtype=torch.float64)) / 2).sum())

    return 0.5 * (log_determinant_bias(rank_x) + log_determinant_bias(rank_y) - log_determinant_bias(rank_x + rank_y))


def gaussian_standard_error(fit: CanonicalFit) -> float:
    """Standard error of the estimate under normality, nats: sqrt(sum r_j^2 / n + rx ry / (2 n^2))."""
    n = fit.x.shape[0]
    return float((fit.correlations**2).sum() / n + fit.rank_x * fit.rank_y / (2 * n**2)) ** 0.5


def _basis(z: Tensor) -> Tensor:
    """Orthonormal basis (n, rank) of the centred columns, each scaled first, so that units do not decide the rank."""
    z = z.detach().to(torch.float64)
    z = z - z.mean(0)
    z = z / z.norm(dim=0).clamp(min=torch.finfo(z.dtype).tiny)
    left, values, _ = torch.linalg.svd(z, full_matrices=False)
    tolerance = values.max() * max(z.shape) * torch.finfo(torch.float32).eps / 16
    return left[:, values > tolerance]
