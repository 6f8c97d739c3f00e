"""Canonical correlations of the latents, in closed form: -1/2 log det(I - T T').

Andrew, Arora, Bilmes, Livescu, Deep canonical correlation analysis, ICML (2013), with the mutual information of normal
variables in place of the sum of the correlations. It is an objective and no estimate: latents that are functions of one
another are counted twice.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SHRINKAGE = 1e-3  # share of the mean variance that every direction is given


def canonical_nats(zx: Tensor, zy: Tensor, shrinkage: float = SHRINKAGE) -> Tensor:
    """-1/2 log det(I - T T') with T the whitened cross-covariance of zx (b, lx) and zy (b, ly); () nats, differentiable.

    In double precision: near a correlation of 1 the determinant is a small difference.

    Args:
        zx: (b, lx).
        zy: (b, ly).
        shrinkage: share of the mean variance that is added to every variance, so that b samples of a degenerate latent
            stay invertible.

    >>> z = torch.randn(2, 5000, 1, generator=torch.Generator().manual_seed(0))
    >>> round(float(canonical_nats(z[0], 0.6 * z[0] + 0.8 * z[1], 0.0)), 1)  # -1/2 log(1 - 0.36) = 0.22
    0.2
    """
    x, y = (z.double() - z.double().mean(0) for z in (zx, zy))
    n = x.shape[0]
    roots = []
    for z in (x, y):
        covariance = z.T @ z / n
        ridge = shrinkage * covariance.diagonal().mean() + 1e-12
        roots.append(torch.linalg.cholesky(covariance + ridge * torch.eye(z.shape[1], dtype=z.dtype, device=z.device)))
    half = torch.linalg.solve_triangular(roots[0], x.T @ y / n, upper=False)
    t = torch.linalg.solve_triangular(roots[1], half.T, upper=False).T
    eye = torch.eye(t.shape[0], dtype=t.dtype, device=t.device)
    return -0.5 * torch.linalg.slogdet(eye - t @ t.T).logabsdet


class CanonicalObjective(nn.Module):
    """``canonical_nats`` of a batch, which has no weights of its own."""

    def forward(self, zx: Tensor, zy: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """() nats.

        Args:
            zx: (b, l) latents of X.
            zy: (b, l) latents of Y.
            x: (b, *shape) scaled samples, which this objective does not look at.
            y: (b, *shape) their partners.
        """
        return canonical_nats(zx, zy)
