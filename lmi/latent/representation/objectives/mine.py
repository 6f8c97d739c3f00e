"""Donsker-Varadhan of the latents (MINE). Belghazi et al., ICML (2018)."""

from __future__ import annotations

from torch import Tensor, nn

from lmi.estimators.bounds.bounds import donsker_varadhan
from lmi.latent.representation.objectives.bilinear import BilinearCritic


class MINEObjective(nn.Module):
    """Donsker-Varadhan of a batch."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.critic = BilinearCritic(latent_dim)

    def forward(self, zx: Tensor, zy: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """() nats.

        Args:
            zx: (b, l) latents of X.
            zy: (b, l) latents of Y.
            x: (b, *shape) scaled samples, which this objective does not look at.
            y: (b, *shape) their partners.
        """
        return donsker_varadhan(self.critic(zx, zy))
