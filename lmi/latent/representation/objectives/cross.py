"""Cross-prediction: each side's latents foretell the samples of the other side, as in the published latents.

Gowri, Lun, Klein, Yin, NeurIPS (2024), predict the other side and reconstruct their own; here nothing is spent on a side's
own noise. What the other side does not share with a sample is noise to its prediction, however large.
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn.functional import mse_loss

HIDDEN = 128
SMALLEST_ERROR = 1e-6  # of scaled values, so that a constant side has no logarithm of 0


class CrossObjective(nn.Module):
    """-1/4 (log E|y - f(zx)|^2 + log E|x - g(zy)|^2) per value: nats of a normal error against samples of variance 1.

    Args:
        latent_dim: latents of each side.
        shapes: of a sample of X and of Y.
    """

    def __init__(self, latent_dim: int, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
        super().__init__()
        self.to_x, self.to_y = (
            nn.Sequential(nn.Linear(latent_dim, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, math.prod(shape)))
            for shape in shapes
        )

    def forward(self, zx: Tensor, zy: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """() nats per value.

        Args:
            zx: (b, l) latents of X.
            zy: (b, l) latents of Y.
            x: (b, *shape) scaled samples.
            y: (b, *shape) their partners.
        """
        errors = mse_loss(self.to_y(zx), y.flatten(1)), mse_loss(self.to_x(zy), x.flatten(1))
        return -0.25 * sum((error.clamp(min=SMALLEST_ERROR).log() for error in errors), start=zx.new_zeros(()))
