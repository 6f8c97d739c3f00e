"""What modules of jointly normal neurons share, in closed form from a covariance, and debiased from samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lmi.estimators.modules.partition import PartitionLike, module_indices, partition_of
from lmi.inputs import read_matrices, read_matrix


def gaussian_mi(cov: Any, partition: PartitionLike) -> float:
    """MI between the modules of normal variables with covariance ``cov``; total correlation for more than two modules.

    I = 1/2 [sum_b logdet S_b - logdet S] in nats. Each module is whitened on its own support first, which leaves
    I = -1/2 logdet M for an M with unit diagonal blocks: pseudo-determinants are taken where modules are degenerate,
    and a singular M means that ranks do not add up: the MI is infinite. Units of single neurons do not matter.

    Args:
        cov: (d, d) covariance, symmetric and positive semidefinite: NumPy, torch, pandas or lists.
        partition: labels (d,) or boolean (modules, d).

    Raises:
        ValueError: for a bad partition, or a matrix that is not a covariance.

    >>> cov = torch.tensor([[1.0, 0.6], [0.6, 1.0]])
    >>> round(gaussian_mi(cov, [0, 1]), 4), gaussian_mi(torch.ones(2, 2), [0, 1])
    (0.2231, inf)
    """
    cov, names = _checked_covariance(cov)
    modules = module_indices(partition_of(partition, names), cov.shape[0])
    return _between(_correlation(cov), modules, _precision(cov))[0]


def gaussian_mi_matrix(cov: Any, partition: PartitionLike) -> Tensor:
    """(m, m) closed-form MI in nats between every two modules, each pair on its own; infinity on the diagonal.

    >>> cov = torch.tensor([[1.0, 0.6, 0.5], [0.6, 1.0, 0.3], [0.5, 0.3, 1.0]])
    >>> gaussian_mi_matrix(cov, [0, 1, 2]).round(decimals=2)
    tensor([[   inf, 0.2200, 0.1400],
            [0.2200,    inf, 0.0500],
            [0.1400, 0.0500,    inf]], dtype=torch.float64)
    """
    cov, names = _checked_covariance(cov)
    modules = module_indices(partition_of(partition, names), cov.shape[0])
    correlation, precision = _correlation(cov), _precision(cov)
    matrix = torch.full((len(modules), len(modules)), math.inf, dtype=torch.float64)
    for a in range(len(modules)):
        for b in range(a + 1, len(modules)):
            matrix[a, b] = matrix[b, a] = _between(correlation, (modules[a], modules[b]), precision)[0]
    return matrix


def gaussian_mi_samples(activations: Any, partition: PartitionLike) -> float:
    """``gaussian_mi`` of the sample covariance with its bias taken off: exact in the mean for normal samples, nats.

    The plug-in's bias with n samples and estimated means is 1/2 [sum_b s(r_b) - s(sum_b r_b)],
    s(r) = sum_{i=1..r} psi((n - i) / 2), for modules of ranks r_b.

    Args:
        activations: (n, d) samples: NumPy, torch, pandas, polars, SciPy sparse, AnnData or lists.
        partition: labels (d,) or boolean (modules, d).

    Raises:
        ValueError: for a bad partition, NaN or infinity, or no more samples than independent neurons.

    >>> x = torch.randn(50, 9, generator=torch.Generator().manual_seed(0))
    >>> abs(gaussian_mi_samples(x, [0, 0, 0, 1, 1, 1, 2, 2, 2])) < 0.2
    True
    """
    (side,), _ = read_matrices(read_matrix(activations, "activations"))
    n = len(side.values)
    modules = module_indices(partition_of(partition, side.columns), side.values.shape[1])
    cov = torch.cov(side.values.double().cpu().T)
    nats, ranks = _between(_correlation(cov), modules, _precision(cov))
    if sum(ranks) >= n:
        raise ValueError(
            f"{n} samples for {sum(ranks)} independent neurons: their covariance is singular and says nothing; "
            "expected more samples than neurons"
        )
    return nats - 0.5 * (sum(_log_determinant_bias(n, rank) for rank in ranks) - _log_determinant_bias(n, sum(ranks)))


def _checked_covariance(brought: Any) -> tuple[Tensor, tuple[Any, ...] | None]:
    side = read_matrix(brought, "cov", is_sample=False)
    cov = side.values
    if side.rows is not None and side.columns is not None and list(side.rows) != list(side.columns):
        raise ValueError("cov has other names for its rows than for its columns; expected the same in the same order")
    if cov.ndim != 2 or cov.shape[0] != cov.shape[1]:
        raise ValueError(f"cov of shape {tuple(cov.shape)}: expected a square matrix (d, d)")
    if not bool(torch.isfinite(cov).all()):
        row, column = (~torch.isfinite(cov)).nonzero()[0].tolist()
        raise ValueError(f"cov[{row}, {column}] is {float(cov[row, column])}: expected finite numbers")
    scale = float(cov.abs().max())
    if float((cov - cov.T).abs().max()) > 1e3 * torch.finfo(cov.dtype).eps * scale:
        raise ValueError("cov is not symmetric: expected a covariance matrix")
    least = float(torch.linalg.eigvalsh(cov.double()).min())
    if least < -1e3 * torch.finfo(cov.dtype).eps * len(cov) * scale:
        raise ValueError(f"cov has the eigenvalue {least:.3g}: expected a covariance matrix, which has none below 0")
    return cov, side.columns


def _correlation(cov: Tensor) -> Tensor:
    """Correlations in float64; a neuron without variance keeps a zero row."""
    cov = cov.detach().double().cpu()
    scale = cov.diagonal().clamp(min=0).sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    return cov / scale.outer(scale)


def _precision(cov: Tensor) -> float:
    """Eigenvalues of a correlation matrix below this are rounding, in the type that the covariance came in."""
    return 10 * len(cov) * torch.finfo(cov.dtype).eps


def _between(correlation: Tensor, modules: Sequence[Tensor], precision: float) -> tuple[float, list[int]]:
    """MI between modules, and the rank of each."""
    whiten, worst = [], 1.0
    for module in modules:
        values, vectors = torch.linalg.eigh(correlation[module][:, module])
        real = values > precision
        if bool(real.any()):
            worst = min(worst, float(values[real].min()))
        basis = correlation.new_zeros(len(correlation), int(real.sum()))
        basis[module] = vectors[:, real] / values[real].sqrt()
        whiten.append(basis)
    ranks = [basis.shape[1] for basis in whiten]
    if sum(ranks) == 0:
        return 0.0, ranks
    basis = torch.cat(whiten, dim=1)
    whitened = basis.T @ correlation @ basis
    if float(torch.linalg.eigvalsh(whitened).min()) <= precision / worst:
        return math.inf, ranks
    return -0.5 * float(torch.linalg.slogdet(whitened).logabsdet), ranks


def _log_determinant_bias(n: int, rank: int) -> float:
    """sum_{i=1..r} psi((n - i) / 2): what is left of E log det of a Wishart matrix where terms in r cancel."""
    return float(torch.digamma((n - torch.arange(1, rank + 1, dtype=torch.float64)) / 2).sum())
