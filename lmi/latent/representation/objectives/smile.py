"""Donsker-Varadhan of the latents with a clipped partition (SMILE). Song and Ermon, ICLR (2020).

Clipped scores could rise for ever, so that, as in the published code, the value is SMILE's and the gradient that of the
Jensen-Shannon bound, whose best scores are the same log density ratio.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from lmi.estimators.bounds.bounds import smile
from lmi.latent.representation.objectives.bilinear import BilinearCritic


class SMILEObjective(nn.Module):
    """Donsker-Varadhan of a batch, the partition's scores clipped to +-5."""

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
        scores = self.critic(zx, zy)
        b = scores.shape[0]
        joint = scores.diagonal()
        apart = (softplus(scores).sum() - softplus(joint).sum()) / (b * (b - 1))
        jensen_shannon = -softplus(-joint).mean() - apart
        with torch.no_grad():
            difference = smile(scores) - jensen_shannon
        return jensen_shannon + difference
