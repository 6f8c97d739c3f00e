"""Donsker-Varadhan of the latents (MINE). Belghazi et al., ICML (2018)."""

from __future__ import annotations

from torch import Tensor, nn

from lmi.estimators.bounds.bounds import donsker_varadhan
from lmi.latent.objectives.bilinear import BilinearCritic


class MINEObjective(nn.Module):
    """Donsker-Varadhan of a batch."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.critic = BilinearCritic(latent_dim)

    def forward(self, zx: Tensor, zy: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """() nats, of latents zx (b, l) and zy (b, l)."""
        return donsker_varadhan(self.critic(zx, zy))
