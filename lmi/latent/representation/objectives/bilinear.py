"""Scores of latents in the form that normal variables have: a product of both sides and a term of each."""

from __future__ import annotations

from torch import Tensor, nn


class BilinearCritic(nn.Module):
    """f(x, y) = g(zx) . h(zy) + q(zx) + r(zy): (b, l), (b, l) -> (b, b).

    Args:
        latent_dim: latents of each side.
        hidden: width of the perceptrons q and r.
    """

    def __init__(self, latent_dim: int, hidden: int = 32) -> None:
        super().__init__()
        self.g, self.h = (nn.Linear(latent_dim, 2 * latent_dim) for _ in range(2))
        self.q, self.r = (
            nn.Sequential(nn.Linear(latent_dim, hidden), nn.GELU(), nn.Linear(hidden, 1)) for _ in range(2)
        )

    def forward(self, zx: Tensor, zy: Tensor) -> Tensor:
        """(b, b) scores of latents zx (b, l) with all of zy (b, l)."""
        return self.g(zx) @ self.h(zy).T + self.q(zx) + self.r(zy).T
