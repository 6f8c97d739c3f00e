"""Compositions: positive shares that add up to the same in every row: attention weights, topics, relative abundances.

The logarithms of their ratios are free of that sum (Aitchison, J. R. Stat. Soc. B 44, 139 (1982)), and keep the mutual
information.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.trust.normality import mardia

SAME_SUM = 1e-5  # by how much of itself the sum of a row may differ from that of others: float32 is good for less


def is_composition(z: Tensor) -> bool:
    """Whether rows of z (n, d) have at least three entries, all positive, that add up to the same.

    >>> is_composition(torch.rand(9, 4).softmax(1)), is_composition(torch.rand(9, 4))
    (True, False)
    """
    if z.shape[1] < 3 or not bool((z > 0).all()):
        return False
    sums = z.double().sum(1)
    return float(sums.max() - sums.min()) < SAME_SUM * float(sums.mean())


def log_ratios(z: Tensor) -> Tensor:
    """(n, d - 1) isometric log ratios of compositions z (n, d): coordinates of log z beside its mean.

    >>> z = torch.tensor([[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]], dtype=torch.float64)
    >>> bool((torch.pdist(log_ratios(z)) - torch.pdist(z.log() - z.log().mean(1, keepdim=True))).abs() < 1e-12)
    True
    """
    basis = torch.linalg.qr(torch.ones(z.shape[1], 1, dtype=torch.float64), mode="complete").Q[:, 1:]
    return z.double().log() @ basis


def or_log_ratios(z: Tensor) -> Tensor:
    """The log ratios of z (n, d) where it is a composition and these are nearer to jointly normal than the shares, otherwise z.

    Args:
        z: (n, d).
    """
    if not is_composition(z):
        return z
    ratios = log_ratios(z)
    return ratios if _far_from_normal(ratios) < _far_from_normal(z) else z


def composition_warnings(sides: tuple[Tensor, Tensor], measured: tuple[Tensor, Tensor]) -> tuple[str, ...]:
    """A warning for each side (n, d) that is not measured as it came.

    >>> shares = torch.rand(9, 4).softmax(1)
    >>> composition_warnings((shares, shares), (log_ratios(shares), shares))
    ('the rows of x add up to the same: it is measured by 3 log ratios of its 4 shares',)
    """
    return tuple(
        f"the rows of {name} add up to the same: it is measured by {new.shape[1]} log ratios of its {old.shape[1]} shares"
        for name, old, new in zip("xy", sides, measured, strict=True)
        if new is not old
    )


def _far_from_normal(z: Tensor) -> float:
    """Mardia's larger score of the normal scores of z (n, d)."""
    return max(abs(score) for score in mardia(normal_scores(z)))
