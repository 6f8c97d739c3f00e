"""Filters for pictures: two to four layers, each halving the picture, then a perceptron that knows where things are."""

from __future__ import annotations

from torch import nn

SMALLEST = 5  # rows or columns, from which on a layer does not halve any more


def conv(shape: tuple[int, ...], latent_dim: int, width: int) -> nn.Module:
    """(b, channels, height, width) -> (b, latent_dim); the first layer has ``width`` filters, each further one twice as many.

    Pictures are halved while their smaller side is above 5, at most four times; nothing is averaged over the picture.
    """
    channels, height, across = shape
    layers: list[nn.Module] = []
    while min(height, across) > SMALLEST and len(layers) < 8:
        layers += [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.GELU()]
        channels, width, height, across = width, 2 * width, height // 2, across // 2
    flat, hidden = channels * height * across, 4 * width
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(flat, hidden), nn.GELU(), nn.Linear(hidden, latent_dim)
    )  # fmt: skip
