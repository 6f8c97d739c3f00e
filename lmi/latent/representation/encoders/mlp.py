"""A perceptron of two hidden layers on all values of a sample."""

from __future__ import annotations

import math

from torch import nn


def mlp(shape: tuple[int, ...], latent_dim: int, width: int) -> nn.Module:
    """(b, *shape) -> (b, latent_dim) through layers of 16 and 8 times ``width``."""
    wide, narrow = 16 * width, 8 * width
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(shape), wide),
        nn.GELU(),
        nn.Linear(wide, narrow),
        nn.GELU(),
        nn.Linear(narrow, latent_dim),
    )
