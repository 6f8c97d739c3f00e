"""Objectives that score every pair of a batch and hold a bound against the scores: InfoNCE, Donsker-Varadhan, SMILE."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from lmi.latent.representation.objectives.bilinear import BilinearCritic


class ScoredObjective(nn.Module):
    """A bound on the scores of a bilinear critic.

    Args:
        bound: (b, b) scores -> () nats, partners on the diagonal.
        latent_dim: latents of each side.
    """

    def __init__(self, bound: Callable[[Tensor], Tensor], latent_dim: int) -> None:
        super().__init__()
        self.bound = bound
        self.critic = BilinearCritic(latent_dim)

    def forward(self, zx: Tensor, zy: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """() nats.

        Args:
            zx: (b, l) latents of X.
            zy: (b, l) latents of Y.
            x: (b, *shape) scaled samples, which these objectives do not look at.
            y: (b, *shape) their partners.
        """
        return self.bound(self.critic(zx, zy))
