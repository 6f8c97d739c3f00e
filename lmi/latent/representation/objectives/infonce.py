"""InfoNCE of the latents: pick each partner out of the batch. van den Oord, Li, Vinyals (2018)."""

from __future__ import annotations

from torch import Tensor, nn

from lmi.estimators.bounds.bounds import infonce
from lmi.latent.representation.objectives.bilinear import BilinearCritic


class InfoNCEObjective(nn.Module):
    """InfoNCE of a batch, at most the log of its size."""

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
        return infonce(self.critic(zx, zy))
