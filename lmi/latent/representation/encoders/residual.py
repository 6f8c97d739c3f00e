"""A residual perceptron: deep, and as easily fitted as a shallow one. He, Zhang, Ren, Sun, CVPR (2016)."""

from __future__ import annotations

import math

from torch import Tensor, nn

BLOCKS = 3


class ResidualBlock(nn.Module):
    """z + W2 gelu(W1 norm(z)) for z (b, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, z: Tensor) -> Tensor:
        """(b, width) of z (b, width)."""
        return z + self.branch(z)


def residual(shape: tuple[int, ...], latent_dim: int, width: int) -> nn.Module:
    """(b, *shape) -> (b, latent_dim) through three residual blocks of 8 times ``width``."""
    wide = 8 * width
    blocks = [ResidualBlock(wide) for _ in range(BLOCKS)]
    head = nn.Sequential(nn.LayerNorm(wide), nn.Linear(wide, latent_dim))
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), wide), *blocks, head)
