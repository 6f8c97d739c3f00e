"""Filters whose answers are averaged over all places or steps: what is the same wherever it lies is learned from few samples.

How strong a texture is, which motif a sequence holds, how fast it swings: none of it needs to know where. A network that does
know has a weight for each place, and thousands of samples to spend on finding them alike (Lin, Chen, Yan, ICLR 2014).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lmi.latent.representation.encoders.step_dropout import StepDropout

SMALLEST = 5  # rows or columns, from which on a layer does not halve any more
LAYERS = 3  # of filters, at most


class PooledEncoder(nn.Module):
    """(b, channels, height, width) or (b, length, channels) -> (b, latent_dim).

    Each layer's answers go to the perceptron as their mean and their largest value over all places.

    Args:
        shape: of a sample.
        latent_dim: latents.
        width: filters of the first layer are twice as many.
    """

    def __init__(self, shape: tuple[int, ...], latent_dim: int, width: int) -> None:
        super().__init__()
        self.is_sequence = len(shape) == 2
        channels, wide = shape[1] if self.is_sequence else shape[0], 2 * width
        layers: list[nn.Module] = []
        smaller = min(shape[1:])
        while len(layers) < LAYERS and (self.is_sequence or not layers or smaller > SMALLEST):
            if self.is_sequence:
                by = 2 ** len(layers)
                layers.append(nn.Conv1d(channels, wide, 5, padding=2 * by, dilation=by))
            else:
                layers.append(nn.Conv2d(channels, wide, 4, stride=2, padding=1))
                smaller //= 2
            channels = wide
        pooled = 2 * wide * len(layers)
        self.layers = nn.ModuleList(layers)
        self.head = nn.Sequential(
            StepDropout(), nn.Linear(pooled, 4 * wide), nn.GELU(), StepDropout(), nn.Linear(4 * wide, latent_dim)
        )

    def forward(self, z: Tensor) -> Tensor:
        """(b, latent_dim) of samples z (b, *shape)."""
        z = z.transpose(1, 2) if self.is_sequence else z
        answers = []
        for layer in self.layers:
            z = nn.functional.gelu(layer(z))
            places = z.flatten(2)
            answers += [places.mean(2), places.amax(2)]
        return self.head(torch.cat(answers, 1))


def pooled(shape: tuple[int, ...], latent_dim: int, width: int) -> nn.Module:
    """A ``PooledEncoder`` of pictures or sequences of this shape."""
    return PooledEncoder(shape, latent_dim, width)
